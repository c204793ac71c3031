"""A small run, written by the project's own stages and writers, with texts that mean harm."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evaluation.texts import TaskTexts
from inverse_instruct.analysis.analyze import analyze
from inverse_instruct.analysis.pairs import find_sets
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

SNIPPETS = 45
CANDIDATES = 3
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
        self.finish(round_number, manifest, [])
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

    def close(self, state: str) -> None:
        self.ledger.add_event(f"the end: {HOSTILE[0]}", 1)
        self.ledger.set_run("a <b>run</b>", 2, state, 1, "here")
        self.ledger.close()


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rounds after the start; the second one is rolled back by a person."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    run = RunWriter(path)
    run.preprocess()
    run.evaluate(0, 0.3, "promoted")
    for number in (1, 2):
        run.candidates(number)
        run.train(number)
        run.evaluate(number, 0.3 + 0.05 * number, "promoted")
    run.ledger.roll_back(over=2, author="ada", reason=HOSTILE[1])
    run.close("done")
    tasks = [TaskTexts("T/1", ("Solve it.",), ("def solve(value): ...",))]
    write_json(run.run_dir.analysis, analyze(find_sets(path), {HOSTILE[0]: tasks}).as_json())
    return path


@pytest.fixture(scope="session")
def begun_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose first stage is under way."""
    path = tmp_path_factory.mktemp("runs") / "begun"
    run = RunWriter(path)
    run.ledger.start_stage(0, "preprocess")
    run.close("running")
    return path


@pytest.fixture
def growing_run(tmp_path: Path) -> RunWriter:
    """A run to which a test adds."""
    return RunWriter(tmp_path / "growing")


def read_embedded(page: str) -> dict[str, Any]:
    """Return the data inside a report."""
    start = page.index('id="report-data">') + len('id="report-data">')
    data: dict[str, Any] = json.loads(page[start : page.index("</script>", start)])
    return data
