"""Where a checkpoint came from: its base, the rows that trained it and who wrote them, its training and its measures.

Enters: a run directory and its ledger. Leaves: plain values for `checkpoints show` and for the cards of an export. The
numbers are those of the manifests; nothing is measured here. What a run has not recorded is None or left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inverse_instruct.config.config_file import load_config
from inverse_instruct.config.identity import config_digest
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import ModelError
from inverse_instruct.registry.verify import verify_checkpoint
from inverse_instruct.store.ledger import Checkpoint, Ledger, Promotion
from inverse_instruct.store.run_dir import RunDir


@dataclass(frozen=True)
class History:
    """What a run recorded, read once."""

    run_dir: RunDir
    config: RunConfig
    checkpoints: list[Checkpoint]
    promotions: list[Promotion]
    manifests: dict[tuple[int, str], dict[str, Any]]  # (round, stage) -> the manifest of the finished stage

    def manifest(self, round_number: int, stage: str) -> dict[str, Any]:
        """Return the manifest of a finished stage, or nothing."""
        return self.manifests.get((round_number, stage), {})

    def name(self, round_number: int) -> str:
        """Return the name of a round's checkpoint."""
        return next(checkpoint.name for checkpoint in self.checkpoints if checkpoint.round == round_number)

    def incumbent(self, round_number: int) -> int | None:
        """Return the round whose checkpoint wrote a round's rows and was its rival: promoted by the loop last."""
        earlier = [number for number, stage in self.manifests if stage == "promote" and number < round_number]
        return max(
            (number for number in earlier if self.manifest(number, "promote")["metrics"]["promoted"]), default=None
        )


def read_history(path: Path, ledger: Ledger) -> History:
    """Read the record of a run.

    Raises:
        ConfigError: its config cannot be read.
    """
    run_dir = RunDir(path)
    return History(
        run_dir,
        load_config(run_dir.config),
        ledger.checkpoints(),
        ledger.promotions(),
        {(stage["round"], stage["stage"]): stage["manifest"] for stage in ledger.stages() if stage["manifest"]},
    )


def describe_lineage(history: History, checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the whole lineage of a checkpoint as plain values; the keys are stable. Reads all of its weights once."""
    config, number = history.config, checkpoint.round
    trained = history.manifest(number, "train")
    phases = [
        {name: value for name, value in phase.items() if name != "losses"}
        for phase in trained.get("metrics", {}).get("phases", [])
    ]
    decision = history.manifest(number, "promote").get("metrics")
    incumbent = history.incumbent(number)
    return {
        "name": checkpoint.name,
        "round": number,
        "state": checkpoint.state,
        "digest": checkpoint.digest,
        "created": checkpoint.created,
        "run": {
            "name": config.name,
            "path": str(history.run_dir.path),
            "seed": config.seed,
            "config_digest": config_digest(config),
        },
        "base": {"name": config.model.base, "digest": checkpoint.parent} if checkpoint.parent else None,
        "given": None if checkpoint.parent else config.model.start,
        "parent": history.name(incumbent) if incumbent is not None and phases else None,
        "files": _describe_files(checkpoint),
        "data": _describe_data(history, number, {phase["data"] for phase in phases}),
        "phases": phases,
        "suites": checkpoint.metrics.get("suites", {}),
        "rival": history.name(incumbent) if incumbent is not None else None,
        "decision": decision,
        "promotions": [asdict(move) for move in history.promotions if number in (move.round, move.over)],
    }


def _describe_files(checkpoint: Checkpoint) -> dict[str, Any]:
    folder = Path(checkpoint.path)
    try:
        verify_checkpoint(checkpoint)
        problem = None
    except ModelError as error:
        problem = str(error)
    size = sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
    return {"path": checkpoint.path, "bytes": size, "problem": problem}


def _describe_data(history: History, round_number: int, kinds: Iterable[str]) -> list[dict[str, Any]]:
    """Return the files that the phases were trained on."""
    data = []
    if {"selected", "mixed"} & set(kinds):
        for number in history.config.selection.rounds_trained_on(round_number):
            writer = history.incumbent(number)
            selected = history.manifest(number, "selection")
            data.append(
                {
                    "data": "selected",
                    **_file(selected, number, "selected.parquet"),
                    "rows": selected.get("rows_out"),
                    "written_by": history.name(writer) if writer is not None else None,
                }
            )
    preprocessed = history.manifest(0, "preprocess")
    rows = preprocessed.get("metrics", {}).get("original_rows")
    if {"original", "mixed"} & set(kinds) and rows:
        data.append(
            {"data": "original", **_file(preprocessed, 0, "original.parquet"), "rows": rows, "written_by": None}
        )
    return data


def _file(manifest: dict[str, Any], round_number: int, name: str) -> dict[str, Any]:
    return {
        "round": round_number,
        "file": f"round-{round_number:02d}/{manifest.get('stage')}/{name}",
        "digest": manifest.get("outputs", {}).get(name),
    }
