"""What stages measure, as it stands in the metrics of manifests and checkpoints, and in reports.

Enters: metrics, which are plain values. Leaves: records; `asdict` gives the plain values back, in the same order.
Readers find a measure by what it is, never by the name of the stage. Not guaranteed: that all is here; a stage may
measure what only a person reads, and that stays in the metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from evaluation import Diversity, Estimate, SelfConsistency
from inverse_instruct.errors import RunDirError


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a training; losses in nats per response token."""

    phase: str  # its folder
    data: str  # the input that it was trained on, or `mixed`: all of them
    rows: int
    rejected: dict[str, int]  # reason -> rows
    truncated: int  # rows
    steps: int
    tokens: int
    response_tokens: int
    loss_first: float
    loss_last: float
    seconds: float  # in steps
    tokens_per_second: float | None
    peak_memory_bytes: int | None  # None: not known on this device


@dataclass(frozen=True, slots=True)
class Rates:
    """pass@k on the base tests, and on the base and plus tests together."""

    base: Estimate
    plus: Estimate | None  # None: the suite has no plus tests

    @property
    def strictest(self) -> Estimate:
        """The rate on the most tests that there are."""
        return self.plus or self.base


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteReport:
    """What was measured of one model on one suite."""

    suite: str
    version: str
    problems: int
    samples: int
    pass_at_k: dict[str, Rates]  # k in digits; empty where nothing was measured
    reasons: dict[str, int]  # why samples failed
    read_otherwise: int = 0  # samples that passed by another reading of the reply than the first
    solution_loss: Estimate | None = None  # mean over the problems, in nats per token; None: not measured
    unread: int = 0  # replies that took too much time or memory to read
    diversity: Diversity | None
    minimum_detectable_effect: float | None  # a difference of rates
    self_consistency: SelfConsistency | None
    not_measured: dict[str, int]  # why -> problems
    unanswered: dict[str, str] = field(default_factory=dict)  # task -> why the model gave no answer
    sandboxed: bool

    @property
    def pass_at_1(self) -> Rates | None:
        """The rates with one sample, if they were measured."""
        return self.pass_at_k.get("1")


@dataclass(frozen=True, slots=True)
class ReportHead:
    """What tells whether two reports can be compared; a report that was made by hand may have no more."""

    suite: str | None = None
    version: str | None = None
    unanswered: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a checkpoint is promoted, and why."""

    promoted: bool
    reason: str
    gained: tuple[str, ...] = ()  # problems
    lost: tuple[str, ...] = ()
    p_worse: float | None = None  # None: there was nothing to compare with
    rate: float | None = None  # mean pass rate over the problems that decide; None: not written down
    best_rate: float | None = None  # the highest of the checkpoints promoted before

    @property
    def gains(self) -> bool:
        """Whether it passes more than every checkpoint that was promoted before."""
        return self.rate is None or self.best_rate is None or self.rate > self.best_rate


@dataclass(frozen=True, slots=True)
class Measures:
    """What readers look for in metrics; empty or None: the stage does not measure it."""

    phases: tuple[Phase, ...] = ()
    suites: dict[str, SuiteReport] = field(default_factory=dict)
    decision: Decision | None = None
    snippets: int | None = None  # that the rows are of
    mean_lm_score: float | None = None
    discernment: float | None = None  # share of pairs in which the own instruction scores higher than a stranger's
    verdicts: dict[str, int] = field(default_factory=dict)  # `verified` and so on -> candidates
    original_rows: int | None = None  # of the corpus, that can be trained on as they are
    together_with: str = ""  # the stage in whose time it was done
    waited_for_engine: float = 0.0  # seconds, until it could be asked


_MEASURES = TypeAdapter(Measures)
_HEAD = TypeAdapter(ReportHead)


def read_measures(metrics: Mapping[str, Any], of: str) -> Measures:
    """Return what readers look for in metrics.

    Args:
        metrics: of a stage or a checkpoint.
        of: which one, for the error.

    Raises:
        RunDirError: a measure is not as our stages write it.
    """
    decision = {"decision": metrics} if "promoted" in metrics else {}
    try:
        return _MEASURES.validate_python({**metrics, **decision})
    except ValidationError as error:
        raise RunDirError(
            f"the metrics of {of} are not as this version writes them: {_first(error)}; run the run's config again"
        ) from error


def read_head(values: Any) -> ReportHead:
    """Return what tells a report from others, from its plain values.

    Raises:
        RunDirError: they are no report.
    """
    try:
        return _HEAD.validate_python(values)
    except ValidationError as error:
        raise RunDirError(_first(error)) from error


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
