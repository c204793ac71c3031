"""A row in a frame: its keys are given, and the model is asked for one after the other, each by a question of its own.

Enters: a snippet and a task. Leaves: the row as a reply with four keys, to be read like one. What would be a copy of
the snippet is given, too: the code that is described or translated, and the right code of a repair. So a small model,
which keeps to no form, can write rows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from inverse_instruct.inference.prompts import LANGUAGE_NAMES
from inverse_instruct.records import Snippet
from inverse_instruct.stages.tasks.form import block_of


@dataclass(frozen=True)
class Field:
    """A key of a row."""

    key: str
    given: str = ""  # what stands there without a question
    opening: str = ""  # forced beginning of the reply
    stop: tuple[str, ...] = ()


async def fill(fields: list[Field], ask: Callable[[int, Field, dict[str, str]], Awaitable[str]]) -> str:
    """Return the row with all keys filled in.

    Args:
        fields: of the row.
        ask: returns the reply to the question for a key, given its number and what stands under the keys before it.
    """
    found: dict[str, str] = {}
    for number, field in enumerate(fields):
        reply = field.given or await ask(number, field, found)
        found[field.key] = f"{reply.rstrip()}\n```" if reply.startswith("```") and not field.given else reply.strip()
    return "\n".join(f"{key}: {text}" for key, text in found.items())


def fields_of(task: str, snippet: Snippet, target: str) -> list[Field]:
    """Return how the keys of a row are filled in."""
    name, other = LANGUAGE_NAMES[snippet.language], LANGUAGE_NAMES[target]
    code = block_of(snippet.code, snippet.language)
    openings = {
        "generation": f"Write {name} code that",
        "summarization": f"Describe what this {name} code",
        "repair": f"Find and correct the mistake in this {name} code",
        "translation": f"Translate this {name} code into {other}",
    }
    informations = {
        "generation": Field("Information", given="none"),
        "repair": Field("Information", opening=f"```{snippet.language}\n", stop=("```",)),
    }
    solutions = {
        "summarization": Field("Solution", opening="This code", stop=("\n\n", "```")),
        "repair": Field("Solution", given=code),
    }
    return [
        Field("Task name", given=task),
        Field("Instruction", opening=openings[task], stop=("\n",)),
        informations.get(task, Field("Information", given=code)),
        solutions.get(task, Field("Solution", opening=f"```{target}\n", stop=("```",))),
    ]
