"""Runs return values or reasons, in order, each input on its own."""

import contextlib
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evaluation import Outcome, Program, ResourceLimits, Sandbox, SandboxUnavailable, run_program

REPOSITORY = Path(__file__).parents[2]


def run(sandbox: Sandbox, code: str, *inputs: list[object], seconds: float = 1.0) -> tuple[Outcome, ...]:
    return run_program(sandbox, code, "f", inputs or ([1],), seconds)


def test_values_come_back_with_their_types(sandbox: Sandbox) -> None:
    code = "def f(x): return [None, True, 1, 1.5, 'é', b'x', (1,), {1: {2}}, frozenset([3]), 1j, 10 ** 5000]"
    [outcome] = run(sandbox, code)
    assert outcome.value == [None, True, 1, 1.5, "é", b"x", (1,), {1: {2}}, frozenset([3]), 1j, 10**5000]


def test_each_input_is_decoded_afresh(sandbox: Sandbox) -> None:
    shared: list[object] = [3, 1, 2]
    first, second = run(sandbox, "def f(x):\n    x.append(0)\n    return x", [shared], [shared])
    assert first.value == second.value == [3, 1, 2, 0]
    assert shared == [3, 1, 2]


@pytest.mark.parametrize(
    ("code", "reason", "detail"),
    [
        ("def f(x) return x", "syntax", "SyntaxError"),
        ("def f(x): return '\0'", "syntax", "null bytes"),
        ("def g(x): return x", "missing", "no function named f"),
        ("f = 3", "missing", "f"),
        ("def f(x): return 1 // 0", "exception", "ZeroDivisionError"),
        ("import absent_module\ndef f(x): return x", "exception", "ModuleNotFoundError"),
        ("def f(x): return f(x)", "exception", "RecursionError"),
        ("def f(x):\n    while True: pass", "time", "limit"),
        ("def f(x): return bytearray(1 << 30)", "memory", "MemoryError"),
        ("def f(x): return 'x' * (1 << 21)", "memory", "over the limit"),
        ("def f(x): return input()", "exception", "EOFError"),
    ],
)
def test_reasons(sandbox: Sandbox, code: str, reason: str, detail: str) -> None:
    [outcome] = run(sandbox, code, seconds=0.5)
    assert (outcome.reason, outcome.value) == (reason, None)
    assert detail in outcome.detail


def test_an_exception_ends_one_input_and_a_timeout_ends_the_program(sandbox: Sandbox) -> None:
    code = "def f(x):\n    while x == 3: pass\n    return 6 // x"
    outcomes = run(sandbox, code, [2], [0], [1], [3], [6], seconds=0.3)
    assert [outcome.reason for outcome in outcomes] == [None, "exception", None, "time", "not_run"]
    assert 0.3 <= outcomes[3].seconds < 2


def test_the_time_of_a_whole_program_is_capped() -> None:
    code = "import time\ndef f(x):\n    end = time.process_time() + 0.2\n    while time.process_time() < end: pass"
    with Sandbox(1, ResourceLimits(patience=50.0)) as patient:
        [result] = patient.run([Program(code, "f", [[1]] * 20, [1.0] * 20, total_seconds=0.5)])
    assert [outcome.reason for outcome in result.outcomes][:4] == [None, None, "time", "not_run"]


def test_sleepers_are_ended_by_the_wall_clock(sandbox: Sandbox) -> None:
    [outcome] = run(sandbox, "import time\ndef f(x): time.sleep(30)", seconds=0.1)
    assert outcome.reason == "time"
    assert 0.2 <= outcome.seconds < 5


@pytest.mark.parametrize("top_level", ["while True: pass", "import time\ntime.sleep(30)"])
def test_the_top_level_has_a_limit_of_its_own(top_level: str) -> None:
    with Sandbox(workers=1, limits=ResourceLimits(load_seconds=0.25)) as strict:
        [outcome] = run(strict, top_level)
        assert outcome.reason == "time"


def test_outputs_together_are_capped() -> None:
    with Sandbox(workers=1, limits=ResourceLimits(total_output_bytes=1000)) as small:
        outcomes = run(small, "def f(x): return 'x' * 400", [1], [2], [3], [4])
        assert [outcome.reason for outcome in outcomes] == [None, None, "memory", "not_run"]
        assert run(small, "def f(x): return x")[0].value == 1


def test_results_keep_the_order_of_the_programs(sandbox: Sandbox) -> None:
    code = "import time\ndef f(x):\n    time.sleep(x / 50)\n    return x"
    programs = [Program(code, "f", [[number]], [2.0]) for number in (5, 1, 4, 0, 2)]
    assert [result.outcomes[0].value for result in sandbox.run(programs)] == [5, 1, 4, 0, 2]


def test_installed_packages_can_be_imported_and_numpy_scalars_are_numbers(sandbox: Sandbox) -> None:
    pytest.importorskip("numpy")
    [outcome] = run(sandbox, "import numpy\ndef f(x): return [numpy.int64(x), numpy.zeros(2)]", seconds=5)
    assert isinstance(outcome.value, list)
    assert outcome.value[0] == 1
    assert repr(outcome.value[1]) == "array([0., 0.])"


def test_a_program_without_inputs_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Program("def f(): pass", "f", [], [])


def test_leaving_early_gives_up_the_programs_in_progress() -> None:
    started = time.monotonic()
    with Sandbox(workers=2) as early:
        hang = Program("def f(x):\n    while True: pass", "f", [[1]], [30.0])
        results = early.run([Program("def f(x): return x", "f", [[1]], [1.0]), *[hang] * 5])
        assert next(results).outcomes[0].value == 1
    assert time.monotonic() - started < 5


def test_a_closed_sandbox_is_refused() -> None:
    with pytest.raises(RuntimeError, match="inside 'with'"):
        Sandbox().run([])


def test_a_killed_worker_is_replaced_and_the_program_run_again(sandbox: Sandbox) -> None:
    assert run(sandbox, "def f(x): return x")[0].value == 1
    for process in sandbox._processes:
        process._process.kill()
    assert [run(sandbox, "def f(x): return x")[0].value for _ in range(3)] == [1, 1, 1]


def _descendants(process_id: int) -> list[int]:
    children = Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()
    return [found for child in map(int, children) for found in (child, *_descendants(child))]


def test_a_stuck_worker_is_killed_at_the_hard_limit() -> None:
    with Sandbox(workers=1, limits=ResourceLimits(load_seconds=0.2, grace_seconds=0.2)) as stuck:
        [process] = stuck._processes
        inside = _descendants(process._process.pid)
        for process_id in inside:
            with contextlib.suppress(ProcessLookupError):  # the fork that ran the first program may just end
                os.kill(process_id, signal.SIGSTOP)
        [outcome] = run(stuck, "def f(x): return x", seconds=0.1)
        assert outcome.reason == "time"
        assert run(stuck, "def f(x): return x")[0].value == 1
    _wait_until_gone(inside)


def test_the_sandbox_dies_with_its_owner() -> None:
    code = (
        "import time\nfrom evaluation import Sandbox\n"
        "with Sandbox(workers=1) as s:\n"
        "    print(s._processes[0]._process.pid, flush=True)\n    time.sleep(60)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert owner.stdout is not None
    inside = [int(owner.stdout.readline())]
    inside += _descendants(inside[0])
    owner.kill()
    owner.wait()
    owner.stdout.close()
    _wait_until_gone(inside)


def _wait_until_gone(process_ids: list[int]) -> None:
    assert process_ids
    deadline = time.monotonic() + 5
    while any(_is_running(process_id) for process_id in process_ids):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _is_running(process_id: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process_id}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_missing_bubblewrap_names_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match="apt-get install bubblewrap"), Sandbox():
        pass


def test_refused_user_namespaces_are_one_clear_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(SandboxUnavailable) as caught, Sandbox():
        pass
    message = str(caught.value)
    assert "No permissions to create new namespace" in message
    assert "allow user namespaces" in message
    assert "\n" not in message


def test_deep_recursion_through_a_cache_has_room(sandbox: Sandbox) -> None:
    code = (
        "import functools, sys\nsys.setrecursionlimit(10**6)\n"
        "@functools.cache\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)\n"
    )
    [outcome] = run_program(sandbox, code, "f", [[60_000]])
    assert outcome.value == 60_000, outcome


def test_long_integers_leave_the_sandbox_but_are_no_text_inside(sandbox: Sandbox) -> None:
    outcomes = run_program(sandbox, "def f(x): return 10**9999 if x else str(10**9999)", "f", [[1], [0]])
    assert outcomes[0].value == 10**9999
    assert outcomes[1].reason == "exception" and "ValueError" in outcomes[1].detail
