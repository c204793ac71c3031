"""A form as the model fills it in: all of it in one reply, or key by key in a frame that is given.

Enters: a request and the fields of a form. Leaves: the text of the form, which is read like any reply. In a frame each
field is a question of its own, whose reply begins with what stands there already, so a small model that would never
keep to the form by itself can be asked, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inverse_instruct.errors import RequestError, TextError
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Reason
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.tasks.form import Unfit


@dataclass(frozen=True)
class Field:
    """A key of a form, and how a frame has it filled in."""

    heading: str
    given: str | None = None  # what a frame says there without asking
    opening: str = ""  # what a frame says before the model goes on
    closing: str = ""  # what it says after
    stop: tuple[str, ...] = ("\n",)


@dataclass(frozen=True)
class Form:
    """What is asked, of whom, how."""

    room: Room
    sampling: Sampling
    in_frame: bool

    async def fill(self, requests: Sequence[str], fields: Sequence[Field], seed: int, **about: str | int) -> str:
        """Return the form as it was filled in.

        Args:
            requests: the first one that leaves room for a reply is asked.
            fields: in order.
            seed: of the first reply; those of a frame have the next ones.
            about: what tells this form from others.

        Raises:
            Unfit: no request leaves room, the server refuses it, or a reply was cut off.
        """
        if not self.in_frame:
            begin = f"{fields[0].heading}:"
            return begin + await self._reply(requests, begin, self.sampling, seed, **about)
        text = ""
        for number, field in enumerate(fields):
            text += f"{field.heading}:"
            if field.given is None:
                text += field.opening
                sampling = replace(self.sampling, stop=field.stop)
                reply = await self._reply(requests, text, sampling, seed + number, **about, heading=field.heading)
                text += f"{reply.rstrip()}{field.closing}" if field.closing else f" {reply.strip()}"
            else:
                text += field.given
            text += "\n"
        return text

    async def _reply(
        self, requests: Sequence[str], beginning: str, sampling: Sampling, seed: int, **about: str | int
    ) -> str:
        try:
            prompt = self._prompt(requests, beginning)
            reply = await self.room.reply(prompt, sampling, seed, **about)
        except TextError as error:
            raise Unfit(Reason.PARSER_FAILED, str(error)) from error
        except RequestError as error:
            raise Unfit(error.reason, str(error)) from error
        if reply.finish == "length":
            raise Unfit(Reason.CUT_OFF, f"{beginning}{reply.text}"[-400:])
        return reply.text

    def _prompt(self, requests: Sequence[str], beginning: str) -> list[int]:
        space = self.room.model.max_model_len - self.sampling.max_tokens
        length = 0
        for request in requests:
            prompt = self.room.model.formatter.response_prompt(request, beginning)
            length = len(prompt)
            if length <= space:
                return prompt
        raise Unfit(Reason.TOO_LONG, f"{length} tokens of prompt")
