"""A question whose examples may not all fit: the model is asked with as many of them as do, never without the task.

Enters: the same question with fewer and fewer examples. Leaves: the reply, or why there is none. Part of the frame of
stages: several of them write so.
"""

from __future__ import annotations

from collections.abc import Sequence

from inverse_instruct.config.editing import Written
from inverse_instruct.errors import RequestError
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Reason
from inverse_instruct.stages.questions import Question, Reply
from inverse_instruct.stages.room import Room


class Writer:
    """Asks a stage's model, or the endpoint that writes in its place, as its section says.

    Attributes:
        model: what tells who writes from others.
    """

    def __init__(self, room: Room, section: Written, stop: Sequence[str] = ()) -> None:
        """Prepare to ask; `stop` are texts that end a reply."""
        self._questions = room.writing
        self.model = self._questions.model
        self._sampling = Sampling(
            max_tokens=section.max_new_tokens,
            temperature=section.temperature,
            top_p=section.top_p,
            presence_penalty=section.presence_penalty,
            stop=tuple(stop),
            stop_token_ids=room.model.formatter.ending.stops,
        )

    async def write(
        self, requests: Sequence[str], beginning: str, seed: int, **about: str | int
    ) -> Reply | tuple[Reason, str]:
        """Return the reply to the first request that leaves space for one.

        Args:
            requests: the question, with the most examples first.
            beginning: forced first words of the reply, which are not part of what is returned.
            seed: of the sampling.
            about: what tells this question from others.
        """
        try:
            return await self._questions.reply(Question(tuple(requests), beginning), self._sampling, seed, **about)
        except RequestError as error:
            return error.reason, str(error)
