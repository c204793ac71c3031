"""Tools, thoughts and templates of chats: what OpenAI's client sends reaches the engine, what it gives comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam

from inverse_instruct.config.config_file import load_config
from inverse_instruct.gateway.deployment import Deployer
from inverse_instruct.store.ledger_rows import Checkpoint
from inverse_instruct.system.root import ROOT
from tests.gateway.conftest import Gateway, gateways
from tests.gateway.fake_engine import CALLS, SPOKEN, THOUGHT

TOOLS = [
    ChatCompletionFunctionToolParam(
        type="function",
        function={"name": name, "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
    )
    for _, name, _ in CALLS
]
TALK: list[ChatCompletionMessageParam] = [
    {"role": "user", "content": "How warm is it in Zürich?"},
    {
        "role": "assistant",
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "clock", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "a", "content": "12:00"},
]


@pytest.fixture(scope="module")
def client(toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    """OpenAI's client of a gateway whose engine reads calls."""
    with gateways(toy_model, tmp_path_factory.mktemp("tools")) as start:
        gateway: Gateway = start(tool_call_parser="hermes", reasoning_parser="qwen3")
        gateway.wait_for("round-00")
        with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0) as client:
            yield client


@pytest.mark.parametrize("choice", ["auto", "required", {"type": "function", "function": {"name": "weather"}}])
def test_a_reply_with_calls_comes_back_whole(client: openai.OpenAI, choice: Any) -> None:
    reply = client.chat.completions.create(
        model="current", messages=TALK, tools=TOOLS, tool_choice=choice, parallel_tool_calls=True
    )
    message = reply.choices[0].message
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or []]  # type: ignore[union-attr]
    assert reply.choices[0].finish_reason == "tool_calls" and reply.model == "round-00"
    assert calls == CALLS and message.content == SPOKEN and message.model_extra == {"reasoning": THOUGHT}
    sent = json.loads(reply.system_fingerprint or "")
    assert sent["messages"] == TALK and sent["tools"] == TOOLS and sent["tool_choice"] == choice
    assert sent["parallel_tool_calls"] is True


def test_a_stream_with_calls_comes_piece_by_piece(client: openai.OpenAI) -> None:
    arguments: dict[int, str] = {}
    names: dict[int, tuple[str | None, str | None]] = {}
    words, thoughts, pieces, ends = "", "", 0, []
    for chunk in client.chat.completions.create(model="current", messages=TALK, tools=TOOLS, stream=True):
        [choice] = chunk.choices
        words += choice.delta.content or ""
        thoughts += (choice.delta.model_extra or {}).get("reasoning", "")
        ends += [choice.finish_reason] if choice.finish_reason else []
        for call in choice.delta.tool_calls or []:
            assert call.function
            names.setdefault(call.index, (call.id, call.function.name))
            arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
            pieces += 1
        assert chunk.model == "round-00"
    assert [(*names[index], arguments[index]) for index in names] == CALLS
    assert (words, thoughts, pieces, ends) == (SPOKEN, THOUGHT, 5, ["tool_calls"])


def test_the_engine_gets_what_the_config_names(tmp_path: Path) -> None:
    template = tmp_path / "tools.jinja"
    template.write_text("{{ messages }}")
    named = {"tool_call_parser": "hermes", "reasoning_parser": "qwen3", "chat_template": str(template)}
    plain, full = (
        load_config(ROOT / "configs/quickstart.yaml", [f"serve.{key}={value}" for key, value in keys.items()])
        for keys in ({}, named)
    )
    commands = [
        Deployer(config, tmp_path)._new_server(Checkpoint(0, "", "", "", "promoted", "", {}), tmp_path, 0, [])
        for config in (plain, full)
    ]
    before, after = ([word for word in server._command(1) if word != server.name] for server in commands)
    assert [word for word in after if word not in before] == [
        *("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
        *("--reasoning-parser", "qwen3", "--chat-template", str(template)),
    ]
