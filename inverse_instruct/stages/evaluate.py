"""A checkpoint to measures: pass@k on every suite of the config, and self-consistency (InverseCoder equation 2).

Enters: the suites, and a way to ask the checkpoint. Leaves: one folder per suite (see `examination`), and the rates of
all in the manifest. One row in is one wanted sample; those of tasks that cannot be measured here, or of which the model
leaves a question unanswered (a prompt that does not fit, say), are rejected with the reason.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from evaluation import Execution, Sample
from inverse_instruct.benchmarks.suite_run import Examination
from inverse_instruct.config.sections import EvaluateSection, SummarizeSection
from inverse_instruct.inference.asking import Asker
from inverse_instruct.records import digest
from inverse_instruct.store.manifest import Manifest, write_manifest
from inverse_instruct.system.machine import cache_folder


class EvaluateStage:
    """The evaluate stage of one round."""

    def __init__(self, section: EvaluateSection, summarize: SummarizeSection, folder: Path, *, seed: int) -> None:
        """Load the suites.

        Args:
            section: what to measure.
            summarize: how the model turns code into instructions.
            folder: the stage's folder.
            seed: the run's seed.

        Raises:
            StageError: a suite cannot be used.
        """
        self._folder = folder
        execution = Execution(
            workers=section.workers, memory_bytes=section.memory_mib * 2**20, unsandboxed=section.unsandboxed,
            python=Path(section.python) if section.python else None, references=cache_folder() / "references")
        self.examinations = [Examination(suite, summarize, folder / suite.suite, execution=execution, seed=seed)
                             for suite in section.suites]
        self._started = time.monotonic()
        self.on_progress: Callable[[int], None] = lambda done: None

    def total(self, source: Asker | Mapping[str, Sequence[Sample]] | None = None) -> int:
        """Return how many samples there are to judge: those given for each suite, else those that are asked for."""
        return sum(examination.total(_of(source, examination)) for examination in self.examinations)

    @property
    def digest(self) -> str:
        """Digest of all tasks, chosen and measured."""
        return digest(*(f"{examination.suite.name} {examination.suite.digest} {examination.measured}"
                        for examination in self.examinations))

    async def run(self, source: Asker | Mapping[str, Sequence[Sample]], key: str, more_metrics: Mapping[str, Any] = {}
                  ) -> Manifest:
        """Ask (or take the samples given for each suite), judge, write the files and the manifest.

        Args:
            source: the model, or its samples by suite.
            key: digest of everything that the result depends on.
            more_metrics: what else was measured of the model, for the manifest.

        Raises:
            ServerError: the model cannot be asked.
            StageError: nothing can be judged here.
        """
        reports, before = [], 0
        for examination in self.examinations:
            given = _of(source, examination)
            reports.append(await examination.run(given, partial(self._progressed, before)))
            before += examination.total(given)
            self.on_progress(before)
        rejected = sum((report.rejected for report in reports), Counter[str]())
        manifest = Manifest(
            stage="evaluate", key=key, rows_in=sum(report.rows_in for report in reports),
            rows_out=sum(report.rows_out for report in reports),
            rejected=dict(rejected),
            seconds=time.monotonic() - self._started,
            tokens={kind: sum(examination.tokens[kind] for examination in self.examinations)
                    for kind in ("prompt", "completion")},
            metrics={"suites": {report.metrics["suite"]: report.metrics for report in reports}, **more_metrics})
        names = [f"{report.metrics['suite']}/{name}" for report in reports for name in report.files]
        return write_manifest(self._folder, manifest, names)

    def _progressed(self, before: int, done: int) -> None:
        self.on_progress(before + done)


def _of(source: Any, examination: Examination) -> Any:
    """Return what a suite's samples come from."""
    return source[examination.suite.name] if isinstance(source, Mapping) else source
