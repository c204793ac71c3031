"""The whole loop on real components with a tiny random model, and the same run killed at four points.

The weights are random, so nothing here speaks of quality: what is shown is that the parts fit and that nothing is lost.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from inverse_instruct.inference.models import model_digest
from inverse_instruct.records import rows_digest
from inverse_instruct.registry.verify import verify_checkpoint
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.rows import read_rows
from inverse_instruct.system.root import ROOT
from inverse_instruct.system.supervisor import GRACE_SECONDS, descendants

pytestmark = pytest.mark.integration
STAGES = ("summarize", "score", "selection", "train", "evaluate", "promote")


def write_config(folder: Path, model: Path) -> Path:
    rows = [
        {
            "instruction": f"Multiply a number by {n} and add {n}.",
            "output": f"```python\ndef scale_{n}(number):\n    product = number * {n}\n    return product + {n}\n```",
        }
        for n in range(3)
    ]
    rows += [
        {"instruction": "Join words.", "output": "```python\ndef join_words(words):\n    return '-'.join(words)\n```"},
        {"instruction": "Say hello.", "output": "Hello there."},
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    problems = (ROOT / "evaluation/mini/problems.jsonl").read_text().splitlines()[:4]
    (folder / "benchmark.jsonl").write_text("\n".join(problems) + "\n")
    config = {
        "name": "tiny",
        "rounds": 1,
        "model": {"base": str(model), "start": str(model), "max_model_len": 512},
        "corpus": [{"path": "corpus.jsonl"}],
        "preprocess": {"near_duplicate_threshold": 1.0},
        "inference": {"dtype": "float32"},
        # a random model never ends a reply by itself
        "summarize": {"candidates": 4, "temperature": 1.0, "max_new_tokens": 160, "stop": ["k"]},
        "train": {
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "dtype": "float32",
            "global_batch_size": 1,
            "micro_batch_size": 1,
            "max_length": 256,
            "save_steps": 1,
            "warmup_steps": 1,
            "phases": [{"data": "selected", "epochs": 2}, {"data": "original", "epochs": 2}],
        },
        "evaluate": {"suites": [{"suite": "mini", "data": "benchmark.jsonl", "max_new_tokens": 64}]},
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def start(config: Path, run_dir: Path) -> subprocess.Popen[bytes]:
    log = (run_dir.parent / f"{run_dir.name}.log").open("ab")
    return subprocess.Popen(
        [sys.executable, "-m", "inverse_instruct.cli", "run", str(config), "--run-dir", str(run_dir)],
        cwd=ROOT,
        stdout=log,
        stderr=log,
        stdin=subprocess.DEVNULL,
    )


def finish(config: Path, run_dir: Path) -> None:
    code = start(config, run_dir).wait(600)
    assert code == 0, (run_dir.parent / f"{run_dir.name}.log").read_text()[-4000:]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def result(run_dir: Path) -> dict[str, Any]:
    """What two runs must agree on."""
    folder = run_dir / "round-01"
    verdicts = lines(folder / "evaluate/mini/results.jsonl")
    losses = {path.parent.name: [row["loss"] for row in lines(path)] for path in folder.glob("train/*/loss.jsonl")}
    return {
        "selected": rows_digest([row["id"] for row in read_rows(folder / "selection/selected.parquet")]),
        "losses": losses,
        "checkpoint": model_digest(run_dir / "checkpoints/round-01"),
        "verdicts": [(row["task_id"], row["base"], row["plus"]) for row in verdicts],
        "accounting": {
            stage: {
                name: value
                for name, value in json.loads((folder / stage / "manifest.json").read_text()).items()
                if name in ("rows_in", "rows_out", "rejected")
            }
            for stage in STAGES
        },
    }


@pytest.fixture(scope="module")
def finished(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("loop")
    config = write_config(folder, tiny_model)
    finish(config, folder / "whole")
    return config, folder / "whole"


@pytest.mark.timeout(900)
def test_the_loop_runs_end_to_end(finished: tuple[Path, Path]) -> None:
    config, run_dir = finished
    status = json.loads(
        subprocess.run(
            [sys.executable, "-m", "inverse_instruct.cli", "status", str(run_dir), "--json"],
            cwd=ROOT,
            text=True,
            capture_output=True,
            check=True,
        ).stdout
    )
    assert status["run"]["state"] == "done"
    first, second = status["rounds"]
    assert first["snippets"] == second["snippets"] == 4 and first["promoted"] is True
    assert second["candidates"] > 0 and second["selected"] > 0 and second["promoted"] is not None
    assert second["loss_first"] is not None and second["pass_at_1"]["plus"]["rate"] == 0.0
    assert all(len(losses) > 1 for losses in result(run_dir)["losses"].values())
    selected = read_rows(run_dir / "round-01/selection/selected.parquet")
    assert {row["source"] for row in selected} == {"corpus.jsonl"} and all(row["line"] > 0 for row in selected)

    import torch
    from transformers import AutoModelForCausalLM

    ledger = Ledger(run_dir / "ledger.db")
    checkpoint = ledger.checkpoints()[1]
    ledger.close()
    verify_checkpoint(checkpoint)
    canary = checkpoint.metrics["canary"]
    model = AutoModelForCausalLM.from_pretrained(checkpoint.path, use_safetensors=True, dtype=torch.float32)
    with torch.no_grad():
        expected = model(torch.tensor([canary["prompt"]])).logits[0, -1].log_softmax(-1)[canary["labels"]]
    assert canary["logprobs"] == pytest.approx(expected.tolist(), abs=1e-3)


@pytest.mark.timeout(300)
def test_a_finished_run_started_again_does_nothing(finished: tuple[Path, Path]) -> None:
    config, run_dir = finished
    before = {path: path.stat().st_mtime_ns for path in run_dir.rglob("manifest.json")}
    began = time.monotonic()
    finish(config, run_dir)
    assert time.monotonic() - began < 20
    assert before == {path: path.stat().st_mtime_ns for path in run_dir.rglob("manifest.json")}


@pytest.mark.timeout(120)
def test_sigterm_stops_cleanly_also_in_the_background(tiny_model: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "stopped"
    command = [
        sys.executable,
        "-m",
        "inverse_instruct.cli",
        "run",
        str(write_config(tmp_path, tiny_model)),
        "--run-dir",
        str(run_dir),
    ]
    # as a shell starts a background job: with SIGINT ignored
    process = subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command], cwd=ROOT, text=True, stderr=subprocess.PIPE
    )
    while not list((run_dir / "logs").glob("vllm-*.log")):
        assert process.poll() is None
        time.sleep(0.05)
    children = descendants(process.pid)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command goes on" in errors and "Traceback" not in errors
    deadline = time.monotonic() + GRACE_SECONDS  # a supervisor that was only just started ends by itself
    while left := [pid for pid in children if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    ledger = Ledger(run_dir / "ledger.db")
    assert (row := ledger.run()) and row.state == "interrupted"
    ledger.close()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_four_points_the_result_is_the_same(finished: tuple[Path, Path]) -> None:
    config, whole = finished
    run_dir = whole.parent / "killed"
    folder = run_dir / "round-01"
    steps = len(lines(whole / "round-01/train/phase-0-selected/loss.jsonl"))
    points: dict[str, Callable[[], bool]] = {
        "summarize": lambda: len(lines(folder / "summarize/generations.jsonl")) >= 3,
        "training phase 1": lambda: 2 <= len(lines(folder / "train/phase-0-selected/loss.jsonl")) < steps,
        "between the phases": lambda: (folder / "train/phase-0-selected/done.json").is_file(),
        "evaluate": lambda: len(lines(folder / "evaluate/mini/replies.jsonl")) >= 2,
    }
    for name, reached in points.items():
        process = start(config, run_dir)
        while not reached():
            assert process.poll() is None, f"ended before {name}"
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    finish(config, run_dir)
    assert result(run_dir) == result(whole)
    for journal in ("summarize/generations.jsonl", "score/scores.jsonl", "evaluate/mini/replies.jsonl"):
        keys = [row["key"] for row in lines(folder / journal)]
        assert len(keys) == len(set(keys)) == len(lines(whole / "round-01" / journal)), journal
