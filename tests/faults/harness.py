"""A small two-round run of the real command, started, watched and killed from outside.

`Run` is one run directory; `result` is what two runs must agree on. Progress is read from the run's own files, so that
nothing has to be built into the program for the sake of the tests.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from inverse_instruct.inference.models import model_digest
from inverse_instruct.records import rows_digest
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.rows import read_rows
from inverse_instruct.system.root import ROOT
from inverse_instruct.system.supervisor import descendants

SMALL_ENGINE = Path(__file__).with_name("small_engine")
ROUNDS = 2
ENGINE, RANK = "vllm.entrypoints.openai.api_server", "inverse_instruct.training.worker"
JOURNALS = {
    "summarize": "summarize/generations.jsonl",
    "score": "score/scores.jsonl",
    "evaluate": "evaluate/mini/replies.jsonl",
    "judge": "evaluate/mini/verdicts.jsonl",
}


def write_config(folder: Path, model: Path, *, ranks: int) -> Path:
    """Write a run that is as short as can be and still has every stage."""
    corpus = [
        {
            "instruction": f"Multiply a number by {n} and add {n}.",
            "output": f"```python\ndef scale_{n}(number):\n    product = number * {n}\n    return product + {n}\n```",
        }
        for n in range(10)
    ]
    corpus += [
        {"instruction": "Join words.", "output": "```python\ndef join(words):\n    return '-'.join(words)\n```"},
        {"instruction": "Say hello.", "output": "Hello there."},
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus))
    tasks = (ROOT / "evaluation/mini/problems.jsonl").read_text().splitlines(keepends=True)[:4]
    (folder / "benchmark.jsonl").write_text("".join(tasks))
    config = {
        "name": "faults",
        "rounds": ROUNDS,
        "corpus": [{"path": "corpus.jsonl"}],
        "model": {"base": str(model), "start": str(model), "max_model_len": 512},
        "preprocess": {"near_duplicate_threshold": 1.0},
        "inference": {"dtype": "float32", "max_restarts": 100, "concurrency": 4},
        # a random model never ends a reply by itself
        "summarize": {"candidates": 2, "temperature": 1.0, "max_new_tokens": 48, "stop": ["k", "b"]},
        "train": {
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "dtype": "float32",
            "global_batch_size": 2,
            "micro_batch_size": 1,
            "max_length": 128,
            "save_steps": 2,
            "warmup_steps": 1,
            "processes": ranks,
            "phases": [{"data": "mixed", "epochs": 1}],
        },
        "evaluate": {"suites": [{"suite": "mini", "data": "benchmark.jsonl", "max_new_tokens": 12}]},
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a JSONL file that may be growing."""
    whole = path.read_bytes().split(b"\n")[:-1] if path.is_file() else []
    return [json.loads(line) for line in whole]


@dataclass
class Run:
    """One run directory and the process that plays it."""

    config: Path
    folder: Path
    small_engine: bool = True
    options: list[str] = field(default_factory=list)
    log_folder: Path | None = None  # None: beside the run
    process: subprocess.Popen[bytes] | None = None

    def copy(self, folder: Path, *options: str) -> Run:
        """Return a copy of what this run has on disk so far, to be played with further options."""
        shutil.copytree(self.folder, folder)
        return Run(self.config, folder, self.small_engine, list(options))

    def events(self) -> list[str]:
        """Return the messages in the ledger."""
        with Ledger(self.folder / "ledger.db") as ledger:
            return [event.message for event in ledger.events()]

    @property
    def log(self) -> Path:
        """What all starts wrote."""
        return (self.log_folder or self.folder.parent) / f"{self.folder.name}.log"

    def start(self) -> None:
        """Start the command."""
        environment = dict(os.environ) | {"OMP_NUM_THREADS": "1"}
        if self.small_engine:
            environment["PYTHONPATH"] = str(SMALL_ENGINE)
        command = [sys.executable, "-m", "inverse_instruct.cli", "run", str(self.config), "--run-dir", str(self.folder)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.options], cwd=ROOT, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def wait(self, seconds: float = 600) -> int:
        """Wait for the end; return the exit code."""
        assert self.process
        return self.process.wait(seconds)

    def finish(self) -> None:
        """Start the command, which must come to its end."""
        self.start()
        code = self.wait()
        assert code == 0, self.log.read_text()[-4000:]

    def is_over(self) -> bool:
        """Tell whether the command has ended by itself."""
        return self.process is None or self.process.poll() is not None

    def kill(self) -> None:
        """Kill the orchestrator, with all it cannot say any more."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def pids(self, module: str) -> list[int]:
        """Return the processes of the run that were started as `python -m MODULE`."""
        return [pid for pid in (descendants(self.process.pid) if self.process else []) if runs(pid, module)]

    def engine_answers(self) -> bool:
        """Tell whether the engine is up."""
        for pid in self.pids(ENGINE):
            words = _words(pid)
            port = words[words.index("--port") + 1] if "--port" in words else "0"
            try:
                return httpx.get(f"http://127.0.0.1:{port}/health", timeout=1, trust_env=False).status_code == 200
            except httpx.HTTPError:
                return False
        return False

    def round(self, number: int) -> Path:
        """Return a round's folder."""
        return self.folder / f"round-{number:02d}"

    def rows(self, number: int, stage: str) -> int:
        """Return how many rows or steps of a stage are done; of stages without rows, whether it has begun."""
        folder = self.round(number)
        if stage in JOURNALS:
            return _line_count(folder / JOURNALS[stage])
        if stage == "train":
            return sum(_line_count(path) for path in folder.glob("train/phase-*/loss.jsonl"))
        before = {"selection": "score/manifest.json", "promote": "evaluate/manifest.json", "preprocess": "preprocess"}
        return int((folder / before[stage]).exists())

    def result(self) -> dict[str, Any]:
        """What two runs must agree on."""
        return {f"round {number}": self._round_result(number) for number in range(ROUNDS + 1)}

    def _round_result(self, number: int) -> dict[str, Any]:
        folder = self.round(number)
        names = ("rows_in", "rows_out", "rejected")
        found: dict[str, Any] = {
            "accounting": {
                path.parent.name: {name: json.loads(path.read_text())[name] for name in names}
                for path in sorted(folder.glob("*/manifest.json"))
            },
            "verdicts": [
                (row["task_id"], row["base"], row["plus"]) for row in lines(folder / "evaluate/mini/results.jsonl")
            ],
            "decision": json.loads((folder / "promote/decision.json").read_text()),
            "journals": {path: sorted(row["key"] for row in lines(folder / path)) for path in JOURNALS.values()},
        }
        if number:
            found |= {
                "selected": rows_digest([row["id"] for row in read_rows(folder / "selection/selected.parquet")]),
                "losses": {
                    path.parent.name: [row["loss"] for row in lines(path)]
                    for path in sorted(folder.glob("train/*/loss.jsonl"))
                },
                "checkpoint": model_digest(self.folder / f"checkpoints/round-{number:02d}"),
            }
        return found


def play_whole(folder: Path, model: Path, *, ranks: int, small_engine: bool) -> Run:
    """Play a whole run in a new folder, undisturbed."""
    folder.mkdir()
    run = Run(write_config(folder, model, ranks=ranks), folder / "whole", small_engine)
    run.finish()
    for number in (1, 2):
        rows = {stage: run.rows(number, stage) for stage in (*JOURNALS, "train")}
        assert min(rows.values()) >= 4, rows  # or there would be nothing to kill
    return run


def wait_until(condition: Callable[[], bool], seconds: float) -> float | None:
    """Return after how many seconds a condition held, or None if it did not in time."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            return None
        time.sleep(0.005)
    return time.monotonic() - began


def _line_count(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits for its parent to look does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def runs(pid: int, module: str) -> bool:
    """Tell whether a process was started as `python -m MODULE`."""
    words = _words(pid)
    start = words.index("-m") if "-m" in words else -1
    return 0 < start < 3 and words[start + 1] == module  # the supervisor's own words name it later on


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []
