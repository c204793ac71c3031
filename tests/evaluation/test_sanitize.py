"""Messy answers, and the program each of them holds: judged by running it."""

import time

import pytest

from evaluation import Sandbox, extract_code, run_program
from evaluation.sanitize import extract_readings
from evaluation.top_level import find_statements

PROMPT = '''from typing import List

LIMIT = 100


def clip(x):
    return min(x, LIMIT)


def total(numbers: List[int]) -> int:
    """Return the sum, clipped.

    >>> total([1, 2])
    3
    """
'''
BODY = "    result = 0\n    for number in numbers:\n        result += number\n    return clip(result)\n"
WHOLE = "def total(numbers: List[int]) -> int:\n" + BODY

# name: completion, parts that must not be left
SAMPLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "bare body": (BODY, ()),
    "body after blank lines": ("\n\n" + BODY, ()),
    "body without its first indent": (BODY[4:], ()),
    "body without its first indent, opening a block": (
        "if not numbers:\n        return 0\n    return clip(sum(numbers))\n",
        (),
    ),
    "body without any indent, opening a block": ("if not numbers:\n    return 0\nreturn clip(sum(numbers))\n", ()),
    "global counter": (
        "calls = 0\n\ndef total(numbers):\n    global calls\n    calls += 1\n    return clip(sum(numbers))\n",
        (),
    ),
    "body without its first indent, a function in it": (
        "def add(a, b):\n        return a + b\n    return clip(add(0, sum(numbers)))\n",
        (),
    ),
    "body without any indent, a function in it": (
        "def add(a, b):\n    return a + b\nreturn clip(add(0, sum(numbers)))\n",
        (),
    ),
    "body without any indent": ("result = sum(numbers)\nreturn clip(result)\n", ()),
    "body, then a test and another function": (
        BODY + "\n\ndef other(x):\n    return x\n\n\nprint(total([1]))\nassert total([2]) == 2\n",
        ("other", "print", "assert"),
    ),
    "body, then prose": (BODY + "\nThis adds the numbers up. It's simple, isn't it?\n", ("simple",)),
    "body, then the end of a fence": (BODY + "```\n\nExplanation: `clip` keeps it small.", ("```", "Explanation")),
    "body with a comment at column 0": ("    result = sum(numbers)\n# now clip it\n    return clip(result)\n", ()),
    "whole function": (WHOLE, ()),
    "whole prompt repeated": (PROMPT + BODY, ()),
    "windows line ends": ((PROMPT + BODY).replace("\n", "\r\n"), ("\r",)),
    "fenced": (f"Sure! Here it is:\n\n```python\n{WHOLE}```\nHope this helps.", ("Sure", "Hope", "```")),
    "fenced with tildes and no language": (f"~~~\n{WHOLE}~~~", ("~~~",)),
    "fence never closed": (f"Here you go:\n```python\n{WHOLE}", ("Here",)),
    "only the closing fence": (f"{WHOLE}```\n\n### Notes\n```\ntotal([1])\n```\n", ("Notes",)),
    "indented fence in a list": (
        "1. The code:\n\n   ```python\n" + "".join(f"   {line}\n" for line in WHOLE.splitlines()) + "   ```\n",
        ("```",),
    ),
    "fenced body": (f"The body is:\n```python\n{BODY}```\n", ("The body",)),
    "code and tests in two fences": (
        f"```python\n{WHOLE}```\nTests:\n```python\nimport unittest\nassert total([]) == 1\nunittest.main()\n```",
        ("unittest", "assert"),
    ),
    "helper in a second fence": (
        "```python\ndef total(numbers):\n    return shorten(sum(numbers))\n```\nwith\n"
        "```python\ndef shorten(x):\n    return clip(x)\n```\n",
        (),
    ),
    "prose around unfenced code": (
        f"Here's how I'd do it:\n\n{WHOLE}\nNote that it's linear. From the above, import nothing.\n",
        ("Here's", "linear"),
    ),
    "main block, prints and input": (
        f'{WHOLE}\nvalues = input("numbers? ")\nprint(total(values))\nif __name__ == "__main__":\n    total(input())\n',
        ("input", "print", "__main__"),
    ),
    "stub first, then the answer": (
        f'def total(numbers):\n    """Add."""\n    pass\n\n\n{WHOLE}',
        ("pass",),
    ),
    "two answers: the first counts": (f"{WHOLE}\n\ndef total(numbers):\n    return -1\n", ("-1",)),
    "own imports, constants and helpers": (
        "import math\nimport os, sys\nfrom functools import reduce as fold\nUNUSED = 3\nSTART: int = 0\ncache = {}\n"
        "cache['x'] = START\n\nclass Box:\n    def __init__(self, v): self.v = v\n\n"
        "@staticmethod\ndef unused(): pass\n\n"
        "def total(numbers):\n    return clip(Box(math.floor(fold(lambda a, b: a + b, numbers, cache['x']))).v)\n",
        ("UNUSED", "unused", "sys"),
    ),
    "future import after the prompt's": (f"from __future__ import annotations\n{WHOLE}", ()),
    "star import and a guarded import": (
        "from math import *\ntry:\n    import gmpy2 as big\nexcept ImportError:\n    big = None\n"
        "def total(numbers):\n    return clip(sum(numbers) if big is None else floor(sum(numbers)))\n",
        (),
    ),
    "decorated and recursive": (
        "from functools import lru_cache\n\n@lru_cache(maxsize=None)\ndef add(a, b):\n    return a + b\n\n\n"
        "def total(numbers):\n    return clip(add(numbers[0], total(numbers[1:]))) if numbers else 0\n",
        (),
    ),
    "a lambda": ("total = lambda numbers: clip(sum(numbers))\n", ()),
    "local name like a test's": (f"{WHOLE}\nresult = total(open('/nowhere'))\n", ("nowhere",)),
    "cut off in a later function": (f"{WHOLE}\n\ndef test_total():\n    assert total([1, 2", ("test_total",)),
    "cut off after the answer, inside the function": (f"{WHOLE}    # unreachable\n    print('never", ("never",)),
    "docstring with text at column 0": (
        'def total(numbers):\n    """Add.\n\nimport this\ndef in_text(): pass\n"""\n    return clip(sum(numbers))\n',
        (),
    ),
    "brackets closed at column 0": ("def total(\n    numbers,\n):\n    return clip(sum(\nnumbers\n))\n", ()),
    "all under a main block": (
        'if __name__ == "__main__":\n'
        + "".join(f"    {line}\n" for line in WHOLE.splitlines())
        + "    print(total([]))",
        ("print", "__main__"),
    ),
    "a helper under a main block": (
        'def total(numbers):\n    return add(numbers)\n\nif __name__ == "__main__":\n    def add(numbers):\n'
        "        return clip(sum(numbers))\n    print(total([]))\n",
        ("print", "__main__"),
    ),
    "everything indented": ("".join(f"    {line}\n" for line in WHOLE.splitlines()), ()),
    "lone surrogate": (f"# \ud800\n{WHOLE}", ()),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_program_in_a_messy_answer(sandbox: Sandbox, name: str) -> None:
    completion, unwanted = SAMPLES[name]
    code = extract_code(completion, "total", PROMPT)
    outcomes = run_program(sandbox, code, "total", [[[1, 2, 4]], [[]], [[99, 99]]])
    assert [outcome.value for outcome in outcomes] == [7, 0, 100], (outcomes[0].detail, code)
    assert [part for part in unwanted if part in code] == []


@pytest.mark.parametrize(
    ("completion", "reason"),
    [
        ("I'm sorry, I can't do that.", "syntax"),
        ("def total(numbers: return (", "syntax"),
        ("```python\ndef another(x):\n    return x\n```", "missing"),
        ("class Solution:\n    def total(self, numbers):\n        return 1\n", "missing"),
    ],
)
def test_answers_without_a_program_get_their_reason(sandbox: Sandbox, completion: str, reason: str) -> None:
    code = extract_code(completion, "total", PROMPT)
    assert run_program(sandbox, code, "total", [[[1]]])[0].reason == reason


def test_an_empty_answer_is_the_prompt_alone(sandbox: Sandbox) -> None:
    code = extract_code("", "total", PROMPT)
    [outcome] = run_program(sandbox, code, "total", [[[1]]])
    assert (outcome.reason, outcome.value) == (None, None)


def test_a_prompt_may_be_mere_text(sandbox: Sandbox) -> None:
    prompt = '"""\nWrite a function to add.\nassert total([1]) == 1\n"""\n'
    code = extract_code("Here:\n```python\ndef total(n):\n    return sum(n)\n```", "total", prompt)
    assert code == "def total(n):\n    return sum(n)\n"


@pytest.mark.parametrize("correction", ["def unit(x):\n    return x", "unit = int", "from operator import pos as unit"])
def test_a_later_block_that_corrects_what_the_answer_uses_is_another_reading(correction: str) -> None:
    draft = "def unit(x):\n    return 2 * x\n\ndef total(numbers):\n    return sum(map(unit, numbers))\n"
    test = "assert total([1]) == 2\n"
    reply = f"```python\n{draft}```\nNo, rather:\n```python\n{correction}\n```\nand test it:\n```python\n{test}```"
    first, *others = extract_readings(reply, "total", PROMPT)
    assert "2 * x" in first and correction not in first
    [corrected] = [text for text in others if correction in text and "2 * x" not in text]
    assert "return sum(map(unit, numbers))" in corrected and test not in corrected


def test_the_block_before_one_that_is_not_closed_is_another_reading() -> None:
    short = "def total(numbers):\n    return sum(numbers)\n"
    rewrite = "def total(numbers):\n    found = 0\n    for number in numbers:\n        found += number\n"
    readings = extract_readings(f"```python\n{short}```\nOr:\n```python\n{rewrite}", "total", PROMPT)
    assert readings[0] == rewrite and short in readings
    readings = extract_readings(f"```python\n{short}```\nOr:\n```python\n{rewrite}```", "total", PROMPT)
    assert readings[0] == rewrite and short not in readings


def test_readings_are_the_program_as_it_stands_and_its_first_answer_too() -> None:
    tests = f"{WHOLE}\nprint(total([1]))\ntotal.done = True\nwarmed = [total([n]) for n in (1, 2)]\n"
    taken, stands = extract_readings(f"```python\n{tests}```", "total", PROMPT)
    assert "print" not in taken and "warmed" not in taken and "total.done" in taken
    assert stands.endswith(tests) and "LIMIT = 100" in stands
    twice = f"{WHOLE}\n\ndef total(numbers):\n    return -1\n"
    in_python, first = extract_readings(f"```python\n{twice}```", "total", PROMPT)
    assert "return -1" in in_python and "return -1" not in first
    blocks = f"```python\n{WHOLE}```\nor\n```python\ndef total(numbers):\n    return -1\n```"
    last, *_, longest = extract_readings(blocks, "total", PROMPT)
    assert "return -1" in last and "return clip(result)" in longest
    assert extract_readings(f"```python\n{WHOLE}```", "total", PROMPT) == [extract_code(WHOLE, "total", PROMPT)]
    assert (
        len(extract_readings(f"import sys\n{WHOLE}\nif __name__ == '__main__':\n    total([])\n", "total", PROMPT)) == 1
    )


HOSTILE = {
    "prose": "It's (a line of prose, isn't it?\n" * 3000,
    "brackets": "x = (\n" * 15_000,
    "definitions": "def total(\n" * 9000,
    "fences": "```\n" * 20_000,
    "blocks": "```python\nx = 1\n```\n" * 4000,
    "names in a chain": "".join(f"a{i} = a{i - 1}\n" for i in range(4000)) + "def total(x): return a3999\n",
    "functions in a chain": "def total(x): return g0()\n"
    + "".join(f"def g{i}(): return g{i + 1}()\n" for i in range(3000)),
    "thoughts": "<think>a</think>" * 6000,
    "decorators": "@a\n" * 20_000,
    "changes": "def total(x): return t\nt = []\n"
    + "".join(f"def g{i}(): t.append(1); g{i + 1}()\ng{i}()\n" for i in range(1500)),
    "a long line": "x = '" + "a" * 300_000 + "'\n",
    "nesting": "(" * 100_000 + "\n" + "-" * 90_000 + "1",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_takes_seconds_at_most(name: str) -> None:
    started = time.process_time()
    assert isinstance(extract_code(HOSTILE[name], "total", PROMPT), str)
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "text", ["", "\n", "(" * 5000, "x = (\n" * 300, "def total(\n" * 300, "```\n" * 99, "\0", "'" * 999]
)
def test_any_text_is_survived(text: str) -> None:
    assert isinstance(extract_code(text, "total", PROMPT), str)


def test_names_bound_and_used() -> None:
    [statement] = find_statements(
        "def f(a, *b, c: T = d, **e):\n    g, (h, i) = a.j(k=l)\n    return [m for m in g if n]\n"
    )
    assert statement.binds == {"f"}
    assert statement.uses == {"T", "d", "l", "n"}
