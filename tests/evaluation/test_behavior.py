"""Whether two versions of a program return the same on generated arguments."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evaluation import Execution, open_sandbox
from evaluation.arguments import argument_lists, functions_of
from evaluation.behavior import BehaviorCheck
from evaluation.comparison_process import Comparer


@pytest.fixture(scope="module")
def check() -> Iterator[BehaviorCheck]:
    with Comparer() as comparer, open_sandbox(Execution(workers=1, memory_bytes=1 << 30)) as sandbox:
        yield BehaviorCheck(sandbox, comparer, 12)


CASES = {
    "comprehension": ("def f(numbers):\n    out = []\n    for n in numbers:\n        out.append(n * 2)\n    return out",
                      "def f(numbers):\n    return [n * 2 for n in numbers]", "equal"),
    "annotated": ("def f(words: list[str]) -> str:\n    return ''.join(words)",
                  "def f(words: list[str]) -> str:\n    '''Join.'''\n    text = ''\n    for w in words:\n"
                  "        text += w\n    return text", "equal"),
    "cached": ("def f(n: int):\n    return n * n", "import functools\n\n\nKNOWN = {}\n\n\ndef f(n: int):\n"
               "    return KNOWN.setdefault(n, n * n)", "equal"),
    "order": ("def f(numbers):\n    return sorted(numbers)",
              "def f(numbers):\n    return sorted(numbers)[::-1]", "different"),
    "edge": ("def f(text: str):\n    return len(text)", "def f(text: str):\n    return len(text) or None", "different"),
    "type": ("def f(n: int):\n    return n * 2", "def f(n: int):\n    return str(n * 2)", "different"),
    "raises": ("def f(n: int):\n    return n",
               "def f(n: int):\n    if n == 5:\n        raise ValueError\n    return n", "different"),
    "ends": ("def f(n: int):\n    return n", "import os\n\n\ndef f(n: int):\n    os._exit(0)", "different"),
    "broken": ("def f(n: int):\n    return n", "def f(n: int):\n    return nothing", "different"),
    "one of two": ("def f(n: int):\n    return n\n\n\ndef g(n: int):\n    return n",
                   "def f(n: int):\n    return n\n\n\ndef g(n: int):\n    return -n", "different"),
    "random": ("import random\n\n\ndef f(n: int):\n    return random.random()",
               "def f(n: int):\n    return 3", "not_checked"),
    "prints": ("def f(x):\n    print(x)", "def f(x):\n    print('x', x)", "not_checked"),
    "stranger": ("import nothing_like_it\n\n\ndef f(x):\n    return x", "def f(x):\n    return 2", "not_checked"),
    "renamed": ("def f(n: int):\n    return n", "def g(n: int):\n    return -n", "not_checked"),
    "more to give": ("def f(n: int):\n    return n", "def f(n: int, m: int):\n    return m", "not_checked"),
    "class": ("class A:\n    def f(self): return 1", "class A:\n    def f(self): return 2", "not_checked"),
    "no arguments": ("def f():\n    return 1", "def f():\n    return 2", "not_checked"),
    "not Python": ("function f() {}", "function f() { return 1 }", "not_checked"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_versions(check: BehaviorCheck, case: str) -> None:
    before, after, state = CASES[case]
    assert check.start(before, after).result().state == state


def test_arguments_follow_the_signature_and_stay_the_same() -> None:
    code = (
        "def f(count, names: list[str], rate=0.5, *, loud=False):\n    return 1\n\n\n@cache\ndef g(x):\n    return x\n"
    )
    assert list(functions_of(code)) == ["f"]
    signature = functions_of(code)["f"]
    assert signature.parameters == ("count", "names", "rate") and signature.kinds == ("", "list[str]", "float")
    lists = argument_lists(signature, 40)
    assert lists == argument_lists(signature, 40) and len(lists) == 40
    assert all(isinstance(names, list) and isinstance(rate, float) for _, names, rate in lists)
    assert all(isinstance(count, int) for count, _, _ in lists[::2])
