"""Conversations as one question and its answer.

Enters: the turns of a ShareGPT or `messages` record. Leaves: the first question and its answer, or a `ValueError` that
says why there is none. What one speaker says in several turns is joined; turns without a word are left out. What comes
after the first answer is not read, nor is a leading system turn or a leading greeting of the model. Where a tool is
called, the system speaks, or somebody unknown, before that answer is complete, there is none. Not guaranteed: that the
question can be understood by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ASKING = {"human", "user", "prompter", "student"}
ANSWERING = {
    "gpt",
    "assistant",
    "chatgpt",
    "bot",
    "chatbot",
    "model",
    "ai",
    "bing",
    "bard",
    "claude",
    "gemini",
    "gpt4",
    "gpt-4",
    "gpt-3.5",
    "llm",
    "teacher",
}
SYSTEM = {"system", "developer"}
_SPEAKER = ("from", "role", "speaker")
_WORDS = ("value", "content", "text")
_CALLS = ("tool_calls", "function_call")  # of an OpenAI message: more than words


def first_exchange(turns: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return the first question and its answer.

    Raises:
        ValueError: there is none, or somebody else speaks between its first and its last word.
    """
    question: list[str] = []
    answer: list[str] = []
    for number, turn in enumerate(turns, 1):
        speaker = _speaker(turn)
        if answer and speaker in ASKING | SYSTEM:
            break
        if speaker in SYSTEM and not question:
            continue
        if speaker in ANSWERING and not question and not _calls(turn):
            continue  # a greeting
        if speaker not in ASKING | ANSWERING or _calls(turn):
            raise ValueError(
                f"turn {number} is a call of a tool"
                if _calls(turn)
                else f"turn {number} is by {speaker[:40] or 'nobody'!r}, in the middle of the first exchange"
            )
        words = _words(turn, number)
        if words.strip():
            (question if speaker in ASKING else answer).append(words)
    if not question or not answer:
        raise ValueError("holds no question that is followed by its answer")
    return "\n\n".join(question), "\n\n".join(answer)


def _speaker(turn: Mapping[str, Any]) -> str:
    speaker = next((turn[name] for name in _SPEAKER if turn.get(name) is not None), None)
    return speaker.strip().lower() if isinstance(speaker, str) else ""


def _calls(turn: Mapping[str, Any]) -> bool:
    return any(turn.get(name) for name in _CALLS)


def _words(turn: Mapping[str, Any], number: int) -> str:
    words = next((turn[name] for name in _WORDS if turn.get(name) is not None), None)
    if isinstance(words, list) and words and all(_is_text(part) for part in words):
        words = "".join(part["text"] for part in words)
    if not isinstance(words, str):
        kind = "null" if words is None else type(words).__name__
        raise ValueError(f"turn {number} holds {kind} in place of text")
    return words


def _is_text(part: Any) -> bool:
    """Tell whether a part of a message's content is text, in OpenAI's form, and not an image or the like."""
    return isinstance(part, Mapping) and part.get("type") == "text" and isinstance(part.get("text"), str)
