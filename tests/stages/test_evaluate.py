"""Samples are judged into results and a report; a killed judging goes on and judges nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from evaluation import MINI_PATH
from inverse_instruct.benchmarks.pinned_evaluation import pin_evaluation
from inverse_instruct.errors import StageError
from inverse_instruct.store.folder_lock import lock_folder
from inverse_instruct.system.root import ROOT

PROBLEMS = [json.loads(line) for line in MINI_PATH.read_text().splitlines()]
WRONG = {PROBLEMS[3]["task_id"], PROBLEMS[7]["task_id"]}


def write_samples(path: Path, delay_seconds: float = 0.0) -> Path:
    rows = []
    for problem in PROBLEMS:
        body = "    return None\n" if problem["task_id"] in WRONG else problem["canonical_solution"]
        delay = f"import time\ntime.sleep({delay_seconds})\n" if delay_seconds else ""
        rows.append({"task_id": problem["task_id"], "solution": delay + problem["prompt"] + body})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def start(samples: Path, output: Path, *options: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "inverse_instruct.cli",
        "evaluate",
        "--suite",
        "mini",
        "--samples",
        str(samples),
        "--output",
        str(output),
        *options,
    ]
    environment = os.environ | {"XDG_CACHE_HOME": str(output.parent / "cache")}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finish(process: subprocess.Popen[str]) -> str:
    shown, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return shown


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def verdicts(output: Path) -> list[dict[str, Any]]:
    rows = lines(output / "mini/results.jsonl")
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_samples_are_judged_into_results_and_a_report(tmp_path: Path) -> None:
    samples = write_samples(tmp_path / "samples.jsonl")
    manifest = json.loads(finish(start(samples, tmp_path / "out", "--json")))
    assert (manifest["rows_in"], manifest["rows_out"], manifest["rejected"]) == (32, 32, {})
    report = manifest["metrics"]["suites"]["mini"]
    assert report["pass_at_k"]["1"]["plus"]["rate"] == 30 / 32
    assert report["reasons"] == {"assertion": 2} and report["sandboxed"] is True
    assert report["diversity"]["distinct"] == 31, "the two wrong ones are the same program"
    rows = lines(tmp_path / "out/mini/results.jsonl")
    assert [row["task_id"] for row in rows] == [problem["task_id"] for problem in PROBLEMS]
    assert {row["task_id"] for row in rows if not row["passed"]} == WRONG
    assert lines(tmp_path / "out/mini/samples.jsonl") == lines(samples)
    shown = finish(start(samples, tmp_path / "out"))
    assert "pass@1: base 93.8" in shown and "failed: 2 assertion" in shown
    assert len(lines(tmp_path / "out/mini/verdicts.jsonl")) == 32, "nothing is judged again"


@pytest.mark.timeout(120)
def test_killed_and_started_again_the_results_are_the_same(tmp_path: Path) -> None:
    samples = write_samples(tmp_path / "samples.jsonl", delay_seconds=0.08)
    finish(start(samples, tmp_path / "whole"))
    journal = tmp_path / "killed/mini/verdicts.jsonl"
    for least in (3, 12, 20):
        process = start(samples, tmp_path / "killed")
        while len(lines_so_far(journal)) < least:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    before = len(lines_so_far(journal))
    assert before < 32
    finish(start(samples, tmp_path / "killed"))
    assert verdicts(tmp_path / "killed") == verdicts(tmp_path / "whole")
    keys = [row["key"] for row in lines(journal)]
    assert len(keys) == len(set(keys)) == 32


def lines_so_far(path: Path) -> list[str]:
    return [line for line in path.read_text().split("\n")[:-1]] if path.is_file() else []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tasks", "900"], "'900' means no task"),
        (["--suite", "minni"], "there is no suite 'minni'; did you mean 'mini'?"),
        (["--suite", "humaneval_plus"], "no data is given"),
        (["--suite", "editeval", "--data", "none"], "none"),
        (["-n", "4"], "4 samples at temperature 0 are all the same"),
    ],
)
def test_what_cannot_be_is_one_clear_sentence(tmp_path: Path, options: list[str], message: str) -> None:
    process = start(write_samples(tmp_path / "samples.jsonl"), tmp_path / "out", *options)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (1, 2) and message in errors and "Traceback" not in errors


@pytest.mark.parametrize("command", ["evaluate", "self-consistency", "preprocess", "summarize", "score", "train"])
def test_a_folder_in_use_is_refused(tmp_path: Path, command: str) -> None:
    options = ["--input", "none.jsonl"] if command in ("preprocess", "summarize", "score", "train") else []
    options += [] if command in ("preprocess", "evaluate") else ["--model", "none"]
    options += ["--samples", "none.jsonl"] if command == "evaluate" else []
    with lock_folder(tmp_path / "out", "--output"):
        ended = subprocess.run(
            [
                sys.executable,
                "-m",
                "inverse_instruct.cli",
                command,
                *options,
                "--output",
                str(tmp_path / "nowhere/../out"),
            ],
            cwd=ROOT,
            text=True,
            capture_output=True,
            timeout=60,
        )
    assert ended.returncode == 1 and f"is in use by pid {os.getpid()}" in ended.stderr, ended.stderr
    assert "choose another --output" in ended.stderr and "Traceback" not in ended.stderr


@pytest.mark.slow
def test_two_at_once_are_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    samples = write_samples(tmp_path / "samples.jsonl", delay_seconds=1.0)
    first = start(samples, tmp_path / "out")
    while not lines_so_far(tmp_path / "out/mini/verdicts.jsonl"):
        assert first.poll() is None
        time.sleep(0.01)
    _, errors = start(samples, tmp_path / "out").communicate(timeout=60)
    assert f"is in use by pid {first.pid}" in errors
    finish(first)
    keys = [row["key"] for row in lines(tmp_path / "out/mini/verdicts.jsonl")]
    assert len(keys) == len(set(keys)) == 32
    finish(start(samples, tmp_path / "out"))


OTHERS: dict[str, tuple[list[str], str]] = {
    "limit": (["--limit", "2"], "tasks: 3 (Mini/0, Mini/1 ...) then, 2 (Mini/0, Mini/1) now"),
    "tasks": (["--tasks", "0,2-3"], "tasks: 3 (Mini/0, Mini/1 ...) then, 3 (Mini/0, Mini/2 ...) now"),
    "no limit": ([], "tasks: 3 (Mini/0, Mini/1 ...) then, 32 (Mini/0, Mini/1 ...) now"),
    "samples": (["--limit", "3"], "--samples: 3 samples, digest"),
    "memory": (["--limit", "3", "--set", "evaluate.memory_mib=512"], "memory (MiB): 4096 then, 512 now"),
    "sandbox": (["--limit", "3", "--unsandboxed"], "--unsandboxed: False then, True now"),
}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated")
    finish(start(write_samples(folder / "samples.jsonl"), folder / "out", "--limit", "3"))
    return folder


@pytest.mark.parametrize("name", OTHERS)
def test_another_evaluation_never_replaces_one(evaluated: Path, name: str) -> None:
    options, message = OTHERS[name]
    results = (evaluated / "out/mini/results.jsonl").read_bytes()
    samples = evaluated / "samples.jsonl"
    if name == "samples":
        samples = evaluated / "others.jsonl"
        samples.write_text((evaluated / "samples.jsonl").read_text().replace("return", "return (0) or"))
    process = start(samples, evaluated / "out", *options)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "holds another evaluation; name another --output" in errors
    assert message in errors, errors
    assert (evaluated / "out/mini/results.jsonl").read_bytes() == results
    finish(start(evaluated / "samples.jsonl", evaluated / "out", "--limit", "3"))


@pytest.mark.parametrize("changed", ["model", "-n", "--temperature", "top_p", "max_new_tokens", "seed", "data"])
def test_everything_that_is_asked_is_pinned(tmp_path: Path, changed: str) -> None:
    asked = {"model": "a", "-n": 1, "--temperature": 0.0, "top_p": 1.0, "max_new_tokens": 9, "seed": 1, "data": "x"}
    pin_evaluation(tmp_path / "mini", asked)
    pin_evaluation(tmp_path / "mini", asked)
    with pytest.raises(StageError, match=f"another evaluation.*\n  {changed}: .* then, other now"):
        pin_evaluation(tmp_path / "mini", asked | {changed: "other"})
    pin_evaluation(tmp_path / "other", asked | {changed: "other"})


def test_results_of_which_nobody_knows_what_was_asked_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").touch()
    with pytest.raises(StageError, match="nothing that says of what; name another --output"):
        pin_evaluation(tmp_path, {})


def test_several_samples_a_task_are_counted_as_they_are(tmp_path: Path) -> None:
    write_samples(tmp_path / "samples.jsonl")
    rows = (tmp_path / "samples.jsonl").read_text().splitlines()[:4]
    (tmp_path / "samples.jsonl").write_text(
        "\n".join([*rows, *rows, *rows, *rows[:1], json.dumps({"task_id": "nobody/7", "solution": ""})])
    )
    for _ in ("at first", "resumed"):
        process = start(tmp_path / "samples.jsonl", tmp_path / "out", "--limit", "4")
        shown, errors = process.communicate(timeout=60)
        assert process.returncode == 0 and " 13/13 " in errors, errors
        assert "4 problems, 13 samples" in shown
        assert "has no such tasks, so their samples are left out: nobody/7" in errors


def test_tasks_without_a_sample_are_no_failures(tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    write_samples(samples).write_text("\n".join(samples.read_text().splitlines()[:5]) + "\n")
    process = start(samples, tmp_path / "out")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "no sample for 27 of 32 tasks" in errors and "--limit" in errors
    shown = finish(start(samples, tmp_path / "out", "--limit", "5"))
    assert "5 problems, 5 samples" in shown


def test_without_a_sandbox_the_report_says_so(tmp_path: Path) -> None:
    shown = finish(start(write_samples(tmp_path / "samples.jsonl"), tmp_path / "out", "--unsandboxed"))
    assert "WITHOUT a sandbox" in shown and "pass@1: base 93.8" in shown
