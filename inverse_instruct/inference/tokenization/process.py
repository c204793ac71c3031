"""How the process is asked in which tokenizers and chat templates of model folders run.

Enters: a `Setting` and words. Leaves: token ids, or a `ModelError` that names the folder and the remedy: for errors of
the libraries, their panics, their crashes, and for whatever takes more time or memory than it may.
"""

from __future__ import annotations

import array
import json
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from evaluation.limited_process import LimitedProcess, ProcessFailed
from inverse_instruct.errors import ModelError, TextError

CPU_SECONDS = 30.0  # of any question; the largest vocabularies take three to load
CPU_SECONDS_PER_CHARACTER = 2e-5  # ten times what slow tokenizers take
MEMORY_BYTES = 4 << 30
MAX_FAILED_TEXTS = 10
OTHER_FORMATS = "set model.prompt_format to magicoder or completion"
LENGTH = struct.Struct("I")


@dataclass(frozen=True)
class Setting:
    """How a model is spoken to."""

    folder: str
    prompt_format: str  # `chat`, `magicoder` or `completion`
    day: str  # ISO date that a chat template is told
    stamp: str  # of the folder's files


_failed: Counter[Setting] = Counter()  # texts in a row


def describe(setting: Setting) -> dict[str, Any]:
    """Load a tokenizer; return what is to be known of it.

    Raises:
        ModelError: it, or its chat template, cannot be used.
    """
    return _ask(setting, "describe", [])[0]


def ask(setting: Setting, question: str, items: Sequence[Any]) -> list[list[int]]:
    """Return token ids, one list for each item, or two.

    Args:
        setting: of the tokenizer that is asked.
        question: `prompts`, `rows` (two lists of ids for each), `texts` or `bare`.
        items: what the tokenizer's method of that name takes.

    Raises:
        TextError: there are none within the limits.
        ModelError: that was so too often in a row.
    """
    try:
        found = _ask(setting, question, items)[1]
    except ModelError as error:
        _failed[setting] += 1
        if _failed[setting] > MAX_FAILED_TEXTS:
            raise ModelError(f"{error}\n{MAX_FAILED_TEXTS} texts in a row could not be tokenized") from error
        raise TextError(str(error)) from error
    _failed.pop(setting, None)
    return found


def decode(setting: Setting, ids: list[int]) -> str:
    """Return the text of ids, special tokens left out; errors as of `ask`."""
    return str(_ask(setting, "decode", ids)[0]["text"])


def _ask(setting: Setting, question: str, items: Sequence[Any]) -> tuple[dict[str, Any], list[list[int]]]:
    request = json.dumps([asdict(setting), question, items]).encode()
    try:
        reply = _child().ask(request, CPU_SECONDS + CPU_SECONDS_PER_CHARACTER * len(request))
    except ProcessFailed as error:
        raise ModelError(
            f"{setting.folder}: {error}; look at its tokenizer.json and its chat template, or {OTHER_FORMATS}"
        ) from error
    (size,) = LENGTH.unpack_from(reply)
    head = json.loads(reply[LENGTH.size : LENGTH.size + size])
    if "error" in head:
        raise ModelError(head["error"])
    ids = array.array("i", reply[LENGTH.size + size :]).tolist()
    found, start = [], 0
    for length in head["lengths"]:
        found.append(ids[start : start + length])
        start += length
    return head["value"], found


@cache
def _child() -> LimitedProcess:
    return LimitedProcess("inverse_instruct.inference.tokenization", "the tokenizer", MEMORY_BYTES)
