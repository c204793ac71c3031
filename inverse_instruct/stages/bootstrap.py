"""Seeds to new instructions: the model goes on with lists of them, wave by wave (InstructCoder section 3.2).

Enters: seeds, and the instructions of earlier rounds. Leaves: `instructions.parquet` and `rejections.parquet`; one row
in is one item of a reply, or a reply without any. A question shows instructions of seeds and some that were accepted
before its wave, numbered and shuffled, and names one intent, in turn. An item is accepted if its ROUGE-L with every
seed and every instruction accepted so far is at most the threshold, and it says something, and is no refusal.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from inverse_instruct.config.editing import BootstrapSection
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.corpus.edits import Objection
from inverse_instruct.corpus.refusals import refusal_in
from inverse_instruct.corpus.reply_lists import list_items
from inverse_instruct.corpus.rouge import RougeIndex
from inverse_instruct.inference.prompts import LANGUAGE_NAMES, PromptTemplate
from inverse_instruct.records import Draft, Reason, Rejection, digest
from inverse_instruct.stages.estimate import INSTRUCTION_TOKENS, Cost, Estimate
from inverse_instruct.stages.questions import Reply
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Input, Model, Rows, Stage, When
from inverse_instruct.stages.waves import in_waves
from inverse_instruct.stages.writing import Writer

INSTRUCTIONS = Rows("instructions.parquet", Draft)
MIN_WORDS = 4  # an instruction with fewer says nothing
MAX_WORDS = 100


@dataclass(frozen=True)
class _Question:
    """One prompt: which instructions it shows, of which language and for which intent."""

    number: int
    intent: str
    language: str
    shown: list[Draft]


@dataclass
class _Pool:
    """All instructions so far."""

    seeds: list[Draft]
    index: RougeIndex
    generated: dict[str, list[Draft]] = field(default_factory=lambda: defaultdict(list))
    ids: set[str] = field(default_factory=set)

    def question(self, room: Room, section: BootstrapSection, number: int) -> _Question:
        """Draw what a question shows."""
        draw = random.Random(room.seed("bootstrap", number))
        language = draw.choice(self.seeds).language
        seeds = [seed for seed in self.seeds if seed.language == language]
        generated = self.generated[language]
        shown = draw.sample(seeds, min(section.seeds, len(seeds)))
        shown += draw.sample(generated, min(section.generated, len(generated)))
        draw.shuffle(shown)
        return _Question(number, section.intents[number % len(section.intents)], language, shown)

    def add(self, draft: Draft) -> None:
        """Accept an instruction."""
        self.index.add(draft.id, draft.instruction)
        self.generated[draft.language].append(draft)
        self.ids.add(draft.id)


async def bootstrap(room: Room) -> None:
    """Have instructions written until there are enough."""
    section: BootstrapSection = room.section()
    pool = _Pool(list(room.read("seeds")), RougeIndex(section.rouge))
    for seed in pool.seeds:
        pool.index.add(seed.id, seed.instruction)
    for draft in room.read("earlier"):
        pool.add(draft)
    template = PromptTemplate("bootstrap")
    writer = Writer(room, section)
    asker = _Asker(room, template, writer)
    room.metrics |= {"prompts": 0, "prompt": template.digest}
    room.progress.expect(section.instructions)
    wanted = section.instructions

    def questions() -> Iterator[_Question]:
        while pool.seeds and room.rows_out < wanted and room.metrics["prompts"] < section.prompts:
            room.metrics["prompts"] += 1
            yield pool.question(room, section, room.metrics["prompts"] - 1)

    async for question, reply in in_waves(room, questions(), section.wave, asker.ask):
        before = room.rows_out
        _take(room, pool, question, reply, (writer.model, template.digest))
        room.progress.advance(room.rows_out - before, reply.completion_tokens if isinstance(reply, Reply) else 0)


class _Asker:
    def __init__(self, room: Room, template: PromptTemplate, writer: Writer) -> None:
        self._room, self._template, self._writer = room, template, writer

    async def ask(self, question: _Question) -> tuple[_Question, Reply | Objection]:
        """Return what the model adds to a list, of which the first instructions are left out where they do not fit."""
        counts = range(len(question.shown), 0, -1)
        requests = [
            self._template.render(
                language=LANGUAGE_NAMES[question.language],
                intent=question.intent,
                tasks=_numbered(question.shown, count),
            )
            for count in counts
        ]
        beginning = f"{len(question.shown) + 1}."
        seed = self._room.seed("bootstrap", question.number, "reply")
        return question, await self._writer.write(requests, beginning, seed, question=question.number)


def _numbered(shown: list[Draft], count: int) -> str:
    first = len(shown) - count
    return "\n".join(f"{n}. {draft.instruction}" for n, draft in enumerate(shown[first:], first + 1))


def _take(room: Room, pool: _Pool, question: _Question, reply: Reply | Objection, origin: tuple[str, str]) -> None:
    """Accept or reject each item of a reply; `origin`: who wrote it, and the digest of the prompt's template."""
    if not isinstance(reply, Reply):
        return room.reject(Rejection(str(question.number), "bootstrap", *reply))
    items = list_items(f"{len(question.shown) + 1}.{reply.text}")
    if not items:
        return room.reject(Rejection(str(question.number), "bootstrap", Reason.BAD_REPLY, reply.text[:200]))
    for k, instruction in enumerate(items):
        draft = Draft(
            id=digest("instruction", instruction, question.language),
            parents=[shown.id for shown in question.shown],
            task=question.intent,
            instruction=instruction,
            input="",
            response="",
            language=question.language,
            k=k,
            seed=room.seed("bootstrap", question.number, "reply"),
            model=origin[0],
            prompt=origin[1],
        )
        cut_off = reply.finish == "length" and k == len(items) - 1
        problem = (Reason.CUT_OFF, instruction) if cut_off else _objection(pool, draft)
        if problem:
            room.reject(Rejection(f"{question.number}/{k}", "bootstrap", *problem))
        else:
            pool.add(draft)
            room.keep(draft)
    return None


def _objection(pool: _Pool, draft: Draft) -> Objection | None:
    words = len(draft.instruction.split())
    if words < MIN_WORDS:
        return Reason.SAYS_NOTHING, draft.instruction
    if words > MAX_WORDS:
        return Reason.TOO_LONG, f"{words} words"
    if refused := refusal_in(draft.instruction):
        return Reason.REFUSAL, refused
    if draft.id in pool.ids:
        return Reason.EXACT_DUPLICATE, draft.instruction
    first = pool.index.find(draft.instruction)
    return (Reason.NEAR_DUPLICATE, f"{draft.instruction} (of {first})") if first else None


def _outside(config: RunConfig) -> list[str]:
    return [PromptTemplate("bootstrap").digest]


def _cost(estimate: Estimate) -> Cost:
    rows = estimate.config.bootstrap.instructions
    return Cost(rows, 2 * rows * INSTRUCTION_TOKENS, 2 * rows * INSTRUCTION_TOKENS * estimate.written)


BOOTSTRAP = Stage(
    "bootstrap",
    "write new instructions like those of the seeds",
    bootstrap,
    unit="instruction",
    writes=INSTRUCTIONS,
    reads={
        "seeds": Input("clarify", Rows("clarified.parquet", Draft)),
        "earlier": Input("bootstrap", INSTRUCTIONS, When.EARLIER),
    },
    sections=("writer", "model.prompt_format", "model.max_model_len"),
    outside=_outside,
    model=Model.PROMOTED,
    cost=_cost,
    if_empty="look at the journal for what the model wrote; raise bootstrap.prompts or bootstrap.rouge",
)
