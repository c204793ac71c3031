"""Questions of the generator and of the discriminator: the first prompt that leaves room for a reply is asked.

Enters: requests and how the reply must begin. Leaves: the reply with its beginning, or the LM-Score of yes; or an
`Unfit` that says why there is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inverse_instruct.errors import RequestError
from inverse_instruct.inference.lm_score import lm_score
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Reason
from inverse_instruct.stages.questions import Question
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.tasks.form import Unfit


@dataclass(frozen=True)
class Asking:
    """Whom is asked, and how is sampled."""

    room: Room
    sampling: Sampling

    async def reply(
        self,
        requests: Sequence[str],
        beginning: str,
        seed: int,
        stop: tuple[str, ...] = (),
        most: int | None = None,
        **about: str | int,
    ) -> str:
        """Return the reply, which starts with its forced beginning.

        Args:
            requests: the same question with more and with fewer cases, in this order.
            beginning: forced.
            seed: of the sampling.
            stop: texts at which it ends.
            most: tokens after which it is taken as it stands; None: a reply without an end is none.
            about: what tells this question from others.

        Raises:
            Unfit: no request leaves room, the server refuses it, or the reply was cut off.
        """
        sampling = replace(
            self.sampling, stop=stop, max_tokens=min(most or self.sampling.max_tokens, self.sampling.max_tokens)
        )
        try:
            reply = await self.room.questions.reply(Question(tuple(requests), beginning), sampling, seed, **about)
        except RequestError as error:
            raise Unfit(error.reason, str(error)) from error
        if reply.finish == "length" and most is None:
            raise Unfit(Reason.CUT_OFF, f"{beginning}{reply.text}"[-400:])
        return beginning + reply.text

    async def score(self, requests: Sequence[str], name: str) -> float:
        """Return the LM-Score of yes against no as the first token of a reply.

        Args:
            requests: as above.
            name: tells this question from others.

        Raises:
            Unfit: no request leaves room, the server refuses it, or there is no score.
        """
        words = (self.room.section("model.yes_token"), self.room.section("model.no_token"))
        labels = [self.room.model.formatter.single_token(word) for word in words]
        found = (await self.room.questions.logprobs({name: Question(tuple(requests))}, labels))[name]
        if isinstance(found, RequestError):
            raise Unfit(found.reason, str(found)) from found
        score = lm_score(*found)
        if math.isnan(score):
            raise Unfit(Reason.BAD_SCORE, f"log-probabilities {found[0]} and {found[1]}")
        return score


def with_and_without(good: Sequence[str], bad: Sequence[str]) -> list[tuple[str, str]]:
    """Return what is shown of good and bad cases: all of them, and where that leaves no room none."""
    return [("\n\n".join(good), "\n\n".join(bad)), ("", "")] if good or bad else [("", "")]
