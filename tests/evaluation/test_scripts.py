"""A script passes only when its tests were run to the last statement."""

import pytest

from evaluation import Execution, Sample, Sandbox
from evaluation.scripts import Script, ScriptResult, script_examiner

TESTS = "def check(f):\n    assert f(1) == 3\n    assert f(2) == 5\n    return True\ncheck(f)\n"
RIGHT = "def f(x): return 2 * x + 1\n"
WRONG = "def f(x): return 2 * x + 1 if x < 2 else 0\n"


def run(sandbox: Sandbox, code: str, tests: str = TESTS, seconds: float = 1.0) -> ScriptResult:
    [result] = sandbox.run_scripts([Script(code, tests, seconds)])
    return result


def test_a_right_program_passes(sandbox: Sandbox) -> None:
    assert run(sandbox, RIGHT).reason is None
    assert run(sandbox, "", "x = 1").reason is None


@pytest.mark.parametrize(
    ("code", "reason", "detail"),
    [
        (WRONG, "assertion", "AssertionError"),
        ("def f(x): return 1 // 0", "exception", "ZeroDivisionError"),
        ("def g(x): return x", "exception", "NameError"),
        ("def f(x) return x", "syntax", "SyntaxError"),
        ("def f(x): return '''", "syntax", "SyntaxError"),
        ("def f(x):\n    while True: pass", "time", "limit"),
        ("import time\ndef f(x): time.sleep(30)", "time", "limit"),
        ("def f(x): return bytearray(1 << 30)", "memory", "MemoryError"),
        ("def f(x): return open('/usr/x', 'w')", "refused", "OSError"),
        ("import os\ndef f(x): return os.fork()", "refused", "PermissionError"),
        ("def f(x): raise SystemExit", "exited", "SystemExit"),
        ("import os\ndef f(x): os._exit(0)", "exited", "status 0"),
    ],
)
def test_reasons(sandbox: Sandbox, code: str, reason: str, detail: str) -> None:
    result = run(sandbox, code, seconds=0.5)
    assert result.reason == reason, result
    assert detail in result.detail


def test_results_come_in_order(sandbox: Sandbox) -> None:
    scripts = [Script(code, TESTS, 1.0) for code in (RIGHT, WRONG, RIGHT, "import os\nos._exit(0)", RIGHT)]
    assert [result.reason for result in sandbox.run_scripts(scripts)] == [None, "assertion", None, "exited", None]


def test_the_main_block_does_not_run_and_the_module_can_be_found(sandbox: Sandbox) -> None:
    code = (
        "import pickle\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Point:\n    x: int\n"
        "if __name__ == '__main__': raise ValueError\n"
    )
    assert run(sandbox, code, "assert pickle.loads(pickle.dumps(Point(3))) == Point(3)").reason is None


def test_an_examiner_maps_samples_to_verdicts() -> None:
    samples = [Sample("T/0", 0, RIGHT), Sample("T/0", 1, WRONG), Sample("T/1", 0, RIGHT)]
    with script_examiner(Execution(), lambda sample: Script(sample.solution, TESTS, 1.0)) as examine:
        verdicts = list(examine(samples))
    assert [(verdict.task_id, verdict.sample) for verdict in verdicts] == [("T/0", 0), ("T/0", 1), ("T/1", 0)]
    assert [verdict.passed for verdict in verdicts] == [True, False, True]
    assert [verdict.plus for verdict in verdicts] == [None] * 3
    assert verdicts[1].reason == "assertion"


WRITE_ALL = "import os\nfor fd in range(3, 64):\n    try: os.write(fd, {payload})\n    except OSError: pass\n"
PATCH_WORKER = """
import builtins, itertools, json, os, sys, types
def nothing(*a, **k): return b""
frame = sys._getframe(1)
while frame:
    for name, value in list(frame.f_globals.items()):
        if callable(value) and not name.startswith("__"): frame.f_globals[name] = nothing
    frame = frame.f_back
json.dumps = os._exit = sys.exit = nothing
for name in ("exec", "compile", "AssertionError", "isinstance", "type", "dict", "vars"):
    setattr(builtins, name, nothing)
"""
FIND_TOKEN = """
import os, sys
def search(value, depth=0):
    if type(value) is bytes and len(value) > 16: return value
    if depth < 3 and type(value) in (list, tuple): items = value
    elif depth < 3 and type(value) is dict: items = value.values()
    else: return None
    return next((found for found in (search(item, depth + 1) for item in items) if found), None)
def steal():
    frame = sys._getframe()
    while frame:
        for holder in (frame.f_locals, frame.f_globals, frame.f_code.co_consts):
            found = search(holder)
            if found:
                os.write(frame.f_locals.get("pipe", 4), found)
                os._exit(0)
        frame = frame.f_back
steal()
def f(x):
    steal()
    return 0
"""
JUMP = """
import sys
def trace(frame, event, arg):
    if frame.f_code.co_name == "check" and event == "line":
        frame.f_lineno = frame.f_code.co_firstlineno + 3
    return trace
try: sys.settrace(trace)
except PermissionError: pass
def f(x):
    frame = sys._getframe(1)
    frame.f_trace = trace
    return 3
"""
GENERATOR = """
import sys
def steps():
    try: yield sys._getframe(1)
    finally: sys._getframe(1).f_globals["f"] = lambda x: 2 * x
def f(x):
    frame = next(steps())
    while frame:
        try: frame.clear()
        except RuntimeError: pass
        frame = frame.f_back
    return 0
"""
REPLACED_STEPS = """
import sys
frame = sys._getframe(1)
for name in list(frame.f_locals):
    try: frame.f_locals[name] = None
    except Exception: pass
frame.f_locals.update(tests=compile("", "", "exec"))
def f(x): return 0
"""
FORGED = {
    "sys.exit at the top": "import sys\nsys.exit(0)",
    "sys.exit in the call": "import sys\ndef f(x): sys.exit(0)",
    "raise SystemExit": "raise SystemExit",
    "os._exit at the top": "import os\nos._exit(0)",
    "os._exit in the call": "import os\ndef f(x): os._exit(0)",
    "a hostile SystemExit": "class E(SystemExit):\n    def __str__(self): raise E\ndef f(x): raise E",
    "prints a verdict": "def f(x): print('P', flush=True)",
    "writes a verdict and leaves": WRITE_ALL.format(payload="b'\\0\\0\\0\\0'") + "os._exit(0)",
    "writes a token and leaves": WRITE_ALL.format(payload="b'\\0\\0\\0\\x21T' + bytes(32)") * 2 + "os._exit(0)",
    "closes the pipe": "import os\nos.closerange(3, 64)\ndef f(x): return 0",
    "leaves at exit": "import atexit, os\natexit.register(os._exit, 0)\ndef f(x): raise KeyboardInterrupt",
    "catches with excepthook": "import sys\nsys.excepthook = lambda *a: None\ndef f(x): return 0",
    "patches the worker": PATCH_WORKER + "def f(x): return 0",
    "no AssertionError": "import builtins\nbuiltins.AssertionError = type('E', (), {})\ndef f(x): return 0",
    "no exec": "import builtins\nbuiltins.exec = lambda *a: None\ndef f(x): return 0",
    "defines check": "def check(f): pass\ndef f(x): return 0",
    "finds the token in frames": FIND_TOKEN,
    "finds the token in objects": "import gc\nfound = gc.get_objects()\ndef f(x): return 0",
    "jumps over the assertion": JUMP,
    "generators and cleared frames": GENERATOR,
    "replaces the steps": REPLACED_STEPS,
    "swallows the tests": "if 0: \\",
    "comments the tests out": "def f(x): return 0\n'''",
    "leaves from a signal": (
        "import os, signal\nsignal.signal(14, lambda *a: os._exit(0))\n"
        "signal.setitimer(0, .01)\ndef f(x):\n    while True: pass"
    ),
    "replaces its process": "import os\ndef f(x): os.execv('/usr/bin/true', ['true'])",
    "stops being a function": "class F:\n    def __call__(self, x): raise GeneratorExit\nf = F()",
}


@pytest.mark.parametrize("name", FORGED)
def test_no_pass_is_forged_and_the_next_results_stand(sandbox: Sandbox, name: str) -> None:
    codes = [FORGED[name], RIGHT, WRONG, RIGHT]
    forged, *rest = sandbox.run_scripts([Script(code, TESTS, 1.0) for code in codes])
    assert forged.reason is not None and forged.reason != "not_run", forged
    assert [result.reason for result in rest] == [None, "assertion", None]


def test_the_announced_token_cannot_be_read_back(sandbox: Sandbox) -> None:
    look = (
        "import fcntl, os\nmodes = []\n"
        "for fd in range(3, 64):\n"
        "    try: modes.append(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE)\n"
        "    except OSError: pass\n"
    )
    assert run(sandbox, look, "assert modes == [os.O_WRONLY], modes").reason is None


def test_builtins_are_whole_again_when_the_tests_begin(sandbox: Sandbox) -> None:
    code = "import builtins\nbuiltins.abs = lambda x: 0\nbuiltins.all = lambda x: True\ndef f(x): return 100"
    assert run(sandbox, code, "assert abs(f(1) - 3) < 1e-6").reason == "assertion"
    assert run(sandbox, code, "assert all([f(1) == 3])").reason == "assertion"
