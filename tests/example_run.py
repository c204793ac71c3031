"""A finished run of three rounds in seconds: real stages and manifests; what a model would have said is made up.

Round 0 is a given model, round 1 is promoted, round 2 is clearly worse and is not. The texts hold what would break a
page that does not escape them. Weights differ by round.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import yaml

from evaluation import MINI_PATH, Sample
from inverse_instruct.config.config_file import load_config
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.inference.models import model_digest
from inverse_instruct.loop.pinned_config import pin_config
from inverse_instruct.records import Candidate, Reason, Rejection, ScoredPair, Snippet, digest, to_dict
from inverse_instruct.stages.decide import DECIDE
from inverse_instruct.stages.evaluate import EVALUATE, Evaluation
from inverse_instruct.stages.room import Source
from inverse_instruct.stages.select import SELECT
from inverse_instruct.store.files import file_digest
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.ledger_rows import Checkpoint
from inverse_instruct.store.manifest import Manifest, WrittenRows, write_manifest
from inverse_instruct.store.rows import read_rows, write_rows
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.training.publish import MARKER
from tests.measured import phase
from tests.playing import play_stage, preprocess, room_of

HOSTILE = "Write a <script>alert(1)</script> | `tick` ``` *star* [link](http://x)\n\n# Heading\n\n---\n\n````\nend"
PROBLEMS = [json.loads(line) for line in MINI_PATH.read_text().splitlines()]
PASSING = [set(range(0, 20)), set(range(1, 23)), set(range(5))]  # numbers of the problems that each round solves
BASE_DIGEST = "b" * 16


def make_run(path: Path, model: Path) -> None:
    """Write the run directory; `model` is small, and is the given model of round 0."""
    run_dir = RunDir(path)
    config = _write_config(path, model)
    ledger = Ledger(run_dir.ledger, create=True)
    ledger.set_run(config.name, config.rounds, "done", 1, "host")
    ledger.finish_stage(0, preprocess(config.corpus, config.preprocess, run_dir.stage(0, "preprocess")))
    weights, incumbent = model, 0
    for number in range(3):
        if number:
            _write_rows(ledger, run_dir, config, number, model_digest(weights))
            _train(ledger, run_dir, number, model)
        incumbent, weights = _judge(ledger, run_dir, config, number, incumbent, model, weights)
    ledger.close()


def _write_config(path: Path, model: Path) -> RunConfig:
    path.mkdir(parents=True)
    rows = [
        {
            "instruction": f"Scale by {n}.",
            "output": f"```python\ndef scale_{n}(number):\n    product = number * {n}\n    return product + {n}\n```",
        }
        for n in range(2, 8)
    ]
    (path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"instruction": "Hello."}]))
    (path / "config.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "example",
                "rounds": 2,
                "model": {"base": str(model), "start": str(model)},
                "corpus": [{"path": "corpus.jsonl"}],
                "evaluate": {"suites": [{"suite": "mini"}]},
                "preprocess": {"near_duplicate_threshold": 1.0, "benchmarks": ["mini"]},
                "card": {"license": "apache-2.0", "base_model": "someone/base", "authors": ["Ada <b>L.</b>"]},
            }
        )
    )
    config = load_config(path / "config.yaml")
    pin_config(config, RunDir(path))
    return config


def _write_rows(ledger: Ledger, run_dir: RunDir, config: RunConfig, number: int, writer: str) -> None:
    snippets = [Snippet(**row) for row in read_rows(run_dir.stage(0, "preprocess") / "snippets.parquet")]
    candidates = [
        Candidate(
            digest(snippet.id, number, k),
            snippet.id,
            k,
            "Write a",
            f"{HOSTILE} {number} {k} {snippet.id}",
            100 * number + k,
            writer,
            "p" * 16,
            50,
            20,
        )
        for snippet in snippets
        for k in range(2)
    ]
    pairs = [
        ScoredPair(
            candidate.id, candidate.snippet_id, -0.1 - candidate.k, -2.5, 0.9 - candidate.k / 2, writer, "q" * 16
        )
        for candidate in candidates
    ]
    lost = Rejection(snippets[0].id, "summarize", Reason.CUT_OFF)
    _finish(ledger, run_dir, number, "summarize", "candidates.parquet", candidates, lost)
    _finish(ledger, run_dir, number, "score", "scores.parquet", pairs)
    inputs: dict[str, Source] = {"snippets": snippets, "candidates": candidates, "scores": pairs, "earlier": []}
    ledger.finish_stage(
        number,
        play_stage(SELECT, run_dir.stage(number, "selection"), inputs, number=number, selection=config.selection),
    )


def _finish(
    ledger: Ledger,
    run_dir: RunDir,
    number: int,
    stage: str,
    name: str,
    rows: Iterable[Candidate] | Iterable[ScoredPair],
    *rejections: Rejection,
) -> None:
    folder = run_dir.stage(number, stage)
    count = write_rows(folder / name, map(to_dict, rows))
    reasons = {rejection.reason.value: 1 for rejection in rejections}
    manifest = Manifest(
        stage,
        "k",
        count + len(reasons),
        count,
        reasons,
        metrics={"snippets": 6},
        unit={"summarize": "candidate", "score": "pair"}[stage],
        kept=name,
        rows={name: WrittenRows({"summarize": "Candidate", "score": "ScoredPair"}[stage], count)},
    )
    ledger.finish_stage(number, write_manifest(folder, manifest, [name]))


def _train(ledger: Ledger, run_dir: RunDir, number: int, model: Path) -> None:
    from safetensors.numpy import load_file, save_file

    checkpoint = run_dir.checkpoint(number)
    shutil.copytree(model, checkpoint)
    weights = load_file(checkpoint / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] + number
    save_file(weights, checkpoint / "model.safetensors", {"format": "pt"})
    (checkpoint / MARKER).write_text("{}")
    rows = {"selected": 6 * number, "original": 6}
    phases = [phase(order, data, count, [1.5, 1.4, 1.25]) for order, (data, count) in enumerate(rows.items())]
    folder = run_dir.stage(number, "train")
    folder.mkdir(parents=True)
    selected = [run_dir.stage(earlier, "selection") / "selected.parquet" for earlier in range(1, number + 1)]
    files = {"selected": selected, "original": [run_dir.stage(0, "preprocess") / "original.parquet"]}
    inputs = {
        name: {str(path.relative_to(run_dir.path)): file_digest(path) for path in paths}
        for name, paths in files.items()
    }
    total = sum(rows.values())
    manifest = Manifest("train", "k", total, total, metrics={"phases": phases}, inputs=inputs)
    ledger.finish_stage(number, write_manifest(folder, manifest, [f"../../checkpoints/round-{number:02d}/config.json"]))


def _judge(
    ledger: Ledger, run_dir: RunDir, config: RunConfig, number: int, incumbent: int, model: Path, weights: Path
) -> tuple[int, Path]:
    folder = run_dir.stage(number, "evaluate")
    samples = [
        Sample(
            problem["task_id"],
            0,
            problem["prompt"] + (problem["canonical_solution"] if order in PASSING[number] else "    return None\n"),
        )
        for order, problem in enumerate(PROBLEMS)
    ]
    room = room_of(EVALUATE, folder, number=number)
    room.metrics["canary"] = {"prompt": [1, 2], "labels": [3, 4], "logprobs": [-0.5, -1.5]}
    asyncio.run(Evaluation(config.evaluate, config.summarize, folder, seed=0).run({"mini": samples}, room))
    evaluated = room.finish()
    ledger.finish_stage(number, evaluated)
    rivals = [run_dir.stage(incumbent, "evaluate")] if number else []
    decided = play_stage(
        DECIDE,
        run_dir.stage(number, "promote"),
        {"candidate": [folder], "promoted": rivals},
        number=number,
        promote=config.promote,
    )
    promoted = decided.metrics["promoted"]
    ledger.finish_stage(number, decided)
    own = run_dir.checkpoint(number) if number else model
    ledger.add_checkpoint(
        Checkpoint(
            number,
            str(own),
            model_digest(own),
            BASE_DIGEST if number else "",
            "promoted" if promoted else "candidate",
            decided.metrics["reason"],
            evaluated.metrics,
        )
    )
    return (number, own) if promoted else (incumbent, weights)
