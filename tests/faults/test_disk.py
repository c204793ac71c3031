"""A full or read-only disk stops a run clearly and before anything is spoiled; with room again it goes on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config.corpus_source import CorpusSource
from inverse_instruct.config.sections import PreprocessSection
from inverse_instruct.errors import RunDirError
from inverse_instruct.records import Rejection
from inverse_instruct.store.files import write_json
from inverse_instruct.store.journal import Journal
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.manifest import Manifest, write_manifest
from inverse_instruct.store.rows import read_rows, write_rows
from inverse_instruct.store.run_dir import RunDir
from tests.faults.harness import Run, wait_until, write_config
from tests.faults.small_disk import SmallDisk, small_disk
from tests.playing import preprocess

pytestmark = pytest.mark.timeout(1800)
MIB = 2**20
FULL = re.compile(r"error: .*\n(?:.*\n)*?.*is full: [\d,.]+ MB are free and the rest of the run needs about [\d,]+ MB")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 8 * MIB) as disk:
        yield disk


def _write_journal(folder: Path) -> None:
    journal = Journal(folder / "journal.jsonl")
    for number in range(2000):
        journal.append(str(number), {"text": "x" * 100})


def _write_ledger(folder: Path) -> None:
    with Ledger(folder / "ledger.db", create=True) as ledger:
        for number in range(200):
            ledger.add_event("x" * 1000, number)


def _write_manifest(folder: Path) -> None:
    write_json(folder / "big.json", ["x" * 200_000])
    write_manifest(folder, Manifest("score", "k", 0, 0), ["big.json"])


def _preprocess(folder: Path) -> None:
    corpus = folder.parent.parent / "corpus"
    corpus.mkdir(exist_ok=True)
    for number in range(40):
        lines = "".join(f"    value_{number}_{line} = {hash((number, line))}\n" for line in range(150))
        (corpus / f"file_{number}.py").write_text(f"def function_{number}():\n{lines}")
    source = CorpusSource(path=str(corpus), format="code")
    preprocess([source], PreprocessSection(near_duplicate_threshold=1.0), folder)


WRITERS: dict[str, Callable[[Path], object]] = {
    "journal": _write_journal,
    "ledger": _write_ledger,
    "manifest": _write_manifest,
    "rows": lambda folder: write_rows(folder / "rows.jsonl", ({"n": "x" * 100} for _ in range(2000))),
    "parquet": lambda folder: write_rows(
        folder / "rows.parquet",
        ({"row_id": str(n), "stage": "x", "reason": str(hash(str(n)) ** 5), "detail": ""} for n in range(5000)),
        Rejection,
    ),
    "preprocess": _preprocess,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_leaves_the_old_file_or_the_new_one(disk: SmallDisk, name: str) -> None:
    folder = disk.path / "out"
    folder.mkdir()
    disk.leave(64 * 1024)
    with pytest.raises((OSError, RunDirError), match="No space left|is full"):
        WRITERS[name](folder)
    assert not (folder / "manifest.json").exists() and not list(folder.glob("*.tmp")), "nothing is half there"
    for path in folder.glob("*.parquet"):
        read_rows(path)
    disk.leave(7 * MIB)
    WRITERS[name](folder)  # what there is of it is taken up, or replaced
    if name == "journal":
        assert len(Journal(folder / "journal.jsonl")) == 2000


def test_a_read_only_disk_is_a_clear_error(disk: SmallDisk) -> None:
    journal = Journal(disk.path / "journal.jsonl")
    disk.remount("ro")
    try:
        with pytest.raises(RunDirError, match="Read-only file system"):
            journal.append("a", {})
        with pytest.raises(RunDirError, match="Read-only file system"), RunDir(disk.path / "run").lock():
            pass
    finally:
        disk.remount("rw")


@pytest.mark.integration
def test_a_start_without_enough_room_says_how_much_it_takes(tiny_model: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, tiny_model, ranks=1)
    with small_disk(tmp_path / "disk", 8 * MIB) as disk:
        run = Run(config, disk.path / "run", log_folder=tmp_path)
        run.start()
        assert run.wait() == 2
    log = run.log.read_text()
    assert re.search(r"has 0\.0 GB free and the run needs about 0\.\d GB; free some space", log), log


@pytest.mark.integration
@pytest.mark.slow
def test_a_run_whose_disk_is_full_again_and_again_ends_with_the_same_result(whole_run: Run, tmp_path: Path) -> None:
    """Room grows from start to start, so the disk is full in one stage after the other, in the middle of its files."""
    with small_disk(tmp_path / "disk", 400 * MIB, "run/ballast") as disk:
        run = Run(whole_run.config, disk.path / "run", log_folder=tmp_path)
        run.folder.mkdir()
        room = 112 * 1024
        stops: list[Any] = []
        while True:
            disk.leave(room)
            run.log.unlink(missing_ok=True)
            run.start()
            if run.wait() == 0:
                break
            assert run.process and run.process.returncode == 1 and len(stops) < 40
            assert FULL.search(run.log.read_text()), run.log.read_text()[-3000:]
            stops.append(_last_stage(run))
            print(f"full with {room // 1024} KiB of room, in {stops[-1]}", flush=True)
            room = int(room * (1.015 if room < 132 * 1024 else 1.15 if room < 384 * 1024 else 2))
        assert run.result() == whole_run.result()
    assert len(set(stops)) >= 4, stops


def _last_stage(run: Run) -> str:
    try:
        with Ledger(run.folder / "ledger.db") as ledger:
            stages = [stage for stage in ledger.stages() if stage.state == "running"]
            return f"round {stages[-1].round} {stages[-1].stage}" if stages else "between stages"
    except RunDirError:
        return "the first file"


@pytest.mark.integration
@pytest.mark.slow
def test_a_disk_that_is_full_while_training_is_told_and_gone_on_from(whole_run: Run, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 400 * MIB, "run/ballast") as disk:
        run = whole_run.copy(disk.path / "run")
        run.log_folder = tmp_path
        shutil.rmtree(run.round(2))
        shutil.rmtree(run.folder / "checkpoints/round-02")
        run.start()
        assert wait_until(lambda: run.rows(2, "train") > 0, 120) is not None
        disk.leave(0)
        assert run.wait() == 1
        disk.leave(200 * MIB)
        assert FULL.search(run.log.read_text()), run.log.read_text()[-3000:]
        run.finish()
        assert run.result() == whole_run.result()


def test_training_names_the_full_disk_even_if_its_log_cannot(disk: SmallDisk) -> None:
    from inverse_instruct.training.failure import failure

    (disk.path / "train.log").write_text("")
    disk.leave(0)
    assert "the disk is full" in str(failure(disk.path / "train.log", 0, 1))
