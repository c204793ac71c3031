"""Samples in EvalPlus's JSONL (`task_id`, `solution`), and which tasks of a suite are meant.

Enters: a samples file, a choice of tasks. Leaves: `Sample`s in the suite's order; the n-th row of a task is its sample
n. Not guaranteed: that a solution is a program at all.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluation.errors import BenchmarkError
from evaluation.rows import Row, read_file
from evaluation.suite import Sample

_RANGE = re.compile(r"(?:(?P<name>.*)/)?(?P<first>\d+)-(?P<last>\d+)")
_SHOWN_TASKS = 5


def read_samples(path: Path, tasks: Sequence[str], prompts: Mapping[str, str] | None = None) -> list[Sample]:
    """Return the samples of `tasks` that a file holds; rows of other tasks are left out.

    A row without `solution` may hold a `completion`, which goes on from the task's prompt in `prompts`.

    Raises:
        BenchmarkError: a row is wrong, or a task has no sample: an unmeasured task is no failed one.
    """
    found: dict[str, list[str]] = {task: [] for task in tasks}
    for row in read_file(path).rows:
        task = row.text("task_id")
        if task in found:
            found[task].append(_solution(row, (prompts or {}).get(task)))
    missing = [task for task, solutions in found.items() if not solutions]
    if missing:
        shown = ", ".join(missing[:_SHOWN_TASKS]) + (" ..." if len(missing) > _SHOWN_TASKS else "")
        raise BenchmarkError(
            f"{path}: no sample for {len(missing)} of {len(tasks)} tasks: {shown}; name the tasks that it is about"
        )
    return [Sample(task, number, text) for task, texts in found.items() for number, text in enumerate(texts)]


def choose_tasks(task_ids: Sequence[str], wanted: str | None, limit: int | None) -> list[str]:
    """Return the tasks meant by a comma-separated list of ids, numbers and ranges, in the suite's order.

    `HumanEval/3`, `3` and `HumanEval/0-9` or `0-9` (both ends included) are understood; `limit` keeps the first ones.

    Raises:
        BenchmarkError: a piece means no task.
    """
    chosen = set(task_ids) if wanted is None else set()
    for piece in (wanted or "").split(","):
        if piece.strip():
            meant = _meant(task_ids, piece.strip())
            if not meant:
                raise BenchmarkError(f"tasks: {piece.strip()!r} means no task; ids look like {task_ids[0]}")
            chosen |= meant
    return [task for task in task_ids if task in chosen][:limit]


def _meant(task_ids: Sequence[str], piece: str) -> set[str]:
    if match := _RANGE.fullmatch(piece):
        numbers = range(int(match["first"]), int(match["last"]) + 1)
        return {task for task in task_ids if _is_numbered(task, match["name"], numbers)}
    return {task for task in task_ids if task == piece or task.rpartition("/")[2] == piece}


def _is_numbered(task: str, name: str | None, numbers: range) -> bool:
    head, _, number = task.rpartition("/")
    return number.isdecimal() and int(number) in numbers and name in (None, head)


def _solution(row: Row, prompt: str | None) -> str:
    if "solution" not in row.fields and "completion" in row.fields and prompt is not None:
        return prompt + row.text("completion", empty=True)
    return row.text("solution", empty=True)
