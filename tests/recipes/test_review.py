"""A run that waits for a person: what is left out is counted and in the key, and a kill anywhere loses nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.api import load_run
from inverse_instruct.cli import main
from inverse_instruct.config.config_file import dump_config, load_config
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.dashboard.rows import RowQuery, read_page
from inverse_instruct.dashboard.run_data import collect_run
from inverse_instruct.errors import RunDirError, WaitingError
from inverse_instruct.loop import rounds
from inverse_instruct.loop.preview import preview_config
from inverse_instruct.loop.review import review_rows
from inverse_instruct.loop.run import run
from inverse_instruct.recipes.table import recipe_of
from inverse_instruct.records import Reason, Rejection, TrainingRow
from inverse_instruct.stages.room import Room
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.manifest import Manifest, read_manifest
from inverse_instruct.store.review import FILE
from inverse_instruct.store.rows import iterate_rows, read_rows
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.store.status import summarize_run
from tests.recipes.fake_engine import FakeClient, FakeEngines, Killed, faked, play
from tests.recipes.test_loop import write_world

WAIT = "selection.review=wait"


def go_on(folder: Path, *changes: str) -> RunConfig:
    """Start the run of a world."""
    config = load_config(folder / "run.yaml", ["rounds=1", *changes])
    (folder / "run").mkdir(exist_ok=True)
    RunDir(folder / "run").config.write_text(dump_config(config))
    play(config, folder / "run", faked(recipe_of(config)))
    return config


def rows_of(folder: Path, stage: str) -> list[TrainingRow]:
    return list(iterate_rows(folder / f"run/round-01/{stage}/selected.parquet", TrainingRow))


def manifest_of(folder: Path, stage: str) -> Manifest:
    found = read_manifest(folder / "run/round-01" / stage)
    assert found
    return found


def decide(folder: Path, *left_out: str, **options: Any) -> None:
    review_rows(folder / "run", left_out, author="ada", reason="names a person", **options)


@pytest.fixture(scope="module", params=["inversecoder", "inversecoder-cleaned", "wavecoder"])
def waiting_once(request: pytest.FixtureRequest, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world whose run waits in its first round."""
    folder = tmp_path_factory.mktemp("world")
    write_world(folder, tiny_model, request.param)
    with pytest.raises(WaitingError, match=r"round 1 waits for a person.*inverse-instruct review .*run --leave-out"):
        go_on(folder, WAIT)
    return folder


@pytest.fixture
def waiting(waiting_once: Path, tmp_path: Path) -> Path:
    shutil.copytree(waiting_once, tmp_path, dirs_exist_ok=True, symlinks=True)
    return tmp_path


def test_nothing_is_trained_before_somebody_has_looked(waiting: Path) -> None:
    assert len(rows_of(waiting, "selection")) > 1
    assert not (waiting / "run/round-01/train").exists()
    with pytest.raises(WaitingError):
        go_on(waiting, WAIT)


def test_rows_in_are_rows_out_and_those_left_out(waiting: Path) -> None:
    first, *others = rows_of(waiting, "selection")
    decide(waiting, first.name)
    go_on(waiting, WAIT)
    assert rows_of(waiting, "review") == others
    manifest = manifest_of(waiting, "review")
    assert (manifest.rows_in, manifest.rows_out, manifest.rejected) == (len(others) + 1, len(others), {"left_out": 1})
    assert manifest.metrics["author"] == "ada" and manifest.metrics["snippets"] <= len(others)
    [rejection] = read_rows(waiting / "run/round-01/review/rejections.parquet")
    assert (rejection["row_id"], rejection["reason"]) == (first.name, Reason.LEFT_OUT)
    assert rejection["detail"].startswith("by ada on 20") and rejection["detail"].endswith(": names a person")
    trained_on = manifest_of(waiting, "train").inputs["selected"]
    assert list(trained_on) == ["round-01/review/selected.parquet"]
    assert len(load_run(waiting / "run").selected) == len(others)
    with Ledger(waiting / "run/ledger.db") as ledger:
        assert any(f"ada left out 1 of {len(others) + 1}" in event.message for event in ledger.events())


def test_all_accepted_is_trained_on_as_without_a_review(waiting: Path, tmp_path: Path) -> None:
    decide(waiting)
    go_on(waiting, WAIT)
    reviewed = manifest_of(waiting, "train")
    go_on(waiting, "selection.review=none")
    assert manifest_of(waiting, "train").key == reviewed.key


def test_a_decision_is_in_the_key_and_not_changed_once_training_has_begun(waiting: Path) -> None:
    first, second, *_ = rows_of(waiting, "selection")
    decide(waiting, second.name)
    decide(waiting, first.name)  # nothing has been trained: a person may think again
    go_on(waiting, WAIT)
    before = {stage: manifest_of(waiting, stage).key for stage in ("review", "train")}
    decide(waiting, first.name)  # the same again changes nothing that is trained on
    with pytest.raises(RunDirError, match="round 1 trains on the rows that were decided on"):
        decide(waiting, second.name)
    path = waiting / "run/round-01/review" / FILE
    path.write_text(path.read_text().replace(first.name, second.name))  # by hand, past the refusal
    go_on(waiting, WAIT)
    assert all(manifest_of(waiting, stage).key != key for stage, key in before.items())
    assert first in rows_of(waiting, "review") and second not in rows_of(waiting, "review")


def test_a_decision_about_other_rows_is_none(waiting: Path) -> None:
    decide(waiting, rows_of(waiting, "selection")[0].name)
    selected = waiting / "run/round-01/review" / FILE
    selected.write_text(selected.read_text().replace('"rows": "', '"rows": "0'))
    with pytest.raises(WaitingError):
        go_on(waiting, WAIT)


def test_what_cannot_be_decided_is_refused(waiting: Path) -> None:
    names = [row.name for row in rows_of(waiting, "selection")]
    with pytest.raises(RunDirError, match=r"round 1 has no selected row x, y; .*selected\.parquet has those there are"):
        decide(waiting, names[0], "y", "x")
    with pytest.raises(RunDirError, match="no row left to train on"):
        decide(waiting, *names)
    with pytest.raises(RunDirError, match="round 7 has selected rows yet"):
        decide(waiting, names[0], number=7)
    with RunDir(waiting / "run").lock(), pytest.raises(RunDirError, match="in use|is played|holds|locked"):
        decide(waiting, names[0])
    (waiting / "run/round-01/review").mkdir(exist_ok=True)
    (waiting / "run/round-01/review" / FILE).write_text("{")
    with pytest.raises(RunDirError, match=r"review\.json: cannot be read"):
        go_on(waiting, WAIT)


def test_a_run_that_waits_for_nobody_is_not_reviewed(waiting: Path) -> None:
    config = RunDir(waiting / "run").config
    config.write_text(config.read_text().replace("review: wait", "review: none"))
    with pytest.raises(RunDirError, match="waits for no review; start it with `--set selection.review=wait`"):
        decide(waiting)


def test_a_preview_waits_for_nobody(waiting: Path) -> None:
    config = load_config(waiting / "run.yaml", [WAIT])
    assert preview_config(config, 4).selection.review == "none"


def test_a_kill_while_rows_are_left_out_loses_nothing(waiting: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = rows_of(waiting, "selection")
    decide(waiting, first.name)
    reject = Room.reject

    def killed(room: Room, rejection: Rejection) -> None:
        reject(room, rejection)
        if room.stage.name == "review":
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Room, "reject", killed)
        with pytest.raises(Killed):
            go_on(waiting, WAIT)
    assert not (waiting / "run/round-01/train").exists()
    go_on(waiting, WAIT)
    assert rows_of(waiting, "review") == others


def test_the_ledger_says_that_the_run_waits(
    waiting_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(waiting_once, tmp_path, dirs_exist_ok=True, symlinks=True)
    monkeypatch.setattr(rounds, "Engines", FakeEngines)
    shutil.rmtree(tmp_path / "run")
    monkeypatch.setattr(FakeEngines, "client", FakeClient(None))
    with pytest.raises(WaitingError):
        run(load_config(tmp_path / "run.yaml", ["rounds=1", WAIT]), tmp_path / "run")
    status = summarize_run(tmp_path / "run")
    assert status.run and status.run.state == "waiting"
    assert "round 1 waits for a person" in status.events[-1].message
    review = collect_run(tmp_path / "run")["review"]
    assert review == {"round": 1, "command": f"inverse-instruct review {tmp_path / 'run'} --round 1"}


def test_what_was_left_out_is_seen_among_the_data(waiting: Path) -> None:
    first, *others = rows_of(waiting, "selection")
    decide(waiting, first.name)
    go_on(waiting, WAIT)
    page = read_page(waiting / "run", RowQuery(1, row=first.name))
    assert page["outcomes"]["left_out"] == 1 and page["outcomes"].get("selected", 0) == len(others)
    [row] = page["rows"]
    shown = next((each for each in row["candidates"] or [row] if each["id"] == first.name), row)
    assert shown["outcome"] == "left_out" and shown["detail"].endswith(": names a person")
    assert collect_run(waiting / "run")["review"] is None


def test_the_command_says_what_comes_next(
    waiting: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = rows_of(waiting, "selection")[0].name
    path = str(waiting / "run")
    monkeypatch.setattr("sys.argv", ["inverse-instruct", "review", path, "--leave-out", name, "--reason", "why"])
    main()
    said, command = capsys.readouterr().out.splitlines()
    assert said.startswith("round 1: 1 of ") and command == f"inverse-instruct run {path}/run.yaml --run-dir {path}"


def test_to_wait_is_no_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def wait(*_: Any, **__: Any) -> None:
        raise WaitingError("for a person\nwho looks")

    monkeypatch.setattr("inverse_instruct.loop.review.review_rows", wait)
    monkeypatch.setattr("sys.argv", ["inverse-instruct", "review", "x", "--accept"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    assert capsys.readouterr().err == "waiting: for a person\n         who looks\n"
