"""Which licenses the text of a LICENSE file is, by its telling phrases.

Enters: the name of a file, or its text. Leaves: whether the name is one of a license, and the SPDX identifiers of all
licenses that the text holds, so that a second one in the same file is not overlooked. Not guaranteed: legal advice; a
text that nobody knows has no identifier, and one that was reworded may have none.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"(?i)^(?:(?:mit|bsd|apache)[-_.])?(?:un)?(?:licen[cs]e|copying)s?(?:[-_.][\w.+-]+)?$")
_IDENTIFIER = re.compile(r"SPDX-License-Identifier:\s*([^\r\n*]+)")
_OPERATORS = {"AND", "OR", "WITH"}
_RESTRICTIONS = re.compile(r"commons clause|non-?commercial|good, not evil|research purposes only")
_GNU = r"s?,? (?:\(l?gpl\),? )?(?:version|as published|v?[23])"  # not where another license compares itself with it
_PHRASES = {
    "Apache-2.0": r"apache license,? version 2\.0",
    "MPL": r"mozilla public license",
    "AGPL": rf"gnu affero general public license{_GNU}",
    "LGPL": rf"gnu (?:lesser|library) general public license{_GNU}",
    "GPL": rf"gnu general public license{_GNU}",
    "EPL": r"eclipse public license",
    "EUPL": r"european union public licen[cs]e",
    "CC-BY": r"creative commons attribution",
    "CC0-1.0": r"cc0 1\.0 universal|creative commons legal code cc0",
    "BSL-1.0": r"boost software license",
    "PSF-2.0": r"python software foundation license version 2|psf license agreement",
    "Unlicense": r"this is free and unencumbered software released into the public domain",
    "Zlib": r"altered source versions must be plainly marked",
    "BUSL-1.1": r"business source license",
    "SSPL-1.0": r"server side public license",
    "Proprietary": r"\bproprietary (?:and confidential|license)|all use (?:is )?prohibited",
}
_PERMISSION = "permission is hereby granted, free of charge, to any person obtaining a copy"
_NOTICE = "permission notice"
_ISC = re.compile(r"permission to use, copy, modify,? and(?:/or)? distribute this software for any purpose")
_BSD = "redistribution and use in source and binary forms"


def is_license_file(name: str) -> bool:
    """Tell whether a file is one that a license is looked for in, such as `LICENSE.txt`, `COPYING` or `LICENSE-MIT`."""
    return bool(_NAME.fullmatch(name)) and not name.lower().endswith((".py", ".pyc", ".json", ".html"))


def licenses_in(text: str) -> set[str]:
    """Return the SPDX identifiers of the licenses that a text holds; empty if it holds none that we know."""
    plain = " ".join(re.sub(r"[\"'`“”‘’*#>|=_]+", " ", text.lower()).split())
    found = {name for name, phrase in _PHRASES.items() if re.search(phrase, plain)}
    if _PERMISSION in plain:
        found.add("MIT" if _NOTICE in plain else "MIT-0")
    if _ISC.search(plain):
        found.add("ISC" if _NOTICE in plain else "0BSD")
    if _BSD in plain:
        clauses = "BSD-3-Clause" if re.search(r"neither the names? of|nor the names? of", plain) else "BSD-2-Clause"
        found.add("BSD-4-Clause" if "all advertising materials" in plain else clauses)
    if re.search(r"apache license version 2\.0", plain):
        found.add("Apache-2.0")
    if _RESTRICTIONS.search(plain):
        found.add("restricted")
    return found


def declared_in(code: str) -> set[str]:
    """Return the identifiers that a file of code itself declares in an `SPDX-License-Identifier` line."""
    names = {name.strip("()") for line in _IDENTIFIER.findall(code[:4000]) for name in line.split()}
    return {name for name in names if re.fullmatch(r"[\w.+-]+", name) and re.search(r"[A-Za-z]", name)} - _OPERATORS
