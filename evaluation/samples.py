"""Samples as EvalPlus and OpenAI write them, and which tasks of a suite are meant.

Enters: a samples file or folder, a choice of tasks. Leaves: `Sample`s in the suite's order; the n-th row of a task is
its sample n, equal ones included. A row holds `task_id` and either `solution`, a whole program (EvalPlus), or
`completion`, which goes on from the task's prompt (OpenAI). A folder holds one for each task, named like `HumanEval_0`,
with a file for each of its samples (EvalPlus). Not guaranteed: that a solution is a program at all.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.errors import BenchmarkError
from evaluation.rows import Row, read_file
from evaluation.suite import Sample

_RANGE = re.compile(r"(?:(?P<name>.*)/)?(?P<first>\d+)-(?P<last>\d+)")
_SPAN = re.compile(r"(?P<first>\d{4}-\d\d-\d\d)?\.\.(?P<last>\d{4}-\d\d-\d\d)?")
_SHOWN_TASKS = 5


@dataclass(frozen=True, slots=True)
class Samples:
    """What a file holds of a suite."""

    wanted: list[Sample]
    """Of the tasks asked for."""
    others: dict[str, int]
    """How many there are of tasks that were not asked for, by task, whether the suite has them or not."""


def read_samples(path: Path, tasks: Sequence[str], stems: Mapping[str, str] | None = None) -> list[Sample]:
    """Return the samples of `tasks` that a file or folder holds; see `find_samples`."""
    return find_samples(path, tasks, stems).wanted


def find_samples(path: Path, tasks: Sequence[str], stems: Mapping[str, str] | None = None) -> Samples:
    """Return the samples of `tasks` that a file or folder holds, and count those of other tasks.

    A `completion` goes on from the task's text in `stems` (see `Suite.stem`); without `stems` none is understood.

    Raises:
        BenchmarkError: a row is wrong, or a task has no sample: an unmeasured task is no failed one.
    """
    found: dict[str, list[str]] = {task: [] for task in tasks}
    others: dict[str, int] = {}
    for row in _read_folder(path, tasks) if path.is_dir() else read_file(path).rows:
        task = _task_id(row, tasks)
        if task in found:
            found[task].append(_solution(row, (stems or {}).get(task)))
        else:
            others[task] = others.get(task, 0) + 1
    missing = [task for task, solutions in found.items() if not solutions]
    if missing:
        raise BenchmarkError(
            f"{path}: no sample for {len(missing)} of {len(tasks)} tasks: {_list(missing)}; name the tasks that it is "
            f"about{f', it has samples of {_list(list(others))}' if others else ''}"
        )
    return Samples(
        [Sample(task, number, text) for task, texts in found.items() for number, text in enumerate(texts)], others
    )


def choose_tasks(
    task_ids: Sequence[str], wanted: str | None, limit: int | None, dates: Mapping[str, str] = {}
) -> list[str]:
    """Return the tasks meant by a comma-separated list of ids, numbers, ranges and spans of time, in the suite's order.

    `HumanEval/3`, `3` and `HumanEval/0-9` or `0-9` (both ends included) are understood, and, where tasks have `dates`,
    `2024-08-01..2025-01-31` (both ends included; one may be left out); `limit` keeps the first ones.

    Raises:
        BenchmarkError: a piece means no task.
    """
    chosen = set(task_ids) if wanted is None else set()
    for piece in (wanted or "").split(","):
        if piece.strip():
            span = _SPAN.fullmatch(piece.strip())
            meant = _within(dates, span) if span else _meant(task_ids, piece.strip())
            if not meant and span:
                known = f"they are of {min(dates.values())} to {max(dates.values())}" if dates else "they have no dates"
                raise BenchmarkError(f"tasks: {piece.strip()!r} means no task; {known}")
            if not meant:
                raise BenchmarkError(f"tasks: {piece.strip()!r} means no task; ids look like {task_ids[0]}")
            chosen |= meant
    return [task for task in task_ids if task in chosen][:limit]


def _within(dates: Mapping[str, str], span: re.Match[str]) -> set[str]:
    first, last = span["first"] or "", span["last"] or "9999"
    return {task for task, date in dates.items() if first <= date <= last}


def _meant(task_ids: Sequence[str], piece: str) -> set[str]:
    if match := _RANGE.fullmatch(piece):
        numbers = range(int(match["first"]), int(match["last"]) + 1)
        return {task for task in task_ids if _is_numbered(task, match["name"], numbers)}
    return {task for task in task_ids if task == piece or task.rpartition("/")[2] == piece}


def _is_numbered(task: str, name: str | None, numbers: range) -> bool:
    head, _, number = task.rpartition("/")
    return number.isdecimal() and int(number) in numbers and name in (None, head)


def _list(tasks: Sequence[str]) -> str:
    return ", ".join(tasks[:_SHOWN_TASKS]) + (" ..." if len(tasks) > _SHOWN_TASKS else "")


def _task_id(row: Row, tasks: Sequence[str]) -> str:
    """Return a row's task; files of MBPP give its number alone."""
    number = row.fields.get("task_id")
    if not isinstance(number, int):
        return row.text("task_id")
    return next((task for task in tasks if task.rpartition("/")[2] == str(number)), str(number))


def _read_folder(path: Path, tasks: Sequence[str]) -> Iterator[Row]:
    """Yield the samples of a folder as rows, those of a task in the order of the numbers that name their files."""
    names = {task.replace("/", "_"): task for task in tasks}
    folders = sorted(folder for folder in path.iterdir() if folder.is_dir())
    if not folders:
        raise BenchmarkError(
            f"{path}: holds no folder of samples such as {next(iter(names))}; name one that does, or a file"
        )
    for folder in folders:
        files = [file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")]
        for file in sorted(files, key=lambda file: (len(file.stem), file.name)):
            try:
                text = file.read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                raise BenchmarkError(f"{file}: cannot be read: {error}") from None
            yield Row(str(file), {"task_id": names.get(folder.name, folder.name), "solution": text})


def _solution(row: Row, stem: str | None) -> str:
    """Return the program that a row is: its solution, or its completion after what that goes on from."""
    given = [name for name in ("solution", "completion") if row.fields.get(name) is not None]
    if stem is None or given == ["solution"]:
        return row.text("solution", empty=True)
    if not given:
        raise BenchmarkError(
            f"{row.where}: has neither solution (a whole program) nor completion (of the task's prompt)"
        )
    completion = row.text("completion", empty=True)
    if given == ["completion"]:
        return stem + completion
    solution = row.text("solution", empty=True)
    if solution.strip() not in ((stem + completion).strip(), completion.strip()):
        raise BenchmarkError(f"{row.where}: solution and completion are not the same program; leave one of them out")
    return solution
