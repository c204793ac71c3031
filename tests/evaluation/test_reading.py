"""Replies that keep busy whoever parses them are taken as they stand, within seconds; all others are read as before."""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from evaluation import BenchmarkError, Execution, Sample, reading
from evaluation.limited_process import ProcessFailed
from evaluation.native import extraction
from evaluation.native.signatures import signature_of
from evaluation.reading import AsItStands, read, within_limits
from evaluation.sanitize import extract_readings
from evaluation.toolchains import missing
from tests.evaluation.test_multipl_e import PROMPTS, RESULTS, suite_of

HEADS = {
    "cpp": "int twice(int x) {",
    "go": "func twice(x int) int {",
    "java": "class Solution { int twice(int x) {",
    "javascript": "const twice = (x) => {",
    "php": "<?php\nfunction twice($x) {",
    "rust": "fn twice(x: i32) -> i32 {",
    "swift": "func twice(x: Int) -> Int {",
}
PIECES = [
    *[("java", piece) for piece in ("a<", "case 1:", "{a", "${", 'R"(')],
    *[("cpp", piece) for piece in ("::<", "a<", "f'{")],
    *[("go", piece) for piece in ("?->", "fn a(){")],
    *[("javascript", piece) for piece in ("?->", "f'{")],
    *[("php", piece) for piece in ("a,", "@a", "a(b)", "'a ", "`")],
    *[("rust", piece) for piece in ("a?", "@a", '"')],
]
CHARACTERS = 32_000
LONGEST_SECONDS = 20
"""By the wall clock, on a busy machine; without a limit the worst takes minutes."""


def native(language: str) -> Callable[[str], list[str]]:
    return partial(extraction.extract_readings, language, entry_point="twice", head=HEADS[language])


def repeated(language: str, piece: str) -> str:
    return (HEADS[language] + piece * CHARACTERS)[:CHARACTERS]


@pytest.mark.parametrize(("language", "piece"), PIECES)
def test_a_reply_that_repeats_a_piece_costs_seconds_and_the_next_one_is_read(
    language: str, piece: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_CPU_SECONDS", 0.5)
    reply, right = repeated(language, piece), f"Sure:\n```\n{HEADS[language]} return 2; }}\n```\nDone."
    started, used = time.monotonic(), time.process_time()
    found = read(reply, native(language))
    assert found == (reply,) and isinstance(found, AsItStands)
    assert time.monotonic() - started < LONGEST_SECONDS and time.process_time() - used < 0.5
    assert read(right, native(language)) == native(language)(right)


@pytest.mark.parametrize("piece", ["\n ", "\t\n", " \n", "\r", "\n", " ", "  a\nb\n", "@twice\n"])
def test_python_replies_that_repeat_a_piece_are_read(piece: str) -> None:
    used = time.process_time()
    assert extract_readings((piece * CHARACTERS)[:CHARACTERS] + "x", "twice", "def twice(x):\n")
    assert time.process_time() - used < 4


def test_the_suites_read_within_limits(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, "java")
    reply = (PROMPTS["java"] + "a<" * CHARACTERS)[:CHARACTERS]
    started = time.monotonic()
    assert isinstance(suite.readings("Own_0", [reply]), AsItStands)
    assert time.monotonic() - started < LONGEST_SECONDS
    right = PROMPTS["java"] + RESULTS["java"]
    assert type(suite.readings("Own_0", [right])) is list


@pytest.mark.skipif(bool(missing("cpp", "")), reason="needs g++")
def test_a_solution_that_cannot_be_parsed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_CPU_SECONDS", 0.5)
    suite = suite_of(tmp_path, "cpp")
    texts = [PROMPTS["cpp"] + "::<" * (CHARACTERS // 4), PROMPTS["cpp"] + RESULTS["cpp"]]
    with suite.examiner(Execution(workers=1)) as examine:
        samples = [Sample("Own_0", number, text) for number, text in enumerate(texts)]
        slow, right = sorted(examine(samples), key=lambda verdict: verdict.sample)
    assert (slow.reason, right.passed) == ("refused", True)
    assert "0.5 s of CPU time" in slow.detail


def test_the_code_blocks_of_a_reply_that_cannot_be_read_are_its_reading() -> None:
    reply = "Of course.\n```python\nx = 1\n```\nAnd\n```python\ny = 2\n```\n"
    assert read(reply, _crash) == ("x = 1\n\ny = 2\n",)


def _crash(reply: str) -> Sequence[str]:
    os.abort()


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: within_limits(os.abort), r"crashed twice \(SIGABRT\)"),
        (lambda: within_limits(bytearray, 4 << 30), "more than 2 GiB of memory"),
        (lambda: within_limits(divmod, 1, 0), "ZeroDivisionError"),
    ],
)
def test_what_goes_wrong_is_told(call: Callable[[], object], what: str) -> None:
    with pytest.raises(ProcessFailed, match=what):
        call()


def test_faults_of_the_benchmark_are_told_as_such() -> None:
    with pytest.raises(BenchmarkError, match="ends in no function"):
        within_limits(signature_of, "go", "package main")


def test_one_process_serves_one_call_after_another() -> None:
    assert within_limits(os.getpid) == within_limits(os.getpid) != os.getpid()
