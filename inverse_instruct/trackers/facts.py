"""What a tracker is told of a run, read from its ledger and its files.

Enters: a run directory, also of a run under way. Leaves: facts in the order in which they came about, each with a name
that stays the same, so that what was told is not told again. Nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inverse_instruct.records import Draft, Record, ScoredPair, TrainingRow
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.losses import read_losses
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.store.status import RoundStatus, summarize_run
from inverse_instruct.store.written_rows import WrittenFile, finished, written_files

LOSSES = ("loss", "lr", "grad_norm")


@dataclass(frozen=True)
class Point:
    """Numbers at one step of an axis."""

    axis: str  # `round`, or that of a training phase
    step: int
    values: dict[str, float]

    @property
    def name(self) -> str:
        """What tells it from other facts."""
        return f"{self.axis} {self.step}"


@dataclass(frozen=True)
class Distribution:
    """Many values of one measure at a round."""

    measure: str
    round: int
    values: list[float]

    @property
    def name(self) -> str:
        """What tells it from other facts."""
        return f"{self.measure} {self.round}"


@dataclass(frozen=True)
class Artifact:
    """A file worth keeping with the measures."""

    path: Path
    name: str  # relative to the run


Fact = Point | Distribution | Artifact


def facts_of(path: Path) -> Iterator[Fact]:
    """Yield all facts that there are of a run by now.

    Raises:
        RunDirError: the folder holds no run, or a damaged one.
    """
    run_dir, status = RunDir(path), summarize_run(path)
    yield Artifact(run_dir.config, run_dir.config.name)
    with Ledger(run_dir.ledger) as ledger:
        files = [file for file in written_files(run_dir, finished(ledger.stages())) if file.kept]
    for row in status.rounds:
        own = [file for file in files if file.round == row.round]
        yield from _distributions(row.round, own)
        yield from _losses(run_dir, row.round)
        if row.promoted is not None:  # the round is complete
            yield Point("round", row.round, _measures(row))
            yield from (Artifact(file, str(file.relative_to(path))) for file in _artifacts(run_dir, row.round))


def _measures(row: RoundStatus) -> dict[str, float]:
    found: dict[str, float | None] = {
        "candidates": row.candidates,
        "selected": row.selected,
        "mean_lm_score": row.mean_lm_score,
        "discernment": row.discernment,
        **(row.verdicts or {}),
        "loss_last": row.loss_last,
        "promoted": row.promoted,
        "p_worse": row.p_worse,
        "seconds": row.seconds,
    }
    for name, report in row.suites.items():
        if rates := report.pass_at_1:
            found[f"{name}/pass_at_1"] = rates.base.rate
            found[f"{name}/pass_at_1_plus"] = rates.plus.rate if rates.plus else None
        if (consistency := report.self_consistency) and consistency.base:
            found[f"{name}/self_consistency"] = consistency.base.rate
        if loss := report.solution_loss:
            found[f"{name}/solution_loss"] = loss.rate
    return {f"round/{name}": float(value) for name, value in found.items() if value is not None}


def _distributions(number: int, files: list[WrittenFile]) -> Iterator[Distribution]:
    kinds: tuple[tuple[str, tuple[type[Record], ...]], ...] = (
        ("lm_score/scored", (ScoredPair, Draft)),
        ("lm_score/selected", (TrainingRow,)),
    )
    for measure, records in kinds:
        file = next((file for file in reversed(files) if file.record in records), None)
        if file and (values := file.rows.columns("lm_score")["lm_score"].drop_null().to_pylist()):
            yield Distribution(measure, number, values)


def _losses(run_dir: RunDir, number: int) -> Iterator[Point]:
    for path in sorted(run_dir.round(number).glob("*/phase-*/loss.jsonl")):
        axis = f"train/round-{number:02}/{path.parent.name.removeprefix('phase-')}"
        for line in read_losses(path):
            yield Point(axis, int(line["step"]), {f"{axis}/{name}": line[name] for name in LOSSES if name in line})


def _artifacts(run_dir: RunDir, number: int) -> list[Path]:
    return sorted([*run_dir.round(number).glob("*/decision.json"), *run_dir.round(number).glob("*/*/report.json")])
