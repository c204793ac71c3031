"""Rows are looked at here, in several processes or by Ray: the same looks in the same order, a bounded way ahead."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from evaluation.texts import TaskTexts
from inverse_instruct.config.corpus_source import CorpusSource
from inverse_instruct.config.sections import PreprocessSection
from inverse_instruct.corpus import executors
from inverse_instruct.corpus.executors import Row, look_at
from inverse_instruct.corpus.looks import Look
from inverse_instruct.errors import StageError
from inverse_instruct.records import Reason, Rejection, SourceRow
from inverse_instruct.store.rows import read_rows
from tests.playing import preprocess

BENCHMARKS = [[TaskTexts("B/1", ("Tell the number of green parrots that are in the old cage of the house.",), ())]]


def code(number: int) -> str:
    if number % 7 == 3:
        return "I do not know."
    if number % 11 == 5:
        return "def f(:\n"
    return (
        f"```python\ndef task_{number}(values):\n    total = sum(values) * {number}\n    return total - {number}\n```"
    )


def rows(count: int) -> Iterator[Row]:
    for number in range(count):
        if number % 13 == 6:
            yield Rejection(f"r{number}", "preprocess", Reason.MALFORMED, "no JSON")
            continue
        asked = BENCHMARKS[0][0].prose[0] if number % 10 == 1 else f"Do the task {number}."
        yield SourceRow(f"r{number}", "corpus.jsonl", number, asked, code(number), "python")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "FIRST_ROWS", 10)
    monkeypatch.setattr(executors, "BATCH_ROWS", 7)


def plain(seen: Iterator[tuple[Row, Look | None]]) -> list[Any]:
    return [
        (
            row,
            look and (look.code, look.task, look.sketch and (look.sketch.shingles.tolist(), look.sketch.keys.tolist())),
        )
        for row, look in seen
    ]


def test_the_number_of_processes_changes_nothing() -> None:
    one = plain(look_at(rows(120), PreprocessSection(processes=1), BENCHMARKS))
    assert [row for row, _ in one] == list(rows(120))
    assert sum(look is None for _, look in one) == 9 and sum(look is not None and bool(look[1]) for _, look in one) > 9
    assert plain(look_at(rows(120), PreprocessSection(processes=2), BENCHMARKS)) == one
    assert plain(look_at(rows(10), PreprocessSection(processes=2), BENCHMARKS)) == one[:10], "no process is needed"


def test_few_rows_are_read_ahead() -> None:
    read = 0

    def counted() -> Iterator[Row]:
        nonlocal read
        for row in rows(100_000):
            read += 1
            yield row

    seen = look_at(counted(), PreprocessSection(processes=2), BENCHMARKS)
    assert len(list(islice(seen, 30))) == 30
    assert read <= 30 + executors.AHEAD * 2 * 7 + 7
    seen.close()  # type: ignore[attr-defined]


def test_a_process_that_dies_ends_it_with_the_remedy() -> None:
    def deadly() -> Iterator[Row]:
        yield from rows(200)
        for child in children():
            os.kill(child, signal.SIGKILL)
        yield from rows(2000)

    with pytest.raises(StageError, match="a process that looks at rows died.*preprocess.processes lower"):
        list(look_at(deadly(), PreprocessSection(processes=2), BENCHMARKS))


def children() -> list[int]:
    """Return the processes of the pool, which are children of this one that run Python's own spawning."""
    found = []
    for number in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
        if b"spawn_main" in Path(f"/proc/{number}/cmdline").read_bytes():
            found.append(int(number))
    return found


def test_where_there_is_no_ray_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(StageError, match=r"pip install 'inverse-instruct\[ray\]'"):
        list(look_at(rows(20), PreprocessSection(executor="ray"), []))
    assert len(list(look_at(rows(10), PreprocessSection(executor="ray"), []))) == 10


@pytest.mark.slow
def test_the_stage_keeps_the_same_rows(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    made = [{"instruction": f"Do task {number}.", "output": code(number % 40)} for number in range(80)]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in made))
    found = []
    for processes in (1, 2):
        section = PreprocessSection(processes=processes, benchmarks=[])
        manifest = preprocess([CorpusSource(path=str(corpus))], section, tmp_path / str(processes))
        files = sorted((tmp_path / str(processes)).glob("*.parquet"))
        tables = {path.name: read_rows(path) for path in files}
        found.append((manifest.rows_out, manifest.rejected, tables))
    assert found[0] == found[1] and found[0][1]["exact_duplicate"] > 10


def test_ray_gives_the_same() -> None:
    pytest.importorskip("ray")
    one = plain(look_at(rows(120), PreprocessSection(processes=1), BENCHMARKS))
    assert plain(look_at(rows(120), PreprocessSection(processes=2, executor="ray"), BENCHMARKS)) == one
