"""The registry's commands on a real run directory: what they show, what they change, and what they refuse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from inverse_instruct.errors import ModelError, RunDirError
from inverse_instruct.registry.checkpoints import list_checkpoints, show_checkpoint
from inverse_instruct.registry.promote import promote_checkpoint, roll_back
from inverse_instruct.store.files import file_digest
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.run_dir import RunDir, newest_run
from inverse_instruct.system.root import ROOT
from tests.example_run import BASE_DIGEST, make_run


@pytest.fixture(scope="module")
def finished(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("registry")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        make_run(folder / "run", tiny_model)
    yield folder / "run"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "inverse_instruct.cli", "checkpoints", *map(str, arguments)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=60,
    )


def state(run: Path) -> tuple[str, int]:
    with Ledger(run / "ledger.db") as ledger:
        return "".join(checkpoint.state[0] for checkpoint in ledger.checkpoints()), len(ledger.promotions())


def test_list_tells_states_measures_and_history(run: Path) -> None:
    listing = json.loads(command("list", run, "--json").stdout)
    assert listing == json.loads(json.dumps(asdict(list_checkpoints(run))))
    rows = {row["name"]: row for row in listing["checkpoints"]}
    assert [row["state"] for row in rows.values()] == ["retired", "promoted", "candidate"]
    assert rows["round-00"]["parent"] == "" and rows["round-01"]["parent"] == BASE_DIGEST
    assert rows["round-01"]["pass_at_1"]["mini"]["plus"]["rate"] == 22 / 32
    assert [(move["round"], move["over"], move["author"]) for move in listing["promotions"]] == [
        (0, None, "loop"),
        (1, 0, "loop"),
    ]
    shown = command("list", run).stdout
    assert "│ → │ round-01   │ promoted" in shown and "68.8 [51.4, 82.0]" in shown
    assert "loop promoted round-01 over round-00: not shown to be worse" in shown


def test_show_follows_a_checkpoint_back_to_its_rows(run: Path) -> None:
    lineage = show_checkpoint(run, "2")
    assert lineage.base and lineage.base.digest == BASE_DIGEST and lineage.parent == "round-01"
    assert [(data.data, data.round, data.rows, data.written_by) for data in lineage.data] == [
        ("selected", 1, 6, "round-00"),
        ("selected", 2, 6, "round-01"),
        ("original", 0, 6, None),
    ]
    assert all(file_digest(run / data.file) == data.digest for data in lineage.data)
    assert lineage.decision and lineage.decision.promoted is False and len(lineage.decision.lost) == 18
    assert lineage.promotions == () and lineage.files.problem is None
    assert [phase.data for phase in lineage.phases] == ["selected", "original"]
    given = show_checkpoint(run, "round-00")
    assert given.base is None and given.given and not given.data and not given.phases
    assert [move.round for move in given.promotions] == [0, 1]  # what touched it: its rise and its fall


def test_show_prints_all_of_it_also_of_a_damaged_checkpoint(run: Path) -> None:
    (run / "checkpoints/round-01/model.safetensors").unlink()
    result = command("show", "round-01", run)
    assert result.returncode == 0, result.stderr
    shown = " ".join(result.stdout.split())
    for words in (
        "lacks *.safetensors",
        "written by round-00",
        "parent round-00",
        "loss 1.500 → 1.250",
        "promoted by the loop",
        "Mini/20",
        "loop promoted round-01 over round-00",
    ):
        assert words in shown, result.stdout


def test_promoting_and_rolling_back_by_hand(run: Path) -> None:
    result = command("promote", "2", run, "--reason", "writes better Go")
    assert result.returncode == 0, result.stderr
    assert "is promoted now, in place of round-01" in result.stdout and "gateway" in result.stdout
    assert state(run) == ("rrp", 3)
    move = list_checkpoints(run).promotions[-1]
    assert (move.action, move.reason) == ("promote", "writes better Go") and move.author
    assert "already" in command("promote", "round-02", run).stderr
    result = command("rollback", run, "--reason", "no")
    assert "round-01" in result.stdout and "in place of round-02" in result.stdout
    assert state(run) == ("rpr", 4)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip_last_byte(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("model.safetensors", Path.unlink, "lacks \\*.safetensors"),
        ("model.safetensors", truncate, "round-02 is damaged: .*cannot be read"),
        ("model.safetensors", lambda path: path.write_bytes(b""), "round-02 is damaged"),
        ("model.safetensors", flip_last_byte, "round-02 has changed since it was measured"),
        ("config.json", lambda path: path.write_text("{}"), "round-02 has changed since it was measured"),
        ("tokenizer.json", Path.unlink, "lacks tokenizer.json"),
    ],
)
def test_files_that_were_not_measured_are_not_promoted(
    run: Path, name: str, damage: Callable[[Path], None], words: str
) -> None:
    damage(run / "checkpoints/round-02" / name)
    with pytest.raises(ModelError, match=words):
        promote_checkpoint(RunDir(run), "2", "", author="ada")
    assert state(run) == ("rpc", 2)


def test_files_that_changed_at_the_same_size_and_time_are_noticed(run: Path) -> None:
    for name in ("2", "1", "2"):
        promote_checkpoint(RunDir(run), name, "", author="ada")
    weights = run / "checkpoints/round-01/model.safetensors"
    stamp, content = weights.stat(), bytearray(weights.read_bytes())
    content[-1] ^= 1  # as a disk does it
    weights.write_bytes(content)
    os.utime(weights, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with pytest.raises(ModelError, match="has changed since it was measured"):
        promote_checkpoint(RunDir(run), "1", "", author="ada")


def test_a_rollback_to_a_damaged_checkpoint_is_refused(run: Path) -> None:
    promote_checkpoint(RunDir(run), "2", "", author="ada")
    (run / "checkpoints/round-01/config.json").unlink()
    with pytest.raises(ModelError, match="round-01 is not whole"):
        roll_back(RunDir(run), "", author="ada")
    assert state(run) == ("rrp", 3)


def test_a_run_that_was_moved_goes_on(run: Path) -> None:
    moved = run.rename(run.with_name("elsewhere"))
    promoted, before = promote_checkpoint(RunDir(moved), "2", "", author="ada")
    assert Path(promoted.path) == moved / "checkpoints/round-02" and before and before.round == 1


def test_what_is_not_there_is_one_clear_sentence(run: Path, tmp_path: Path) -> None:
    for name in ("7", "round-2", "two", "²", ""):
        with pytest.raises(RunDirError, match="its checkpoints are round-00, round-01, round-02"):
            promote_checkpoint(RunDir(run), name, "", author="ada")
    with pytest.raises(RunDirError, match="is not a run"):
        list_checkpoints(tmp_path)
    (tmp_path / "ledger.db").write_text("this is no database, whatever its name says")
    for arguments in (["list"], ["show", "1"], ["promote", "1"], ["rollback"], ["export", "1", "--output", "x"]):
        result = command(*arguments[:2] if arguments[1:] else arguments, tmp_path, *arguments[2:])
        assert result.returncode == 1 and "is damaged" in result.stderr and "Traceback" not in result.stderr, arguments


def test_the_newest_run_is_the_default(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="there is no run under"):
        newest_run(tmp_path)
    for age, name in enumerate(("new", "old")):
        Ledger(tmp_path / name / "ledger.db", create=True).close()
        os.utime(tmp_path / name / "ledger.db", (1e9 - age, 1e9 - age))
    assert newest_run(tmp_path) == tmp_path / "new"
