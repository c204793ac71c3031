"""What trackers are told of a run: everything, once; and the same read back from the files of real libraries."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inverse_instruct import cli
from inverse_instruct.errors import StageError
from inverse_instruct.store.losses import read_losses
from inverse_instruct.trackers.facts import Artifact, Distribution, Fact, Point, facts_of
from inverse_instruct.trackers.tracker import track
from inverse_instruct.training.job import PhaseFolder
from tests.example_run import make_run


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path) -> Path:
    """A finished run of three rounds."""
    make_run(tmp_path / "run", tiny_model)
    for number in (1, 2):
        losses = PhaseFolder(tmp_path / f"run/round-{number:02}/train/phase-0-selected").losses
        losses.parent.mkdir()
        steps = [{"step": step, "loss": 2.0 / step, "lr": 1e-5, "grad_norm": 1.0} for step in (1, 2, 3)]
        losses.write_text("".join(json.dumps(step) + "\n" for step in steps))
    return tmp_path / "run"


class Noting:
    """Keeps what it is told."""

    def __init__(self, project: str, name: str, run: str) -> None:
        self.opened, self.run, self.facts = (project, name, run), run or "mine", list[Fact]()
        self.closed = False

    def point(self, point: Point) -> None:
        self.facts.append(point)

    def distribution(self, distribution: Distribution) -> None:
        self.facts.append(distribution)

    def artifact(self, artifact: Artifact) -> None:
        self.facts.append(artifact)

    def close(self) -> None:
        self.closed = True


def noting(kept: list[Noting]) -> Callable[[str, str, str], Noting]:
    def opened(project: str, name: str, run: str) -> Noting:
        kept.append(Noting(project, name, run))
        return kept[-1]

    return opened


def test_everything_is_told_once(run: Path) -> None:
    kept: list[Noting] = []
    told = track(run, "x", noting(kept), "p")
    [first] = kept
    assert told == len(first.facts) and first.closed and first.opened[0] == "p"
    rounds = [fact for fact in first.facts if isinstance(fact, Point) and fact.axis == "round"]
    assert [point.step for point in rounds] == [0, 1, 2]
    assert all(0 <= point.values["round/mini/pass_at_1"] <= 1 for point in rounds)
    assert [point.values["round/promoted"] for point in rounds] == [1.0, 1.0, 0.0]
    losses = [fact for fact in first.facts if isinstance(fact, Point) and fact.axis.startswith("train/round-01/")]
    files = sorted((run / "round-01").glob("*/phase-*/loss.jsonl"))
    assert len(losses) == sum(len(read_losses(file)) for file in files) > 0
    assert {fact.measure for fact in first.facts if isinstance(fact, Distribution)} == {
        "lm_score/scored",
        "lm_score/selected",
    }
    assert "run.yaml" in {fact.name for fact in first.facts if isinstance(fact, Artifact)}
    assert track(run, "x", noting(kept), "p") == 0 and len(kept) == 1, "nothing is new"
    with (run / "round-01/train/phase-0-selected/loss.jsonl").open("a") as stream:
        stream.write(json.dumps({"step": 9999, "loss": 0.5, "lr": 0.1}) + "\n")
    assert track(run, "x", noting(kept), "p") == 1
    assert kept[-1].opened[2] == "mine", "the tracker's own run is gone on with"
    assert track(run, "x", noting(kept), "another") == told + 1 and kept[-1].opened[2] == ""


def test_a_damaged_memory_is_named(run: Path) -> None:
    (run / "tracking-x.json").write_text("{")
    with pytest.raises(StageError, match="tracking-x.json is damaged.*remove it"):
        track(run, "x", noting([]), "p")


def said(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["inverse-instruct", "track", *words])
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_a_library_that_is_missing_is_named(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("mlflow", "wandb", "trackio"):
        monkeypatch.setitem(sys.modules, name, None)
        assert said(monkeypatch, str(run), "--to", name) == 1
        assert f"{name} is not installed; install it: pip install {name}" in capsys.readouterr().err


def expected(run: Path) -> dict[tuple[str, int], float]:
    """Return the scalars that a tracker must hold."""
    points = [fact for fact in facts_of(run) if isinstance(fact, Point)]
    return {(name, point.step): value for point in points for name, value in point.values.items()}


def test_tensorboard_reads_back_what_was_told(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert said(monkeypatch, str(run), "--to", "tensorboard", "--project", str(tmp_path / "boards")) == 0
    [folder] = (tmp_path / "boards").iterdir()
    events = accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    found = {(name, event.step): event.value for name in events.Tags()["scalars"] for event in events.Scalars(name)}
    assert found == pytest.approx(expected(run))
    assert set(events.Tags()["histograms"]) == {"lm_score/scored", "lm_score/selected"}


@pytest.mark.parametrize("when", ["it is opened", "it is told", "it is closed"])
def test_what_a_tracker_refuses_is_said_and_told_again(run: Path, when: str) -> None:
    class Refusing(Noting):
        def __init__(self, *words: str) -> None:
            super().__init__(*words)
            self._refuse("it is opened")

        def point(self, point: Point) -> None:
            self._refuse("it is told")

        def close(self) -> None:
            self._refuse("it is closed")

        def _refuse(self, now: str) -> None:
            if now == when:
                raise ConnectionError("no such server\nand much more")

    with pytest.raises(StageError, match=r"mlflow refuses \(ConnectionError\): no such server; mend that"):
        track(run, "mlflow", Refusing, "study")
    kept: list[Noting] = []
    assert track(run, "mlflow", noting(kept), "study") == len(kept[0].facts) > 0


def test_mlflow_reads_back_what_was_told(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    assert said(monkeypatch, str(run), "--to", "mlflow", "--project", "study") == 0
    client = mlflow.MlflowClient()
    [kept] = client.search_runs([client.get_experiment_by_name("study").experiment_id])
    for (name, step), value in expected(run).items():
        history = {metric.step: metric.value for metric in client.get_metric_history(kept.info.run_id, name)}
        assert history[step] == pytest.approx(value)
    assert "run.yaml" in {file.path for file in client.list_artifacts(kept.info.run_id)}
    assert said(monkeypatch, str(run), "--to", "mlflow", "--project", "study") == 0
    assert len(client.search_runs([kept.info.experiment_id])) == 1


def log_records(content: bytes) -> Iterator[bytes]:
    """Yield the records of a file in the form of LevelDB's logs, which is that of W&B's offline runs."""
    place, record = 7, b""  # behind the file's own header
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:  # what is left of the block holds nothing
            place += 32768 - place % 32768
            continue
        size, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        record += content[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


def test_weights_and_biases_offline_holds_what_was_told(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = pytest.importorskip("wandb.proto.wandb_internal_pb2")

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    assert said(monkeypatch, str(run), "--to", "wandb", "--project", "study") == 0
    [file] = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    found = []
    for data in log_records(file.read_bytes()):
        record = messages.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            found.append({item.key or "/".join(item.nested_key): item.value_json for item in record.history.item})
    for (name, step), value in expected(run).items():
        axis = "round" if name.startswith("round/") else name.rpartition("/")[0]
        told = [json.loads(row[name]) for row in found if name in row and json.loads(row[f"{axis}/step"]) == step]
        assert told == [pytest.approx(value)], name


def test_trackio_reads_back_what_was_told(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    trackio = pytest.importorskip("trackio")
    assert said(monkeypatch, str(run), "--to", "trackio", "--project", "study") == 0
    storage = pytest.importorskip("trackio.sqlite_storage").SQLiteStorage
    [kept] = trackio.Api().runs("study")
    rows = storage.get_logs("study", kept.name)
    for (name, step), value in expected(run).items():
        told = [row[name] for row in rows if name in row and row["step"] == step]
        assert told == [pytest.approx(value)], name
