"""The rows of the ledger: the run, its stages, its checkpoints, promotions and events. Times in seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.measures import Measures, read_measures


@dataclass(frozen=True)
class RunRow:
    """What the run as a whole is doing."""

    name: str
    rounds: int  # wanted, after round 0
    state: str  # "running", "done", "failed", "waiting" (for a person) or "interrupted"
    pid: int | None
    host: str | None
    updated: float


@dataclass(frozen=True)
class StageRow:
    """A stage of a round, under way or done."""

    round: int
    stage: str
    state: str  # "running" or "done"
    started: float
    updated: float
    done: int | None  # rows
    total: int | None  # rows; None: not known before
    manifest: Manifest | None  # None: it is not done


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint and what became of it."""

    round: int
    path: str
    digest: str
    parent: str  # digest of the base model it was trained from, or "" for a given model
    state: str  # "candidate": never promoted so far; "promoted": at most one; "retired": was promoted
    reason: str  # of the loop's decision about it
    metrics: dict[str, Any]  # of the stage that measured it
    created: float = 0.0

    @property
    def name(self) -> str:
        """How the checkpoint is called in commands, in replies of the gateway, and under `checkpoints/`."""
        return f"round-{self.round:02d}"

    @property
    def measures(self) -> Measures:
        """What was measured of it."""
        return read_measures(self.metrics, self.name)


@dataclass(frozen=True)
class Promotion:
    """One change of which checkpoint is the promoted one."""

    id: int
    time: float
    round: int  # the checkpoint that became the promoted one
    over: int | None  # the one that it replaced
    action: str  # "promote" or "rollback"
    author: str  # "loop", "gateway" or a person
    reason: str


@dataclass(frozen=True)
class Event:
    """Something that a person may want to know later."""

    id: int  # grows by the order in which they were written
    time: float
    round: int | None
    stage: str | None
    message: str
