"""Snippets to rows of four tasks: a generator writes them, a discriminator judges them (WaveCoder).

Enters: a coreset of snippets, each of which becomes one row or one rejection. Leaves: `drafts.parquet`, whose `detail`
has the discriminator's steps and reasons as JSON, and `rejections.parquet`. Rows that were judged, good ones and bad
ones, are shown to the generator and to the discriminator as cases. They are written in waves: within one nobody sees
what comes of the others, so order, concurrency and restarts change nothing. Not guaranteed: that a row is as good as
the model takes it for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from itertools import islice

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.config.tasks import GenerateSection
from inverse_instruct.errors import ConfigError
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.records import Draft, Reason, Rejection, Snippet, digest
from inverse_instruct.stages.estimate import Cost, Estimate
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Input, Model, Rows, Stage, When
from inverse_instruct.stages.tasks.cases import Cases
from inverse_instruct.stages.tasks.discriminator import STEP, Discriminator, judge_template, row_text
from inverse_instruct.stages.tasks.form import Unfit
from inverse_instruct.stages.tasks.generator import Generator, generate_template
from inverse_instruct.stages.tasks.shares import assign, quotas
from inverse_instruct.stages.tasks.trial import TASKS, Run, Trial, open_trial, what_runs_here
from inverse_instruct.stages.waves import in_waves

ROW_TOKENS = 700  # of a row and of its analysis, roughly


@dataclass(frozen=True)
class Judged:
    """A row that was found good or bad."""

    draft: Draft
    run: Run | None
    against: str  # what is wrong with it; "" if it is good


@dataclass(frozen=True)
class Made:
    """What became of a snippet."""

    task: str
    row: Draft | Rejection
    cases: tuple[Judged, ...]


async def generate(room: Room) -> None:
    """Make a row of each snippet."""
    with open_trial(room) if room.section().execute else nullcontext() as trial:
        await _Work(room, trial).play()


class _Work:
    def __init__(self, room: Room, trial: Trial | None) -> None:
        self._room, self._trial = room, trial
        self._section: GenerateSection = room.section()
        self._generator, self._discriminator = Generator(room), Discriminator(room)
        self._cases = Cases(room, self._section.database)
        self._kept: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._runs: dict[str, Counter[str]] = {task: Counter() for task in TASKS}
        self._seen: set[str] = set()

    async def play(self) -> None:
        room = self._room
        room.progress.expect(room.count("snippets"))
        async for made in in_waves(room, self._questions(), self._section.wave, self._make):
            self._take(made)
            room.progress.advance()
        room.metrics |= {
            "asked": dict(self._asked),
            "tasks": dict(self._kept),
            "runs": {task: dict(states) for task, states in self._runs.items()},
            "cases": len(self._cases),
            "prompts": [self._generator.template.digest, self._discriminator.template.digest],
        }

    def _questions(self) -> Iterator[tuple[Snippet, str]]:
        """Yield each snippet with its task, which depends on what became of the waves before."""
        snippets = self._room.read("snippets")
        shares = self._section.shares.model_dump()
        while wave := list(islice(snippets, self._section.wave)):
            ranks = [self._room.seed("task", snippet.id) for snippet in wave]
            tasks = assign(quotas(shares, self._kept, len(wave)), ranks)
            self._asked.update(tasks)
            yield from zip(wave, tasks, strict=True)

    async def _make(self, question: tuple[Snippet, str]) -> Made:
        snippet, task = question
        cases: list[Judged] = []
        row: Draft | Rejection | None = None
        for attempt in range(self._section.attempts):
            try:
                row = await self._attempt(snippet, task, attempt, cases)
                break
            except Unfit as error:
                row = Rejection(f"{snippet.id}/{task}", "generate", error.reason, error.detail)
        assert row is not None, "there is an attempt"
        return Made(task, row, tuple(cases))

    async def _attempt(self, snippet: Snippet, task: str, attempt: int, cases: list[Judged]) -> Draft:
        good, bad = (
            self._cases.draw(task, self._section.examples, snippet.id, attempt, good=kind) for kind in (True, False)
        )
        draft = await self._generator(snippet, task, attempt, good, bad)
        run = await self._trial(draft, snippet) if self._trial else None
        if run and run.state == "fails":
            cases.append(Judged(draft, run, f"When it is run: {run.detail}"))
            raise Unfit(Reason.FAILS_WHEN_RUN, run.detail)
        analysis, score = await self._discriminator(draft, good, bad)
        cases.append(Judged(draft, run, "" if analysis.overall.yes else analysis.text()))
        detail = json.dumps(asdict(analysis) | {"run": run and asdict(run)}, ensure_ascii=False)
        if not analysis.overall.yes:
            raise Unfit(Reason.JUDGED_BAD, detail)
        return replace(draft, detail=detail, lm_score=score)

    def _take(self, made: Made) -> None:
        for judged in made.cases:
            draft, text = judged.draft, row_text(judged.draft)
            if judged.against:
                text += f"\nWhat is wrong with it: {judged.against}"
            self._cases.add(draft.task, draft.instruction, text, good=not judged.against)
            if judged.run:
                self._runs[draft.task][judged.run.state] += 1
        if isinstance(made.row, Rejection):
            return self._room.reject(made.row)
        said = digest(*(" ".join(part.split()) for part in (made.row.instruction, made.row.input, made.row.response)))
        if said in self._seen:
            return self._room.reject(Rejection(made.row.id, "generate", Reason.EXACT_DUPLICATE, said))
        self._seen.add(said)
        self._kept[made.task] += 1
        self._room.keep(made.row)


def _outside(config: RunConfig) -> list[str]:
    section = config.generate
    runs = what_runs_here() if section.execute else []
    return [generate_template(section).digest, judge_template(section).digest, PromptTemplate(STEP).digest, *runs]


def _check(config: RunConfig) -> Iterator[str]:
    section = config.generate
    for load in (generate_template, judge_template):
        try:
            load(section)
        except ConfigError as error:
            yield from error.problems
    if section.max_new_tokens >= config.model.max_model_len:
        yield (
            f"generate.max_new_tokens: {section.max_new_tokens} tokens leave no room for a prompt in "
            f"model.max_model_len {config.model.max_model_len}; lower the one or raise the other"
        )


def _cost(estimate: Estimate) -> Cost:
    rows = min(estimate.rows, estimate.config.coreset.size)
    return Cost(rows, rows * ROW_TOKENS, rows * ROW_TOKENS * estimate.written)


GENERATE = Stage(
    "generate",
    "write rows of four tasks from snippets, and judge them",
    generate,
    unit="draft",
    writes=Rows("drafts.parquet", Draft),
    reads={"snippets": Input("coreset", Rows("coreset.parquet", Snippet), When.ONCE)},
    sections=(
        "model.prompt_format",
        "model.max_model_len",
        "model.yes_token",
        "model.no_token",
        "evaluate.memory_mib",
        "evaluate.unsandboxed",
    ),
    outside=_outside,
    check=_check,
    model=Model.PROMOTED,
    journal="replies.jsonl",
    if_empty="look at its rejections, and start another --run-dir with other settings, such as generate.reply: frame",
    cost=_cost,
)
