"""Verdicts tell base from plus and name the reason; outputs are compared as EvalPlus compares them."""

from dataclasses import replace
from pathlib import Path

import pytest

from evaluation import BenchmarkError, Problem, References, Sample, Sandbox, Verdict, judge_samples

DOUBLE = Problem("T/0", "def f(x):\n", "f", "    return 2 * x\n", ([1], [2]), ([0], [-3]), "", 0.0)


def judge_one(problem: Problem, code: str, sandbox: Sandbox) -> Verdict:
    samples = [Sample(problem.task_id, 0, code)]
    [verdict] = judge_samples({problem.task_id: problem}, samples, References(sandbox), sandbox)
    return verdict


@pytest.mark.parametrize(
    ("body", "base", "plus", "reason", "detail"),
    [
        ("return x + x", True, True, None, ""),
        ("return abs(2 * x)", True, False, "assertion", "input 3: expected -6, got 6"),
        ("return 2 * x if x else [][0]", True, False, "exception", "input 2: IndexError: list index out of range"),
        ("return 2 if x < 2 else 5", False, False, "assertion", "input 1: expected 4, got 5"),
        ("return str(x) * 3000", False, False, "assertion", "input 0: expected 2, got '1111"),
        ("return 10 ** 9999", False, False, "assertion", "a very long number"),
        ("import os; os._exit(0)", False, False, "exited", "status 0"),
    ],
)
def test_verdicts(sandbox: Sandbox, body: str, base: bool, plus: bool, reason: str | None, detail: str) -> None:
    verdict = judge_one(DOUBLE, f"def f(x):\n    {body}\n", sandbox)
    assert (verdict.base, verdict.plus, verdict.reason) == (base, plus, reason)
    assert detail in verdict.detail


def test_a_failure_on_plus_inputs_alone_is_not_hidden_by_a_pass_on_base(sandbox: Sandbox) -> None:
    wrong_on_base = "def f(x):\n    return 2 * x if x != 1 else 0\n"
    verdict = judge_one(DOUBLE, wrong_on_base, sandbox)
    assert (verdict.base, verdict.plus) == (False, False)


def test_samples_must_fit_the_benchmark(sandbox: Sandbox) -> None:
    with pytest.raises(BenchmarkError, match="do not fit the suite: it has no task T/1; its tasks are T/0"):
        list(judge_samples({"T/0": DOUBLE}, [Sample("T/1", 0, "x")], References(sandbox), sandbox))


def test_a_failing_canonical_solution_is_the_benchmarks_fault(sandbox: Sandbox) -> None:
    broken = Problem("T/9", "def f(x):\n", "f", "    return 1 / x\n", ([0],), (), "", 0.0)
    with pytest.raises(BenchmarkError, match="T/9: its canonical solution fails: exception: ZeroDivisionError"):
        judge_one(broken, "x", sandbox)


def test_base_and_plus_inputs_share_no_state(sandbox: Sandbox) -> None:
    counting = "calls = []\ndef f(x):\n    calls.append(x)\n    return 2 * x if len(calls) <= 2 else 0\n"
    assert judge_one(DOUBLE, counting, sandbox).passed


def test_a_tolerance_once_on_stays_on_but_not_from_base_to_plus(sandbox: Sandbox) -> None:
    mixed = replace(DOUBLE, canonical_solution="    return [2.0, [x, 0.5]][x > 1]\n", plus_input=())
    close = "def f(x):\n    return [2.0, [x, 0.5000001]][x > 1]\n"
    assert judge_one(mixed, close, sandbox).passed
    apart = replace(mixed, base_input=([1],), plus_input=([2],))
    verdict = judge_one(apart, close, sandbox)
    assert (verdict.base, verdict.plus) == (True, False)


@pytest.mark.parametrize(
    ("oracle", "canonical", "answer", "passes"),
    [
        ("similar_elements", "return [x, 3]", "return (i for i in (3, x, 3))", True),
        ("similar_elements", "return [x, 3]", "return {x}", False),
        ("similar_elements", "return [x, 3]", "return [x, 3] * 99", True),
        ("similar_elements", "return [x, 3]", "return [i * (2**61 - 1) for i in range(100000)]", False),
        ("similar_elements", "return [x, 3]", "return [[x], 3]", False),
        ("similar_elements", "return [x + 0.5, 3.5]", "return [x + 0.5000000001, 3.5]", True),
        ("similar_elements", "return [x + 0.5, 3.5]", "return [3.5, x + 0.5000000001]", False),
        ("check_str", "import re; return re.match('1', str(x))", "return x == 1", True),
        ("check_str", "import re; return re.match('1', str(x))", "return 'found' if x == 1 else None", True),
        ("check_str", "import re; return re.match('1', str(x))", "return x != 1", False),
        ("sum_div", "return x", "return 0", True),
        ("sum_div", "return x", "return 7", False),
    ],
)
def test_rules_of_their_own(sandbox: Sandbox, oracle: str, canonical: str, answer: str, passes: bool) -> None:
    problem = replace(DOUBLE, canonical_solution=f"    {canonical}\n", oracle=oracle)
    assert judge_one(problem, f"def f(x):\n    {answer}\n", sandbox).passed is passes


def test_any_root_of_the_polynomial_is_right(sandbox: Sandbox) -> None:
    roots = Problem("T/1", "def f(xs):\n", "f", "    return 1.0\n", ([[1, 0, -1]],), (), "", 1e-4, "find_zero")
    assert judge_one(roots, "def f(xs):\n    return -1\n", sandbox).passed
    assert not judge_one(roots, "def f(xs):\n    return 0.5\n", sandbox).passed


def test_outputs_of_hundreds_of_megabytes_are_compared_by_digest(sandbox: Sandbox) -> None:
    long = replace(DOUBLE, canonical_solution="    return [x] * 900_000\n", plus_input=())
    assert judge_one(long, "def f(x):\n    return [x for _ in range(900_000)]\n", sandbox).passed
    verdict = judge_one(long, "def f(x):\n    return [x] * 900_001\n", sandbox)
    assert verdict.reason == "assertion"


def test_references_are_kept_in_a_folder_and_a_damaged_one_is_made_anew(sandbox: Sandbox, tmp_path: Path) -> None:
    def judge_with(folder: Path) -> bool:
        samples = [Sample("T/0", 0, "def f(x):\n    return 2 * x\n")]
        [verdict] = judge_samples({"T/0": DOUBLE}, samples, References(sandbox, folder), sandbox)
        return verdict.passed

    assert judge_with(tmp_path)
    [kept] = tmp_path.iterdir()
    assert judge_with(tmp_path)
    kept.write_text(kept.read_text().replace('"2"', '"3"'))
    assert not judge_with(tmp_path), "the kept outputs are what is compared with"
    kept.write_text("{")
    assert judge_with(tmp_path)
