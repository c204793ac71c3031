"""Outputs that keep busy whoever compares them cost their program its verdict, and the examiner nothing."""

import os
import resource
import time

import pytest

from evaluation import Problem, References, ResourceLimits, Sample, Sandbox, Verdict, comparison_process, judge_samples
from evaluation.comparison_process import Comparer, Expectation
from evaluation.values import encode

PROBLEM = Problem("T/0", "def f(x):\n", "f", "    return [x]\n", ([1], [2]), (), "", 0.0)
SLOW: dict[str, str] = {
    "a million tuples, gone through": "return iter([(n,) for n in range(900_000)])",
    "sets in sets": "return iter([frozenset((n, n + 1)) for n in range(400_000)])",
    "long fractions": "import fractions as r\n    return [r.Fraction(3**80_000 + n, 2**100_000) for n in range(300)]",
}


def judge(code: str) -> list[Verdict]:
    with Sandbox(1, ResourceLimits(memory_bytes=2 << 30)) as sandbox:
        codes = (code, "def f(x): return (x,)", "def f(x): return [x]")
        samples = [Sample("T/0", number, text) for number, text in enumerate(codes)]
        return sorted(judge_samples({"T/0": PROBLEM}, samples, References(sandbox), sandbox), key=lambda v: v.sample)


@pytest.mark.parametrize("name", SLOW)
def test_an_output_that_takes_long_to_compare_is_not_right(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison_process, "_SECONDS", 1)
    used = time.process_time()
    slow, wrong, right = judge(f"def f(x):\n    {SLOW[name]}\n")
    assert not slow.passed and slow.reason in ("time", "assertion"), slow
    assert (wrong.reason, right.passed) == ("assertion", True)
    assert time.process_time() - used < 2, "the examiner's own process was busy"


def test_the_time_of_a_comparison_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison_process, "_SECONDS", 1)
    many = encode(iter([(number,) for number in range(900_000)])).encode()
    expectation = Expectation((encode([1]).encode(),) * 9, [[1]] * 9, 0.0, "")
    with Comparer() as comparer:
        found = (comparer.difference(expectation, number, many) for number in range(9))
        assert any(difference and difference.reason == "time" for difference in found)
        assert comparer.difference(expectation, 0, encode([1.0]).encode()) is None


def test_the_memory_of_a_comparison_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison_process, "_MEMORY_BYTES", 128 << 20)
    many = encode(iter([(number,) for number in range(900_000)])).encode()
    expectation = Expectation((encode([1]).encode(),), [[1]], 0.0, "")
    with Comparer() as comparer:
        difference = comparer.difference(expectation, 0, many)
        assert difference is not None and difference.reason == "memory"
        assert comparer.difference(expectation, 0, encode([1.0]).encode()) is None


def test_no_process_is_left_and_none_is_started_for_equal_text() -> None:
    expectation = Expectation((encode([1]).encode(), encode(2).encode()), [[1], [2]], 0.0, "")
    with Comparer() as comparer:
        assert comparer.difference(expectation, 0, encode([1]).encode()) is None
        assert not comparer._processes
        difference = comparer.difference(expectation, 1, encode(3).encode())
        assert difference is not None and difference.detail == "expected 2, got 3"
        [process] = comparer._processes
        number = process._process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
    assert resource.getrlimit(resource.RLIMIT_CPU)[0] == resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("returned", "right"),
    [
        ("np.float32(1 / 3)", True),
        ("np.float64(1 / 3)", True),
        ("np.float32(1 / 3 + 1e-4)", False),
        ("np.float64(1 / 3 + 1e-9)", False),
        ("1 / 3 + 1e-9", True),
        ("np.array([1 / 3])", True),
        ("np.array([1 / 3, 1 / 3])", False),
    ],
)
def test_numbers_of_numpy_get_the_verdict_of_evalplus(sandbox: Sandbox, returned: str, right: bool) -> None:
    third = Problem("T/0", "def f(x):\n", "f", "    return x / 3\n", ([1],), (), "", 0.0)
    code = f"import numpy as np\ndef f(x): return {returned}"
    [verdict] = judge_samples({"T/0": third}, [Sample("T/0", 0, code)], References(sandbox), sandbox)
    assert verdict.passed is right, verdict


@pytest.mark.parametrize(
    ("returned", "right"),
    [
        ("np.array([1])", True),
        ("np.array([[1]])", True),
        ("[np.int64(1)]", True),
        ("[np.array([1])]", True),
        ("np.array([1, 2])", False),
        ("np.array([])", False),
        ("np.array(['1'])", False),
    ],
)
def test_arrays_get_the_verdict_of_evalplus(sandbox: Sandbox, returned: str, right: bool) -> None:
    code = f"import numpy as np\ndef f(x): return {returned} * x if x == 1 else [2]"
    [verdict] = judge_samples({"T/0": PROBLEM}, [Sample("T/0", 0, code)], References(sandbox), sandbox)
    assert verdict.passed is right, verdict
