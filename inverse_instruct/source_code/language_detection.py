"""In which language unlabelled text is written, if it is code at all, and in a language that we know.

Three conditions must hold: the text shows marks of the language worth `_ENOUGH` points (a strong mark is worth two, a
weak one one, each counted once), the whole text parses in it without an error, and nothing speaks against it, such as
marks of a language that we do not know. The first keeps prose out: many English sentences parse as Bash or Ruby
commands, `Output: 5` parses as Python and plain HTML as JavaScript. The marks also order the languages, since
`int f(int a) { return a; }` parses in five of them.

Not guaranteed: the right one of two languages that share the code (C and C++, JavaScript and TypeScript); the earlier
row of the table wins a tie. One assignment or one call alone does not count as code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from inverse_instruct.source_code.fence_labels import fence_language
from inverse_instruct.source_code.foreign_marks import squeezed
from inverse_instruct.source_code.language_marks import MARKS, NEED_A_STRONG_MARK
from inverse_instruct.source_code.likeness import DOES_NOT_PARSE
from inverse_instruct.source_code.parser_process import objection

_ENOUGH = 2
_CHARACTERS_FOR_MARKS = 5000
_SENTENCE = re.compile(r"^\s*[A-Z][\w']*,? [a-z']+,? [a-z']{1,40}\b(?!.*[=({;])", re.MULTILINE)
_READS_SENTENCES_AS_COMMANDS = {"bash", "ruby"}
_SHEBANG = re.compile(r"#! ?\S*?([\w.+-]+)(?:(?<=env) +(?:-\S+ +)*([\w.+-]+))?(?= |$)", re.MULTILINE)


@cache
def _compiled() -> dict[str, list[tuple[int, re.Pattern[str]]]]:
    return {
        language: [(2, re.compile(mark, re.MULTILINE)) for mark in strong]
        + [(1, re.compile(mark, re.MULTILINE)) for mark in weak]
        for language, (strong, weak) in MARKS.items()
    }


def likely_languages(text: str) -> list[str]:
    """Return the languages whose marks the text shows, the likeliest first; empty for prose, data and markup."""
    lines = squeezed(text)
    if shebang := _SHEBANG.match(lines):
        language = fence_language(shebang[2] or shebang[1])
        return [language] if language in MARKS else []
    start = lines[:_CHARACTERS_FOR_MARKS]
    found = {
        language: [worth for worth, mark in marks if mark.search(start)] for language, marks in _compiled().items()
    }
    ruled_out = {language for language in NEED_A_STRONG_MARK if 2 not in found[language]}
    if _SENTENCE.search(lines):
        ruled_out |= _READS_SENTENCES_AS_COMMANDS
    if lines.startswith("<"):
        ruled_out |= MARKS.keys() - {"php"}
    points = {language: sum(worths) for language, worths in found.items()}
    likely = [language for language in points if points[language] >= _ENOUGH and language not in ruled_out]
    return sorted(likely, key=lambda language: -points[language])


@dataclass(frozen=True, slots=True)
class Detection:
    """The language of a text, or None and what speaks against the likely ones."""

    language: str | None
    objections: dict[str, str]  # by language, the likeliest first

    @property
    def broken(self) -> str | None:
        """Return the likeliest language if the text is in none because it does not parse, else None."""
        parse_none = self.language is None and set(self.objections.values()) == {DOES_NOT_PARSE}
        return next(iter(self.objections)) if parse_none else None


def detect(text: str) -> Detection:
    """Return the language in which the text as a whole is code.

    Raises:
        ParserFailed: it cannot be told within the limits.
    """
    objections: dict[str, str] = {}
    for language in likely_languages(text):
        objections[language] = objection(text, language)
        if not objections[language]:
            return Detection(language, objections)
    return Detection(None, objections)


def detect_language(text: str) -> str | None:
    """Return the language in which the text as a whole is code, or None if it is not code in any that we know.

    Raises:
        ParserFailed: it cannot be told within the limits.
    """
    return detect(text).language
