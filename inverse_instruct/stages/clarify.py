"""Seeds whose messages are made precise: the model says what a commit changes (InstructCoder section 3.1).

Enters: seeds. Leaves: `clarified.parquet`, one row for each seed: those of files as they are, those of commits with the
instruction that the model wrote, which has its own id and the seed as its parent. Where the reply is no instruction,
the commit's own message stays, and the seed as it was; `metrics` counts why.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from inverse_instruct.config.editing import ClarifySection
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.corpus.refusals import refusal_in
from inverse_instruct.inference.prompts import LANGUAGE_NAMES, PromptTemplate
from inverse_instruct.records import Draft, Reason, digest
from inverse_instruct.stages.estimate import INSTRUCTION_TOKENS, Cost, Estimate
from inverse_instruct.stages.questions import Reply
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Groups, Input, Model, Outcome, Rows, Stage, When
from inverse_instruct.stages.writing import Writer

MIN_WORDS = 4
MAX_WORDS = 100


class _Clarifier:
    """Makes one seed after the other precise."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._section: ClarifySection = room.section()
        self._template = PromptTemplate("clarify")
        self._writer = Writer(room, self._section, stop=("```", "\n\n"))
        self._counts: Counter[str] = Counter()
        room.metrics |= {"clarified": 0, "prompt": self._template.digest}

    async def __call__(self, seed: Draft) -> Outcome:
        if seed.task != "commit" or not self._section.enabled:
            return Outcome([seed])
        request = self._template.render(
            language=LANGUAGE_NAMES[seed.language],
            input=seed.input,
            output=seed.response,
            message="\n".join(filter(None, (seed.instruction, seed.detail))),
        )
        number = self._room.seed("clarify", seed.id)
        reply = await self._writer.write([request], "", number, seed_id=seed.id)
        problem = _problem(reply) if isinstance(reply, Reply) else reply[0]
        if problem or not isinstance(reply, Reply):
            self._counts[(problem or Reason.BAD_REPLY).value] += 1
            self._room.metrics["not_clarified"] = dict(sorted(self._counts.items()))
            return Outcome([seed])
        self._room.metrics["clarified"] += 1
        instruction = " ".join(reply.text.split())
        return Outcome(
            [
                replace(
                    seed,
                    id=digest("clarified", seed.id, instruction),
                    parents=[seed.id],
                    instruction=instruction,
                    detail="",
                    seed=number,
                    model=self._writer.model,
                    prompt=self._template.digest,
                )
            ]
        )


def _problem(reply: Reply) -> Reason | None:
    words = len(reply.text.split())
    if reply.finish == "length":
        return Reason.CUT_OFF
    if not MIN_WORDS <= words <= MAX_WORDS:
        return Reason.TOO_LONG if words > MAX_WORDS else Reason.EMPTY
    return Reason.REFUSAL if refusal_in(reply.text) else None


def _cost(estimate: Estimate) -> Cost:
    rows = estimate.rows if estimate.config.clarify.enabled else 0
    return Cost(rows, rows * INSTRUCTION_TOKENS, rows * INSTRUCTION_TOKENS * estimate.written)


def _outside(config: RunConfig) -> list[str]:
    return [PromptTemplate("clarify").digest]


CLARIFY = Stage(
    "clarify",
    "have the model say precisely what commits change",
    Groups(lambda room: room.read("seeds"), _Clarifier, lambda room: room.count("seeds")),
    unit="seed",
    writes=Rows("clarified.parquet", Draft),
    reads={"seeds": Input("seeds", Rows("seeds.parquet", Draft), When.ONCE)},
    sections=("writer", "model.prompt_format", "model.max_model_len"),
    outside=_outside,
    model=Model.PROMOTED,
    cost=_cost,
)
