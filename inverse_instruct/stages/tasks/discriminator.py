"""The discriminator: steps, each with yes or no and the reason, and then an overall answer (WaveCoder).

Enters: a row, and cases to show. Leaves: an `Analysis`, or an `Unfit` where the reply is none. An answer counts by the
word that it begins with and by nothing else: a "no" within a reason decides nothing. In a frame each step is a question
of its own, answered by what is more likely as the first token, yes or no; the reason follows.
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
from inverse_instruct.stages.tasks.asking import Asking, with_and_without
from inverse_instruct.stages.tasks.form import Unfit, read_form

STEPS = ("Step 1", "Step 2", "Step 3", "Step 4", "Step 5")
OVERALL = "Overall"
REASON_TOKENS = 48  # of the reason in a frame, which decides nothing and may be cut off
STEP = "discriminate-step"
"""Template of the question for one step."""
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
    name = STEP if section.reply == "frame" else "discriminate"
    return PromptTemplate(name, section.judge_template, "generate.judge_template")


class Discriminator:
    """Judges rows."""

    def __init__(self, room: Room) -> None:
        """Prepare the questions."""
        section: GenerateSection = room.section()
        self.template = judge_template(section)
        self._step = self.template if section.reply == "frame" else PromptTemplate(STEP)
        self._room, self._in_frame = room, section.reply == "frame"
        sampling = Sampling(
            max_tokens=section.max_new_tokens,
            repetition_penalty=section.repetition_penalty,
            stop_token_ids=room.model.formatter.ending.stops,
        )
        self._asking = Asking(room, sampling)
        self._words: tuple[str, str] = (room.section("model.yes_token"), room.section("model.no_token"))

    async def __call__(self, draft: Draft, good: Sequence[str], bad: Sequence[str]) -> tuple[Analysis, float]:
        """Return the analysis of a row, and the LM-Score of the overall answer.

        Raises:
            Unfit: the reply is none.
        """
        yes, no = self._words

        def requests(template: PromptTemplate, **more: str) -> list[str]:
            values = {"task": draft.task, "row": row_text(draft)} | more
            return [template.render(**values, good=ok, bad=worse) for ok, worse in with_and_without(good, bad)]

        if not self._in_frame:
            seed = self._room.seed(draft.id, "judge")
            asked = requests(self.template)
            analysis = read_analysis(await self._asking.reply(asked, f"{STEPS[0]}:", seed, judged=draft.id))
            asked = requests(self._step, step=OVERALL, yes=yes, no=no)
            return analysis, await self._asking.score(asked, f"{draft.id} {OVERALL}")
        answers = []
        for step in (*STEPS, OVERALL):
            asked = requests(self._step, step=step, yes=yes, no=no)
            score = await self._asking.score(asked, f"{draft.id} {step}")
            beginning = f"{yes if score > 0.5 else no}, because"
            seed = self._room.seed(draft.id, step)
            reply = await self._asking.reply(asked, beginning, seed, ("\n",), REASON_TOKENS, judged=draft.id, step=step)
            answers.append(Answer(score > 0.5, reply.partition(", ")[2].strip()))
        return Analysis(tuple(answers[:-1]), answers[-1]), score


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
