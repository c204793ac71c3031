"""Programs that attack the examiner fail with a reason, and what is judged after them is judged as before."""

import os
from pathlib import Path

import pytest

from evaluation import MINI_PATH, Problem, References, ResourceLimits, Sample, Sandbox, judge_samples, run_program

PROBLEM = Problem("Hostile/0", "def f(x):\n", "f", "    return x * 2 + 1\n", ([1], [5]), ([7],), "", 0.0)

EQUAL_TO_ALL = """
class Any(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __index__(self): return 3
    __hash__ = int.__hash__
def f(x): return Any(0)
"""
ANSWERS_AND_EXITS = """
import os
for fd in range(3, 64):
    try: os.write(fd, {payload!r})
    except OSError: pass
def f(x): os._exit(0)
"""
MONKEYPATCHES = """
import builtins, json, os, sys
builtins.isinstance = lambda *a: True
json.dumps = lambda *a, **k: "true"
os._exit = lambda *a: None
sys.exit = lambda *a: None
for module in list(sys.modules.values()):
    for name in ("encode", "encode_output", "accepts", "judge"):
        if hasattr(module, name): setattr(module, name, lambda *a: "true")
def f(x): return None
"""
WALKS_THE_STACK = """
import sys
frame = sys._getframe()
found = []
while frame:
    found.append(sorted(frame.f_locals))
    for name in list(frame.f_globals):
        if name in ("failure", "_reply", "_describe_end"): frame.f_globals[name] = lambda *a: b"V3"
    frame = frame.f_back
def f(x): raise ValueError
"""
PTRACE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(16, os.getppid(), 0, 0) != 0: raise PermissionError(ctypes.get_errno(), "ptrace")
def f(x): return x * 2 + 1
"""
CRASHES = "import ctypes\ndef f(x): return ctypes.string_at(0)"
CLOSES_ALL = "import os, time\nos.closerange(0, 64)\ndef f(x): time.sleep(30)"

HOSTILE: dict[str, tuple[str, set[str]]] = {
    "nests an iterator": (
        "def f(x):\n    for _ in range(400): x = iter([x])\n    return x",
        {"assertion"},
    ),
    "sys.exit at the top": ("import sys\nsys.exit(0)", {"exited"}),
    "sys.exit in the call": ("import sys\ndef f(x): sys.exit(0)", {"exited"}),
    "os._exit at the top": ("import os\nos._exit(0)", {"exited"}),
    "os._exit in the call": ("import os\ndef f(x): os._exit(0)", {"exited"}),
    "prints a verdict": ("print('PASS', flush=True)\ndef f(x): print('{\"plus\": true}')", {"assertion"}),
    "forges whole messages": (ANSWERS_AND_EXITS.format(payload=b"\0\0\0\0" + b"\0\0\0\x05Vtrue" * 3), {"assertion"}),
    "forges nonsense": (ANSWERS_AND_EXITS.format(payload=b"\0\0\0\0" + b"\0\0\0\x03XX}" * 3), {"exited"}),
    "forges nonsense as a value": (
        ANSWERS_AND_EXITS.format(payload=b"\0\0\0\0" + b"\0\0\0\x04V[1}" * 3),
        {"assertion"},
    ),
    "forges a huge message": (ANSWERS_AND_EXITS.format(payload=b"\xff\xff\xff\xff"), {"memory"}),
    "equal to everything": (EQUAL_TO_ALL, {"assertion"}),
    "monkeypatches": (MONKEYPATCHES, {"assertion", "exception", "exited"}),
    "patches the worker's names": (WALKS_THE_STACK, {"assertion"}),
    "fork bomb": ("import os\ndef f(x):\n    while True: os.fork()", {"refused"}),
    "patient fork bomb": (
        "import os\ndef f(x):\n    while True:\n        try: os.fork()\n        except OSError: pass",
        {"time"},
    ),
    "thread bomb": (
        "import threading, time\ndef f(x):\n    while True: threading.Thread(target=time.sleep, args=[9]).start()",
        {"exception", "time"},  # a thread that finds no memory may never say that it has begun
    ),
    "threads that fork": (
        "import os, threading\ndef f(x):\n    t = threading.Thread(target=os.fork)\n    t.start(); t.join()",
        {"assertion"},
    ),
    "starts a program": ("import subprocess\ndef f(x): return subprocess.run(['/usr/bin/true'])", {"refused"}),
    "replaces itself": ("import os\ndef f(x): os.execv('/usr/bin/true', ['true'])", {"refused"}),
    "memory bomb": ("def f(x):\n    held = []\n    while True: held.append(bytearray(1 << 26))", {"memory"}),
    "huge number": ("def f(x): return 10 ** 10 ** 10", {"time", "memory"}),
    "endless output": ("def f(x):\n    while True: print('x' * 10000)", {"time"}),
    "output too large": ("def f(x): return 'x' * (1 << 22)", {"assertion"}),
    "infinite loop": ("def f(x):\n    while True: pass", {"time"}),
    "swallows everything": (
        "def f(x):\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
        {"time"},
    ),
    "ignores signals": (
        "import signal, time\nfor s in (2, 15, 24): signal.signal(s, signal.SIG_IGN)\ndef f(x):\n    while True: pass",
        {"time"},
    ),
    "sleeps with the pipe held": ("import time\ndef f(x): time.sleep(30)", {"time"}),
    "closes all descriptors": (CLOSES_ALL, {"exited"}),
    "opens a socket": ("import socket\ndef f(x): return socket.create_connection(('127.0.0.1', 22), 1)", {"refused"}),
    "resolves a name": ("import socket\ndef f(x): return socket.gethostbyname('example.com')", {"refused"}),
    "writes a big file": (
        "def f(x):\n    with open('/tmp/big', 'wb') as file:\n        while True: file.write(bytes(1 << 20))",
        {"refused"},
    ),
    "fills the scratch folder": (
        "def f(x):\n    for n in range(99):\n        with open(f'/tmp/{n}', 'wb') as file: file.write(bytes(1 << 23))",
        {"refused"},
    ),
    "writes outside": ("def f(x): open('/usr/lib/x', 'w')", {"refused"}),
    "writes into the root": ("def f(x): open('/x', 'w')", {"refused"}),
    "kills its parent": ("import os\ndef f(x): os.kill(os.getppid(), 9)", {"refused"}),
    "kills everything": ("import os\ndef f(x): os.kill(-1, 9)", {"refused"}),
    "traces its parent": (PTRACE, {"refused"}),
    "starves its parent": (
        "import os, resource\ndef f(x): resource.prlimit(os.getppid(), resource.RLIMIT_AS, (0, 0))",
        {"refused"},
    ),
    "raises its own limits": (
        "import resource\ndef f(x): resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        {"refused", "exception"},
    ),
    "crashes the interpreter": (CRASHES, {"exited"}),
    "deep recursion": (
        "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(x): return f(x)",
        {"memory", "time", "exited"},
    ),
    "deeply nested output": (
        "def f(x):\n    held = []\n    for _ in range(10 ** 5): held = [held]\n    return held",
        {"assertion"},
    ),
    "output that holds itself": ("def f(x):\n    held = []\n    held.append(held)\n    return held", {"assertion"}),
    "exception with a hostile text": (
        "class Bad(Exception):\n    def __str__(self): raise SystemExit\ndef f(x): raise Bad",
        {"exception"},
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_program_fails_and_the_next_verdicts_stand(sandbox: Sandbox, name: str) -> None:
    code, reasons = HOSTILE[name]
    honest = PROBLEM.prompt + PROBLEM.canonical_solution
    wrong = PROBLEM.prompt + "    return x\n"
    codes = [code, honest, wrong, honest, wrong]
    samples = [Sample("Hostile/0", number, text) for number, text in enumerate(codes)]
    judged = judge_samples({"Hostile/0": PROBLEM}, samples, References(sandbox), sandbox)
    verdicts = sorted(judged, key=lambda verdict: verdict.sample)
    assert not verdicts[0].base and not verdicts[0].plus
    assert verdicts[0].reason in reasons, verdicts[0]
    assert [verdict.plus for verdict in verdicts[1:]] == [True, False, True, False]


def test_nothing_of_the_outside_can_be_read(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch()
    monkeypatch.setenv("SECRET_OF_THE_TEST", "hidden")
    code = (
        "import os\n"
        "def f(path):\n"
        "    return os.path.exists(path) or 'SECRET_OF_THE_TEST' in os.environ or os.path.exists('/proc/self')\n"
    )
    paths = ["/etc/passwd", str(secret), "/var/log", str(Path(__file__)), str(MINI_PATH), os.getcwd()]
    outcomes = run_program(sandbox, code, "f", [[path] for path in paths])
    assert [outcome.value for outcome in outcomes] == [False] * len(paths)


def test_nothing_is_left_in_the_scratch_folder(sandbox: Sandbox) -> None:
    leave = (
        "import os\ndef f(x):\n    os.makedirs('/tmp/a/b')\n    open('/tmp/a/b/c', 'w')\n    os.chmod('/tmp/a', 0)\n"
    )
    look = "import os\ndef f(x): return os.listdir('/tmp')"
    for _ in range(2):
        run_program(sandbox, leave, "f", [[1]])
        assert [run_program(sandbox, look, "f", [[1]])[0].value for _ in range(2)] == [[], []]


MANY_FILES = {
    "empty files": "open(f'/tmp/{n}', 'w').close()",
    "hard links": "os.link('/tmp/first', f'/tmp/{n}')",
    "symbolic links": "os.symlink('x', f'/tmp/{n}')",
    "folders": "os.mkdir(f'/tmp/{n}')",
    "nested folders": "os.mkdir('d'); os.chdir('d')",
    "named pipes": "os.mkfifo(f'/tmp/{n}')",
}


@pytest.mark.parametrize("name", MANY_FILES)
def test_a_program_that_makes_files_by_the_million_takes_no_time_of_the_next(name: str) -> None:
    greedy = (
        "import os\nopen('/tmp/first', 'w').close()\ndef f(x):\n    n = 0\n    try:\n        while True:\n"
        f"            {MANY_FILES[name]}\n            n += 1\n    except OSError: return n\n"
    )
    short = "import time\ndef f(x):\n    return x"
    with Sandbox(1, ResourceLimits(grace_seconds=0.5)) as small:
        [made] = run_program(small, greedy, "f", [[1]], 30.0)
        assert made.reason is None and 500 < int(str(made.value)) < 5000
        for _ in range(2):
            [outcome] = run_program(small, short, "f", [[1]], 0.2)
            assert outcome.value == 1


def test_a_sandbox_that_is_not_clean_at_once_is_thrown_away() -> None:
    held = "import os\ndef f(x):\n    for n in range(1200):\n        os.mkdir('d')\n        os.chdir('d')\n    return 1"
    with Sandbox(1) as small:
        before = small._processes[0]._process.pid
        assert run_program(small, held, "f", [[1]])[0].value == 1
        [outcome] = run_program(small, "import os\ndef f(x): return os.listdir('/tmp')", "f", [[1]])
        assert outcome.value == [] and small._processes[0]._process.pid != before


def test_no_capability_is_left_to_a_program(sandbox: Sandbox) -> None:
    code = (
        "import ctypes\nlibc = ctypes.CDLL(None)\n"
        "def f(x):\n    data = bytes(24)\n    libc.capget(b'\\x22\\x05\\x08\\x20' + bytes(4), data)\n"
        "    return [data, [libc.prctl(23, number, 0, 0, 0) for number in range(40)]]\n"
    )
    [outcome] = run_program(sandbox, code, "f", [[1]])
    assert outcome.value == [bytes(24), [0] * 40]
