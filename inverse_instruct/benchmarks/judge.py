"""Judges samples in a thread of its own while more are generated; every verdict is in the journal before it counts.

A sample is given as what it can be read as, best first: the readings are judged in turn until one passes. Its verdict
is that of the one that passed, else that of the first.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Self

from evaluation import BenchmarkError, Examiner, Execution, Sample, SandboxUnavailable, Suite, Verdict
from inverse_instruct.errors import StageError
from inverse_instruct.records import digest
from inverse_instruct.store.journal import Journal
from inverse_instruct.system.stoppable import Stoppable

Readings = Sequence[Sample]


class Judge:
    """The examiner of one suite at work; use it in an `async with` statement."""

    def __init__(self, suite: Suite, execution: Execution, journal: Journal) -> None:
        """Prepare.

        Args:
            suite: what judges.
            execution: how programs are run.
            journal: the verdicts so far; what is in it is not judged again.
        """
        self._suite = suite
        self._execution = execution
        self._journal = journal
        self._waiting: queue.SimpleQueue[Readings | None] = queue.SimpleQueue()
        self._thread: Stoppable[Examiner]
        self._known = 0  # counted by the thread that puts
        self._judged = 0  # counted by the thread that judges

    @property
    def done(self) -> int:
        """Samples that have a verdict."""
        return self._known + self._judged

    async def __aenter__(self) -> Self:
        """Start, and wait until the suite's examiner is ready.

        Raises:
            StageError: nothing can be judged here.
        """
        try:
            self._thread = Stoppable(f"judge {self._suite.name}", self._suite.examiner(self._execution), self._work)
            await self._thread.__aenter__()
        except (SandboxUnavailable, BenchmarkError) as error:
            raise self._wrapped(error) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what is under way at once; it has no verdict then."""
        self._waiting.put(None)
        await self._thread.__aexit__(kind, error, trace)

    def put(self, readings: Readings) -> None:
        """Have a sample judged, as far as the journal does not hold its verdict."""
        self._check()
        if self._open(readings):
            self._waiting.put(readings)
        else:
            self._known += 1

    async def finish(self, on_progress: Callable[[], None]) -> None:
        """Wait until every sample has its verdict; `on_progress` is called now and then.

        Raises:
            StageError: the examiner failed.
        """
        self._waiting.put(None)
        try:
            await self._thread.finish(on_progress)
        except (SandboxUnavailable, BenchmarkError) as error:
            raise self._wrapped(error) from error

    def verdict(self, readings: Readings) -> tuple[int, Verdict]:
        """Return the verdict on a sample that was judged, and the number of the reading that it is about."""
        verdicts = [self._verdict(reading) for reading in readings]
        passing = (number for number, verdict in enumerate(verdicts) if verdict and verdict.passed)
        number = next(passing, 0)
        verdict = verdicts[number]
        assert verdict is not None
        return number, verdict

    def _open(self, readings: Readings) -> list[Sample]:
        """Return the readings to be judged yet: none where one of them has passed."""
        verdicts = [self._verdict(reading) for reading in readings]
        if any(verdict and verdict.passed for verdict in verdicts):
            return []
        return [reading for reading, verdict in zip(readings, verdicts, strict=True) if verdict is None]

    def _verdict(self, sample: Sample) -> Verdict | None:
        row = self._journal.get(self._key(sample))
        return Verdict(**{name: value for name, value in row.items() if name != "key"}) if row else None

    def _key(self, sample: Sample) -> str:
        execution = self._execution
        return digest(
            self._suite.name,
            self._suite.digest,
            sample.task_id,
            sample.index,
            sample.solution,
            execution.memory_bytes,
            int(execution.unsandboxed),
            str(execution.python),
        )

    def _check(self) -> None:
        try:
            self._thread.check()
        except (SandboxUnavailable, BenchmarkError) as error:
            raise self._wrapped(error) from error

    def _wrapped(self, error: Exception) -> StageError:
        return StageError(f"{self._suite.name}: {error}")

    def _work(self, examine: Examiner) -> None:
        while batch := self._next_batch():
            while batch:
                batch = self._judge(examine, batch)

    def _judge(self, examine: Examiner, batch: list[Readings]) -> list[Readings]:
        """Judge the next reading of each sample; return the samples that have further ones to be judged."""
        first = [self._open(readings)[0] for readings in batch]
        samples = {(sample.task_id, sample.index): number for number, sample in enumerate(first)}
        still_open = []
        for verdict in examine(first):
            if self._thread.stopped:
                return []
            number = samples[verdict.task_id, verdict.sample]
            self._journal.append(self._key(first[number]), asdict(verdict))
            if self._open(batch[number]):
                still_open.append(batch[number])
            else:
                self._judged += 1
        return still_open

    def _next_batch(self) -> list[Readings]:
        """Return all that is waiting, at least one sample; nothing at the end."""
        batch = []
        readings = self._waiting.get()
        while readings is not None and not self._thread.stopped:
            batch.append(readings)
            if self._waiting.empty():
                return batch
            readings = self._waiting.get()
        if batch:
            self._waiting.put(None)  # the end, seen again after this batch
        return batch
