"""The message of a commit as an instruction: its first line, without what only the project's own people read.

Enters: a message. Leaves: the instruction and the rest, or why it says too little. Trailers, numbers of issues, labels
such as `fix(parser):` and addresses are left out. Not guaranteed: that the message tells what the commit does; a model
makes it precise afterwards.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from inverse_instruct.records import Reason

MAX_REST_CHARACTERS = 1000
_TRAILER = re.compile(r"^[A-Z][\w-]*(?:-by|-Id|-id|-to|-on)?: \S.*$|^\(cherry picked from .*\)$|^git-svn-id:.*$")
_LABEL = re.compile(r"^(?:\[[^\]]{1,30}\]\s*)+|^(?P<type>[a-z]{2,10})(?:\([^)]{1,40}\))?!?:\s+")
_TYPES = set("fix feat feature bug bugfix perf refactor style test tests docs doc chore build ci revert misc".split())
_ISSUE = re.compile(
    r"(?i)\s*[\(\[]?(?:\b(?:fix(?:e[sd])?|close[sd]?|resolve[sd]?|refs?|see|issue|bug|gh|pr)[ :-]*)*"
    r"(?:[\w.-]+/[\w.-]+)?(?:#\d+|\bgh-\d+)(?:\s*,\s*#\d+)*[\)\]]?"
)
_ADDRESS = re.compile(r"<?https?://\S+>?")
_OF_NO_USE = re.compile(
    r"(?i)^(?:revert\b|reapply\b|merge[d ]|bump(?:s|ed)?\b|prepar\w+ (?:for )?(?:a )?(?:the )?(?:next )?release|"
    r"releas(?:e|ing) \d|version \d|v?\d+(?:\.\d+)+|back to dev|post-release|update (?:the )?(?:change ?log|version|"
    r"copyright|license|authors?|readme)\b|(?:address|apply|incorporate)\w* (?:code )?(?:review|feedback|comments|"
    r"suggestion)|review (?:comments|feedback)|fixup!|squash!|amend!|wip\b|auto[- ]?(?:format|generated|update)|"
    r"(?:applied|ran|run|apply) (?:black|isort|ruff|autopep8|pre-commit|2to3|pyupgrade)\b|initial (?:commit|import)|"
    r"sync(?:ed|ing)? (?:with|from)|merge branch|\[pre-commit)"
)
_VAGUE = set(
    "a an and the some more many few bit of in on for to with it this that these those stuff things thing fix fixes "
    "fixed fixing update updates updated updating change changes changed clean cleanup cleanups up minor small tiny "
    "little misc various tweak tweaks tweaked improve improvement improvements improved typo typos bug bugs issue "
    "issues error errors test tests again now code file files work works working try oops done edit edits commit "
    "latest last new old better first second another forgot missed missing".split()
)


@dataclass(frozen=True, slots=True)
class Message:
    """What a commit says of itself."""

    instruction: str
    rest: str  # what its other lines say; "" if nothing


def read_message(text: str, min_words: int) -> Message | tuple[Reason, str]:
    """Return what a message asks for.

    Args:
        text: the whole message.
        min_words: of its first line, those not counted that say nothing, such as `fix some minor issues`.
    """
    subject, _, body = text.strip().partition("\n")
    if "�" in subject:
        return Reason.MALFORMED, "the message is not text"
    plain = _plain(subject)
    words = re.findall(r"[^\W\d_]\w*", plain)
    telling = [word for word in words if word.lower() not in _VAGUE]
    if _OF_NO_USE.search(subject.strip()) or _OF_NO_USE.search(plain) or len(words) < min_words or len(telling) < 2:
        return Reason.SAYS_NOTHING, subject[:200]
    rest = [_plain(line) for line in body.splitlines() if not _TRAILER.match(line.strip())]
    return Message(plain[0].upper() + plain[1:], "\n".join(rest).strip()[:MAX_REST_CHARACTERS])


def _plain(line: str) -> str:
    label = _LABEL.match(line)
    if label and (label["type"] is None or label["type"] in _TYPES):
        line = line[label.end() :]
    return re.sub(r"^:(?![\w.]+:?`)", "", _ISSUE.sub("", _ADDRESS.sub("", line)).strip(" \t-;,")).strip().rstrip(":")
