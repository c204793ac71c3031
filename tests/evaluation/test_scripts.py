"""A script passes only when its tests were run to the last statement."""

import contextlib
import shutil
import sys
from pathlib import Path

import pytest

from evaluation import BenchmarkError, Execution, ResourceLimits, Sample, Sandbox, SandboxUnavailable, run_program
from evaluation.execution import open_sandbox
from evaluation.interpreter import inspect_interpreter
from evaluation.sandbox_process import Runtime
from evaluation.scripts import Script, ScriptResult, script_examiner

TESTS = "def check(f):\n    assert f(1) == 3\n    assert f(2) == 5\n    return True\ncheck(f)\n"
RIGHT = "def f(x): return 2 * x + 1\n"
WRONG = "def f(x): return 2 * x + 1 if x < 2 else 0\n"


def run(sandbox: Sandbox, code: str, tests: str = TESTS, seconds: float = 1.0) -> ScriptResult:
    [result] = run_all(sandbox, [Script(code, tests, seconds)])
    return result


def run_all(sandbox: Sandbox, scripts: list[Script]) -> list[ScriptResult]:
    results = dict(sandbox.run_scripts(range(len(scripts)), scripts.__getitem__))
    return [results[number] for number in range(len(scripts))]


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


def test_each_script_has_its_own_result(sandbox: Sandbox) -> None:
    scripts = [Script(code, TESTS, 1.0) for code in (RIGHT, WRONG, RIGHT, "import os\nos._exit(0)", RIGHT)]
    assert [result.reason for result in run_all(sandbox, scripts)] == [None, "assertion", None, "exited", None]


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
        verdicts = sorted(examine(samples), key=lambda verdict: (verdict.task_id, verdict.sample))
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
    "StopIteration at the top": "raise StopIteration",
    "StopIteration in the call": "def f(x): return next(n for n in [] if n > x)",
    "StopIteration of its own": "class End(StopIteration): pass\ndef f(x): raise End",
    "StopAsyncIteration": "def f(x): raise StopAsyncIteration",
    "GeneratorExit": "def f(x): raise GeneratorExit",
    "stops being a function": "class F:\n    def __call__(self, x): raise GeneratorExit\nf = F()",
}


@pytest.mark.parametrize("name", FORGED)
def test_no_pass_is_forged_and_the_next_results_stand(sandbox: Sandbox, name: str) -> None:
    codes = [FORGED[name], RIGHT, WRONG, RIGHT]
    forged, *rest = run_all(sandbox, [Script(code, TESTS, 1.0) for code in codes])
    assert forged.reason is not None and forged.reason != "not_run", forged
    assert [result.reason for result in rest] == [None, "assertion", None]


def test_a_program_has_no_descriptor_but_its_link(sandbox: Sandbox) -> None:
    look = (
        "import fcntl, os\nmodes = []\n"
        "for fd in range(3, 64):\n"
        "    try: modes.append(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE)\n"
        "    except OSError: pass\n"
    )
    assert run(sandbox, look, "import os\nassert modes == [os.O_RDONLY, os.O_WRONLY], modes").reason is None


def test_builtins_are_whole_again_when_the_tests_begin(sandbox: Sandbox) -> None:
    code = "import builtins\nbuiltins.abs = lambda x: 0\nbuiltins.all = lambda x: True\ndef f(x): return 100"
    assert run(sandbox, code, "assert abs(f(1) - 3) < 1e-6").reason == "assertion"
    assert run(sandbox, code, "assert all([f(1) == 3])").reason == "assertion"


def test_the_limit_grows_with_the_reference() -> None:
    tests = "f()"
    busy = "import time\ndef f():\n    end = time.process_time() + {}\n    while time.process_time() < end: pass\n"
    slow, slower, slowest = busy.format(0.3), busy.format(0.6), busy.format(2.5)
    scripts = [Script(code, tests, 0.2, slow) for code in (slow, slower, slowest)]
    with Sandbox(1, ResourceLimits(patience=50.0)) as patient:
        assert [result.reason for result in run_all(patient, scripts)] == [None, None, "time"]
        assert run(patient, slow, tests, 0.2).reason == "time"


def test_without_isolation_the_limits_hold_and_bubblewrap_is_not_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    codes = {
        RIGHT: None,
        WRONG: "assertion",
        "def f(x):\n    while True: pass": "time",
        "def f(x): return bytearray(1 << 29)": "memory",
        "import os\nos._exit(0)": "exited",
    }
    execution = Execution(memory_bytes=1 << 28, unsandboxed=True)
    with script_examiner(execution, lambda sample: Script(sample.solution, TESTS, 0.5)) as examine:
        samples = [Sample("T/0", index, code) for index, code in enumerate(codes)]
        verdicts = sorted(examine(samples), key=lambda verdict: verdict.sample)
    assert [verdict.reason for verdict in verdicts] == list(codes.values())
    with pytest.raises(SandboxUnavailable), script_examiner(Execution(), lambda sample: Script("", "", 1.0)):
        pass


def test_programs_run_without_isolation_in_a_folder_that_goes_away() -> None:
    code = "import os\ndef f(x):\n    open('left', 'w')\n    return os.getcwd()"
    with open_sandbox(Execution(workers=1, unsandboxed=True)) as plain:
        folders = [run_program(plain, code, "f", [[1]])[0].value for _ in range(2)]
        [look] = run_program(plain, "import os\ndef f(x): return os.listdir()", "f", [[1]])
        assert look.value == []
    assert isinstance(folders[0], str)
    assert folders[0] == folders[1] and not Path(folders[0]).exists()


def test_modules_are_loaded_once_and_threads_run_where_allowed() -> None:
    code = (
        "import sys\nassert 'colorsys' in sys.modules\n"
        "import threading\nseen = []\nthread = threading.Thread(target=seen.append, args=(3,))\n"
        "thread.start()\nthread.join()\ndef f(x): return seen[0] if x == 1 else 5"
    )
    fork = "import os\ndef f(x): return os.fork()"
    limits = ResourceLimits(memory_bytes=64 << 20)
    greedy = "def f(x): return bytearray(1 << 27)"
    with Sandbox(1, limits, Runtime(preload=("colorsys",), threads=True)) as threaded:
        results = run_all(threaded, [Script(each, TESTS, 1.0) for each in (code, fork, greedy)])
        assert [result.reason for result in results] == [None, "refused", "memory"]


def test_a_module_that_cannot_be_loaded_is_one_clear_sentence() -> None:
    with pytest.raises(SandboxUnavailable, match="No module named 'absent_module'$"):
        Sandbox(1, runtime=Runtime(preload=("absent_module",))).__enter__()


def other_python() -> Path:
    for name in ("python3.10", "python3.12", "python3.13"):
        found = shutil.which(name)
        with contextlib.suppress(BenchmarkError):
            if found and sys.version_info[:2] != tuple(map(int, name[6:].split("."))):
                inspect_interpreter(Path(found))
                return Path(found)
    pytest.skip("no other Python here")


def test_another_interpreter_runs_the_scripts() -> None:
    with Sandbox(1, runtime=Runtime(python=other_python())) as other:
        tests = f"import sys\nassert sys.version_info[:2] != {sys.version_info[:2]}\n" + TESTS
        assert [run(other, code, tests).reason for code in (RIGHT, WRONG)] == [None, "assertion"]
        assert [run(other, code).reason is None for code in FORGED.values()] == [False] * len(FORGED)
