"""Replies of the fake engine to prompts that ask for more than an instruction, by what tells the prompt."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer


def four_keys(prompt: str, number: int) -> str:
    """Return a row of the task that is asked for; it depends on the number."""
    task = re.findall(r"Write one row of the task (\w+)\.", prompt)[-1]
    target = re.findall(r"and the solution is (\w+) code that does the same", prompt)
    number %= 1000
    right = f"def scale(x):\n    return x * {number} + {number}"
    code = {"javascript": f"function scale(x) {{ return x * {number}; }}"}.get(target[-1] if target else "", right)
    block, wrong = f"```{target[-1] if target else 'python'}\n{code}\n```", f"```python\n{right} - 1\n```"
    information = "none" if task == "generation" else wrong
    solution = f"It scales a number by {number} and adds {number}." if task == "summarization" else block
    return (
        f" {task}\nInstruction: Do the {task} of Python code about {number}.\n"
        f"Information: {information}\nSolution: {solution}"
    )


def analysis(prompt: str, number: int) -> str:
    """Return the steps of a discriminator, which finds one row of five bad."""
    answer = "no" if number % 5 == 0 else "yes"
    steps = "\n".join(f"Step {step}: yes, no doubt about {number % 100}." for step in range(2, 6))
    return f" yes, it does.\n{steps}\nOverall: {answer}, all in all."


def instructions(prompt: str, number: int) -> str:
    """Return items of a list that goes on."""
    return "\n9. ".join(f" Change what {_words(number + n, 7)} here." for n in range(3))


def situations(prompt: str, number: int) -> str:
    """Return two scenarios, the first with a colon."""
    return f" A shop: {_words(number, 2)}\n2. A game that {_words(number + 1, 2)}"


def edit(prompt: str, number: int) -> str:
    """Return two sides, the first without its beginning, which is forced."""
    name, verb, *words = _words(number, 14).split()
    lines = "\n".join(f"    {word}_{place} = {verb}_{word}({name})" for place, word in enumerate(words))
    before = f"def {verb}({name}):\n{lines}\n    return {name}"
    after = before.replace(
        f"    return {name}", f"    if not {name}:\n        return {words[0]}\n    return {words[1]}"
    )
    return f"{before}\n```\nOutput:\n```python\n{after}\n```"


def precise(prompt: str, number: int) -> str:
    """Return what a commit changes."""
    return f"Change how it {_words(number, 5)}."


def description(prompt: str, number: int) -> str:
    """Return an instruction that says by how much the function of `test_loop.CODE` scales."""
    factors = re.findall(r"def scale_(\d+)", prompt)
    return f" that {_words(number, 9)}{f' by {factors[-1]}' if factors else ''}."


def program(prompt: str, number: int) -> str:
    """Return what the instruction says, or in one of three cases something else; without one, always."""
    factor = int((re.findall(r" by (\d+)\.", prompt) or ["999"])[-1])
    return f"def solution(number):\n    return {factor} * number + {factor + (number % 3 == 0)}\n```"


def _words(number: int, count: int) -> str:
    known = "adds scales filters sorts counts joins reverses merges given numbers names lists values"
    return " ".join(random.Random(number).choices(known.split(), k=count))


REPLIES: dict[str, Callable[[str, int], str]] = {"Task name:": four_keys, "Step 1:": analysis}
"""How a reply has to begin -> what is replied."""
HELD: dict[str, Callable[[str, int], str]] = {
    "Go on with the numbered list.": instructions,
    "real situations in which": situations,
    'behind the mark "Output:"': edit,
    "Answer with a Python function whose first line is": program,
    "Write the programming task that this code is": description,
    "Whoever made the change noted:": precise,
}
"""What a prompt holds -> what is replied."""


def reply_to(prompt: list[int], model: Path, number: int) -> str | None:
    """Return the reply to a prompt of token ids that has one here."""
    end = _tokenizer(model).decode(prompt[-8:]).rstrip()
    write = next((write for mark, write in REPLIES.items() if end.endswith(mark)), None)
    asked = _tokenizer(model).decode(prompt)
    write = write or next((write for held, write in HELD.items() if held in asked), None)
    return write(asked, number) if write else None


@cache
def _tokenizer(model: Path) -> Tokenizer:
    return Tokenizer.from_file(str(model / "tokenizer.json"))
