"""What becomes of the edits that a model wrote for one instruction: looked at, run where they can be, and judged.

Enters: drafts with code before and after. Leaves: the good ones with their LM-Score and, where they were run, what came
of it in the detail; the others as rejections. Part of the frame of stages, beside the stage `instances`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace

from evaluation.behavior import BehaviorCheck
from inverse_instruct.config.editing import EditsSection, InstancesSection
from inverse_instruct.corpus.edits import Objection, objection
from inverse_instruct.errors import RequestError
from inverse_instruct.inference.lm_score import lm_score
from inverse_instruct.inference.prompts import LANGUAGE_NAMES, PromptTemplate
from inverse_instruct.records import Draft, Reason, Rejection
from inverse_instruct.stages.questions import Question
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Outcome


class EditJudge:
    """Judges the edits of one instruction after the other."""

    def __init__(self, room: Room, behavior: BehaviorCheck) -> None:
        """Prepare the question.

        Raises:
            ModelError: YES or NO is not a single token.
        """
        self._room, self._behavior = room, behavior
        self._section: InstancesSection = room.section()
        self._bounds: EditsSection = room.section("edits")
        self._words: tuple[str, str] = (room.section("model.yes_token"), room.section("model.no_token"))
        self._labels = [room.model.formatter.single_token(word) for word in self._words]
        self._template = PromptTemplate("score-edit")
        self.behavior: dict[str, int] = dict.fromkeys(("equal", "different", "not_checked"), 0)

    async def judge(self, drafts: Sequence[Draft], rejected: Sequence[Rejection]) -> Outcome:
        """Return the good ones of some drafts, and why the others, and those rejected before, are none."""
        good, rejected = [], list(rejected)
        for draft in drafts:
            found = await self._look(draft)
            if isinstance(found, Draft):
                good.append(found)
            else:
                rejected.append(Rejection(draft.id, self._room.stage.name, *found))
        scores = await self._scores(good)
        for draft in good:
            score = scores[draft.id]
            if not isinstance(score, float):
                rejected.append(Rejection(draft.id, self._room.stage.name, *score))
        scored = [(score, draft) for draft in good if isinstance(score := scores[draft.id], float)]
        scored.sort(key=lambda pair: (-pair[0], pair[1].id))
        return Outcome([replace(draft, lm_score=score) for score, draft in scored], rejected)

    async def _look(self, draft: Draft) -> Draft | Objection:
        if problem := objection(draft.input, draft.response, draft.language, self._bounds):
            return problem
        if draft.task not in self._section.keep_behavior:
            return draft
        if draft.language != "python":
            self.behavior["not_checked"] += 1
            return draft
        found = await asyncio.wrap_future(self._behavior.start(draft.input, draft.response))
        self.behavior[found.state] += 1
        if found.state == "different":
            return Reason.CHANGES_BEHAVIOR, found.detail
        return replace(
            draft, detail=f"{draft.detail}\nbehavior {found.state.replace('_', ' ')}: {found.detail}".strip()
        )

    async def _scores(self, drafts: Sequence[Draft]) -> dict[str, float | Objection]:
        questions = {draft.id: self._question(draft) for draft in drafts}
        return {
            name: (found.reason, str(found)) if isinstance(found, RequestError) else _score(*found)
            for name, found in (await self._room.questions.logprobs(questions, self._labels)).items()
        }

    def _question(self, draft: Draft) -> Question:
        yes, no = self._words
        text = self._template.render(
            language=LANGUAGE_NAMES[draft.language],
            instruction=draft.instruction,
            input=draft.input,
            output=draft.response,
            yes=yes,
            no=no,
        )
        return Question((text,))


def _score(yes: float, no: float) -> float | Objection:
    score = lm_score(yes, no)
    return (Reason.BAD_SCORE, f"log-probabilities {yes} and {no}") if math.isnan(score) else score
