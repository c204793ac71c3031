"""A stage, declared once: its key, its command and its place in `status`, plan, pages and cards follow from this.

A stage sees the run only through its `Room`, and a room opens only what is declared here. So the key, which is made
from the declaration, cannot miss an input.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from inverse_instruct.records import Record, Rejection

if TYPE_CHECKING:
    from pathlib import Path

    from inverse_instruct.config.sections import RunConfig
    from inverse_instruct.stages.estimate import Cost, Estimate
    from inverse_instruct.stages.room import Room


class When(Enum):
    """Which rounds an input is of."""

    ONCE = "of the corpus, made in round 0"
    THIS = "of the round itself"
    EARLIER = "of the earlier rounds that the round is trained on"
    SO_FAR = "of those and of the round itself"
    COMPETING = "of the round before, whose rows compete again; none where each round chooses anew"
    PROMOTED = "of every round whose checkpoint was promoted, that of the promoted one last"


class Model(Enum):
    """Which model a stage depends on. The promoted and the trained one are served while it runs."""

    BASE = "the model that training starts from"
    PROMOTED = "M, that of the promoted checkpoint"
    TRAINED = "that of the round's own checkpoint"


SERVED = (Model.PROMOTED, Model.TRAINED)
"""The models that an engine runs while a stage depends on them."""


@dataclass(frozen=True)
class Rows:
    """A Parquet file of a stage, and the record of its rows."""

    file: str
    record: type[Record]


@dataclass(frozen=True)
class Input:
    """What a stage reads of another one: rows, or whatever the other has written."""

    stage: str
    rows: Rows | None = None
    when: When = When.THIS


@dataclass(frozen=True)
class Outcome:
    """What became of a group of rows, in the order of the files."""

    kept: Sequence[Record] = ()
    rejected: Sequence[Rejection] = ()

    def __len__(self) -> int:
        """Return how many rows it accounts for."""
        return len(self.kept) + len(self.rejected)


Worker = Callable[[Any], Awaitable[Outcome]]


@dataclass(frozen=True)
class Groups:
    """The work of a stage that asks the model group by group, many of them at once.

    Attributes:
        of: what the groups are, in a stable order.
        worker: opens the work; what it returns is called with each group.
        total: rows that all groups account for, for progress; None where that is not known before.
    """

    of: Callable[[Room], Any]
    worker: Callable[[Room], Worker]
    total: Callable[[Room], int | None] = lambda room: None


@dataclass(frozen=True, eq=False)
class Stage:
    """The declaration of a stage.

    Attributes:
        name: its folder, its place in the ledger and its section of the config, if it has one.
        does: what it does, as the help of its command says it.
        run: its work, or the groups that it works on.
        unit: what one of its rows is, in the singular.
        is_data: whether its rows are data; those of a stage that measures or decides are not.
        writes: the rows that it keeps; None where it writes files of its own.
        reads: name -> what it reads of other stages.
        sections: what else of the config decides its result, as keys such as `model.prompt_format`.
        outside: what decides its result beyond the config and its inputs, as texts: digests of what ships with the
            program, which tasks can be measured here.
        check: what a start would find wrong with its part of the config, each as `key: what; remedy`.
        model: which model it depends on.
        all_devices: whether no engine may run meanwhile.
        version: raised when the same inputs give other rows, so that finished stages are done again.
        waits_for: the input that a person looks at first; what is decided about it is in the key. "" waits for nobody.
        journal: the file that keeps each reply.
        tidy: removes what only an unfinished stage needs.
        if_empty: the remedy where it keeps no row at all; "" where that is no error.
        cost: what it takes, roughly.
        command: its name on the command line; "" is `name`.
    """

    name: str
    does: str
    run: Callable[[Room], Awaitable[None] | None] | Groups
    unit: str
    is_data: bool = True
    writes: Rows | None = None
    reads: Mapping[str, Input] = field(default_factory=dict)
    sections: tuple[str, ...] = ()
    outside: Callable[[RunConfig], Sequence[str]] = lambda config: ()
    check: Callable[[RunConfig], Iterable[str]] = lambda config: ()
    model: Model | None = None
    all_devices: bool = False
    version: int = 1
    waits_for: str = ""
    journal: str = "journal.jsonl"
    tidy: Callable[[Path], None] = lambda folder: None
    if_empty: str = ""
    cost: Callable[[Estimate], Cost] | None = None
    command: str = ""

    @property
    def verb(self) -> str:
        """What it is called on the command line."""
        return self.command or self.name


@dataclass(frozen=True, eq=False)
class Together:
    """Two stages as one stream: a group reaches the second, with the rows that the first kept, the moment it is done.

    The groups of the second are pairs: a group of the first, and the rows that the first kept of it.
    """

    first: Stage
    second: Stage
