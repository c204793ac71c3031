"""Rows of a corpus that are kept out of training: how likely a model finds their responses.

A row has `instruction` and `response` (or `output`), and may have `input`, which stands behind the instruction. There
are no tests, so nothing is run, and every task is one that cannot be judged; what is measured is the loss of the
response as the reply. As of any suite, the texts are kept out of the training data: it may be a copy of some rows of
the corpus. Not guaranteed: that a response is a good one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.errors import BenchmarkError
from evaluation.rows import Row, content_digest, read_file
from evaluation.suite import Examiner, Execution, Prompt, Sample, Verdict
from evaluation.texts import TaskTexts

_WITHOUT_TESTS = "held-out rows have no tests; the loss of their responses is measured"


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Instructions and the replies that a corpus gives to them."""

    rows: Mapping[str, tuple[str, str]] = field(repr=False)
    """Task -> instruction and response."""
    digest: str
    version: str
    name: str = "held_out"

    @property
    def texts(self) -> Sequence[TaskTexts]:
        """What every row says."""
        return [TaskTexts(task, (instruction,), (response,)) for task, (instruction, response) in self.rows.items()]

    @property
    def task_ids(self) -> Sequence[str]:
        """All rows, in file order."""
        return list(self.rows)

    def not_measured(self, execution: Execution) -> Mapping[str, str]:
        """Return all of them: they have no tests."""
        return dict.fromkeys(self.rows, _WITHOUT_TESTS)

    def prompt(self, task_id: str, replies: Sequence[str]) -> Prompt | None:
        """Say the instruction."""
        return None if replies else Prompt(self.rows[task_id][0])

    def answer(self, task_id: str) -> str:
        """Return the response."""
        return self.rows[task_id][1]

    def extract(self, task_id: str, replies: Sequence[str]) -> str:
        """Return the reply; nobody judges it."""
        return replies[-1]

    def readings(self, task_id: str, replies: Sequence[str]) -> Sequence[str]:
        """Return the reply alone."""
        return [replies[-1]]

    def stem(self, task_id: str) -> str:
        """Return nothing."""
        return ""

    def examiner(self, execution: Execution) -> AbstractContextManager[Examiner]:
        """Judge nothing."""
        return nullcontext(_judge_nothing)


def load(data: str | None) -> HeldOut:
    """Return the rows of a file.

    Raises:
        BenchmarkError: none is named, or a row lacks what it needs; the message gives file, line and field.
    """
    if data is None or Path(data).is_dir():
        raise BenchmarkError("held_out: name your file with `data` (--data on the command line)")
    rows = read_file(Path(data))
    found = {f"held_out/{number}": _pair(row) for number, row in enumerate(rows.rows, start=1)}
    return HeldOut(found, content_digest(rows.rows), f"held out, file with MD5 {rows.md5}")


def _pair(row: Row) -> tuple[str, str]:
    given = row.text("input", empty=True) if row.fields.get("input") is not None else ""
    response = row.text("response" if "response" in row.fields else "output")
    return "\n\n".join(filter(None, [row.text("instruction"), given])), response


def _judge_nothing(samples: Sequence[Sample]) -> Iterator[Verdict]:
    return iter(())
