"""Rows that fail for good: counted with their reason, and too many of them end the run early and say why."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluation import MINI_PATH
from inverse_instruct.config.examining import EvaluateSection, SuiteSection
from inverse_instruct.config.sections import InferenceSection, SummarizeSection
from inverse_instruct.errors import RequestError, ServerError
from inverse_instruct.inference.asking import TokenAsker
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.connect import connect
from inverse_instruct.inference.failures import MIN_FAILED_ROWS, WINDOW_ROWS, FailedShare
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.records import Reason, Snippet
from inverse_instruct.stages.evaluate import EVALUATE, Evaluation
from inverse_instruct.stages.questions import Asked
from inverse_instruct.stages.score import SCORE
from inverse_instruct.stages.summarize import SUMMARIZE
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.rows import read_rows
from tests.faults.bad_server import BadServer, Body, Reply, changed, choice, cut_json, good, status
from tests.playing import play_asking, room_of

Make = Callable[..., BadServer]
pytestmark = pytest.mark.usefixtures("quick")
TOO_LONG = status(400, json.dumps({"error": {"message": "has 9 tokens", "param": "input_tokens"}}).encode())
TASKS = [json.loads(line)["task_id"] for line in MINI_PATH.read_text().splitlines()]


def snippets(count: int) -> list[Snippet]:
    return [
        Snippet(f"s{number}", f"def scale_{number}(x):\n    return x * {number}", "python", "", "", "", 1)
        for number in range(count)
    ]


def generate(server: BadServer, model: Path, folder: Path, rows: list[Snippet], **section: Any) -> list[Manifest]:
    """Summarize and score as the loop does."""

    async def main() -> list[Manifest]:
        inference = InferenceSection(endpoints=[server.url], concurrency=8, **section)
        async with connect(inference, []) as client:
            options: dict[str, Any] = {
                "asked": Asked(client, PromptFormatter(model, "chat"), "m", 1024),
                "inference": inference,
                "summarize": SummarizeSection(candidates=2, max_new_tokens=16),
            }
            return await play_asking(
                room_of(SUMMARIZE, folder / "summarize", {"snippets": rows}, **options),
                room_of(SCORE, folder / "score", **options),
            )

    return asyncio.run(main())


def instruction(body: Body) -> Reply:
    """A good instruction whose words depend on the seed."""
    return choice(text=f" function number {body['seed']} that scales what it is given.")


def test_each_failed_row_is_rejected_with_its_reason(bad_server: Make, smollm: Path, tmp_path: Path) -> None:
    formatter = PromptFormatter(smollm, "chat")
    marks = {
        name: formatter.encode(f"scale_{number}(")[-3:]
        for number, name in enumerate(("unavailable", "unreadable", "too long"))
    }
    faults = {"unavailable": status(500), "unreadable": cut_json, "too long": TOO_LONG}

    def holds(prompt: list[int], mark: list[int]) -> bool:
        return any(prompt[at : at + len(mark)] == mark for at in range(len(prompt)))

    def choose(body: Body) -> Reply:
        if "logprob_token_ids" in body:  # the scores of one snippet are no numbers
            five = formatter.encode("scale_5(")[-3:]
            bad = holds(body["prompt"][0], five)
            label = f"token_id:{body['logprob_token_ids'][0]}"
            return (
                changed(lambda tree: tree["choices"][0]["logprobs"]["top_logprobs"][0].update({label: float("nan")}))
                if bad
                else good
            )
        return next((faults[name] for name, mark in marks.items() if holds(body["prompt"], mark)), instruction(body))

    summarized, scored = generate(bad_server(choose=choose), smollm, tmp_path, snippets(8))
    assert (summarized.rows_in, summarized.rows_out) == (16, 10)
    assert summarized.rejected == {"request_failed": 2, "bad_reply": 2, "too_long": 2}
    rejections = read_rows(tmp_path / "summarize/rejections.parquet")
    assert sorted((row["row_id"], row["reason"]) for row in rejections) == [
        ("s0/0", "request_failed"),
        ("s0/1", "request_failed"),
        ("s1/0", "bad_reply"),
        ("s1/1", "bad_reply"),
        ("s2/0", "too_long"),
        ("s2/1", "too_long"),
    ]
    assert "answered 500: not now" in rejections[0]["detail"]
    assert (scored.rows_in, scored.rows_out, scored.rejected) == (10, 8, {"bad_score": 2})


def test_a_server_that_fails_every_row_ends_the_run_early(bad_server: Make, smollm: Path, tmp_path: Path) -> None:
    server = bad_server(cut_json)
    with pytest.raises(ServerError) as caught:
        generate(server, smollm, tmp_path, snippets(200))
    text = str(caught.value)
    assert re.search(r"1[1-9] of the last 1[1-9] rows failed", text) and "inference.max_failed_share (3%)" in text
    assert "times): check that the endpoint runs the model" in text
    assert "Run again to go on" in text
    assert len(server.bodies) <= 4 * (11 + 16), "11 rows that failed and 16 under way, at 4 attempts each"


def test_a_share_that_begins_late_is_seen_soon(bad_server: Make, smollm: Path, tmp_path: Path) -> None:
    share = FailedShare(0.03)
    share.answered(100_000)
    for _ in range(30):
        share.failed(RequestError("x", Reason.BAD_SCORE))
    with pytest.raises(ServerError, match="31 of the last 1000 rows failed.*try inference.dtype float32"):
        share.failed(RequestError("x", Reason.BAD_SCORE))


def test_a_few_are_let_pass_and_long_rows_are_nobodys_fault() -> None:
    share = FailedShare(0.0)
    for _ in range(MIN_FAILED_ROWS):
        share.failed(RequestError("x"))
    for _ in range(1000):
        share.failed(RequestError("x", Reason.TOO_LONG))
    share.answered(WINDOW_ROWS)
    for _ in range(MIN_FAILED_ROWS):
        share.failed(RequestError("x"))
    with pytest.raises(ServerError, match="11 of the last 1000"):
        share.failed(RequestError("x"))


def test_the_config_says_how_many_may_fail(bad_server: Make, smollm: Path, tmp_path: Path) -> None:
    def choose(body: Body) -> Reply:
        if "logprob_token_ids" in body:
            return good
        return status(400) if body["seed"] % 2 else instruction(body)

    server = bad_server(choose=choose)
    with pytest.raises(ServerError, match="more than inference.max_failed_share"):
        generate(server, smollm, tmp_path / "strict", snippets(100))
    summarized, _ = generate(server, smollm, tmp_path / "lax", snippets(100), max_failed_share=0.9)
    assert summarized.rejected["request_failed"] + summarized.rows_out == 200


def test_what_was_answered_before_the_stop_is_not_asked_again(bad_server: Make, smollm: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    def choose(body: Body) -> Reply:
        if "logprob_token_ids" in body:
            return good
        seen.append(body["seed"])
        return instruction(body) if len(seen) <= 100 else status(400)

    with pytest.raises(ServerError):
        generate(bad_server(choose=choose), smollm, tmp_path, snippets(200))
    again = bad_server(choose=lambda body: good if "logprob_token_ids" in body else instruction(body))
    summarized, scored = generate(again, smollm, tmp_path, snippets(200))
    assert (summarized.rows_out, scored.rows_out) == (400, 400)
    asked_twice = {body["seed"] for body in again.bodies if "seed" in body} & set(seen[:100])
    assert len(asked_twice) <= 2 * 8, "those that were under way when the others failed"


def evaluate(server: BadServer, model: Path, folder: Path) -> Manifest:
    section = EvaluateSection(suites=[SuiteSection(suite="mini", limit=4, samples=2, temperature=0.5)])
    room = room_of(EVALUATE, folder)

    async def main() -> Manifest:
        async with InferenceClient({server.url: None}, "m", concurrency=4, timeout_seconds=5) as client:
            asker = TokenAsker(client, PromptFormatter(model, "chat"), "m")
            await Evaluation(section, SummarizeSection(), folder, seed=0).run(asker, room)
            return room.finish()

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("fault", "reason"), [(TOO_LONG, "too_long"), (status(400), "request_failed"), (cut_json, "bad_reply")]
)
def test_a_task_that_is_not_answered_is_not_measured(
    bad_server: Make, smollm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Reply, reason: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bad: list[int] = []

    def choose(body: Body) -> Reply:
        bad.extend([] if bad else [body["seed"]])  # one sample of one task; its other one is answered
        return fault if body["seed"] in bad else good

    manifest = evaluate(bad_server(choose=choose), smollm, tmp_path / "out")
    assert (manifest.rows_in, manifest.rows_out, manifest.rejected) == (8, 6, {reason: 2})
    report = manifest.metrics["suites"]["mini"]
    assert report["problems"] == 3 and report["not_measured"] == {f"the model gave no answer ({reason})": 1}
    (task,) = report["unanswered"]
    results = read_rows(tmp_path / "out/mini/results.jsonl")
    assert task in TASKS and {row["task_id"] for row in results} == {*TASKS[:4]} - {task}


def test_null_scores_never_become_zero(bad_server: Make, smollm: Path, tmp_path: Path) -> None:
    def choose(body: Body) -> Reply:
        if "logprob_token_ids" not in body:
            return instruction(body)
        return changed(
            lambda tree: [
                known["logprobs"].update(top_logprobs=[dict.fromkeys(known["logprobs"]["top_logprobs"][0])])
                for known in tree["choices"]
            ]
        )

    server = bad_server(choose=choose)
    summarized, scored = generate(server, smollm, tmp_path, snippets(3))
    assert summarized.rows_out == 6
    assert (scored.rows_in, scored.rows_out, scored.rejected) == (6, 0, {"bad_score": 6})
