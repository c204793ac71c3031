"""The command that compares readings of replies names those that fail only as they are read here."""

import json
import sys
from pathlib import Path

import pytest

from evaluation import MINI_PATH, BenchmarkError
from evaluation.suites import SUITES
from evaluation.suites.evalplus import EvalPlusSuite
from evaluation.throughput.extraction import Readings, main, pasted, read_replies, summarize

PROBLEM = json.loads(MINI_PATH.read_text().splitlines()[0])
PROGRAM = PROBLEM["prompt"] + PROBLEM["canonical_solution"]


def mini() -> EvalPlusSuite:
    suite = SUITES["mini"](None)
    assert isinstance(suite, EvalPlusSuite)
    return suite


def write(path: Path, *replies: str) -> Path:
    rows = [{"kind": "answer 0", "task_id": PROBLEM["task_id"], "text": text} for text in replies]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"kind": "instruction", "text": "x"}]))
    return path


def test_replies_are_pasted_with_and_without_the_prompt() -> None:
    reply = "<think>\n```\ndraft\n```\n</think>\nHere:\n```python\nx = 1\n```\nand\n```\ny = 2\n```"
    programs = pasted(reply, "P")
    assert "x = 1\n\ny = 2\n" in programs and "P\nx = 1\n\ny = 2\n" in programs
    assert not any("draft" in program for program in programs)


def test_readings_are_counted_and_what_is_worse_is_named() -> None:
    replies = [
        Readings("a", ["1", "2"], ["2"], ["1"]),
        Readings("a", ["3"], ["4"], []),
        Readings("b", ["1"], [], ["5"]),
    ]
    counts, lines = summarize(replies, {("a", "2"), ("a", "4"), ("b", "5")})
    assert counts == {
        "read": 0,
        "read otherwise": 1,
        "as it stands": 2,
        "EvalPlus": 1,
        "not as it stands": 0,
        "only as it stands": 1,
        "only EvalPlus": 1,
    }
    assert lines == ["reply 1, a: passes only as it stands", "reply 2, b: passes only EvalPlus"]


def test_the_command_judges_a_journal_of_replies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replies = write(tmp_path / "replies.jsonl", f"```python\n{PROGRAM}```", f"Well:\n{PROGRAM}\nDone, isn't it?", "No.")
    monkeypatch.setattr(sys, "argv", ["extraction", str(replies), "--suite", "mini"])
    assert main() == 0
    assert "3 replies, passing read: 2, read otherwise: 0, as it stands: 1" in capsys.readouterr().out


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"kind": "instruction"}\n')
    with pytest.raises(BenchmarkError, match="holds no answers"):
        read_replies(tmp_path / "x.jsonl", mini())
    (tmp_path / "x.jsonl").write_text('{"kind": "answer 0", "task_id": "Own/9", "text": ""}\n')
    with pytest.raises(BenchmarkError, match="x.jsonl:1: task_id: mini has no task Own/9"):
        read_replies(tmp_path / "x.jsonl", mini())
