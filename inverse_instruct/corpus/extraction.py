"""From a response to its one clean snippet (InverseCoder section 3.1).

Enters: a response as a corpus holds it. Leaves: the code of its first fenced block, or the whole response if there is
no fence and all of it is code; else the reason why there is none. Later blocks (tests, usage) and prose are dropped,
and so is what a reasoning model thought before it answered: its drafts are no snippets.

A fence that is never closed belongs to an answer that was cut off, so it is a syntax error even where the part that is
there parses. A block that carries a label is taken at its word: code that does not parse in the named language is a
syntax error, and a language without a grammar (`text` and `output` among them) is unsupported; the next block is not
looked at. Not guaranteed: that the code is right, or complete beyond its syntax.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection
from dataclasses import dataclass

from evaluation.fences import first_block
from evaluation.thoughts import without_thoughts
from inverse_instruct.records import Reason
from inverse_instruct.source_code.fence_labels import fence_language
from inverse_instruct.source_code.language_detection import detect, detect_language, likely_languages
from inverse_instruct.source_code.languages import LANGUAGES
from inverse_instruct.source_code.parser_process import parses


@dataclass(frozen=True, slots=True)
class Code:
    """Clean code and its language."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class NotCode:
    """Why a response gives no snippet."""

    reason: Reason
    detail: str


def extract(
    response: str, languages: Collection[str], max_characters: int, language: str | None = None
) -> Code | NotCode:
    """Return the clean snippet of a response.

    Args:
        response: the text as the corpus holds it.
        languages: those to keep.
        max_characters: longer code is rejected before it is parsed.
        language: what the corpus says about code without a label.

    Raises:
        ParserFailed: the parser cannot tell whether it is code.
    """
    text = response.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        return NotCode(Reason.EMPTY, "the response is empty")
    spoken = without_thoughts(text)
    if not spoken.answer.strip():
        return NotCode(Reason.NO_CODE, "the response is a thought without an answer after it")
    block = first_block(spoken.answer)
    if block is None:
        return _whole(spoken.answer, languages, max_characters, language)
    if not block.text.strip():
        return NotCode(Reason.NO_CODE, "the first fenced block is empty")
    label, code = fence_language(block.label), _without_indent(block.text, block.indent)
    if label and label not in LANGUAGES:
        return NotCode(Reason.UNSUPPORTED_LANGUAGE, label[:40])
    if not block.closed:
        return NotCode(Reason.SYNTAX_ERROR, "the first fence is never closed: the answer was cut off")
    if len(code) > max_characters:
        return NotCode(Reason.TOO_LONG, f"{len(code)} characters")
    return _labelled(code, label, languages) if label else _unlabelled(code, languages, language)


def extract_plain(
    code: str, languages: Collection[str], max_characters: int, language: str | None = None
) -> Code | NotCode:
    """Return a row of plain source code as a snippet; a fence counts only where the whole is not code.

    Raises:
        ParserFailed: the parser cannot tell whether it is code.
    """
    text = code.replace("\r\n", "\n").replace("\r", "\n")
    if text.strip() and len(text) <= max_characters:
        found = language if language and parses(text, language) else detect_language(text)
        if found:
            return _allowed(text, found, languages)
        if language and first_block(text) is None:
            return NotCode(Reason.SYNTAX_ERROR, f"does not parse as {language}")
    return extract(code, languages, max_characters, language)


def _whole(text: str, languages: Collection[str], max_characters: int, language: str | None) -> Code | NotCode:
    if len(text) > max_characters:
        return NotCode(Reason.TOO_LONG, f"{len(text)} characters")
    said = language if language and language in likely_languages(text) and parses(text, language) else None
    found = said or detect_language(text)
    if found is None:
        return NotCode(Reason.NO_CODE, "no fenced block, and the whole is no code in a language that we know")
    return _allowed(text, found, languages)


def _without_indent(text: str, indent: str) -> str:
    """Return the text of a block without the indentation of its fence, as far as its lines have it."""
    return re.sub(rf"^[ \t]{{1,{len(indent)}}}", "", text, flags=re.MULTILINE) if indent else text


def _labelled(text: str, label: str, languages: Collection[str]) -> Code | NotCode:
    if label in languages and not parses(text, label):
        return NotCode(Reason.SYNTAX_ERROR, f"does not parse as {label}")
    return _allowed(text, label, languages)


def _unlabelled(text: str, languages: Collection[str], language: str | None) -> Code | NotCode:
    if language and parses(text, language):
        return _allowed(text, language, languages)
    detection = detect(text)
    if broken := detection.broken:
        return NotCode(Reason.SYNTAX_ERROR, f"the block has no label, looks like {broken} and does not parse")
    if detection.language is None:
        return NotCode(Reason.NO_CODE, "the first fenced block has no label and is no code in a language that we know")
    return _allowed(text, detection.language, languages)


def _allowed(text: str, language: str, languages: Collection[str]) -> Code | NotCode:
    if language not in languages:
        return NotCode(Reason.UNSUPPORTED_LANGUAGE, language)
    return Code(textwrap.dedent(text).strip("\n").rstrip(), language)
