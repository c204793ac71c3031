"""Where rows are looked at: in this process, in as many as there are cores, or on the machines of a Ray cluster.

Enters: rows, one after the other. Leaves: each row with its look, in the same order, so that the result is the same
wherever it was made. Rows wait in a bounded window. The first rows are looked at here: a small corpus needs no other
process. Near duplicates are found here, too, in the order of the corpus: what finds them is made elsewhere, and to look
it up takes a hundredth of the time.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, cycle, islice
from multiprocessing import get_context
from typing import Any

from evaluation.limited_process import end_with_parent
from evaluation.texts import TaskTexts
from inverse_instruct.config.sections import PreprocessSection
from inverse_instruct.corpus.looks import Look, Looker
from inverse_instruct.errors import StageError
from inverse_instruct.records import Rejection, SourceRow

BATCH_ROWS = 256
FIRST_ROWS = 4096  # looked at here
AHEAD = 3  # batches for each process
Row = SourceRow | Rejection
Seen = Iterator[tuple[Row, Look | None]]
"""Rows with their looks; a rejection has none."""


def look_at(rows: Iterator[Row], section: PreprocessSection, benchmarks: Sequence[Sequence[TaskTexts]]) -> Seen:
    """Yield each row with its look, in order.

    Args:
        rows: of a corpus.
        section: limits, and where rows are looked at.
        benchmarks: what is kept out.

    Raises:
        StageError: there is no Ray where it is wanted, or a process died.
    """
    looker = Looker(section, benchmarks)
    yield from _here(islice(rows, FIRST_ROWS), looker)
    first = next(rows, None)
    if first is None:
        return
    rows = chain([first], rows)
    if section.executor == "ray":
        yield from _on_ray(rows, section, benchmarks)
    elif section.processes == 1:
        yield from _here(rows, looker)
    else:
        yield from _in_processes(rows, section, benchmarks)


def _here(rows: Iterable[Row], looker: Looker) -> Seen:
    for row in rows:
        yield row, looker([row])[0] if isinstance(row, SourceRow) else None


def _in_processes(rows: Iterator[Row], section: PreprocessSection, benchmarks: Sequence[Sequence[TaskTexts]]) -> Seen:
    count = section.processes or os.cpu_count() or 1
    with ProcessPoolExecutor(count, get_context("spawn"), _prepare, (section, benchmarks)) as pool:
        try:
            yield from _in_order(rows, count, lambda batch: pool.submit(_look, batch), Future.result)
        except BrokenProcessPool as error:
            raise StageError(
                "a process that looks at rows died, of memory perhaps; set preprocess.processes lower, and run again"
            ) from error


_looker: Looker | None = None  # of a process of the pool


def _prepare(section: PreprocessSection, benchmarks: Sequence[Sequence[TaskTexts]]) -> None:
    global _looker
    end_with_parent()
    _looker = Looker(section, benchmarks)


def _look(rows: Sequence[SourceRow]) -> list[Look]:
    assert _looker is not None
    return _looker(rows)


def _on_ray(rows: Iterator[Row], section: PreprocessSection, benchmarks: Sequence[Sequence[TaskTexts]]) -> Seen:
    try:
        import ray
    except ImportError as error:
        raise StageError(
            "preprocess.executor is ray, which is not installed; run: pip install 'inverse-instruct[ray]'"
        ) from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False)  # the cluster of RAY_ADDRESS, or of `ray start`, else this machine
    count = section.processes or int(ray.cluster_resources().get("CPU", 1))
    actors = cycle([ray.remote(Looker).remote(section, benchmarks) for _ in range(count)])
    try:
        yield from _in_order(rows, count, lambda batch: next(actors).__call__.remote(batch), ray.get)
    except ray.exceptions.RayError as error:
        raise StageError(f"Ray cannot go on ({type(error).__name__}); see its logs, and run again") from error
    finally:
        ray.shutdown()


def _in_order(
    rows: Iterator[Row],
    processes: int,
    start: Callable[[list[SourceRow]], Any],
    wait: Callable[[Any], list[Look]],
) -> Seen:
    """Look at batches ahead, as many as keep the processes busy, and yield what comes of them in order."""
    waiting: deque[tuple[list[Row], Any]] = deque()

    def ahead() -> None:
        while len(waiting) < AHEAD * processes and (batch := list(islice(rows, BATCH_ROWS))):
            waiting.append((batch, start([row for row in batch if isinstance(row, SourceRow)])))

    ahead()
    while waiting:
        batch, started = waiting.popleft()
        looks = iter(wait(started))
        ahead()
        for row in batch:
            yield row, next(looks) if isinstance(row, SourceRow) else None
