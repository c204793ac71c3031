"""Judges samples in a thread of its own while more are generated; every verdict is in the journal before it counts."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import asdict
from types import TracebackType

from evaluation import BenchmarkError, Execution, Sample, SandboxUnavailable, Suite, Verdict
from inverse_instruct.errors import StageError
from inverse_instruct.journal import Journal
from inverse_instruct.records import digest

POLL_SECONDS = 0.2


class Judge:
    """The examiner of one suite at work; use it in a `with` statement."""

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
        self._waiting: queue.SimpleQueue[Sample | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"judge {suite.name}", daemon=True)
        self._ready = threading.Event()
        self._stopped = False
        self._error: BaseException | None = None
        self._known = 0  # counted by the thread that puts
        self._judged = 0  # counted by the thread that judges

    @property
    def done(self) -> int:
        """Samples that have a verdict."""
        return self._known + self._judged

    def __enter__(self) -> Judge:
        """Start, and wait until the suite's examiner is ready.

        Raises:
            StageError: nothing can be judged here.
        """
        self._thread.start()
        self._ready.wait()
        self._check()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        """Stop after the verdict under way."""
        self._stopped = True
        self._waiting.put(None)
        self._thread.join()

    def put(self, sample: Sample) -> None:
        """Have a sample judged, unless the journal holds its verdict."""
        self._check()
        if self._key(sample) in self._journal:
            self._known += 1
        else:
            self._waiting.put(sample)

    async def finish(self, on_progress: Callable[[], None]) -> None:
        """Wait until every sample has its verdict; `on_progress` is called now and then.

        Raises:
            StageError: the examiner failed.
        """
        self._waiting.put(None)
        while self._thread.is_alive():
            await asyncio.sleep(POLL_SECONDS)
            on_progress()
        self._check()

    def verdict(self, sample: Sample) -> Verdict:
        """Return the verdict on a sample that was judged."""
        row = self._journal.rows[self._key(sample)]
        return Verdict(**{name: value for name, value in row.items() if name != "key"})

    def _key(self, sample: Sample) -> str:
        execution = self._execution
        return digest(self._suite.name, self._suite.digest, sample.task_id, sample.index, sample.solution,
                      execution.memory_bytes, int(execution.unsandboxed), str(execution.python))

    def _check(self) -> None:
        if isinstance(self._error, (SandboxUnavailable, BenchmarkError)):
            raise StageError(f"{self._suite.name}: {self._error}") from self._error
        if self._error:
            raise self._error

    def _work(self) -> None:
        try:
            with self._suite.examiner(self._execution) as examine:
                self._ready.set()
                while not self._stopped and (batch := self._next_batch()):
                    samples = {(sample.task_id, sample.index): sample for sample in batch}
                    for verdict in examine(batch):
                        sample = samples[verdict.task_id, verdict.sample]
                        self._journal.append(self._key(sample), asdict(verdict))
                        self._judged += 1
                        if self._stopped:
                            return
        except BaseException as error:  # raised again by the thread that puts samples
            self._error = error
        finally:
            self._ready.set()

    def _next_batch(self) -> list[Sample]:
        """Return all that is waiting, at least one sample; nothing at the end."""
        batch = []
        sample = self._waiting.get()
        while sample is not None:
            batch.append(sample)
            if self._waiting.empty():
                return batch
            sample = self._waiting.get()
        if batch:
            self._waiting.put(None)  # the end, seen again after this batch
        return batch
