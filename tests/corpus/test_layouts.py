"""Instructions and responses out of records: what is no input is not appended, no turn is lost in silence."""

from __future__ import annotations

from typing import Any

import pytest

from inverse_instruct.corpus.layouts import Chats, Parts, read_parts

PLACEHOLDERS = [
    "",
    " \n",
    "<noinput>",
    "<NoInput>",
    "<no input>",
    "No input",
    "no_input",
    "noinput.",
    "N/A",
    "n/a",
    "NA",
    "None",
    "none.",
    "null",
    "<input>",
    "[input]",
    "{input}",
    "(none)",
    "-",
    "--",
    "Not applicable",
    "No input required.",
    "No additional input needed",
    "No input is provided",
    "NaN",
    '"None"',
    "...",
    "<empty>",
]
INPUTS = [
    "5",
    "[]",
    "{}",
    "x = None",
    "none of these",
    "input()",
    "0",
    "null pointer",
    "No input validation is done here",
    "int main() { return 0; }",
    "n",
    "()",
]


def first(fields: dict[str, Any], layout: str) -> Parts:
    return next(read_parts(fields, layout, Chats()))


@pytest.mark.parametrize("extra", PLACEHOLDERS)
def test_a_placeholder_is_not_appended(extra: str) -> None:
    parts = first({"instruction": "Do", "input": extra, "output": "done"}, "alpaca")
    assert (parts.instruction, parts.response) == ("Do", "done")
    assert first({"prompt": "Do", "input": extra, "response": "done"}, "instruction_response").instruction == "Do"


@pytest.mark.parametrize("extra", INPUTS)
def test_an_input_is_appended(extra: str) -> None:
    assert first({"instruction": "Do", "input": extra, "output": "d"}, "alpaca").instruction == f"Do\n\n{extra}"


def test_placeholders_of_seed_tasks_and_nulls() -> None:
    row = {"instruction": "Do", "instances": [{"input": "<noinput>", "output": "done"}]}
    assert first(row, "alpaca").instruction == "Do"
    assert first({"instruction": "Do", "input": None, "output": "done"}, "alpaca").instruction == "Do"


def talk(*turns: tuple[Any, Any], **more: Any) -> dict[str, Any]:
    return {"conversations": [{"from": speaker, "value": words} for speaker, words in turns], **more}


KEPT = {
    "two user turns": (
        talk(("human", "Here is f."), ("human", "Make it fast."), ("gpt", "done")),
        ("Here is f.\n\nMake it fast.", "done"),
    ),
    "two answers": (
        talk(("human", "Do"), ("gpt", "one"), ("gpt", "two"), ("human", "x"), ("gpt", "y")),
        ("Do", "one\n\ntwo"),
    ),
    "an empty answer": (
        talk(("human", "Do"), ("gpt", " \n"), ("human", "this"), ("gpt", "done")),
        ("Do\n\nthis", "done"),
    ),
    "an empty question": (talk(("human", ""), ("human", "Do"), ("gpt", "done")), ("Do", "done")),
    "the user speaks last": (talk(("human", "Do"), ("gpt", "done"), ("human", "Thanks")), ("Do", "done")),
    "a leading system turn": (talk(("system", "s"), ("human", "Do"), ("gpt", "done")), ("Do", "done")),
    "a later system turn": (talk(("human", "Do"), ("gpt", "done"), ("system", "s"), ("gpt", "x")), ("Do", "done")),
    "a later tool": (talk(("human", "Do"), ("gpt", "done"), ("human", "a"), ("function_call", "f()")), ("Do", "done")),
    **{
        f"answered by {name}": (talk(("user", "Do"), (name, "done")), ("Do", "done"))
        for name in ("chatgpt", "bing", "bard", "ChatGPT ", "assistant", "gpt4", "model", "claude")
    },
    "parts of text": (
        {
            "conversations": [
                {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                {"role": "assistant", "content": "done"},
            ]
        },
        ("ab", "done"),
    ),
    "columns of a Parquet file": (
        {
            "conversations": [
                {"from": None, "role": "user", "value": None, "content": "Do"},
                {"from": None, "role": "assistant", "value": None, "content": "done", "tool_calls": None},
            ]
        },
        ("Do", "done"),
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_turns_that_make_an_exchange(name: str) -> None:
    row, expected = KEPT[name]
    parts = first(row, "sharegpt")
    assert (parts.instruction, parts.response) == expected


REFUSED = {
    "a call of a function": (
        talk(("human", "Do"), ("function_call", "f()"), ("observation", "1"), ("gpt", "done")),
        "turn 2 is by 'function_call'",
    ),
    "a tool after the first words": (
        talk(("human", "Do"), ("gpt", "I look."), ("tool", "1"), ("gpt", "done")),
        "turn 3 is by 'tool'",
    ),
    "an OpenAI call": (
        {
            "conversations": [
                {"role": "user", "content": "Do"},
                {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
                {"role": "tool", "content": "1"},
                {"role": "assistant", "content": "done"},
            ]
        },
        "turn 2 is a call of a tool",
    ),
    "a system turn in the middle": (
        talk(("human", "Do"), ("system", "in French"), ("gpt", "fait")),
        "turn 2 is by 'system'",
    ),
    "a system turn between questions": (
        talk(("human", "a"), ("system", "s"), ("human", "b"), ("gpt", "c")),
        "by 'system'",
    ),
    "only users": (talk(("human", "a"), ("human", "b")), "no question that is followed by its answer"),
    "only empty answers": (talk(("human", "a"), ("gpt", "")), "no question that is followed by its answer"),
    "only answers": (talk(("gpt", "a"), ("gpt", "b")), "no question that is followed by its answer"),
    "somebody unknown": (talk(("human", "a"), ("narrator", "b"), ("gpt", "c")), "turn 2 is by 'narrator'"),
    "nobody": (talk(("human", "a"), (None, "b"), ("gpt", "c")), "turn 2 is by 'nobody'"),
    "an image": (
        {
            "conversations": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
                {"role": "assistant", "content": "c"},
            ]
        },
        "turn 1 holds list in place of text",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_turns_that_make_none_are_refused_with_the_reason(name: str) -> None:
    row, reason = REFUSED[name]
    with pytest.raises(ValueError, match=reason) as caught:
        first(row, "sharegpt")
    assert "conversations" in str(caught.value)
