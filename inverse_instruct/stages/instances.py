"""Instructions with scenarios to edits: the model writes the code before and after (InstructCoder section 3.2).

Enters: instructions with their scenarios, seeds to show, and the edits of earlier rounds. Leaves: `drafts.parquet` and
`rejections.parquet`; one row in is one wanted instance, or one seed whose message was made precise, which is an edit
already. Each is looked at on both sides, run where its intent keeps the behavior and it can be run, and judged with the
LM-Score; near duplicates of seeds and of edits before it are rejected, of several for one instruction the lower scored.
Not guaranteed: that an edit does what its instruction says; that two runs of a program take equally long, so that one
that takes about as long as is allowed may be judged otherwise.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from evaluation import SandboxUnavailable, open_sandbox
from evaluation.behavior import BehaviorCheck
from evaluation.comparison_process import Comparer
from inverse_instruct.config.editing import InstancesSection
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.corpus.edit_replies import EditReply, read_edit
from inverse_instruct.corpus.edits import edit_ratio
from inverse_instruct.corpus.near_edits import NearEdits
from inverse_instruct.errors import StageError
from inverse_instruct.inference.prompts import LANGUAGE_NAMES, PromptTemplate
from inverse_instruct.records import Draft, Reason, Rejection, digest
from inverse_instruct.stages.estimate import Cost, Estimate
from inverse_instruct.stages.judging_edits import EditJudge
from inverse_instruct.stages.questions import Reply
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Input, Model, Outcome, Rows, Stage, When
from inverse_instruct.stages.writing import Writer

DRAFTS = Rows("drafts.parquet", Draft)
EDIT_TOKENS = 450  # mean length of the two sides of an edit and what is asked
_TEMPLATES = ("instances", "instances-shot", "score-edit")


async def instances(room: Room) -> None:
    """Write the edits of a round.

    Raises:
        StageError: programs cannot be isolated on this machine.
    """
    section: InstancesSection = room.section()
    seeds = list(room.read("seeds"))
    near, ratios = _known_edits(room, section, seeds), _Ratios()
    room.progress.expect(room.count("scenarios") * section.samples + sum(map(_is_clarified, seeds)))
    try:
        with Comparer() as comparer, open_sandbox(room.execution) as sandbox:
            judge = EditJudge(room, BehaviorCheck(sandbox, comparer, section.checks))
            worker = _Worker(room, seeds, judge)
            async for outcome in room.each(_groups(room, seeds), worker):
                _take(room, near, ratios, outcome)
    except SandboxUnavailable as error:
        raise StageError(f"instances: {error}") from error
    room.metrics |= ratios.metrics | {"behavior": judge.behavior, "prompt": PromptTemplate("instances").digest}


@dataclass
class _Ratios:
    """How much the edits change, as the paper tells it: 11.9 lines and 0.52 of all, in the mean."""

    edits: int = 0
    lines: int = 0
    ratio: float = 0.0

    def add(self, draft: Draft) -> None:
        """Count an edit."""
        lines, ratio = edit_ratio(draft.input, draft.response)
        self.edits, self.lines, self.ratio = self.edits + 1, self.lines + lines, self.ratio + ratio

    @property
    def metrics(self) -> dict[str, float | None]:
        """The means; None where there are no edits."""
        means = (self.lines / self.edits, self.ratio / self.edits) if self.edits else (None, None)
        return {"mean_n_diff": means[0], "mean_r_diff": means[1]}


def _known_edits(room: Room, section: InstancesSection, seeds: list[Draft]) -> NearEdits:
    near = NearEdits(section.near_duplicate_threshold)
    for seed in seeds:
        if not _is_clarified(seed):  # the others are rows of this stage
            near.objection_or_add(seed.id, seed.input, seed.response)
    for draft in room.read("earlier"):
        near.objection_or_add(draft.id, draft.input, draft.response)
    return near


def _groups(room: Room, seeds: list[Draft]) -> Iterator[Draft]:
    yield from filter(_is_clarified, seeds)
    yield from room.read("scenarios")


def _is_clarified(seed: Draft) -> bool:
    return seed.model != ""


def _take(room: Room, near: NearEdits, ratios: _Ratios, outcome: Outcome) -> None:
    """Keep the edits of one instruction, the best first, that no edit before them nearly repeats."""
    for rejection in outcome.rejected:
        room.reject(rejection)
    for draft in outcome.kept:
        assert isinstance(draft, Draft)
        if problem := near.objection_or_add(draft.id, draft.input, draft.response):
            room.reject(Rejection(draft.id, "instances", *problem))
        else:
            room.keep(draft)
            ratios.add(draft)
    room.progress.advance(len(outcome))


class _Worker:
    """Writes and judges the edits of one instruction after the other."""

    def __init__(self, room: Room, seeds: list[Draft], judge: EditJudge) -> None:
        self._room, self._seeds, self._judge = room, seeds, judge
        self._section: InstancesSection = room.section()
        self._template, self._shot = PromptTemplate("instances"), PromptTemplate("instances-shot")
        self._writer = Writer(room, self._section, stop=("\nSituation: ",))

    async def __call__(self, draft: Draft) -> Outcome:
        if draft.response:
            return await self._judge.judge([draft], [])
        found = await asyncio.gather(*(self._write(draft, k) for k in range(self._section.samples)))
        edits = list({edit.id: edit for edit in found if isinstance(edit, Draft)}.values())
        rejected = [rejection for rejection in found if isinstance(rejection, Rejection)]
        twice = [
            Rejection(f"{draft.id}/{k}", "instances", Reason.EXACT_DUPLICATE, f"of {edit.id}")
            for k, edit in enumerate(found)
            if isinstance(edit, Draft) and edit.k != k
        ]
        return await self._judge.judge(edits, [*rejected, *twice])

    async def _write(self, draft: Draft, k: int) -> Draft | Rejection:
        seed = self._room.seed("instances", draft.id, k)
        beginning = f"Input:\n```{draft.language}\n"
        reply = await self._writer.write(self._requests(draft, seed), beginning, seed, scenario_id=draft.id, k=k)
        if not isinstance(reply, Reply):
            return Rejection(f"{draft.id}/{k}", "instances", *reply)
        found = read_edit(beginning + reply.text, draft.language)
        if not isinstance(found, EditReply):
            return Rejection(f"{draft.id}/{k}", "instances", *found)
        if reply.finish == "length" and not found.is_whole:
            return Rejection(f"{draft.id}/{k}", "instances", Reason.CUT_OFF, f"{reply.completion_tokens} tokens")
        return replace(
            draft,
            id=digest("edit", draft.id, found.before, found.after),
            parents=[draft.id],
            input=found.before,
            response=found.after,
            k=k,
            seed=seed,
            model=self._writer.model,
            prompt=self._template.digest,
        )

    def _requests(self, draft: Draft, seed: int) -> list[str]:
        """Return the question with fewer and fewer examples."""
        alike = [example for example in self._seeds if example.language == draft.language]
        examples = random.Random(seed).sample(alike, min(self._section.shots, len(alike)))
        shots = [
            self._shot.render(
                language=draft.language,
                scenario="" if example.task == "commit" else example.detail,
                instruction=example.instruction,
                input=example.input,
                output=example.response,
            )
            for example in examples
        ]
        return [
            self._template.render(
                language=LANGUAGE_NAMES[draft.language],
                shots="\n\n".join(shots[:count]),
                scenario=draft.detail,
                instruction=draft.instruction,
            )
            for count in range(len(shots), -1, -1)
        ]


def _outside(config: RunConfig) -> list[str]:
    return [PromptTemplate(name).digest for name in _TEMPLATES]


def _cost(estimate: Estimate) -> Cost:
    rows = estimate.config.bootstrap.instructions * estimate.config.instances.samples
    return Cost(rows, rows * EDIT_TOKENS, rows * EDIT_TOKENS * estimate.written)


INSTANCES = Stage(
    "instances",
    "write code before and after an edit for each instruction",
    instances,
    unit="edit",
    writes=DRAFTS,
    reads={
        "scenarios": Input("scenarios", Rows("scenarios.parquet", Draft)),
        "seeds": Input("clarify", Rows("clarified.parquet", Draft)),
        "earlier": Input("instances", DRAFTS, When.EARLIER),
    },
    sections=(
        "edits",
        "writer",
        "evaluate.memory_mib",
        "evaluate.unsandboxed",
        "model.prompt_format",
        "model.max_model_len",
        "model.yes_token",
        "model.no_token",
    ),
    outside=_outside,
    model=Model.PROMOTED,
    cost=_cost,
    if_empty="look at the rejections for what the model wrote; a small model needs wider bounds under `edits`",
)
