"""How one model is spoken to: its tokenizer and a prompt format, as `AutoTokenizer` and the chat template have them.

Runs in the limited process only, as it tries out whatever the folder holds. Enters: a folder, a format, a date.
Leaves: a `ModelTokenizer`, which turns requests and replies into ids, or a `ModelError` that says what is wrong with
the folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from inverse_instruct.errors import ModelError
from inverse_instruct.inference.models import load_tokenizer, read_settings
from inverse_instruct.inference.stop_tokens import stop_tokens
from inverse_instruct.inference.tokenization.encoder import Encoder, Text
from inverse_instruct.inference.tokenization.frame import FrameError, plain_frame, read_frame
from inverse_instruct.inference.tokenization.process import OTHER_FORMATS, Setting

MAX_RENDERED_CHARACTERS = 1 << 20
MAX_MESSAGE_CHARACTERS = 300


class ModelTokenizer:
    """The tokenizer and the frame of one model."""

    def __init__(self, setting: Setting) -> None:
        """Load a tokenizer, and read the frame off its template.

        Raises:
            ModelError: the folder's tokenizer or template cannot be used.
        """
        folder = Path(setting.folder)
        self.warnings: list[str] = []
        tokenizer, self.as_it_stands = load_tokenizer(folder)
        if self.as_it_stands:
            self.warnings.append(
                "transformers makes another tokenizer out of tokenizer.json, which loses parts of "
                "code; the file is used as it stands"
            )
        is_chat = setting.prompt_format == "chat"
        template = _template_of(tokenizer, folder) if is_chat else ""
        if "bos_token" in template and tokenizer.bos_token is None:
            self.warnings.append(
                "the chat template writes a bos_token, but the tokenizer names no bos_token, so it is "
                "left out, as servers do; name it in tokenizer_config.json, or go on without it"
            )
        self._encoder = Encoder(tokenizer.backend_tokenizer, template)
        render = _Renderer(tokenizer, date.fromisoformat(setting.day))
        try:
            self.frame = read_frame(render, template) if is_chat else plain_frame(setting.prompt_format)
        except FrameError as error:
            raise ModelError(f"{folder}: the chat template {error}; mend it, or {OTHER_FORMATS}") from error
        self._bos = [] if is_chat else self._encoder.added_around()[0]
        self._before, self._opening = (self._encoder.framed(text) for text in (self.frame.before, self.frame.opening))
        self._after, self._turn = self._encoder.split_at_last_control(self.frame.after)
        self.eos: int | None = tokenizer.eos_token_id
        self.stops = stop_tokens(folder, self.eos)
        ending = self._encoder.first_control(self.frame.closing)
        if ending is None and not self.stops:
            raise ModelError(
                f"{folder}: neither tokenizer_config.json nor generation_config.json nor config.json "
                "names an eos_token, so a response cannot be ended; name one"
            )
        closing, self.end = ending or ("", self.stops[0])
        self._closing = self._encoder.framed(closing)
        self.eos_name = self._name_as_eos(render, template) if is_chat and self.end != self.eos else ""
        self._check_ids(folder)

    def prompts(self, asks: Sequence[tuple[str, str]]) -> list[list[int]]:
        """Return the ids after which the model replies to each (request, forced beginning of the reply)."""
        spaces = self._encoder.framed(self.frame.opening.rstrip(" "))  # a space belongs to the word that follows
        replies = [self._opening + self._encoder.data(beginning) if beginning else spaces for _, beginning in asks]
        return [prompt + reply for prompt, reply in self._encode([request for request, _ in asks], replies)]

    def rows(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[list[int], list[int]]]:
        """Return (prompt ids, response ids) of each (request, response); the prompt is what a server sends."""
        replies = [self._opening + self._encoder.data(response) + self._closing for _, response in pairs]
        return [
            (prompt, [*reply, self.end]) for prompt, reply in self._encode([request for request, _ in pairs], replies)
        ]

    def texts(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of texts that hold no control token."""
        return self._encoder.encode([self._encoder.data(text) for text in texts])

    def bare(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of texts to go on from: `texts` after what the tokenizer puts before any text, such as BOS."""
        return [self._encoder.added_around()[0] + ids for ids in self.texts(texts)]

    def decode(self, ids: list[int]) -> str:
        """Return the text of ids, special tokens left out."""
        return self._encoder.decode(ids)

    def _name_as_eos(self, render: _Renderer, template: str) -> str:
        """Return the text of the end, if the tokenizer may call it its EOS with nothing else changed; else ""."""
        name = next((name for name, number in self._encoder.controls.items() if number == self.end), "")

        def renamed(*arguments: Any, **variables: Any) -> str:
            return render(*arguments, eos_token=name, **variables)

        try:
            same = not self._encoder.added_around()[1] and read_frame(renamed, template) == self.frame
        except FrameError:
            same = False
        return name if same else ""

    def _encode(self, requests: Sequence[str], replies: Sequence[Text]) -> list[tuple[list[int], list[int]]]:
        """Return (ids of the framed request, ids of the reply) of each.

        What stands behind the frame's last control token is encoded apart from what is before it: a tokenizer does the
        same, and so a request with ten beginnings is encoded once.
        """
        encoder, turn = self._encoder, self._turn
        heads = {request: self._before + encoder.data(request) + self._after for request in requests}
        starts = [turn or heads[request] for request in requests]
        wholes = {(start.plain, reply.plain): start + reply for start, reply in zip(starts, replies, strict=True)}
        texts = [*heads.values(), *wholes.values(), *([turn] if turn else [])]
        ids = dict(zip(((text.plain, text.marked) for text in texts), encoder.encode(texts), strict=True))
        found = []
        for request, start, reply in zip(requests, starts, replies, strict=True):
            head, whole = heads[request], wholes[start.plain, reply.plain]
            start_ids = ids[start.plain, start.marked]
            prompt = self._bos + ids[head.plain, head.marked] + (start_ids[1:] if turn else [])
            found.append((prompt, encoder.continuation(start_ids, reply, ids[whole.plain, whole.marked])))
        return found

    def _check_ids(self, folder: Path) -> None:
        size = read_settings(folder / "config.json").get("vocab_size")
        [(prompt, response)] = self.rows([("Add.", "def add(a, b): return a + b")])
        if len(response) == len(self.rows([("Add.", "")])[0][1]):
            raise ModelError(f"{folder}: the tokenizer has no token for a line of code; get tokenizer.json anew")
        largest = max([*prompt, *response])
        if type(size) is int and largest >= size:
            raise ModelError(
                f"{folder}: the tokenizer gives the token {largest}, but the model has {size} (vocab_size "
                "in config.json); take the tokenizer that belongs to this model"
            )


class _Renderer:
    """Renders a tokenizer's chat template in the environment that transformers gives it, on one day."""

    def __init__(self, tokenizer: Any, day: date) -> None:
        self._tokenizer = tokenizer
        self._now = datetime.combine(day, time(12))

    def __call__(self, messages: Sequence[dict[str, Any]], reply_next: bool, **variables: Any) -> str:
        try:
            text: str = self._tokenizer.apply_chat_template(
                list(messages),
                tokenize=False,
                add_generation_prompt=reply_next,
                strftime_now=self._now.strftime,
                **variables,
            )
        except MemoryError as error:
            raise FrameError("takes too much memory") from error
        except Exception as error:
            refused = type(error) is TemplateError  # what raise_exception raises
            raise FrameError(
                f"refuses the conversation: {_brief(error)}"
                if refused
                else f"does not work: {type(error).__name__}: {_brief(error)}"
            ) from error
        if len(text) > MAX_RENDERED_CHARACTERS:
            raise FrameError(f"writes {len(text)} characters")
        return text


def _template_of(tokenizer: Any, folder: Path) -> str:
    try:
        template = tokenizer.get_chat_template()
    except ValueError as error:
        raise ModelError(f"{folder} has no chat template; {OTHER_FORMATS}") from error
    if not isinstance(template, str):
        raise ModelError(
            f"{folder}: the chat template is {type(template).__name__}, not text; mend it, or {OTHER_FORMATS}"
        )
    return template


def _brief(error: BaseException) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in str(error)[:MAX_MESSAGE_CHARACTERS])
