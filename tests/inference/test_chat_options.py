"""What vLLM would refuse of the keys of `serve` that say how chats are read: told before it is started."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from inverse_instruct.config.sections import InferenceSection, ServeSection
from inverse_instruct.inference import chat_options
from inverse_instruct.inference.chat_options import chat_problems, known_parsers

SAID = 'a warning of a library\n{"tool_call_parser": ["hermes", "mistral"], "reasoning_parser": ["qwen3"]}\n'


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Count how often vLLM is asked, and answer for it."""
    calls: list[Any] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, 0, SAID, "")

    known_parsers.cache_clear()
    monkeypatch.setattr(chat_options.subprocess, "run", run)  # type: ignore[attr-defined]
    yield calls
    known_parsers.cache_clear()


def problems(*extra: str, **keys: Any) -> list[str]:
    return list(chat_problems(ServeSection(**keys), InferenceSection(extra_arguments=list(extra))))


def test_vllm_is_asked_once_and_only_where_a_name_is_given(asked: list[Any]) -> None:
    assert problems() == [] and not asked
    assert problems(tool_call_parser="hermes", reasoning_parser="qwen3") == []
    assert problems(tool_call_parser="mistral") == [] and len(asked) == 1


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    told = problems(tool_call_parser="Hermes", reasoning_parser="hermes")
    assert told == [
        "serve.tool_call_parser: vLLM has none of the name 'Hermes'; it has hermes, mistral",
        "serve.reasoning_parser: vLLM has none of the name 'hermes'; it has qwen3",
    ]


def test_a_plugin_may_bring_other_names() -> None:
    plugin = "--tool_parser_plugin=/p.py"
    assert problems(plugin, tool_call_parser="mine") == []
    assert problems(plugin, reasoning_parser="mine")


def test_a_vllm_that_does_not_tell_refuses_by_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def run(command: list[str], **_: Any) -> Any:
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(chat_options.subprocess, "run", run)  # type: ignore[attr-defined]
    assert problems(tool_call_parser="mine") == [] and "gave none" in caplog.text


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{% for m in messages %}{% generation %}{{ m }}{%- endgeneration %}{% break %}{% endfor %}", ""),
        ("{{ messages }}\n{% for %}", "line 2"),
        (b"\xff", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_template_is_read_before_vllm_reads_it(tmp_path: Path, source: str | bytes | None, told: str) -> None:
    path = tmp_path / "chat.jinja"
    if source is not None:
        path.write_bytes(source.encode() if isinstance(source, str) else source)
    found = problems(chat_template=str(path))
    assert all(problem.startswith(f"serve.chat_template: {path}") for problem in found)
    assert [told in problem for problem in found] == ([True] if told else [])


@pytest.mark.parametrize("key", ["tool_call_parser", "reasoning_parser", "chat_template"])
def test_engines_that_are_given_have_options_of_their_own(key: str) -> None:
    with pytest.raises(ValidationError, match=f"{key}: given endpoints were started without"):
        ServeSection(mode="in_place", endpoints=["http://127.0.0.1:1"], **{key: "x"})


@pytest.mark.slow
@pytest.mark.integration
def test_the_names_are_those_of_the_vllm_that_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    names = known_parsers()
    assert {"hermes", "llama3_json", "mistral"} <= set(names["tool_call_parser"])
    assert {"qwen3", "deepseek_r1"} <= set(names["reasoning_parser"])
