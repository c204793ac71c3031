"""Conversations as questions and their answers.

Enters: the turns of a ShareGPT or `messages` record. Leaves: its exchanges one after the other, each a question and its
answer; or a `ValueError` that says why there is none, or why it cannot be read on. What one speaker says in several
turns is joined; turns without a word are left out, as is what the model says before it is asked. Where a tool is
called, the system speaks, or somebody unknown, between the first word of a question and the last of its answer, that
exchange and all behind it are not read. Not guaranteed: that a question can be understood by itself; `with_history`
puts what was said before in front of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer."""

    system: str  # what the system said since the exchange before; "" for nothing
    question: str
    answer: str


def exchanges(turns: Sequence[Mapping[str, Any]]) -> Iterator[Exchange]:
    """Yield the exchanges of a conversation.

    Raises:
        ValueError: there is none, or somebody else speaks within the next one.
    """
    system: list[str] = []
    question: list[str] = []
    answer: list[str] = []
    count = 0
    for number, turn in enumerate(turns, 1):
        speaker = _speaker(turn)
        if answer and speaker in ASKING | SYSTEM:
            yield Exchange(_joined(system), _joined(question), _joined(answer))
            system, question, answer, count = [], [], [], count + 1
        if speaker in SYSTEM and not question:
            system += filter(str.strip, [_text(turn) or ""])
            continue
        if speaker in ANSWERING and not question and not _calls(turn):
            continue  # a greeting
        if speaker not in ASKING | ANSWERING or _calls(turn):
            raise ValueError(
                f"turn {number} is a call of a tool"
                if _calls(turn)
                else f"turn {number} is by {speaker[:40] or 'nobody'!r}, in the middle of an exchange"
            )
        words = _words(turn, number)
        if words.strip():
            (question if speaker in ASKING else answer).append(words)
    if question and answer:
        yield Exchange(_joined(system), _joined(question), _joined(answer))
    elif not count:
        raise ValueError("holds no question that is followed by its answer")


def with_history(before: Sequence[Exchange], exchange: Exchange, *, keep_system: bool) -> str:
    """Return the question of an exchange with what was said before it, each by the name of who said it.

    Args:
        before: the exchanges before it; without any the question stands by itself.
        exchange: the one that is asked for.
        keep_system: whether what the system said is part of it.
    """
    said: list[str] = []
    for each in (*before, exchange):
        if each.system and keep_system:
            said.append(f"System: {each.system}" if before else each.system)
        said.append(f"User: {each.question}" if before else each.question)
        if each is not exchange:
            said.append(f"Assistant: {each.answer}")
    return "\n\n".join(said)


def _joined(words: Sequence[str]) -> str:
    return "\n\n".join(words)


def _speaker(turn: Mapping[str, Any]) -> str:
    speaker = next((turn[name] for name in _SPEAKER if turn.get(name) is not None), None)
    return speaker.strip().lower() if isinstance(speaker, str) else ""


def _calls(turn: Mapping[str, Any]) -> bool:
    return any(turn.get(name) for name in _CALLS)


def _words(turn: Mapping[str, Any], number: int) -> str:
    words = _text(turn)
    if words is None:
        held = _content(turn)
        raise ValueError(f"turn {number} holds {'null' if held is None else type(held).__name__} in place of text")
    return words


def _text(turn: Mapping[str, Any]) -> str | None:
    """Return what a turn says; None if that is no text."""
    words = _content(turn)
    if isinstance(words, list) and words and all(_is_text(part) for part in words):
        words = "".join(part["text"] for part in words)
    return words if isinstance(words, str) else None


def _content(turn: Mapping[str, Any]) -> Any:
    return next((turn[name] for name in _WORDS if turn.get(name) is not None), None)


def _is_text(part: Any) -> bool:
    """Tell whether a part of a message's content is text, in OpenAI's form, and not an image or the like."""
    return isinstance(part, Mapping) and part.get("type") == "text" and isinstance(part.get("text"), str)
