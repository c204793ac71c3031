"""What a program's process writes by its own hand instead of ours: names of things that must not reach the tests."""

import pytest

from evaluation import Sandbox
from evaluation.scripts import Script, ScriptResult

FORGING = """
import sys
inside = sys.modules['evaluation.sandbox_program']
class Raw:
    def __init__(self, **json): self.json = json
handle = inside._Program.handle
inside._Program.handle = lambda self, value: value.json if isinstance(value, Raw) else handle(self, value)
named = lambda module, name: Raw(q=[module, name])
"""
NEW_CONTENT = "inside._OPERATIONS['content'] = lambda thing: {}\n"
FORGED: dict[str, tuple[str, str]] = {
    "a constant equal to everything": ("def f(x): return named('unittest.mock', 'ANY')", "assert f(1) == 3"),
    "one of the library's own tests": ("def f(x): return named('test.support', 'ALWAYS_EQ')", "assert f(1) == 3"),
    "within a list": ("def f(x): return [1, named('unittest.mock', 'ANY')]", "assert f(1) == [1, 2]"),
    "within an array": ("def f(x): return Raw(o=[[1], [{'q': ['unittest.mock', 'ANY']}]])", "assert f(1) == 3"),
    "as the content of a number": (
        NEW_CONTENT.format("named('unittest.mock', 'ANY')") + "class I(int): pass\ndef f(x): return I(0)",
        "assert f(1) == 3",
    ),
    "as a rounded number": (
        "class F(float):\n    def __round__(self, n=None): return named('unittest.mock', 'ANY')\ndef f(x): return F(0)",
        "assert round(f(1), 2) == 3.14",
    ),
    "a function": ("def f(x): return named('operator', 'truth')", "assert f(1)(3)"),
    "the function that is asked for": ("f = named('operator', 'truth')", "assert f(3)"),
    "a class that loads code": ("f = named('ctypes', 'CDLL')", "assert f(None)"),
    "what is imported from": ("def f(x): return named('sys', 'path')", "assert isinstance(f(1), list)"),
    "a module that the program wrote": (
        "open('/tmp/written.py', 'w').write('three = 3')\nsys.path.insert(0, '/tmp')\n"
        "def f(x): return named('written', '')",
        "assert f(1).three == 3",
    ),
    "a path to import from, then a module": (
        "open('/tmp/written.py', 'w').write('three = 3')\nclass S(str): pass\n"
        + NEW_CONTENT.format("named('written', '')")
        + "def f(x): return named('sys', 'path')\n"
        "def g(path):\n    path[:] = ['/tmp', *path]\n    return S()\n",
        "for _ in range(2):\n    try: found = g(f(1)) == '' or True\n    except Exception: found = False\nassert found",
    ),
    "a private name": ("def f(x): return named('unittest.mock', '_ANY')", "assert f(1)() == 3"),
}
LEFT_OUT = {
    "a forged exception that skips tests": (
        FORGING
        + "inside._Program.describe = lambda self, error: [named('unittest', 'SkipTest'), [], '', error]\n"
        "def f(x): raise ValueError",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(f(1), 3)\n"
        "result = unittest.TestResult()\nT('test').run(result)\nassert result.wasSuccessful()",
    ),
    "a library exception that skips tests": (
        "import unittest\ndef f(x): raise unittest.SkipTest",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(f(1), 3)\n"
        "result = unittest.TestResult()\nT('test').run(result)\nassert result.wasSuccessful()",
    ),
    "leaves a test that catches everything": (
        "import os\ndef f(x): os._exit(0)", "try: f(1)\nexcept BaseException: pass",
    ),
    "leaves a test that fails quietly": (
        "import os\ndef f(x): os.closerange(3, 64)",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self): f(1)\n"
        "try: T('test').debug()\nexcept: pass",
    ),
}  # fmt: skip
NAMED = {
    "classes of data": (
        "import collections, numpy as np\nfrom decimal import Decimal\n"
        "def f(): return [int, type(1j), collections.Counter, Decimal, np.float32, np.ndarray, type([])]",
        "import collections, decimal, numpy as np\n"
        "assert f() == [int, complex, collections.Counter, decimal.Decimal, np.float32, np.ndarray, list]",
    ),
    "classes with other contents": (
        "from collections import UserDict\nfrom itertools import permutations as f\nfrom functools import partial\n"
        "g = UserDict\nh = partial(max, default=0)",
        "assert list(f([1, 2])) == [(1, 2), (2, 1)] and g(a=1)['a'] == 1 and h([]) == 0",
    ),
    "exceptions of the library": (
        "import json, queue\ndef f(text): return json.loads(text)\ndef g(): raise queue.Empty",
        "import json, queue\n"
        "try: f('{')\nexcept json.JSONDecodeError: pass\n"
        "try: g()\nexcept queue.Empty: pass",
    ),
    "modules": ("import math\ndef f(): return math", "assert f().floor(1.5) == 1"),
    "a mock that the program uses": (
        "from unittest.mock import MagicMock\ndef f(): return MagicMock(return_value=3)()", "assert f() == 3",
    ),
}  # fmt: skip


def run(sandbox: Sandbox, code: str, tests: str) -> ScriptResult:
    [(_, result)] = sandbox.run_scripts([0], lambda _: Script(code, tests, 4.0))
    return result


@pytest.mark.parametrize("name", FORGED)
def test_what_may_not_be_named_ends_the_conversation(sandbox: Sandbox, name: str) -> None:
    code, tests = FORGED[name]
    result = run(sandbox, FORGING + code, tests)
    assert result.reason == "exited" and "what was sent is no value" in result.detail, result


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_a_test_does_not_see_fails_all_the_same(sandbox: Sandbox, name: str) -> None:
    assert run(sandbox, *LEFT_OUT[name]).reason in ("exited", "assertion")


@pytest.mark.parametrize("name", NAMED)
def test_honest_names_of_the_library_arrive(sandbox: Sandbox, name: str) -> None:
    result = run(sandbox, *NAMED[name])
    assert result.reason is None, result


def test_the_forgery_is_one_that_is_read(sandbox: Sandbox) -> None:
    code = FORGING + "def f(x): return named('builtins', 'int')"
    assert run(sandbox, code, "assert f(1) is int").reason is None
