"""The gateway with real engines and real clients: swaps, deaths and floods, without a lost request."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import httpx
import openai
import psutil
import pytest
from openai.types.chat import (
    ChatCompletionFunctionToolParam,
    ChatCompletionMessageParam,
    ChatCompletionNamedToolChoiceParam,
)

from inverse_instruct.store.ledger import Ledger
from tests.gateway.runs import events, make_run, promote, promoted, roll_back
from tests.integration.serving import PROMPT, Answer, Served, served, stream, under_load

pytestmark = pytest.mark.integration


def check_whole(answers: list[Answer]) -> None:
    assert answers
    for answer in answers:
        assert answer.done and answer.finish_reason == "length" and answer.error is None, answer
        assert answer.models == {answer.checkpoint.partition("@")[0]}, answer


def texts_by_checkpoint(answers: list[Answer]) -> dict[str, set[str]]:
    texts: dict[str, set[str]] = {}
    for answer in answers:
        texts.setdefault(answer.checkpoint.partition("@")[0], set()).add(answer.text)
    return texts


def check_sides_differ(answers: list[Answer], *order: str) -> None:
    texts = texts_by_checkpoint(answers)
    assert texts.keys() == set(order)
    for before, after in zip(order, order[1:], strict=False):
        assert not texts[before] & texts[after], "the two sides of the swap say the same"


@pytest.mark.timeout(240)
def test_served_asked_and_swapped_in_place(smollm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run_dir = make_run(tmp_path / "run", smollm, 2, mode="in_place")
    with served(run_dir, tmp_path / "serve.log") as serving:
        serving.wait_for("round-00")
        with serving.client() as client:
            question: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]
            chat = client.chat.completions.create(model="current", messages=question, max_tokens=8)
            assert chat.model == "round-00" and chat.choices[0].message.content and chat.usage
            chunks = list(
                client.chat.completions.create(model="round-00", messages=question, max_tokens=8, stream=True)
            )
            assert {chunk.model for chunk in chunks} == {"round-00"} and chunks[-1].choices[0].finish_reason
            assert client.models.retrieve("current").owned_by == "inverse-instruct"
            spelled = httpx.post(
                f"{serving.url}/v1/completions",
                timeout=60,
                trust_env=False,
                json={"model": "current", "prompt": "a", "n": "2", "max_tokens": 2.0},
            )
            assert [choice["index"] for choice in spelled.json()["choices"]] == [0, 1]
            parameters: dict[str, object] = {"type": "object", "properties": {}}
            tool = ChatCompletionFunctionToolParam(type="function", function={"name": "f", "parameters": parameters})
            with pytest.raises(openai.BadRequestError, match="set serve.tool_call_parser"):
                client.chat.completions.create(model="current", messages=question, tools=[tool])
            with pytest.raises(openai.BadRequestError, match="context length"):
                client.completions.create(model="current", prompt="x " * 600, max_tokens=1)
        check_curl(serving)
        with under_load(serving, 8, 24) as load:
            load.wait(lambda answer: True, 8)
            promote(run_dir, 1)
            load.wait(lambda answer: answer.models == {"round-01"}, 8)
        assert load.errors == []
        check_whole(load.answers)
        check_sides_differ(load.answers, "round-00", "round-01")
        assert [model.id for model in serving.client().models.list()] == ["current", "round-01"]
        assert "vllm:generation_tokens_total" in httpx.get(f"{serving.url}/engines/0/metrics").text
        assert serving.stop() == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_tool_is_called_whole_and_in_a_stream(smollm: Path, tmp_path: Path) -> None:
    template = tmp_path / "tools.jinja"
    template.write_text(
        "{% for tool in tools or [] %}{{ tool | tojson }}\n{% endfor %}"
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    run_dir = make_run(tmp_path / "run", smollm, 1, tool_call_parser="hermes", chat_template=template)
    parameters: dict[str, object] = {
        "type": "object",
        "properties": {"unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
        "required": ["unit"],
        "additionalProperties": False,
    }
    tool = ChatCompletionFunctionToolParam(  # strict: this model would write arguments that take no end
        type="function", function={"name": "warmth", "parameters": parameters, "strict": True}
    )
    question: list[ChatCompletionMessageParam] = [{"role": "user", "content": "How warm is it?"}]
    with served(run_dir, tmp_path / "serve.log") as serving:
        serving.wait_for("round-00")
        with serving.client() as client:
            choice: ChatCompletionNamedToolChoiceParam = {"type": "function", "function": {"name": "warmth"}}
            reply = client.chat.completions.create(
                model="current", messages=question, tools=[tool], tool_choice=choice, max_tokens=64, temperature=0
            )
            [call] = reply.choices[0].message.tool_calls or []
            assert call.type == "function" and call.function.name == "warmth"
            assert json.loads(call.function.arguments)["unit"] in ("celsius", "kelvin")
            deltas = [
                part.function
                for chunk in client.chat.completions.create(
                    model="current",
                    messages=question,
                    tools=[tool],
                    tool_choice=choice,
                    max_tokens=64,
                    temperature=0,
                    stream=True,
                )
                for streamed in chunk.choices
                for part in streamed.delta.tool_calls or []
                if part.function
            ]
            assert [delta.name for delta in deltas if delta.name] == ["warmth"]
            streamed_arguments = "".join(delta.arguments or "" for delta in deltas)
            assert json.loads(streamed_arguments) == json.loads(call.function.arguments)
            words = client.chat.completions.create(
                model="current", messages=question, tools=[tool], tool_choice="none", max_tokens=4
            )
            assert words.choices[0].message.content and not words.choices[0].message.tool_calls
        assert serving.stop() == 0


def check_curl(serving: Served) -> None:
    body = {"model": "current", "prompt": PROMPT, "max_tokens": 5, "stream": True}
    result = subprocess.run(
        [
            "curl",
            "-sN",
            f"{serving.url}/v1/completions",
            "-H",
            "Content-Type: application/json",
            "-d",
            json.dumps(body),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    *chunks, done = [line for line in result.stdout.splitlines() if line]
    assert done == "data: [DONE]" and len(chunks) >= 2
    assert all(json.loads(chunk.removeprefix("data: "))["model"] == "round-00" for chunk in chunks)


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("mode", ["in_place", "blue_green"])
def test_three_promotions_and_a_rollback_under_load(
    smollm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run_dir = make_run(tmp_path / "run", smollm, 4, mode=mode)
    with served(run_dir, tmp_path / "serve.log") as serving:
        serving.wait_for("round-00")
        with under_load(serving, 32, 24) as load:
            load.wait(lambda answer: True, 32)
            for number in (1, 2, 3, 2):
                started, known = time.monotonic(), len(load.answers)
                roll_back(run_dir) if number == 2 and promoted(run_dir) == "round-03" else promote(run_dir, number)
                serving.wait_for(f"round-{number:02d}", 900)
                load.wait(
                    lambda answer, name=f"round-{number:02d}", since=started: (  # type: ignore[misc]
                        answer.models == {name} and answer.first_token > since
                    ),
                    32,
                )
                first = min(
                    answer.first_token for answer in load.answers[known:] if answer.models == {f"round-{number:02d}"}
                )
                print(f"{mode}: first token of round-{number:02d} {first - started:.1f} s after its promotion")
        print(
            f"{mode}: {len(load.answers)} answers, {len(load.errors)} failed; "
            f"{[event for event in events(run_dir) if 'is served' in event]}"
        )
        assert load.errors == []
        check_whole(load.answers)
        check_sides_differ(load.answers, "round-00", "round-01", "round-02", "round-03", "round-02")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_under_load_and_a_corrupt_checkpoint_is_refused(smollm: Path, tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "run", smollm, 2)
    with served(run_dir, tmp_path / "serve.log") as serving:
        serving.wait_for("round-00")
        with under_load(serving, 32, 24) as load:
            load.wait(lambda answer: True, 32)
            [pid] = serving.engine_pids()
            killed = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            load.wait(lambda answer: answer.done and answer.first_token > killed, 32)
            back = min(answer.first_token for answer in load.answers if answer.done and answer.first_token > killed)
            cut = [answer for answer in load.answers if answer.error]
            print(
                f"first token {back - killed:.1f} s after kill -9; {len(cut)} streams ended with an error event, "
                f"{len(load.errors)} requests got {Counter(type(error).__name__ for error in load.errors)}"
            )
            assert cut or load.errors
            with (run_dir.checkpoint(1) / "model.safetensors").open("r+b") as weights:
                weights.seek(-1000, 2)
                weights.write(b"\0" * 1000)
            promote(run_dir, 1)
            deadline = time.monotonic() + 60
            while promoted(run_dir) == "round-01" and time.monotonic() < deadline:
                time.sleep(0.1)
        for error in load.errors:
            assert isinstance(error, openai.InternalServerError) and error.status_code == 503, repr(error)
            assert int(error.response.headers["retry-after"]) >= 1 and error.response.json()["error"]["code"] == 503
        for answer in cut:
            assert answer.error and answer.error["code"] == 503 and answer.error["retry_after"] >= 1
        whole = [answer for answer in load.answers if not answer.error]
        check_whole(whole)
        assert texts_by_checkpoint(whole).keys() == {"round-00"}
        assert promoted(run_dir) == "round-00" and serving.status()["checkpoint"] == "round-00"
        told = events(run_dir)
    assert any("died and is started again" in event for event in told)
    assert any("is back after" in event for event in told)
    assert any("round-01 is not served" in event and "has changed since" in event for event in told)
    with Ledger(run_dir.ledger) as ledger:
        assert ledger.promotions()[-1].author == "gateway"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_floods_and_mistakes_leave_nothing_behind(smollm: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("tests: sk-right\n")
    run_dir = make_run(tmp_path / "run", smollm, 1, api_keys=tmp_path / "keys")
    with served(run_dir, tmp_path / "serve.log") as serving:
        serving.wait_for("round-00")
        gateway = psutil.Process(serving.process.pid)
        asyncio.run(flood(serving, 100))
        before = settle(gateway)
        counts = asyncio.run(flood(serving, 500))
        asyncio.run(mistakes(serving))
        after = settle(gateway)
        print(
            f"500 at once: {counts}; resident {before[0] / 2**20:.0f} -> {after[0] / 2**20:.0f} MiB, "
            f"file descriptors {before[1]} -> {after[1]}"
        )
        assert counts.keys() <= {200, 429} and counts[200] >= 320 and counts.total() == 500
        assert after[0] < before[0] + 2**24 and after[1] <= before[1]
        with serving.client(api_key="sk-right") as client:
            check_whole([stream(client, 4)])


async def flood(serving: Served, requests: int) -> Counter[int]:
    """Send so many at once, each with a prompt of its own; count the replies by status."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    headers = {"authorization": "Bearer sk-right"}
    async with httpx.AsyncClient(base_url=serving.url, timeout=600, limits=limits, headers=headers) as client:
        replies = await asyncio.gather(
            *(
                client.post(
                    "/v1/completions", json={"model": "current", "prompt": f"{number} {PROMPT}", "max_tokens": 2}
                )
                for number in range(requests)
            )
        )
    for reply in replies:
        if reply.status_code != 200:
            assert reply.headers["retry-after"] and reply.json()["error"]["message"]
    return Counter(reply.status_code for reply in replies)


async def mistakes(serving: Served) -> None:
    """Make every mistake thirty times; each has its status and an error in OpenAI's form."""
    good, right = {"model": "current", "prompt": "x", "max_tokens": 1}, {"authorization": "Bearer sk-right"}
    cases = [
        (413, {"content": b"x" * 10_000_000}, right),
        (400, {"content": b'{"model": "current",'}, right),
        (401, {"json": good}, {"authorization": "Bearer sk-wrong"}),
        (401, {"json": good}, {}),
        (404, {"json": good | {"model": "gpt-7"}}, right),
        (400, {"json": good | {"max_tokens": -1}}, right),
    ]
    async with httpx.AsyncClient(base_url=serving.url, timeout=120) as client:
        for status, body, headers in cases * 30:
            reply = await client.post("/v1/completions", headers=headers, **body)  # type: ignore[arg-type]
            assert reply.status_code == status, reply.text
            assert {"message", "type", "param", "code"} <= reply.json()["error"].keys()


def settle(process: psutil.Process) -> tuple[int, int]:
    """Return resident bytes and open file descriptors once they no longer fall."""
    lowest = (process.memory_info().rss, process.num_fds())
    for _ in range(20):
        time.sleep(0.5)
        lowest = min(lowest[0], process.memory_info().rss), min(lowest[1], process.num_fds())
    return lowest
