"""What a run did, round by round, from its ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from evaluation import SelfConsistency
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.ledger_rows import Checkpoint, Event, RunRow, StageRow
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.measures import Rates, SuiteReport
from inverse_instruct.store.narrowing import narrowing
from inverse_instruct.store.run_dir import RunDir


@dataclass(frozen=True)
class StageStatus:
    """How far a stage is."""

    round: int
    stage: str
    state: str  # "running" or "done"
    done: int | None  # rows
    total: int | None  # rows; None: not known before
    started: float  # seconds since 1970
    updated: float


@dataclass(frozen=True)
class RoundStatus:
    """What a round has made and measured; None: it has not, or not yet."""

    round: int
    snippets: int | None
    candidates: int | None
    selected: int | None
    mean_lm_score: float | None  # of the selected rows
    discernment: float | None  # how often the scores tell own instructions from strangers'; a coin has 0.5
    verdicts: dict[str, int] | None  # `verified`, `refuted`, `unverified` -> candidates
    loss_first: float | None  # nats per response token
    loss_last: float | None
    pass_at_1: Rates | None  # on the config's first suite
    self_consistency: SelfConsistency | None  # on that suite
    suites: dict[str, SuiteReport]
    promoted: bool | None
    gained: tuple[str, ...] | None  # problems
    lost: tuple[str, ...] | None
    p_worse: float | None
    reason: str | None
    checkpoint: str | None  # its folder
    seconds: float | None  # of all stages; what was done in the time of another one counts once
    warnings: tuple[str, ...] = ()  # where a measure hides what another one shows, against the last promoted one


@dataclass(frozen=True)
class RunStatus:
    """Where a run is."""

    run_dir: str
    run: RunRow | None = None  # None: it has not begun
    rounds: Sequence[RoundStatus] = ()
    stages: Sequence[StageStatus] = ()
    events: Sequence[Event] = ()

    def plain(self) -> dict[str, Any]:
        """Return it as plain values; the keys are stable."""
        return asdict(self)


def summarize_run(path: Path) -> RunStatus:
    """Return the state of a run.

    Raises:
        RunDirError: the folder holds no run.
    """
    with Ledger(RunDir(path).ledger) as ledger:
        run = ledger.run()
        if run and run.state == "running" and not RunDir(path).is_locked():
            run = replace(run, state="interrupted")  # its process was killed
        checkpoints = {checkpoint.round: checkpoint for checkpoint in ledger.checkpoints()}
        stages = ledger.stages()
        numbers = sorted({stage.round for stage in stages})
        return RunStatus(
            str(path),
            run,
            _with_warnings([_round(number, stages, checkpoints.get(number)) for number in numbers]),
            [
                StageStatus(row.round, row.stage, row.state, row.done, row.total, row.started, row.updated)
                for row in stages
            ],
            ledger.events(),
        )


def _round(number: int, stages: list[StageRow], checkpoint: Checkpoint | None) -> RoundStatus:
    manifests = [stage.manifest for stage in stages if stage.round == number and stage.manifest]
    measures = [manifest.measures for manifest in manifests]
    phases = next((found.phases for found in measures if found.phases), ())
    suites = next((found.suites for found in measures if found.suites), {})
    decision = next((found.decision for found in measures if found.decision), None)
    main = next(iter(suites.values()), None)  # the config's first suite
    snippets = _last(manifests, "Snippet")
    candidates = _last(manifests, "Candidate", "Draft") if number else None
    selected = _last(manifests, "TrainingRow")
    alone = [manifest.seconds for manifest in manifests if not manifest.measures.together_with]
    return RoundStatus(
        round=number,
        snippets=snippets.rows_out if snippets else candidates.measures.snippets if candidates else None,
        candidates=candidates.rows_out if candidates else None,
        selected=selected.rows_out if selected else None,
        mean_lm_score=selected.measures.mean_lm_score if selected else None,
        discernment=next((found.discernment for found in measures if found.discernment is not None), None),
        verdicts=next((found.verdicts for found in measures if found.verdicts), None),
        loss_first=phases[0].loss_first if phases else None,
        loss_last=phases[-1].loss_last if phases else None,
        pass_at_1=main.pass_at_1 if main else None,
        self_consistency=main.self_consistency if main else None,
        suites=suites,
        promoted=decision.promoted if decision else None,
        gained=decision.gained if decision else None,
        lost=decision.lost if decision else None,
        p_worse=decision.p_worse if decision else None,
        reason=decision.reason if decision else None,
        checkpoint=checkpoint.path if checkpoint else None,
        seconds=sum(alone) if manifests else None,
    )


def _with_warnings(rounds: Sequence[RoundStatus]) -> list[RoundStatus]:
    found: list[RoundStatus] = []
    before: dict[str, SuiteReport] = {}  # of the last promoted one
    for row in rounds:
        found.append(replace(row, warnings=narrowing(before, row.suites)))
        before = row.suites if row.promoted else before
    return found


def _last(manifests: Sequence[Manifest], *records: str) -> Manifest | None:
    """Return the manifest of the last stage whose rows are such records: what the stages after it go on with."""
    return next((manifest for manifest in reversed(manifests) if manifest.record in records), None)
