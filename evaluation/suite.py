"""What every benchmark suite offers: load, prompts, extract, judge.

A suite is loaded from rows (see `rows`), tells which of its tasks cannot be measured here, says what to ask a model,
takes the program out of the replies, and judges programs. What asks the model, and what keeps results, is the caller.

"Not measured" is a state of its own: a task that cannot be run here has no verdict, and is never a failed one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from evaluation.programs import Reason
from evaluation.texts import TaskTexts


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question to a model, in a conversation of its own."""

    request: str
    """What the user says; "" where there is none: the model goes on from `beginning`, without any frame."""
    beginning: str = ""
    """How the reply must begin, where the model can be made to; it counts as part of the reply."""
    stop: tuple[str, ...] = ()
    """Texts at which the reply ends."""


FUNCTION_ENDS = ("\ndef ", "\nprint(", "\nif __name__", "\nclass ", "\nassert ", "\nimport ", "\nfrom ", "\n```")
"""Where the rest of one Python function is over; as EvalPlus has them for HumanEval+ and base models. The commonest are
the first: a server may take no more than four."""
PROGRAM_ENDS = ("\nassert", "\nprint(", "\nif __name__", '\n"""', "\n```")
"""Where a Python program after a description is over; as EvalPlus has them for MBPP+ and base models."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One solution of one task: what `Suite.extract` returned, or what a samples file holds."""

    task_id: str
    index: int
    """0 for the first sample of the task."""
    solution: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one sample achieved; `reason` and `detail` tell of the first test that failed, if any did."""

    task_id: str
    sample: int
    """Index of the sample."""
    base: bool
    """All base tests pass."""
    plus: bool | None
    """Base and plus tests all pass; None: the suite has no plus tests."""
    reason: Reason | None
    detail: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether all tests of the suite pass."""
        return self.base if self.plus is None else self.plus


@dataclass(frozen=True, slots=True)
class Execution:
    """How generated code is run."""

    workers: int = 2
    """Programs that run at once."""
    memory_bytes: int = 4 << 30
    """Limit of one program."""
    unsandboxed: bool = False
    """Run without bubblewrap; only for code that one would run by hand. A report must say so."""
    python: Path | None = None
    """Interpreter of a separate environment, which DS-1000 needs and BigCodeBench may use."""
    references: Path | None = None
    """Folder that keeps the outputs of canonical solutions between runs; None: they are computed anew."""


class Examiner(Protocol):
    """Judges samples; what it needs (sandboxes, expected outputs) is ready."""

    def __call__(self, samples: Sequence[Sample], /) -> Iterator[Verdict]:
        """Yield one verdict per sample, in any order."""


class Suite(Protocol):
    """A loaded benchmark."""

    name: str
    """As on the command line, such as `humaneval_plus`."""
    version: str
    """Of the data, such as `HumanEval+ v0.1.10`; scores of other versions are not comparable."""
    digest: str
    """SHA-256 of the tasks' content."""
    texts: Sequence[TaskTexts]
    """What every row of the data says, also those that are no tasks here: what must not be found in training data."""

    @property
    def task_ids(self) -> Sequence[str]:
        """All tasks, in file order."""

    def not_measured(self, execution: Execution) -> Mapping[str, str]:
        """Return the tasks that cannot be judged here, each with the reason and its remedy."""

    def prompt(self, task_id: str, replies: Sequence[str]) -> Prompt | None:
        """Return what to ask next after `replies` (each with its forced beginning); None: nothing more."""

    def extract(self, task_id: str, replies: Sequence[str]) -> str:
        """Return the solution in the replies; never raises for what a model said."""

    def readings(self, task_id: str, replies: Sequence[str]) -> Sequence[str]:
        """Return what the replies can be read as, best first: that of `extract`, then what to judge where it fails.

        They are made in another process (see `reading.read`); `AsItStands` where that passes its limits.
        """

    def stem(self, task_id: str) -> str:
        """Return what a sample's `completion`, in OpenAI's form, goes on from; "" where it is the solution itself."""

    def examiner(self, execution: Execution) -> AbstractContextManager[Examiner]:
        """Prepare to judge.

        Raises:
            SandboxUnavailable: programs cannot be isolated here.
            BenchmarkError: the suite's own reference solutions fail, so nothing can be judged.
        """


@runtime_checkable
class DatedSuite(Protocol):
    """A suite that says when its tasks were published, so that those can be left out that a model may have seen."""

    @property
    def dates(self) -> Mapping[str, str]:
        """Task -> ISO date."""


def dates_of(suite: Suite) -> Mapping[str, str]:
    """Return when the tasks of a suite were published; {} where it does not say."""
    return suite.dates if isinstance(suite, DatedSuite) else {}


@runtime_checkable
class CompletionSuite(Protocol):
    """A suite that can be asked without a request, as the beginning of a text: how a base model does best."""

    def completion_prompt(self, task_id: str) -> Prompt:
        """Return the question that is a beginning alone; the reply is read as one to `Suite.prompt`."""


@runtime_checkable
class SolvedSuite(Protocol):
    """A suite that knows a right answer to its tasks."""

    def reference(self, task_id: str) -> str:
        """Return the canonical solution as a whole program; "" where there is none."""


@runtime_checkable
class AnsweredSuite(Protocol):
    """A suite that knows a right reply to its tasks, word by word."""

    def answer(self, task_id: str) -> str:
        """Return the reply."""
