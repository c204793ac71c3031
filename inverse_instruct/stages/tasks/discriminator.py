"""The discriminator: steps, each with yes or no and the reason, and then an overall answer (WaveCoder section 2.3).

Enters: a row, and cases to show. Leaves: an `Analysis`, or an `Unfit` where the reply is none. An answer counts by the
word that it begins with and by nothing else: a "no" within a reason decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from inverse_instruct.config.tasks import GenerateSection
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Draft, Reason
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.tasks.form import Unfit, read_form
from inverse_instruct.stages.tasks.frame import Field, Form

STEPS = ("Step 1", "Step 2", "Step 3", "Step 4", "Step 5")
OVERALL = "Overall"
_ANSWER = re.compile(r"[\s*_`\"']*(yes|no)(?![\w'/]|-\w)[\s*_`\"']*(?!\s*(?:/|or\b|and\b))[.,:;)-]*", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """One step's answer."""

    yes: bool
    reason: str


@dataclass(frozen=True)
class Analysis:
    """What the discriminator says of a row."""

    steps: tuple[Answer, ...]
    overall: Answer

    def text(self) -> str:
        """Return it as it is shown beside a bad case: what was answered with no."""
        against = [answer.reason for answer in (*self.steps, self.overall) if not answer.yes]
        return " ".join(filter(None, against)) or "it was found not to be good"


def judge_template(section: GenerateSection) -> PromptTemplate:
    """Return the template of the question.

    Raises:
        ConfigError: the file that the config names is none.
    """
    return PromptTemplate("discriminate", section.judge_template, "generate.judge_template")


class Discriminator:
    """Judges rows."""

    def __init__(self, room: Room) -> None:
        """Prepare the question."""
        section: GenerateSection = room.section()
        self.template = judge_template(section)
        self._room = room
        sampling = Sampling(
            max_tokens=section.max_new_tokens,
            repetition_penalty=section.repetition_penalty,
            stop_token_ids=room.model.formatter.ending.stops,
        )
        self._form = Form(room, sampling, section.reply == "frame")

    async def __call__(self, draft: Draft, good: Sequence[str], bad: Sequence[str]) -> Analysis:
        """Return the analysis of a row.

        Raises:
            Unfit: the reply is none.
        """
        shown = [("\n\n".join(good), "\n\n".join(bad)), ("", "")] if good or bad else [("", "")]
        requests = [
            self.template.render(task=draft.task, language=draft.language, row=row_text(draft), good=good, bad=bad)
            for good, bad in shown
        ]
        fields = [Field(heading) for heading in (*STEPS, OVERALL)]
        seed = self._room.seed(draft.id, "judge")
        text = await self._form.fill(requests, fields, seed, judged=draft.id)
        return read_analysis(text)


def read_analysis(text: str) -> Analysis:
    """Return what a reply says.

    Raises:
        Unfit: a step or the overall answer is missing, or is neither yes nor no.
    """
    try:
        keys = read_form(text, (*STEPS, OVERALL))
    except Unfit as error:
        raise Unfit(error.reason, f"the discriminator {error.detail}") from error
    answers = [_answer(heading, value) for heading, value in keys.items()]
    return Analysis(tuple(answers[:-1]), answers[-1])


def _answer(heading: str, text: str) -> Answer:
    found = _ANSWER.match(text)
    if found is None:
        raise Unfit(Reason.BAD_FORM, f"the discriminator answers {heading} with {text[:80]!r}, not with yes or no")
    return Answer(found[1].lower() == "yes", text[found.end() :].strip(" -\u2013\u2014*"))


def row_text(draft: Draft) -> str:
    """Return a row as it is shown."""
    return (
        f"Task name: {draft.task}\nInstruction: {draft.instruction}\n"
        f"Information: {draft.input or 'none'}\nSolution: {draft.response}"
    )
