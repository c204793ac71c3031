"""The loss of canonical solutions: that of their tokens as the reply to the task, of each task once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from evaluation import MINI_PATH, BenchmarkError, Execution
from evaluation.suites import SUITES
from inverse_instruct.benchmarks.results import describe_report
from inverse_instruct.benchmarks.suite_run import SuiteRun
from inverse_instruct.config.examining import SuiteSection
from inverse_instruct.config.sections import SummarizeSection
from inverse_instruct.errors import RequestError
from inverse_instruct.inference.asking import TokenAsker
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.inference.replies import Completion
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Reason
from inverse_instruct.store.measures import SuiteReport

PROBLEMS = [json.loads(line) for line in MINI_PATH.read_text().splitlines()][:3]


class Client:
    """Finds each token as likely as its place in the reply says, and refuses the second problem."""

    def __init__(self, formatter: PromptFormatter) -> None:
        self.formatter = formatter
        self.asked: list[tuple[str, str]] = []  # request and reply

    async def complete(self, prompt: list[int], sampling: Sampling, seed: int | None = None) -> Completion:
        return Completion("pass", "stop", 1, 1)

    async def prompt_logprobs(self, prompt: list[int], start: int) -> list[float]:
        decode: Any = self.formatter.decode
        self.asked.append((decode(prompt[:start]), decode(prompt[start:])))
        if PROBLEMS[1]["entry_point"] in self.asked[-1][1]:
            raise RequestError("too long", Reason.TOO_LONG)
        return [-float(place) for place in range(len(prompt) - start)]


def measure(client: Client, folder: Path) -> SuiteReport:
    section = SuiteSection(suite="mini", limit=3, solution_loss=True, self_consistency=False)
    suite_run = SuiteRun(section, SummarizeSection(), folder, execution=Execution(workers=1), seed=0)
    asker = TokenAsker(client, client.formatter, "digest")  # type: ignore[arg-type]
    return asyncio.run(suite_run.run(asker, lambda done: None)).measured


def test_the_solution_is_the_reply_and_is_asked_once(smollm: Path, tmp_path: Path) -> None:
    client = Client(PromptFormatter(smollm, "magicoder"))
    measured = measure(client, tmp_path)

    assert len(client.asked) == 3
    for problem, (request, reply) in zip(PROBLEMS, client.asked, strict=True):
        whole = problem["prompt"] + problem["canonical_solution"]
        assert problem["prompt"].strip() in request
        assert reply.startswith("```python\n") and whole.strip() in reply and whole.strip() not in request
    rows = [json.loads(line) for line in (tmp_path / "solution_loss.jsonl").read_text().splitlines()]
    assert [row["task_id"] for row in rows] == [problem["task_id"] for problem in PROBLEMS]
    assert rows[1]["loss"] is None and rows[1]["why"] == "too long"
    for row in (rows[0], rows[2]):
        assert row["loss"] == pytest.approx((row["tokens"] - 1) / 2)  # the mean of 0, 1, 2 and so on
    assert measured.solution_loss is not None
    assert measured.solution_loss.rate == pytest.approx((rows[0]["loss"] + rows[2]["loss"]) / 2)
    assert "loss of the canonical solutions: " in describe_report(measured)

    again = Client(client.formatter)
    assert measure(again, tmp_path) == measured
    assert len(again.asked) == 1  # the refused one


def test_it_is_not_measured_unless_it_is_wanted(smollm: Path, tmp_path: Path) -> None:
    section = SuiteSection(suite="mini", limit=1, self_consistency=False)
    suite_run = SuiteRun(section, SummarizeSection(), tmp_path, execution=Execution(workers=1), seed=0)
    client = Client(PromptFormatter(smollm, "magicoder"))
    asker = TokenAsker(client, client.formatter, "digest")  # type: ignore[arg-type]
    measured = asyncio.run(suite_run.run(asker, lambda done: None)).measured
    assert measured.solution_loss is None and not (tmp_path / "solution_loss.jsonl").exists() and not client.asked


def test_rows_that_are_held_out_have_a_loss_and_nothing_else(smollm: Path, tmp_path: Path) -> None:
    rows = [
        {"instruction": "Add two numbers.", "response": "So:\n\n```python\na + b\n```\n"},
        {"instruction": "Say it.", "input": "Hello.", "output": "Hello."},
    ]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    section = SuiteSection(suite="held_out", data=str(data))
    suite_run = SuiteRun(section, SummarizeSection(), tmp_path / "out", execution=Execution(workers=1), seed=0)
    client = Client(PromptFormatter(smollm, "magicoder"))
    asker = TokenAsker(client, client.formatter, "digest")  # type: ignore[arg-type]
    report = asyncio.run(suite_run.run(asker, lambda done: None))
    assert len(client.asked) == 2 and "Say it.\n\nHello." in client.asked[1][0]
    assert client.asked[0][1].startswith("So:\n\n```python\na + b\n```"), "as it stands, in no fence of ours"
    assert report.measured.solution_loss is not None and not report.measured.pass_at_k
    assert report.rows_in == 2 and report.rejected == {"not_measured": 2}
    assert "loss of the canonical solutions: " in describe_report(report.measured)


@pytest.mark.parametrize("row", [{"instruction": "x"}, {"response": "x"}, {"instruction": "", "response": "x"}, {}])
def test_a_row_that_cannot_be_held_out_is_an_error_with_its_place(tmp_path: Path, row: dict[str, str]) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text(json.dumps({"instruction": "x", "response": "y"}) + "\n" + json.dumps(row) + "\n")
    with pytest.raises(BenchmarkError, match=r"rows.jsonl:2: (instruction|response|output): must be"):
        SUITES["held_out"](str(data))


@pytest.mark.parametrize("given", [{"solution_loss": False}, {"frame": "bare"}])
def test_held_out_rows_have_nothing_but_their_loss(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="held_out has no tests"):
        SuiteSection(suite="held_out", **given)
