"""In which language unlabelled text is written, if it is code at all.

Two conditions must hold: the text shows marks of the language worth `_ENOUGH` points (a strong mark is worth two, a
weak one one, each counted once), and the whole text parses in it without an error. The marks keep prose out: many
English sentences parse as Bash or Ruby commands, `Output: 5` parses as Python and plain HTML as JavaScript. They also
order the languages, since `int f(int a) { return a; }` parses in five of them.

Not guaranteed: the right one of two languages that share the code (C and C++, JavaScript and TypeScript); the earlier
row of the table wins a tie. One assignment or one call alone does not count as code.
"""

from __future__ import annotations

import re
from functools import cache

from inverse_instruct.parser_process import parses

_ENOUGH = 2
_CHARACTERS_FOR_MARKS = 5000

_ASSIGNMENT = r"^\s*[\w.\[\]'\", ]+?\s*[-+*/]?=(?!=)\s*\S"
_CALL = r"[\w\]]\([^()]*\)"
_STATEMENT_END = r"[;{}]\s*$"
_C_FUNCTION = r"^\s*(static )?(unsigned )?(int|void|char|float|double|long|bool|struct \w+)\b[\w \t*&]*\("

_MARKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "python": (
        (r"^\s*(async )?def \w+\s*\(.*", r"^\s*class \w+[^{;\n]*:\s*(#.*)?$", r"^(import|from) [\w.]+( import| as|,|$)",
         r"^\s*(for|while|if|elif|with) .*:\s*(#.*)?$", r"\bprint\s*\(", r"\bfor [\w, ()]{1,40} in .{1,80}[\])}]",
         r"\blambda\b.*:"),
        (_ASSIGNMENT, _CALL),
    ),
    "javascript": (
        (r"\bconsole\.\w+\(", r"\bfunction\s*\w*\s*\(", r"=>", r"^\s*(const|let|var) [\w{}\[\], ]+ = ", r"===",
         r"\b(document|window|module)\.\w", r"\brequire\("),
        (_ASSIGNMENT, _CALL, _STATEMENT_END),
    ),
    "typescript": (
        (r":\s*(string|number|boolean|any|void|unknown)\b", r"^\s*(export )?interface \w+",
         r"^\s*(export )?type \w+.* =", r"^\s*(export )?enum \w+"),
        (r"\bconsole\.", r"^\s*(const|let|var) ", r"=>", _STATEMENT_END),
    ),
    "java": (
        (r"\bSystem\.(out|in)\b", r"public static void main", r"^import (static )?javax?\.", r"@Override",
         r"\b(extends|implements) \w+.*\{", r"\bnew (ArrayList|HashMap|Scanner)\b"),
        (r"\bString\b", r"^\s*(public|private|protected)\b.*[({;]", r"\b(public )?class \w+", _STATEMENT_END),
    ),
    "c": (
        (r"^\s*#include\s*[<\"]", r"\b(printf|scanf|malloc|sizeof)\s*\(", r"^\s*#define \w"),
        (_C_FUNCTION, _STATEMENT_END),
    ),
    "cpp": (
        (r"#include\s*<\w+>", r"\bstd::", r"\b(cout|cin)\b\s*(<<|>>)", r"\busing namespace\b", r"\btemplate\s*<",
         r"\bvector<"),
        (r"^\s*#include", r"\w::\w", r"\bclass \w+", r"\b(public|private):", _C_FUNCTION, _STATEMENT_END),
    ),
    "csharp": (
        (r"^\s*using (static )?[A-Z][\w.]*;", r"\bConsole\.\w+\(", r"\bstatic void Main\b", r"\{ get;"),
        (r"^\s*namespace \w", r"\bstring\b", r"^\s*(public|private|protected|internal)\b.*", r"\bclass \w+",
         _STATEMENT_END),
    ),
    "go": (
        (r"^package \w+\s*$", r"^func (\(.*\) )?\w+\(.*\{", r"\w :=\s", r"\bfmt\.\w+\("),
        (r"^import [(\"]", _STATEMENT_END),
    ),
    "rust": (
        (r"\bfn \w+.*(\{|->)", r"\blet mut \w", r"\b(println|print|vec|format)!\s*[(\[]", r"^\s*impl\b.*\{",
         r"^use std::"),
        (r"\blet \w+", r"->", _STATEMENT_END),
    ),
    "php": (
        (r"<\?(php|=)", r"^\s*\$\w+(\[.*\])?\s*[.+-]?=[^=]", r"^\s*echo\b.*;\s*$",
         r"\bfunction \w+\([^()\n]{0,80}\$\w"),
        (r"\$\w+->\w", _STATEMENT_END),
    ),
    "ruby": (
        (r"^\s*end\s*$", r"\bdo \|[\w, ]+\|", r"^\s*puts [\"'#\w\[]", r"^require(_relative)? [\"']",
         r"\.(each|map) *\{ *\|"),
        (_ASSIGNMENT, r"^\s*def \w+[?!]?", r"\w\.\w+[?!]?"),
    ),
    "swift": (
        (r"^\s*(\w+ )*func \w+.*(->|\{)", r"^import (Foundation|UIKit|SwiftUI)\b", r"\b(guard|if) let \w+ ="),
        (r"\b(let|var) \w+(: ?[\w\[\]?]+)? = ", r"\bprint\(", r"\b(struct|class|enum) \w+.*\{"),
    ),
    "bash": (
        (r"\A#!.*\b(ba|z|da)?sh\b", r"^\s*(if|while|for|until)\b.*;\s*(then|do)\b", r"^\s*(then|fi|do|done|esac)\s*$",
         r"^\s*echo +(-\w+ +)?[\"'$]", r"\$\((?!\d)\w"),
        (r"^\s*(sudo |\w+=\S+ )*(cd|ls|mkdir|grep|chmod|chown|apt|apt-get|pip3?|npm|git|curl|wget|docker|cat|rm|cp|mv|"
         r"sed|awk|export|tar|ssh|find|touch|echo|kill|ps|python3?|source)\s+\S", r"(?<=\s)--?[a-zA-Z][\w-]*",
         r"\S \| \w", r"\$[A-Za-z_{]", r"(?<=\s)\.?\.?(/[\w.*-]+)+", r"^\s*\w+=\S"),
    ),
}
"""Language -> its strong and its weak marks, as regular expressions over lines."""

_SENTENCE = re.compile(r"^\s*[A-Z][\w']*,? [a-z']+,? [a-z']{1,40}\b(?!.*[=({;])", re.MULTILINE)
_READS_SENTENCES_AS_COMMANDS = {"bash", "ruby"}
_IN_MARKUP = {"javascript", "typescript"}


@cache
def _compiled() -> dict[str, list[tuple[int, re.Pattern[str]]]]:
    return {
        language: [(2, re.compile(mark, re.MULTILINE)) for mark in strong]
        + [(1, re.compile(mark, re.MULTILINE)) for mark in weak]
        for language, (strong, weak) in _MARKS.items()
    }


def likely_languages(text: str) -> list[str]:
    """Return the languages whose marks the text shows, the likeliest first; empty for prose, data and markup."""
    lines = _squeezed(text)
    start = lines[:_CHARACTERS_FOR_MARKS]
    points = {
        language: sum(worth for worth, mark in marks if mark.search(start)) for language, marks in _compiled().items()
    }
    ruled_out: set[str] = set()
    if _SENTENCE.search(lines):
        ruled_out |= _READS_SENTENCES_AS_COMMANDS
    if text.lstrip().startswith("<"):
        ruled_out |= _IN_MARKUP
    likely = [language for language, sum_ in points.items() if sum_ >= _ENOUGH and language not in ruled_out]
    return sorted(likely, key=lambda language: -points[language])


def _squeezed(text: str) -> str:
    """Return the text without indentation, blank lines and runs of spaces, on which the marks could take for ever."""
    return "\n".join(line for line in (" ".join(line.split()) for line in text.split("\n")) if line)


def detect_language(text: str) -> str | None:
    """Return the language in which the text as a whole is code, or None if it is not code in any.

    Raises:
        ParserFailed: it cannot be told within the limits.
    """
    return next((language for language in likely_languages(text) if parses(text, language)), None)
