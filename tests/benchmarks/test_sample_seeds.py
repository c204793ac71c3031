"""Every reply of the run of a suite is drawn with a seed of its own, which the run's seed decides."""

from __future__ import annotations

import asyncio
from pathlib import Path

from evaluation import Execution, Prompt
from inverse_instruct.benchmarks.suite_run import SuiteRun
from inverse_instruct.config.examining import SuiteSection
from inverse_instruct.config.sections import SummarizeSection
from inverse_instruct.inference.replies import Completion
from inverse_instruct.inference.sampling import Sampling


class Noting:
    """A model that answers with nothing, and notes the seeds."""

    model = "m"

    def __init__(self) -> None:
        self.seeds: list[int] = []

    def key(self, prompt: Prompt, sampling: Sampling) -> str:
        return prompt.request

    async def ask(self, prompt: Prompt, sampling: Sampling, seed: int) -> Completion:
        self.seeds.append(seed)
        return Completion("", "stop", 1, 1)


def seeds_of(folder: Path, seed: int) -> list[int]:
    section = SuiteSection(suite="mini", limit=2, samples=2, temperature=0.5, self_consistency=False)
    noting = Noting()
    suite_run = SuiteRun(section, SummarizeSection(), folder, execution=Execution(workers=1), seed=seed)
    asyncio.run(suite_run.run(noting, lambda done: None))
    return sorted(noting.seeds)


def test_seeds_differ_by_task_and_sample_and_run(tmp_path: Path) -> None:
    seeds = seeds_of(tmp_path / "first", 0)
    assert len(seeds) == len(set(seeds)) == 4
    assert seeds_of(tmp_path / "again", 0) == seeds
    assert not set(seeds_of(tmp_path / "other", 1)) & set(seeds)
