"""Whether a model says that it cannot or will not, in prose.

Enters: a reply, or the prose of one. Leaves: the words that say so, or None. Fenced code is no prose; neither are lines
of code that a caller has taken out before, so that a program may say "cannot open the file" or "already there". Not
guaranteed: refusals in other languages than English.
"""

from __future__ import annotations

import re

_FENCED = re.compile(r"^[ \t]*(`{3,}|~{3,}).*?(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_CODE_SPAN = re.compile(r"`[^`\n]*`")
_I = r"\b(?:i|we)(?:'m| am|'ve| have| will|'ll|'d| would| do| can| could|'re| are)?"
_REFUSAL = re.compile(
    rf"(?i)\bas an? (?:ai|artificial intelligence|(?:large )?language model|assistant|text-based)\b|"
    rf"{_I} (?:\w+ ){{0,2}}(?:unable|not able|sorry)\b|\b(?:my )?apolog(?:ies|ize|ise)\b|"
    rf"\b(?:i|we) (?:\w+ )?(?:cannot|can ?not|can't|could not|couldn't|will not|won't|do not|don't|am not) (?:\w+ )?"
    rf"(?:help|assist|fulfil\w*|provide|comply|generate|create|complete|write|answer|do|have (?:access|the ability|"
    rf"enough)|see|perform|understand what|able|allowed)\b|"
    rf"\b(?:please|could you|can you) (?:provide|share|give|clarify|specify)\b[^.\n]{{0,60}}\b(?:code|more|details|"
    rf"information|context|input)\b|"
    rf"\bthe (?:task|input|request) (?:is|was) (?:not clear|unclear|invalid|empty|missing|not provided)\b|"
    rf"\b(?:no|there is no) (?:input|code|scenario) (?:is |was )?(?:given|provided|needed|required)\b|"
    rf"\b(?:cannot|can't|can not|impossible to) be (?:done|completed|fulfilled|answered) (?:by|without|with) "
    rf"(?:an? )?(?:ai|me|the given|more)\b"
)


def refusal_in(prose: str) -> str | None:
    """Return the words with which a text refuses; None if it does not."""
    text = _CODE_SPAN.sub(" ", _FENCED.sub("\n", prose)).replace("’", "'")
    found = _REFUSAL.search(" ".join(text.split()))
    return found[0] if found else None
