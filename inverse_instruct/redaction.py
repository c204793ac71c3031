"""Keeps secrets out of what is written: errors, logs, events and, through them, rejections and reports.

Enters: a text for a person. Leaves: the text with `***` for the values of environment variables that are named like
secrets, as they are, in base64, in hex, or escaped for URLs, JSON, Python or HTML, also when they are cut or wrapped;
and for passwords, keys and tokens in the forms and places in which they usually come, escaped or not. Not guaranteed:
secrets of other forms that are in no such variable, or that lie in two log records; `run.yaml` is the config as it was
given, so endpoints with a password in them are refused.
"""

from __future__ import annotations

import base64
import binascii
import html
import logging
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

HIDDEN = "***"
SHORTEST = 8  # characters of a variable's value that are worth hiding; `1` would be everywhere
ENOUGH = 16  # characters of a longer one, where it is cut
MOST_VIEWS = 16  # escapes within escapes that are looked through
NAMED_LIKE_SECRETS = (
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "CREDENTIALS",
    "API_KEY",
    "APIKEY",
    "ACCESS_KEY",
    "SECRET_KEY",
    "PRIVATE_KEY",
    "AUTH_KEY",
)

_STRONG = (
    r"(?:(?:api|access|account|private)[-_]?key|(?:access|auth|refresh|id)[-_]?token|(?:client[-_]?)?secret|"
    r"passw(?:or)?d|passphrase)"
)
_WEAK = rf"(?:{_STRONG}|token|key|auth|pwd|sig|signature|x-amz-(?:signature|security-token|credential))"
FORMS = re.compile(
    "|".join(
        (
            # tokens of well-known forms
            r"(?<![A-Za-z0-9])(?P<a>(?:hf_|gh[pousr]_|gsk_|npm_|r8_|sk_live_|sk_test_)[A-Za-z0-9]{16,}"
            r"|(?:sk-|glpat-|nvapi-|pypi-|github_pat_|xox[a-z]-|AIza|ya29\.)[\w.-]{16,}|A[KS]IA[A-Z0-9]{16}"
            r"|eyJ[\w-]{8,2000}\.[\w-]{8,4000}\.[\w-]*)",
            r"(?P<b>-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))",
            # headers
            r"Bearer (?P<c>[^\s\"'`]{8,})",
            r"(?i:\b(?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|token|digest|negotiate|api-?key)\s+)?+)"
            r"(?P<d>[^\s\"'`,;]{4,})",
            r"(?i:\b(?:x-[\w-]{0,40}(?:key|token|secret)|api-?key|private-token)[\"']?\s*[:=]\s*[\"']?)(?P<e>[^\s\"'`,;]{4,})",
            r"(?i:\b(?:set-)?cookie[\"']?: *+[\"']?)(?P<k>[^\r\n\"']{4,})",
            # parameters of URLs and forms, variables, options, JSON
            rf"(?i:[?&]{_WEAK}=)(?P<f>[^&\s\"'#<>]+)",
            rf"(?i:(?<![\w?&-]){_STRONG}=)[\"']?(?P<g>[^&\s\"',;]+)",
            r"\b[A-Z][A-Z0-9_]{0,60}(?:API_?KEY|TOKEN|SECRET|PASSWORD|PASSWD|ACCESS_KEY)=[\"']?(?P<h>[^\s\"',;]+)",
            r"--(?:api-key|hf-token|token|password|secret)(?:=|[\"'],\s*[\"'])(?P<i>[^\s\"',\]]+)",
            rf"(?i:[\"']{_STRONG}[\"']\s*:\s*[\"'])(?P<j>[^\"']+)",
            rf"(?i:\b{_STRONG}:\s+)[\"']?(?P<l>(?=\S*\d)[^\s\"',;]{{6,}})",  # as in YAML; words have no digits
        )
    )
)
BASIC = re.compile(r"\bbasic\s+([A-Za-z0-9+/_-]{8,}=*)", re.IGNORECASE)
URL = re.compile(r"://([^\s\"'<>]+)")
HOST = re.compile(r"(?:\[[^\]]*\]|[^/?#@:]*)(?::\d{0,5})?(?=[/?#]|$)")
URL_SAFE, URL_SAFE_BACK = str.maketrans("+/", "-_"), str.maketrans("-_", "+/")
LETTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "0": "\0"}
WRAP = re.compile(r"(?<![ \t])[ \t]*\r?\n[ \t]*")


def _character(match: re.Match[str]) -> str:
    """Return what is meant by a backslash and what follows it."""
    if digits := match["x"] or match["u"] or match["U"] or match["b"]:
        code = int(digits, 16)
        return chr(code) if code <= sys.maxunicode else match[0]
    return chr(int(match["octal"], 8)) if match["octal"] else LETTERS.get(match["char"], match["char"])


ESCAPES: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
    (re.compile(r"%([0-9A-Fa-f]{2})"), lambda match: chr(int(match[1], 16))),
    (re.compile(r"&#?\w{1,8};"), lambda match: html.unescape(match[0])),
    (
        re.compile(
            r"\\(?:x(?P<x>[0-9A-Fa-f]{2})|u(?P<u>[0-9A-Fa-f]{4})|U(?P<U>[0-9A-Fa-f]{8})|[ux]\{(?P<b>[0-9A-Fa-f]{1,8})\}"
            r"|(?P<octal>[0-7]{3})|(?P<char>.))",
            re.DOTALL,
        ),
        _character,
    ),
]
"""Of URLs, of HTML, of JSON, Python and C."""

View = tuple[str, Sequence[int]]
"""A text with its escapes resolved: its characters, and where each begins in the text as it was, with the end."""


def redact(text: str) -> str:
    """Return a text without the secrets that can be recognized."""
    kept, end = [], 0
    for begin, after in sorted(_secrets(text)):
        if after > end:
            kept += [text[end:begin], HIDDEN] if begin >= end else []
            end = after
    return "".join([*kept, text[end:]])


def _secrets(text: str) -> Iterator[tuple[int, int]]:
    """Yield where in a text there are secrets: begin and end."""
    names = [name for name in os.environ if name.upper().rstrip("_0123456789").endswith(NAMED_LIKE_SECRETS)]
    values = [value for value in map(os.environ.get, names) if value and len(value) >= SHORTEST]
    needles = [needle for value in values for needle in _needles(value)]
    for view in _views(text):
        yield from _in_source(view, _forms(view[0]))
        joined = _replaced(view, WRAP, lambda match: "") if "\n" in view[0] else view
        for needle in needles:
            yield from _in_source(view, _occurrences(view[0], needle))
            yield from _in_source(joined, _occurrences(joined[0], needle))


def _in_source(view: View, found: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for begin, end in found:
        yield view[1][begin], view[1][end]


def _views(text: str) -> Iterator[View]:
    """Yield a text as it is, and with its escapes resolved, kind by kind."""
    views: list[View] = [(text, range(len(text) + 1))]
    known = {text}
    for view in views:
        yield view
        for pattern, meaning in ESCAPES:
            further = _replaced(view, pattern, meaning)
            if further[0] not in known and len(views) < MOST_VIEWS:
                known.add(further[0])
                views.append(further)


def _replaced(view: View, pattern: re.Pattern[str], meaning: Callable[[re.Match[str]], str]) -> View:
    shown, places = view
    pieces, starts, end = [], [], 0
    for match in pattern.finditer(shown):
        pieces += [shown[end : match.start()], meaning(match)]
        starts += [*places[end : match.start()], *[places[match.start()]] * len(pieces[-1])]
        end = match.end()
    return "".join([*pieces, shown[end:]]), [*starts, *places[end:]]


def _forms(text: str) -> Iterator[tuple[int, int]]:
    """Yield what looks like a secret by its form, or by where it stands."""
    for match in FORMS.finditer(text):
        yield match.span(match.lastgroup or 0)
    for match in BASIC.finditer(text):
        if _is_basic(match[1]):
            yield match.span(1)
    for match in URL.finditer(text):
        if "@" in match[1] and not HOST.match(match[1]):  # else it begins with a host, and has no user
            yield match.start(1), match.start(1) + match[1].rindex("@")


def _is_basic(value: str) -> bool:
    """Tell whether a word is `USER:PASSWORD` in base64, and no word of a sentence."""
    bare = value.translate(URL_SAFE_BACK).rstrip("=")
    try:
        return b":" in base64.b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        return False


@lru_cache(maxsize=256)
def _needles(value: str) -> tuple[str, ...]:
    """Return what a secret looks like where it was encoded as a whole."""
    data = value.encode(errors="surrogateescape")
    found = [
        value,
        value.replace(" ", "+"),
        data.decode("latin-1"),
        *WRAP.split(value),
        WRAP.sub("", value),
        shlex.quote(value)[1:-1],
    ]
    for shift in range(3):  # of a base64 text that it is in the middle of
        whole = base64.b64encode(bytes(shift) + data).decode()
        sure = whole[-(-8 * shift // 6) : 8 * (shift + len(data)) // 6]
        found += [sure, sure.translate(URL_SAFE)]
    for separator in ("", ":", " ", "-"):
        digits = data.hex(separator) if separator else data.hex()
        found += [digits, digits.upper()]
    return tuple(dict.fromkeys(needle for needle in found if len(needle) >= SHORTEST))


def _occurrences(text: str, needle: str) -> Iterator[tuple[int, int]]:
    """Yield where a text holds a needle, or enough of its beginning or its end."""
    least = max(SHORTEST, min(ENOUGH, len(needle) // 2))
    for forward, part in ((True, needle[:least]), (False, needle[-least:])):
        at = text.find(part)
        while at >= 0:
            rest = os.path.commonprefix([text[at : at + len(needle)], needle]) if forward else part
            before = (
                ""
                if forward
                else os.path.commonprefix([text[max(0, at + least - len(needle)) : at + least][::-1], needle[::-1]])
            )
            yield at + least - max(least, len(before)), at + max(least, len(rest))
            at = text.find(part, at + least)


class RedactingFormatter(logging.Formatter):
    """Formats log records without secrets, those of their tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return redact(super().format(record))


def set_up_logging() -> None:
    """Send what the modules log to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in ("httpx", "httpcore", "httpx2", "httpcore2"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
