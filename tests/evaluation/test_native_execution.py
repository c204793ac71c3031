"""Programs of other languages: honest ones pass, wrong ones fail, hostile ones fail with a reason and do no harm."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from evaluation.errors import BenchmarkError, SandboxUnavailable
from evaluation.native.cpp import Cpp
from evaluation.native.golang import Go
from evaluation.native.interpreted import JavaScript
from evaluation.native.runner import TestedProgram, TestResult, open_runner
from evaluation.native.rust import Rust
from evaluation.native.toolchain import Places, Task, Toolchain
from evaluation.suite import Execution
from evaluation.toolchains import missing
from tests.evaluation.native_programs import CASES

SECONDS = 0.7
SECRET = "in the caller's folder"


def _cases() -> Iterator[object]:
    for language in CASES:
        code = "stretchr/testify" if language == "go" else ""
        reason = missing(language, code)
        yield pytest.param(language, marks=pytest.mark.skipif(bool(reason), reason=reason))


@pytest.mark.parametrize("language", _cases())
def test_only_right_programs_pass(language: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    case = CASES[language]
    programs = [case.right, case.wrong, *(text for text, _ in case.hostile.values()), case.right]
    programs = [case.before + text.replace("{secret}", str(secret)) for text in programs]
    results = run_all(case.toolchain(), programs, case.task, Execution(memory_bytes=256 << 20), _seconds(language))
    first, wrong, *hostile, last = results
    assert (first.reason, last.reason) == (None, None), (first, last)
    assert wrong.reason == "assertion", wrong
    unexpected = {
        name: result
        for (name, (_, reasons)), result in zip(case.hostile.items(), hostile, strict=True)
        if result.reason not in reasons
    }
    assert not unexpected
    assert not any(SECRET in result.detail for result in hostile)


def run_all(
    toolchain: Toolchain, programs: Sequence[str], task: Task, execution: Execution, seconds: float = 5.0
) -> list[TestResult]:
    """Return the results in the order of the programs."""
    with open_runner(toolchain, execution) as runner:
        found = runner.run(range(len(programs)), lambda number: TestedProgram(programs[number], task, seconds))
        return [result for _, result in sorted(found, key=lambda pair: pair[0])]


def _seconds(language: str) -> float:
    return 2 * SECONDS if language == "java" else SECONDS


@pytest.mark.parametrize("language", _cases())
def test_an_overlong_solution_is_refused_and_not_parsed(language: str) -> None:
    case = CASES[language]
    [result] = run_all(case.toolchain(), [case.right + "a<" * 200_000], case.task, Execution(), SECONDS)
    assert result.reason == "refused" and "32768 characters" in result.detail


@pytest.mark.skipif(bool(missing("javascript", "")), reason="needs Node")
def test_printing_counts_as_a_failed_test_only_where_the_suite_says_so() -> None:
    program = "const f = (x) => { console.log(x); return x }"
    task = Task("const f = (x) => {", "console.assert(f(1) === 1)")
    results = [run_all(JavaScript(silent), [program], task, Execution(workers=1))[0] for silent in (False, True)]
    assert [result.reason for result in results] == [None, "assertion"]


@pytest.mark.skipif(bool(missing("javascript", "")), reason="needs Node")
def test_without_a_sandbox_limits_and_evidence_hold_all_the_same() -> None:
    case = CASES["javascript"]
    programs = [case.right, case.wrong, "process.exit(0)", "for (;;);"]
    results = run_all(case.toolchain(), programs, case.task, Execution(unsandboxed=True), SECONDS)
    assert [result.reason for result in results] == [None, "assertion", "exited", "time"]


@pytest.mark.skipif(bool(missing("cpp", "")), reason="needs g++")
def test_a_function_named_like_one_of_c_is_the_one_that_is_tested() -> None:
    program = "using namespace std;\nint strlen(string s) { return s.size() - 1; }\n"
    task = Task("using namespace std;\nint strlen(string s) {", 'int main() { assert(strlen("a") == 1); }')
    [result] = run_all(Cpp(), [program], task, Execution(workers=1))
    assert result.reason == "assertion"


@pytest.mark.parametrize(
    ("toolchain", "head", "tests"),
    [
        (Cpp(), "int f() {", "int g() { return 1; }"),
        (Rust("2021", ()), "fn f() {", "mod tests { fn g() {} }"),
        (Go(), "func F() int {", "func TestA() {}\nfunc TestB() {}\n"),
    ],
)
def test_tests_that_cannot_be_called_are_refused(toolchain: Toolchain, head: str, tests: str) -> None:
    with pytest.raises(BenchmarkError, match="tests have"):
        toolchain.tests(Task(head, tests), Places("/sources", "/build", "/prepared"), 1 << 30)


@pytest.mark.skipif(bool(missing("javascript", "")), reason="needs Node")
def test_a_sandbox_that_does_not_work_is_no_failure_of_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match="user namespaces"), open_runner(JavaScript(True), Execution()):
        pass
    broken.unlink()
    with pytest.raises(SandboxUnavailable, match="install bubblewrap"), open_runner(JavaScript(True), Execution()):
        pass


@pytest.mark.skipif(bool(missing("javascript", "")), reason="needs Node")
def test_a_toolchain_that_does_not_work_is_no_failure_of_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JavaScript, "probe", ("", Task("const f = () => {", "throw 'broken'")))
    with pytest.raises(BenchmarkError, match="javascript: its toolchain does not work"):
        with open_runner(JavaScript(True), Execution()):
            pass


@pytest.mark.skipif(bool(missing("php", "")), reason="needs PHP")
def test_a_caller_with_many_open_files_judges_as_others_do() -> None:
    case = CASES["php"]
    held = [open(os.devnull) for _ in range(300)]
    try:
        results = run_all(case.toolchain(), [case.right, case.wrong], case.task, Execution())
    finally:
        for file in held:
            file.close()
    assert [result.reason for result in results] == [None, "assertion"]


@pytest.mark.skipif(bool(missing("javascript", "")), reason="needs Node")
def test_stopping_does_not_wait_for_running_programs() -> None:
    started = time.monotonic()
    with open_runner(JavaScript(True), Execution(workers=2)) as runner:
        texts = ["const f = () => 1", *(3 * ["for (;;);"])]
        task = Task("const f = () => {", "f()")
        first, _ = next(runner.run(texts, lambda text: TestedProgram(text, task, 1000.0)))
        assert first == texts[0]
    assert time.monotonic() - started < 100
