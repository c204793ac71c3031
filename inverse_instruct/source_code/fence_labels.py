"""From the label of a fence, or the language field of a corpus, to a language.

Enters: an info string as people, models and tools write it: a name with a version (`python3.10`, `C++17`, `gnu++20`,
`golang 1.21`), a prefix (`lang-js`, `text/x-python`), attributes (`{.python .numberLines}`, `{python, echo=FALSE}`,
`js{1,3} title="a.js"`, `rust,ignore`, `python=`), a file (`src/app.ts`, `12:15:app.py`) or nothing. Leaves: a key of
`LANGUAGES`, or the name itself where it is none of ours, so that the caller can say which language is not supported.

A session (`console`, `shell-session`, `python repl`) mixes input with output and is no language. Of alternatives the
last counts (`c/c++`, `js/ts`), since the wider one is written last. Not guaranteed: that the code is what its label
says.
"""

from __future__ import annotations

import re

from inverse_instruct.source_code.languages import BY_NAME, LANGUAGES

_MAX_CHARACTERS = 200
_ITEM = re.compile(r"""\.?([^\s=,;:|(){}\[\]<>"']+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s,;{}]*))?""")
_SAYS_NOTHING = {
    "code",
    "snippet",
    "block",
    "code-block",
    "code-cell",
    "sourcecode",
    "source",
    "highlight",
    "hljs",
    "prettyprint",
    "numberlines",
    "linenos",
    "line-numbers",
    "class",
    "lang",
    "language",
    "brush",
    "syntax",
    "mode",
    "file",
    "filename",
    "title",
}
"""Words beside a name, and the keys of attributes whose value may be the name."""
_SESSIONS = {"session", "console", "repl", "output", "traceback", "transcript", "interactive", "log"}
_NUMBERS = re.compile(r"[\d.+*-]*")
_C_BEFORE_STANDARD = re.compile(r"^(?:gnu|ansi|iso|ms|clang|gcc)(?:[ -]?(?=\+\+|\d)|[ -]c(?![a-z-]))")
_PREFIX = re.compile(r"^(?:[^\w]+|(?:lang|language|code|source|highlight|syntax|brush|x)[-_])+")
_SUFFIX = re.compile(r"(?:[-_](?:code|script|snippet|source|program|file|language)|[.*!?]+)$")
_VERSION = re.compile(r"(.*?[^\d._ -])[._ -]?v?\d+(?:\.(?:\d+|x))*[abcxyz]?\+?")
_JOINT = re.compile(r"(?<=\w)[-_. ](?=\w)")


def fence_language(info: str) -> str:
    """Return the language that an info string names, as a key of `LANGUAGES` if it is ours; "" if it names none."""
    text = _C_BEFORE_STANDARD.sub("c", info[:_MAX_CHARACTERS].strip().lower().replace("♯", "#"))
    words, values = _items(text)
    if "{" in text:  # Pandoc's classes come in any order
        words.sort(key=lambda word: _ours(word) is None)
    if words[1:] and words[1] in _SESSIONS:
        return "-".join(words[:2])
    for name in (" ".join(words[:2]), *words[:1], *values):
        if language := _ours(name):
            return language
    return _PREFIX.sub("", words[0]) if words else ""


def language_of_name(name: str | None) -> str | None:
    """Return the language that a corpus field such as `lang` names, or None if it is not one of ours."""
    language = fence_language(name or "")
    return language if language in LANGUAGES else None


def _items(text: str) -> tuple[list[str], list[str]]:
    """Return the words that may be a name, and the values of the attributes that may be one."""
    words, values = [], []
    for word, value in _ITEM.findall(text):
        if word in _SAYS_NOTHING:
            values += [value.strip("\"'")] if value else []
        elif _NUMBERS.fullmatch(value) or _ours(word):
            words += [] if _NUMBERS.fullmatch(word) or ("{" in text and word.startswith("#")) else [word]
    return words, values


def _ours(name: str) -> str | None:
    """Return the language of one name, such as `lang-c++17`, `c-sharp`, `text/x-java` or `src/app.py`."""
    name = _SUFFIX.sub("", _PREFIX.sub("", name.rpartition("/")[2]))
    versioned = _VERSION.fullmatch(name)
    for form in (name, versioned[1] if versioned else ""):
        for written in (form, _JOINT.sub("", form)):
            if written in BY_NAME:
                return BY_NAME[written]
    return BY_NAME.get(name.rpartition(".")[2]) if "." in name else None
