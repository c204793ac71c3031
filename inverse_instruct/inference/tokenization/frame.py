"""What a prompt format puts around a request and its reply.

Enters: a function that renders a chat template. Leaves: a `Frame`, read off the template by rendering it with marks in
place of words, once. What the template itself writes between its generation prompt and an answer belongs to the reply:
a line break, a channel, an empty thought. A thought that is opened and not closed is closed there. Not guaranteed:
templates that change the words they are given; they are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]
Render = Callable[..., str]

MARKS = ("\ue000request\ue001", "\ue000'\"\\ {{ 7 }} <b> é\n\tx\ue001")
"""Stand for the user's words; by the second it shows whether they stay as they are."""
ANSWER = "\ue000answer\ue001"
NO_THOUGHT = {"enable_thinking": False, "thinking": False}
"""Variables by which templates leave out the thought; others ignore them."""
MAX_CHARACTERS = 1 << 20

MAGICODER = (
    "You are an exceptionally intelligent coding assistant that consistently delivers accurate and reliable "
    "responses to user instructions.\n\n@@ Instruction\n{content}\n\n@@ Response\n"
)
COMPLETION = "Question:\n{content}\n\nAnswer:\n"

_THOUGHT = re.compile("think|thought|reason|reflect|analysis|scratchpad", re.IGNORECASE)
_TAG = re.compile(r"(?P<open>[<\[◁]\|?)(?P<slash>/?)(?P<name>[A-Za-z][\w:-]*)(?P<end>\|?[>\]▷])")
_ENDS = {"begin": "end", "BEGIN": "END", "start": "end", "START": "END"}


class FrameError(Exception):
    """A template that no frame can be read off; the message says why."""


@dataclass(frozen=True)
class Frame:
    """The text around a request and its reply."""

    before: str
    after: str  # ends where a server lets the model go on
    opening: str = ""  # what the reply begins with
    closing: str = ""  # what follows the reply, as far as the template says
    variables: tuple[tuple[str, Any], ...] = ()  # that a server has to be told to get the same prompt


def plain_frame(prompt_format: str) -> Frame:
    """Return the frame of a format without a chat template."""
    before, _, after = {"magicoder": MAGICODER, "completion": COMPLETION}[prompt_format].partition("{content}")
    return Frame(before, after)


def read_frame(render: Render, source: str) -> Frame:
    """Return the frame of a chat template.

    Args:
        render: messages, whether a reply comes next, and variables, to text.
        source: of the template.

    Raises:
        FrameError: it drops or changes the user's words, or begins the reply in a way that cannot be ended.
    """
    asked = _asking(render)
    prompt = render(asked(MARKS[0]), True)
    quiet = render(asked(MARKS[0]), True, **NO_THOUGHT)
    variables = () if quiet.startswith(prompt) else tuple(NO_THOUGHT.items())
    if variables:  # the switch changes more than what follows
        prompt = quiet
    before, _, after = prompt.partition(MARKS[0])
    if render(asked(MARKS[1]), True, **dict(variables)) != before + MARKS[1] + after:
        raise FrameError("changes the user's words")
    head, closing = _answered(render, asked(MARKS[0]))
    opening = (head if head.startswith(quiet) else quiet)[len(prompt) :]
    if head and prompt.startswith(head):  # beyond that, the template does not write it before an answer
        opening += _end_of_thought(prompt[len(head) :] + opening, source, any_name=True)
    else:
        opening += _end_of_thought(after + opening, source, any_name=False)
    return Frame(before, after, opening, closing, variables)


def _asking(render: Render) -> Callable[[str], Sequence[Message]]:
    """Return how a request is put: as text, or as a list of parts where the template wants one."""

    def as_text(words: str) -> Sequence[Message]:
        return [{"role": "user", "content": words}]

    def as_parts(words: str) -> Sequence[Message]:
        return [{"role": "user", "content": [{"type": "text", "text": words}]}]

    trouble: FrameError | None = None
    for put in (as_text, as_parts):
        try:
            if MARKS[0] in render(put(MARKS[0]), True):
                return put
        except FrameError as error:
            trouble = trouble or error
    raise trouble or FrameError("drops the user's message")


def _answered(render: Render, asked: Sequence[Message]) -> tuple[str, str]:
    """Return what the template writes up to an answer, and after it; "" where it knows of none."""
    content = asked[0]["content"]
    answer: Any = ANSWER if isinstance(content, str) else [{"type": "text", "text": ANSWER}]
    try:
        text = render([*asked, {"role": "assistant", "content": answer}], False, **NO_THOUGHT)
    except FrameError:
        return "", ""
    head, found, closing = text.partition(ANSWER)
    return (head, closing) if found else ("", "")


def _end_of_thought(begun: str, source: str, *, any_name: bool) -> str:
    """Return what closes a thought that is open at the end of a text; "" where none is.

    Args:
        begun: the text.
        source: of the template, which may name the end.
        any_name: whether a tag of any name is taken for a thought.
    """
    tags = [tag for tag in _TAG.finditer(begun) if _THOUGHT.search(tag["name"]) or (any_name and "|" not in tag[0])]
    if not tags or tags[-1]["slash"] or tags[-1]["name"].lower().startswith("end"):
        return ""
    tag = tags[-1]
    ends = _ends_of(tag)
    end = next((end for end in ends if end in source), ends[0])
    if end not in source and ("|" in end or not _THOUGHT.search(tag["name"])):
        raise FrameError(f"begins the reply with {tag[0]}, and what ends that cannot be told")
    rest = begun[tag.end() :]
    return f"\n{end}\n\n" if rest.strip() or "\n" in rest else end


def _ends_of(tag: re.Match[str]) -> list[str]:
    """Return what may close a tag, the most likely first."""
    name = tag["name"]
    names = [end + name[len(begin) :] for begin, end in _ENDS.items() if name.startswith(begin)] or [
        f"/{name}",
        f"end_{name}",
        f"end_of_{name}",
    ]
    return [f"{tag['open']}{ended}{tag['end']}" for ended in names]
