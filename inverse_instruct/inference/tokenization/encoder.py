"""Framed text to token ids: what a frame says may be control tokens, what data says never is.

Enters: a tokenizer of the `tokenizers` library. Leaves: ids, of the whole text at once, so that they are those that the
tokenizer gives for it. Only where words of the data would become a control token, a second tokenizer takes over: the
same, but its control tokens go by names that no data can hold. Not guaranteed: truncation and padding that are left
over from training; both are switched off.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import Unigram

_BARRED = re.compile(r"<[|｜].*[|｜]>")  # names that nobody gives to a word: some models do not flag all of theirs


@dataclass(frozen=True)
class Text:
    """A text, and the same with its control tokens under their other names."""

    plain: str
    marked: str
    controls: int = 0  # how many there are

    def __add__(self, other: Text) -> Text:
        """Return one text after the other."""
        return Text(self.plain + other.plain, self.marked + other.marked, self.controls + other.controls)


class Encoder:
    """Encodes texts of frames and of data."""

    def __init__(self, tokenizer: Tokenizer, template: str) -> None:
        """Take a tokenizer, and the chat template, which may name control tokens that are not flagged as such."""
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._template = template
        self.controls = {
            token.content: number
            for number, token in tokenizer.get_added_tokens_decoder().items()
            if not _is_word(token.content)
            and (token.special or token.content in template or _BARRED.fullmatch(token.content))
        }
        key = secrets.token_hex(8)
        self._marks = {name: f"\ue010{key}\ue011{number}\ue012" for name, number in self.controls.items()}
        names = sorted(self.controls, key=len, reverse=True)
        self._find = re.compile("|".join(map(re.escape, names)) or r"(?!)")
        unknown = _unknown(tokenizer)
        self._unknown = unknown if unknown in self.controls else None  # its id also stands for words that are just rare
        self._ids = {number for name, number in self.controls.items() if name != unknown}

    def framed(self, text: str) -> Text:
        """Return a text whose control tokens are meant."""
        marked = self._find.sub(lambda found: self._marks[found[0]], text)
        return Text(text, marked, self._count(self._tokenizer.encode(text, add_special_tokens=False).ids))

    def data(self, text: str) -> Text:
        """Return a text in which nothing is a control token."""
        return Text(text, text)

    def first_control(self, text: str) -> tuple[str, int] | None:
        """Return a text up to its first control token, and the id of that; None if it holds none."""
        found = self._find.search(text)
        return (text[: found.start()], self.controls[found[0]]) if found else None

    def split_at_last_control(self, text: str) -> tuple[Text, Text | None]:
        """Return a text up to and with its last control token, and from that one on; all of it and None without one."""
        *_, last = [None, *self._find.finditer(text)]
        rest = self.framed(text[last.start() :]) if last else None
        if last is None or rest is None or self.encode([rest])[0][:1] != [self.controls[last[0]]]:
            return self.framed(text), None
        return self.framed(text[: last.end()]), rest

    def encode(self, texts: Sequence[Text]) -> list[list[int]]:
        """Return the ids of texts, without what a post-processor adds."""
        found = [
            one.ids for one in self._tokenizer.encode_batch([text.plain for text in texts], add_special_tokens=False)
        ]
        for place, (text, ids) in enumerate(zip(texts, found, strict=True)):
            if self._count(ids) > text.controls or (self._unknown and self._unknown in text.plain):
                found[place] = self._encode_marked(text.marked)
        return found

    def continuation(self, start: list[int], more: Text, whole: list[int]) -> list[int]:
        """Return the ids of what follows a start, so that they may be appended to the start's own.

        Args:
            start: ids of what was said before.
            more: what follows.
            whole: ids of both together; where these do not begin with the start's, the rest is encoded by itself.
        """
        if whole[: len(start)] == start:
            return whole[len(start) :]
        anchor = self.data("\n")  # no word grows over it, and no space is put behind it
        [before, both] = self.encode([anchor, anchor + more])
        if both[: len(before)] == before and more.plain[:1].strip():
            return both[len(before) :]
        return self.encode([more])[0]

    def added_around(self) -> tuple[list[int], list[int]]:
        """Return the ids that the tokenizer puts before and after a text by itself, such as BOS."""
        plain = self._tokenizer.encode("x", add_special_tokens=False).ids
        ids: list[int] = self._tokenizer.encode("x", add_special_tokens=True).ids
        for start in range(len(ids) - len(plain) + 1):
            if ids[start : start + len(plain)] == plain:
                return ids[:start], ids[start + len(plain) :]
        return [], []

    def decode(self, ids: list[int]) -> str:
        """Return the text of ids, special tokens left out."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def _count(self, ids: list[int]) -> int:
        return sum(map(self._ids.__contains__, ids))

    def _encode_marked(self, text: str) -> list[int]:
        tokenizer, numbers = self._marked
        return [numbers.get(token, token) for token in tokenizer.encode(text, add_special_tokens=False).ids]

    @cached_property
    def _marked(self) -> tuple[Tokenizer, dict[int, int]]:
        """The same tokenizer with other names for its control tokens, and how their ids are to be read."""
        tree: dict[str, Any] = json.loads(self._tokenizer.to_str())
        marks, model = self._marks, tree["model"]
        for token in tree["added_tokens"]:
            token["content"] = marks.get(token["content"], token["content"])
        if isinstance(model["vocab"], dict):
            model["vocab"] = {marks.get(name, name): number for name, number in model["vocab"].items()}
        else:  # Unigram
            model["vocab"] = [[marks.get(name, name), score] for name, score in model["vocab"]]
        if model.get("unk_token") in marks:
            model["unk_token"] = marks[model["unk_token"]]
        if "merges" in model:
            model["merges"] = [
                pair
                for pair in model["merges"]
                if "".join(pair) not in marks and not any(part in marks for part in pair)
            ]
        tree["post_processor"] = None
        tokenizer = Tokenizer.from_str(json.dumps(tree))
        return tokenizer, {
            number: self.controls[name]
            for name, mark in marks.items()
            if (number := tokenizer.token_to_id(mark)) is not None
        }


def _is_word(name: str) -> bool:
    """Tell whether a token is text all the same: a run of spaces, or what somebody took for padding, such as `!`."""
    return not name.strip() or len(name) == 1 or name.isalnum()


def _unknown(tokenizer: Tokenizer) -> str | None:
    """Return the token that stands for what is not in the vocabulary."""
    if isinstance(tokenizer.model, Unigram):
        model = json.loads(tokenizer.to_str())["model"]
        return None if model["unk_id"] is None else str(model["vocab"][model["unk_id"]][0])
    return getattr(tokenizer.model, "unk_token", None)
