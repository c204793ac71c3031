"""A damaged file of a run is found by its digest when it is next read, named, and made anew; never trained on."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
from pathlib import Path

import pytest

from inverse_instruct.store.run_dir import RunDir
from tests.faults.damage import flip_bit, garble_line, truncate
from tests.faults.harness import Run, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


def check_mended(run: Run, whole: Run, *damaged: Path) -> None:
    """See that the result is that of the whole run, and that each damaged file is named in log and ledger."""
    assert run.result() == whole.result()
    events, log = "\n".join(run.events()), run.log.read_text()
    for path in damaged:
        name = os.path.relpath(path, run.folder).removeprefix("checkpoints/")
        assert name in log and name in events, f"{name} is not named: {events}"


def test_damage_in_every_stage_is_mended_by_the_next_start(whole_run: Run, tmp_path: Path) -> None:
    dice = random.Random(5)
    run = whole_run.copy(tmp_path / "run")
    first, second = run.round(1), run.round(2)
    flipped = [
        run.round(0) / "preprocess/snippets.parquet",
        first / "summarize/candidates.parquet",
        first / "selection/selected.parquet",
        second / "evaluate/mini/results.jsonl",
        second / "promote/decision.json",
        run.folder / "checkpoints/round-02/model.safetensors",
    ]
    cut = [
        run.round(0) / "preprocess/original.parquet",
        first / "score/scores.parquet",
        second / "selection/manifest.json",
    ]
    garbled = [first / "summarize/generations.jsonl", first / "score/scores.jsonl"]
    marker = run.folder / "checkpoints/round-02/training.json"
    marker.unlink()
    for path in flipped:
        flip_bit(path, dice)
    for path in cut:
        truncate(path, dice)
    for path in garbled:
        garble_line(path)
    run.finish()
    check_mended(run, whole_run, marker, *flipped, *cut, *garbled)


@pytest.mark.slow
def test_damage_under_way_is_found_before_it_is_trained_on(whole_run: Run, tmp_path: Path) -> None:
    run = whole_run.copy(tmp_path / "run")
    shutil.rmtree(run.round(2))
    shutil.rmtree(run.folder / "checkpoints/round-02")
    run.start()
    assert wait_until(lambda: run.rows(2, "summarize") > 0, 120) is not None
    damaged = run.round(0) / "preprocess/original.parquet"  # this start has found it whole when it passed by
    flip_bit(damaged, random.Random(6))
    assert run.wait() == 0, run.log.read_text()[-4000:]
    check_mended(run, whole_run, damaged)
    assert "the stages are gone through again" in run.log.read_text()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_damage_to_any_output_is_mended(whole_run: Run, tmp_path: Path) -> None:
    dice = random.Random(7)
    run = whole_run.copy(tmp_path / "run")
    outputs = [
        path
        for manifest in sorted(run.folder.glob("round-*/*/manifest.json"))
        for path in [manifest, *(manifest.parent / name for name in json.loads(manifest.read_text())["outputs"])]
        if path.stat().st_size
    ]
    for path in outputs:
        dice.choice([flip_bit, truncate])(path, dice)
        run.finish()
        check_mended(run, whole_run, path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["*optim_states.pt", "*model_states.pt", "complete.json", "loss.jsonl", "sequences.npz", "prepared.json"]
)
def test_damage_to_what_training_goes_on_from(whole_run: Run, tmp_path: Path, name: str) -> None:
    """The optimizer's files are pickles: a damaged one must not even be loaded."""
    run = whole_run.copy(tmp_path / "run")
    shutil.rmtree(run.round(2))
    shutil.rmtree(run.folder / "checkpoints/round-02")
    run.start()
    phase = run.round(2) / "train/phase-0-mixed"
    assert wait_until(lambda: bool(list(phase.glob("steps/*/complete.json"))), 120) is not None
    run.kill()
    assert wait_until(lambda: not RunDir(run.round(2) / "train").is_locked(), 30) is not None
    damaged = next(iter(phase.rglob(name)))
    flip_bit(damaged, random.Random(8))
    run.finish()
    check_mended(run, whole_run, damaged)


def test_a_changed_model_is_refused(whole_run: Run, tmp_path: Path) -> None:
    digests = json.loads((whole_run.folder / "models.json").read_text())
    run = whole_run.copy(tmp_path / "run")
    (run.folder / "models.json").write_text(json.dumps(digests | {"model.base": "0" * 16}))
    run.start()
    assert run.wait() == 2 and "model.base: the files in" in run.log.read_text()


def test_a_garbage_ledger_is_named_and_moving_it_away_keeps_the_results(whole_run: Run, tmp_path: Path) -> None:
    run = whole_run.copy(tmp_path / "run")
    for path in run.folder.glob("ledger.db-*"):
        path.unlink()
    (run.folder / "ledger.db").write_bytes(b"garbage" * 1000)
    run.start()
    assert run.wait() == 1 and "ledger.db is damaged" in run.log.read_text()
    (run.folder / "ledger.db").unlink()
    run.finish()
    check_mended(run, whole_run)


def test_two_processes_on_one_run(whole_run: Run, tmp_path: Path) -> None:
    run = whole_run.copy(tmp_path / "run")
    with RunDir(run.folder).lock():
        run.start()
        assert run.wait() == 2
    assert f"is in use by pid {os.getpid()} on {socket.gethostname()}" in run.log.read_text()
    (run.folder / "lock").write_text("pid 1 on another-host")  # what a killed process leaves: the kernel holds no lock
    run.finish()
    assert "was held by pid 1 on another-host, which was killed: its lock is stale" in run.log.read_text()
