"""A model behind an endpoint is asked and judged: what it thought is not judged, and how it was read is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from evaluation import MINI_PATH
from inverse_instruct.system.root import ROOT

PROBLEMS = [json.loads(line) for line in MINI_PATH.read_text().splitlines()][:5]
DRAFT = "def {entry_point}(*args):\n    return 'a draft'\n"


def reply_to(message: str) -> str | None:
    """An answer to one of the problems, each said in its own way; None: the server refuses to give one."""
    if not message.startswith("Write a solution"):
        return "<think>\nWhat does it do?\n</think>\nWrite a Python function."
    number, problem = next((n, each) for n, each in enumerate(PROBLEMS) if each["prompt"].strip() in message)
    program, draft = problem["prompt"] + problem["canonical_solution"], DRAFT.format(**problem)
    tests = f"import unittest\nassert {problem['entry_point']} is None\n"
    return [
        f"<think>\n```python\n{draft}```\nNo.\n</think>\n```python\n{program}```\n```python\n{tests}```",
        f"```python\n{draft}```\nBetter:\n```python\n{program}```",
        f"```python\n{program}\n\n{draft}```",  # in Python the last one counts
        f"I cannot do that, but\n```python\n{draft}```",
        None,
    ][number]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer({"object": "list", "data": [{"id": "m", "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        reply = reply_to(body["messages"][-1]["content"])
        if reply is None:
            return self.answer({"error": {"message": "too long"}}, 400)
        choice = {"index": 0, "message": {"role": "assistant", "content": reply}, "finish_reason": "stop"}
        self.answer({"model": "m", "choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})

    def answer(self, value: Any, status: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def evaluate(url: str, output: Path, *options: str, stage: str = "evaluate") -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "inverse_instruct.cli",
        stage,
        "--endpoint",
        url,
        "--limit",
        "5",
        "--output",
        str(output),
        *options,
    ]
    return subprocess.run(
        command,
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
        env=os.environ | {"XDG_CACHE_HOME": str(output.parent / "cache")},
    )


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_replies_are_read_and_judged(url: str, tmp_path: Path) -> None:
    for _ in ("at first", "resumed"):
        ended = evaluate(url, tmp_path / "out", "-n", "3", "--temperature", "0.8")
        assert ended.returncode == 0 and " 15/15 " in ended.stderr, ended.stderr
        assert "passed by another reading of the reply than the first: 3" in ended.stdout
    results = lines(tmp_path / "out/mini/results.jsonl")
    assert [row["passed"] for row in results] == [True] * 9 + [False] * 3
    report = json.loads((tmp_path / "out/mini/report.json").read_text())
    assert report["read_otherwise"] == 3 and report["pass_at_k"]["1"]["base"]["rate"] == 0.75
    assert len(lines(tmp_path / "out/mini/replies.jsonl")) == 12

    other = evaluate(url, tmp_path / "out", "-n", "2", "--temperature", "0.8")
    assert other.returncode == 1 and "-n: 3 then, 2 now" in other.stderr
    other = evaluate(url, tmp_path / "out", "-n", "3", "--temperature", "0.7")
    assert other.returncode == 1 and "--temperature: 0.8 then, 0.7 now" in other.stderr


def test_what_the_model_says_of_its_code_is_without_its_thought(url: str, tmp_path: Path) -> None:
    ended = evaluate(url, tmp_path / "out", stage="self-consistency")
    assert ended.returncode == 0 and " 5/5 " in ended.stderr, ended.stderr
    rows = lines(tmp_path / "out/mini/self_consistency.jsonl")
    assert {row["instruction"] for row in rows} == {"Write a Python function."} and len(rows) == 4
    again = evaluate(url, tmp_path / "out")
    assert again.returncode == 1 and "self-consistency: True then, False now" in again.stderr


def test_a_chat_endpoint_cannot_be_given_a_bare_text(url: str, tmp_path: Path) -> None:
    ended = evaluate(url, tmp_path / "out", "--bare")
    assert ended.returncode == 1 and "--bare: a chat endpoint frames what it is sent" in ended.stderr


def test_the_samples_that_are_written_get_the_same_verdicts(url: str, tmp_path: Path) -> None:
    assert evaluate(url, tmp_path / "asked").returncode == 0
    samples = tmp_path / "asked/mini/samples.jsonl"
    command = [
        sys.executable,
        "-m",
        "inverse_instruct.cli",
        "evaluate",
        "--samples",
        str(samples),
        "--limit",
        "4",
        "--output",
        str(tmp_path / "given"),
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    asked, given = (lines(tmp_path / name / "mini/results.jsonl") for name in ("asked", "given"))
    assert [row["passed"] for row in asked] == [row["passed"] for row in given] == [True, True, True, False]
