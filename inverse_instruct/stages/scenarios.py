"""Instructions to the situations in which they are given: the model names several, one is drawn (InstructCoder 3.2).

Enters: instructions, and seeds with scenarios to show. Leaves: `scenarios.parquet`, the instructions with their
scenario as the detail, and `rejections.parquet`. A scenario is taken whole, whatever marks it holds.
"""

from __future__ import annotations

import random
from dataclasses import replace

from inverse_instruct.config.editing import ScenariosSection
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.corpus.refusals import refusal_in
from inverse_instruct.corpus.reply_lists import list_items
from inverse_instruct.inference.prompts import LANGUAGE_NAMES, PromptTemplate
from inverse_instruct.records import Draft, Reason, Rejection, digest
from inverse_instruct.stages.estimate import INSTRUCTION_TOKENS, Cost, Estimate
from inverse_instruct.stages.questions import Reply
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Groups, Input, Model, Outcome, Rows, Stage
from inverse_instruct.stages.writing import Writer

MAX_WORDS = 60


class _Narrator:
    """Finds a scenario for one instruction after the other."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._section: ScenariosSection = room.section()
        self._template, self._shot = PromptTemplate("scenarios"), PromptTemplate("scenarios-shot")
        self._writer = Writer(room, self._section)
        self._examples = [seed for seed in room.read("seeds") if seed.detail and seed.task != "commit"]
        room.metrics["prompt"] = self._template.digest

    async def __call__(self, draft: Draft) -> Outcome:
        seed = self._room.seed("scenarios", draft.id)
        reply = await self._writer.write(self._requests(draft, seed), "1.", seed, instruction_id=draft.id)
        if not isinstance(reply, Reply):
            return Outcome(rejected=[Rejection(draft.id, "scenarios", *reply)])
        items = list_items(f"1.{reply.text}")
        whole = items[:-1] if reply.finish == "length" else items
        good = [item for item in whole if len(item.split()) <= MAX_WORDS and not refusal_in(item)]
        if not good:
            reason = Reason.REFUSAL if refusal_in(reply.text) else Reason.CUT_OFF if items and not whole else None
            return Outcome(rejected=[Rejection(draft.id, "scenarios", reason or Reason.BAD_REPLY, reply.text[:200])])
        scenario = random.Random(self._room.seed("scenario", draft.id)).choice(good[: self._section.scenarios])
        return Outcome(
            [
                replace(
                    draft,
                    id=digest("scenario", draft.id, scenario),
                    parents=[draft.id],
                    detail=scenario,
                    k=0,
                    seed=seed,
                    model=self._writer.model,
                    prompt=self._template.digest,
                )
            ]
        )

    def _requests(self, draft: Draft, seed: int) -> list[str]:
        examples = random.Random(seed).sample(self._examples, min(self._section.shots, len(self._examples)))
        shots = [self._shot.render(instruction=example.instruction, scenario=example.detail) for example in examples]
        return [
            self._template.render(
                count=str(self._section.scenarios),
                language=LANGUAGE_NAMES[draft.language],
                shots="\n\n".join(shots[:count]),
                instruction=draft.instruction,
            )
            for count in range(len(shots), -1, -1)
        ]


def _outside(config: RunConfig) -> list[str]:
    return [PromptTemplate(name).digest for name in ("scenarios", "scenarios-shot")]


def _cost(estimate: Estimate) -> Cost:
    rows = estimate.config.bootstrap.instructions
    tokens = rows * INSTRUCTION_TOKENS * 2
    return Cost(rows, tokens, tokens * estimate.written)


SCENARIOS = Stage(
    "scenarios",
    "find a situation for each instruction",
    Groups(lambda room: room.read("instructions"), _Narrator, lambda room: room.count("instructions")),
    unit="scenario",
    writes=Rows("scenarios.parquet", Draft),
    reads={
        "instructions": Input("bootstrap", Rows("instructions.parquet", Draft)),
        "seeds": Input("clarify", Rows("clarified.parquet", Draft)),
    },
    sections=("writer", "model.prompt_format", "model.max_model_len"),
    outside=_outside,
    model=Model.PROMOTED,
    cost=_cost,
    if_empty="look at the journal for what the model wrote; a model that writes no lists needs other prompts",
)
