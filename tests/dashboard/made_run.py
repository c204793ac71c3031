"""A small run, written by the project's own stages and writers, with texts that mean harm."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inverse_instruct.records import Candidate, Reason, Rejection, ScoredPair, Snippet, digest, to_dict
from inverse_instruct.stages.room import Source
from inverse_instruct.stages.select import SELECT
from inverse_instruct.store.files import write_json
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.ledger_rows import Checkpoint
from inverse_instruct.store.manifest import Manifest, WrittenRows, write_manifest
from inverse_instruct.store.rows import write_rows
from inverse_instruct.store.run_dir import RunDir
from tests.measured import phase, report
from tests.playing import play_stage

Open = Callable[..., Any]
SNIPPETS = 45
CANDIDATES = 3
PROBLEMS = 60  # of the suite `mini`, which has 32: of the rest there is no prompt
HOSTILE = (
    "<script>document.title = 'owned'</script>",
    "</script><img src=x onerror=\"document.title='owned'\">",
    "line\u2028separator and \u202eturned",
    "a NUL \0 and an escape \x1b[2J",
    "<!--<script>",
    "{{ 7 * 7 }} & &lt;",
)


def hostile(number: int, text: str) -> str:
    return f"{HOSTILE[number]} {text}" if number < len(HOSTILE) else text


def make_snippets(count: int) -> list[Snippet]:
    codes = [
        hostile(number, f"def task_{number}(value):\n" + "    value += 1\n" * (number % 25) + "    return value")
        for number in range(count)
    ]
    return [
        Snippet(
            digest("python", code), code, "python", f"Solve task {number}.", digest(number), "corpus.jsonl", number + 1
        )
        for number, code in enumerate(codes)
    ]


class RunWriter:
    """Writes the stages of a run one by one."""

    def __init__(self, path: Path, snippets: int = SNIPPETS) -> None:
        self.run_dir = RunDir(path)
        self.ledger = Ledger(self.run_dir.ledger, create=True)
        (path / "run.yaml").write_text("seed: 0\n")
        self.snippets = make_snippets(snippets)
        self.ledger.set_run("a <b>run</b>", 2, "running", 1, "here")

    def finish(self, round_number: int, manifest: Manifest, files: list[str]) -> None:
        folder = self.run_dir.stage(round_number, manifest.stage)
        self.ledger.finish_stage(round_number, write_manifest(folder, manifest, files))

    def preprocess(self) -> None:
        folder = self.run_dir.stage(0, "preprocess")
        rejected = [
            Rejection(digest("row", number), "preprocess", reason, f"detail {number}")
            for number, reason in enumerate([Reason.NO_CODE, Reason.NO_CODE, Reason.SYNTAX_ERROR])
        ]
        write_rows(folder / "snippets.parquet", map(to_dict, self.snippets), Snippet)
        write_rows(folder / "rejections.parquet", map(to_dict, rejected), Rejection)
        self.finish(
            0,
            Manifest(
                "preprocess",
                "k",
                len(self.snippets) + 3,
                len(self.snippets),
                {"no_code": 2, "syntax_error": 1},
                seconds=0.5,
                metrics={"original_rows": 40},
                kept="snippets.parquet",
                rows={
                    "snippets.parquet": WrittenRows("Snippet", len(self.snippets)),
                    "rejections.parquet": WrittenRows("Rejection", 3),
                },
            ),
            ["snippets.parquet", "rejections.parquet"],
        )

    def candidates(self, round_number: int) -> None:
        """Summarize and score: of each snippet's candidates the last is cut off, and one score is bad."""
        draw = random.Random(round_number)
        written, rejected, pairs = [], [], []
        for number, snippet in enumerate(self.snippets):
            for k in range(CANDIDATES):
                text = hostile(number, f"Write a Python function number {number}, version {k} of round {round_number}.")
                if k == CANDIDATES - 1:
                    text += " and so on" * 90
                    rejected.append(Rejection(f"{snippet.id}/{k}", "summarize", Reason.CUT_OFF, text))
                    continue
                written.append(
                    Candidate(
                        digest(snippet.id, k, text),
                        snippet.id,
                        k,
                        "Write a Python",
                        text,
                        7 + k,
                        "model",
                        "prompt",
                        100,
                        20,
                    )
                )
                score = draw.random()
                pairs.append(ScoredPair(written[-1].id, snippet.id, -1.0, -1.0, score, "model", "prompt"))
        bad = Rejection(pairs.pop().candidate_id, "score", Reason.BAD_SCORE, "log-probabilities nan and nan")
        self._write_rows(
            round_number,
            "summarize",
            {"candidates": (Candidate, written), "rejections": (Rejection, rejected)},
            {"snippets": len(self.snippets)},
        )
        self._write_rows(
            round_number,
            "score",
            {"scores": (ScoredPair, pairs), "rejections": (Rejection, [bad])},
            {"together_with": "summarize"},
        )
        folder = self.run_dir.stage(round_number, "selection")
        inputs: dict[str, Source] = {"snippets": self.snippets, "candidates": written, "scores": pairs, "earlier": []}
        manifest = play_stage(SELECT, folder, inputs, number=round_number, selection={"min_score": 0.2})
        self.ledger.finish_stage(round_number, manifest)

    def _write_rows(self, round_number: int, stage: str, files: dict[str, Any], metrics: dict[str, Any]) -> None:
        folder = self.run_dir.stage(round_number, stage)
        for name, (record, rows) in files.items():
            write_rows(folder / f"{name}.parquet", map(to_dict, rows), record)
        (_, kept), (_, rejected) = files.values()
        reasons = Counter(str(row.reason) for row in rejected)
        manifest = Manifest(
            stage,
            "k",
            len(kept) + len(rejected),
            len(kept),
            dict(reasons),
            seconds=61.0,
            tokens={"prompt": 4000, "completion": 900},
            metrics=metrics,
            kept=f"{next(iter(files))}.parquet",
            rows={f"{name}.parquet": WrittenRows(kind.__name__, len(rows)) for name, (kind, rows) in files.items()},
        )
        self.finish(round_number, manifest, [f"{name}.parquet" for name in files])

    def train(self, round_number: int, steps: int = 8) -> None:
        phases = []
        for number, data in enumerate(("selected", "original")):
            lines = [
                {
                    "step": step,
                    "loss": 1.0 / step,
                    "grad_norm": None,
                    "lr": 1e-5,
                    "tokens": 10,
                    "response_tokens": 5,
                    "seconds": 0.1,
                }
                for step in range(1, steps + 1)
            ]
            name = f"phase-{number}-{data}"
            write_rows(self.run_dir.stage(round_number, "train") / name / "loss.jsonl", lines)
            phases.append(phase(number, data, 40, [1.0 / step for step in range(1, steps + 1)]))
        self.finish(
            round_number,
            Manifest(
                "train", "k", 80, 80, seconds=90.0, tokens={"trained": 800, "response": 400}, metrics={"phases": phases}
            ),
            ["phase-0-selected/loss.jsonl"],
        )

    def evaluate(self, round_number: int, rate: float, state: str) -> None:
        metrics = {"suites": {"mini": report(rate)}}
        manifest = Manifest("evaluate", "k", 32, 32, unit="", seconds=30.0, metrics=metrics)
        self.finish(round_number, manifest, self._write_answers(round_number))
        reason = "the first checkpoint" if round_number == 0 else "not shown to be worse: 2 gained, 1 lost"
        decision = {
            "promoted": state == "promoted",
            "reason": reason,
            "gained": ["mini: a", "mini: b"],
            "lost": ["mini: c"],
            "p_worse": 0.5,
        }
        if round_number == 0:
            decision |= {"gained": [], "lost": [], "p_worse": None}
        self.finish(round_number, Manifest("promote", "k", 1, 1, unit="", metrics=decision), [])
        self.ledger.add_checkpoint(
            Checkpoint(round_number, f"/m{round_number}", f"digest{round_number}", "", state, reason, {})
        )

    def _write_answers(self, round_number: int) -> list[str]:
        """Answers to each problem: number n passes from round n on, and the last one gets no answer in round 2."""
        folder = self.run_dir.stage(round_number, "evaluate") / "mini"
        numbers = range(PROBLEMS - (round_number == 2))
        write_rows(
            folder / "samples.jsonl",
            (
                {
                    "task_id": f"Mini/{number}",
                    "solution": hostile(number, f"return {round_number}" + "\n    pass" * number),
                }
                for number in numbers
            ),
        )
        write_rows(
            folder / "results.jsonl",
            (
                {
                    "task_id": f"Mini/{number}",
                    "sample": 0,
                    "base": (passed := number <= round_number),
                    "plus": passed,
                    "reason": None if passed else "assertion",
                    "detail": "" if passed else f"input 0: expected 5, got {hostile(number, 'nothing')!r}",
                    "seconds": 0.1,
                    "passed": passed,
                }
                for number in numbers
            ),
        )
        unanswered = {f"Mini/{number}": HOSTILE[0] for number in range(len(numbers), PROBLEMS)}
        write_json(folder / "report.json", {"suite": "mini", "version": "mini 1", "unanswered": unanswered})
        return [f"mini/{name}" for name in ("samples.jsonl", "results.jsonl", "report.json")]

    def close(self, state: str) -> None:
        self.ledger.add_event(f"the end: {HOSTILE[0]}", 1)
        self.ledger.set_run("a <b>run</b>", 2, state, 1, "here")
        self.ledger.close()


@contextmanager
def dashboard(path: Path) -> Iterator[str]:
    """Run the command; yield the address that it prints."""
    command = [sys.executable, "-m", "inverse_instruct.cli", "dashboard", str(path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()
            assert process.wait(20) == 0


def read_embedded(page: str) -> dict[str, Any]:
    """Return the data inside a report."""
    start = page.index('id="report-data">') + len('id="report-data">')
    data: dict[str, Any] = json.loads(page[start : page.index("</script>", start)])
    return data
