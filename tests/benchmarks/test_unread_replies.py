"""Replies that cannot be read in time are judged as they stand, and counted; others are asked for meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from evaluation import MINI_PATH, Execution, Prompt, reading
from inverse_instruct.benchmarks.results import describe_report
from inverse_instruct.benchmarks.suite_run import SuiteRun
from inverse_instruct.config.examining import SuiteSection
from inverse_instruct.config.sections import SummarizeSection
from inverse_instruct.inference.replies import Completion
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.store.measures import SuiteReport

PROBLEMS = [json.loads(line) for line in MINI_PATH.read_text().splitlines()][:2]
SLOW = "def total(x): return t\nt = []\n" + "@a\n" * 30_000


class Looping:
    """A model that answers the first problem rightly, and is caught in a loop over all others."""

    model = "m"

    def key(self, prompt: Prompt, sampling: Sampling) -> str:
        return prompt.request

    async def ask(self, prompt: Prompt, sampling: Sampling, seed: int) -> Completion:
        first = PROBLEMS[0]
        right = first["prompt"] + first["canonical_solution"]
        text = right if first["prompt"].strip() in prompt.request else SLOW
        return Completion(text, "stop", 1, 1)


def test_a_reply_that_cannot_be_read_in_time_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_CPU_SECONDS", 0.5)
    section = SuiteSection(suite="mini", limit=2)
    suite_run = SuiteRun(section, SummarizeSection(), tmp_path, execution=Execution(workers=1), seed=0)
    pauses = []

    async def run() -> SuiteReport:
        examining = asyncio.ensure_future(suite_run.run(Looping(), lambda done: None))
        while not examining.done():
            before = time.process_time()
            await asyncio.sleep(0.01)
            pauses.append(time.process_time() - before)
        return (await examining).measured

    measured = asyncio.run(run())
    assert (measured.unread, measured.samples) == (1, 2)
    assert "too much time or memory to read, judged as they stand: 1" in describe_report(measured)
    results = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [row["passed"] for row in results] == [True, False]
    assert max(pauses) < 0.4, "the event loop was busy"
