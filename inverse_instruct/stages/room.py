"""All that a stage may touch: the parts of the config, the rows, the model and the files that it has declared.

Guaranteed: rows in = rows kept + rows rejected, as the manifest counts nothing else; a reply is in the journal before
it counts, so nothing is asked twice. Not guaranteed: that a stage does not reach around its room; the table of imports
is against that.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from evaluation import Execution
from inverse_instruct.config.editing import WriterSection
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.streaming import stream_in_order
from inverse_instruct.records import Record, Rejection, digest
from inverse_instruct.stages.chat_questions import ChatQuestions
from inverse_instruct.stages.keys import value_of
from inverse_instruct.stages.questions import Asked, Questions
from inverse_instruct.stages.stage import Groups, Outcome, Stage, Worker
from inverse_instruct.store.journal import Journal
from inverse_instruct.store.manifest import Manifest, WrittenRows, write_manifest
from inverse_instruct.store.progress import Progress
from inverse_instruct.store.review import Review, read_review
from inverse_instruct.store.rows import RowWriter, count_rows, iterate_rows
from inverse_instruct.store.seeds import sampling_seed

REJECTIONS = "rejections.parquet"


Inputs = Mapping[str, Mapping[str, str]]
"""Input -> each of its files, relative to the run -> SHA-256, for the manifest."""


@dataclass(frozen=True)
class Place:
    """Where a room is: in which round of which run."""

    folder: Path  # of the stage
    round: int
    seed: int  # of the run
    logs: Path
    key: str = ""  # of the work; what was left of another key is not gone on with
    checkpoint: Path | None = None  # where the round's checkpoint is, or will be
    base: Path | None = None  # folder of the base model
    inputs: Inputs = field(default_factory=dict)


Source = Sequence[Path] | Iterable[Record]
"""Rows of an input: in files, or at hand."""


@dataclass
class Room:
    """The room of one stage in one round.

    Attributes:
        endpoint: that writes in place of the model, where the config names one.
        metrics: for the manifest; plain values.
        tokens: kind -> tokens, for the manifest.
        outputs: files beyond the rows that the manifest vouches for, relative to the folder.
        part: number of the process, among those that ask ahead, from 1; 0: the one that plays the stage.
        parts: how many ask ahead.
    """

    stage: Stage
    config: RunConfig = field(repr=False)
    place: Place
    inputs: Mapping[str, Source]
    asked: Asked | None = None
    endpoint: InferenceClient | None = None
    progress: Progress = field(default_factory=lambda: Progress("", "row", shown=False))
    metrics: dict[str, Any] = field(default_factory=dict)
    tokens: Counter[str] = field(default_factory=Counter)
    outputs: list[str] = field(default_factory=list)
    part: int = 0
    parts: int = 0
    rows_out: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Start the clock."""
        self._started = time.monotonic()
        self._files = ExitStack()
        self._counted_tokens = 0
        self._written: dict[str, RowWriter] = {}

    # -- what it may read --------------------------------------------------------------------------------------------

    def section(self, key: str = "") -> Any:
        """Return the stage's own section of the config, or a declared one.

        Raises:
            LookupError: the stage has not declared it, so that its key would miss it.
        """
        key = key or self.stage.name
        if key != self.stage.name and key not in self.stage.sections:
            raise LookupError(f"{self.stage.name} has not declared that it depends on {key}")
        return value_of(self.config, key)

    @property
    def template_date(self) -> date | None:
        """What a chat template that asks for the date is told."""
        return self.config.model.template_date

    @property
    def execution(self) -> Execution:
        """How programs are run, as `evaluate` says it; how many at once changes nothing about what comes of them."""
        return Execution(
            workers=self.config.evaluate.workers,
            memory_bytes=self.section("evaluate.memory_mib") * 2**20,
            unsandboxed=self.section("evaluate.unsandboxed"),
        )

    @property
    def review(self) -> Review:
        """What a person has decided about the input that the stage waits for."""
        assert self.stage.waits_for, f"{self.stage.name} has not declared that it waits for a person"
        found = read_review(self.place.folder)
        assert found is not None, "a stage is not begun before its review is there"
        return found

    def files(self, name: str) -> list[Path]:
        """Return the files of an input that hold rows, or the folders of one that is no rows."""
        source = list(self.inputs[name])
        assert all(isinstance(path, Path) for path in source), f"{name} is not in files"
        rows = self.stage.reads[name].rows
        return [path for path in source if not rows or count_rows(path)]  # type: ignore[misc, arg-type]

    def read(self, name: str) -> Iterator[Any]:
        """Yield the rows of an input one by one, as the record that was declared."""
        rows = self.stage.reads[name].rows
        assert rows is not None, f"{name} is no rows"
        for part in self.inputs[name]:
            if isinstance(part, Path):
                yield from iterate_rows(part, rows.record)
            else:
                yield part

    def count(self, name: str) -> int:
        """Return how many rows an input has."""
        source = self.inputs[name]
        return sum(count_rows(part) if isinstance(part, Path) else 1 for part in source)

    # -- what comes out ----------------------------------------------------------------------------------------------

    def writer(self, file: str, record: type[Record]) -> RowWriter:
        """Open another file of rows; it appears when the stage is done."""
        self.outputs.append(file)
        self._written[file] = self._files.enter_context(RowWriter(self.place.folder / file, record))
        return self._written[file]

    @cached_property
    def _kept(self) -> RowWriter:
        assert self.stage.writes is not None, f"{self.stage.name} has not declared what it writes"
        return self.writer(self.stage.writes.file, self.stage.writes.record)

    @cached_property
    def _rejections(self) -> RowWriter:
        return self.writer(REJECTIONS, Rejection)

    def keep(self, row: Record) -> None:
        """Let a row go on."""
        self._kept.write(row)
        self.rows_out += 1

    def reject(self, rejection: Rejection) -> None:
        """Set a row aside, with the reason."""
        self._rejections.write(rejection)
        self.rejected[rejection.reason.value] += 1

    def take(self, outcome: Outcome) -> None:
        """Keep and reject what became of a group."""
        for row in outcome.kept:
            self.keep(row)
        for rejection in outcome.rejected:
            self.reject(rejection)

    def account(self, rows_out: int, rejected: Mapping[str, int]) -> None:
        """Count rows that the stage has written by itself."""
        self.rows_out += rows_out
        self.rejected.update(rejected)

    # -- what it may ask ---------------------------------------------------------------------------------------------

    @property
    def model(self) -> Asked:
        """The model that the stage has declared to ask."""
        assert self.asked is not None, f"{self.stage.name} has not declared a model to ask"
        return self.asked

    def seed(self, *of: str | int) -> int:
        """Return the seed of what is sampled for these; order, concurrency and restarts change nothing."""
        return sampling_seed(self.place.seed, self.place.round, *of)

    @cached_property
    def _journal(self) -> Journal:
        main = self.place.folder / self.stage.journal
        parts = [main.with_stem(f"{main.stem}-{part}") for part in range(1, self.parts + 1)]
        left = sorted(main.parent.glob(f"{main.stem}-*{main.suffix}"))  # by more processes than there are now
        files = list(dict.fromkeys([main, *parts, *left]))
        journal = Journal(files[self.part], [file for file in files if file != files[self.part]])
        self._files.callback(journal.close)
        return journal

    def refresh(self) -> None:
        """Learn what other processes have asked since."""
        self._journal.refresh()

    @cached_property
    def questions(self) -> Questions:
        """What the stage asks its model."""
        return Questions(self.model, self._journal, self.tokens)

    @cached_property
    def writing(self) -> Questions | ChatQuestions:
        """Who writes for the stage: the endpoint of `writer`, which it has declared, else its model."""
        section: WriterSection = self.section("writer")
        if section.endpoint is None:
            return self.questions
        assert self.endpoint is not None, "the endpoint that writes is opened with the model"
        return ChatQuestions(self.endpoint, f"{section.endpoint} {self.endpoint.model}", self._journal, self.tokens)

    async def once(self, work: Callable[[], Awaitable[dict[str, Any]]], **about: str | int) -> dict[str, Any]:
        """Return what a piece of work gives, which is plain values; done once, whatever comes.

        Args:
            work: what is done, unless the journal has it.
            about: what tells this piece of work from others.
        """
        key = digest("once", *about, *about.values())
        if key not in self._journal:
            self._journal.append(key, {**about, "found": await work()})
        return dict(self._journal[key]["found"])

    def worker(self) -> Worker:
        """Open the work on groups; each one counts as progress when it is done."""
        assert isinstance(self.stage.run, Groups), f"{self.stage.name} has no groups"
        work = self.stage.run.worker(self)

        async def counted(group: Any) -> Outcome:
            outcome = await work(group)
            self.progress.advance(len(outcome), self.tokens["completion"] - self._counted_tokens)
            self._counted_tokens = self.tokens["completion"]
            return outcome

        return counted

    async def each(self, groups: Iterable[Any], work: Callable[[Any], Any]) -> AsyncIterator[Any]:
        """Yield what becomes of each group in the order of the groups, many of them being worked on at once."""
        client = self.model.client

        async def at_home(group: Any) -> Any:
            with client.together():
                return await work(group)

        async for outcome in stream_in_order(groups, at_home, client.concurrency):
            yield outcome

    # -- the end -----------------------------------------------------------------------------------------------------

    def finish(self, key: str = "", inputs: Inputs | None = None) -> Manifest:
        """Publish the files, then the manifest, which makes the stage done.

        Args:
            key: of the work, where it was not known before.
            inputs: of the work, likewise.
        """
        if self.stage.writes:
            _ = self._kept, self._rejections  # files without rows are files all the same
        self._files.close()
        manifest = Manifest(
            stage=self.stage.name,
            key=key or self.place.key,
            rows_in=self.rows_out + self.rejected.total(),
            rows_out=self.rows_out,
            rejected=dict(self.rejected),
            seconds=round(time.monotonic() - self._started, 3),
            tokens=dict(self.tokens),
            metrics=self.metrics,
            unit=self.stage.unit if self.stage.is_data else "",
            kept=self.stage.writes.file if self.stage.writes else "",
            rows={name: WrittenRows(writer.record, writer.count) for name, writer in self._written.items()},
            inputs={name: dict(files) for name, files in (inputs or self.place.inputs).items()},
        )
        return write_manifest(self.place.folder, manifest, self.outputs)

    def leave(self, error: BaseException) -> None:
        """Drop what is not finished; what the journal holds stays."""
        self._files.__exit__(type(error), error, error.__traceback__)
