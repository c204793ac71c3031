"""Files appear whole or not at all; manifests are believed only if digests match."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from inverse_instruct.errors import RunDirError
from inverse_instruct.records import Reason, Rejection, rows_digest, to_dict
from inverse_instruct.store.files import atomic_write
from inverse_instruct.store.manifest import Manifest, read_manifest, write_manifest
from inverse_instruct.store.rows import read_rows, write_rows
from inverse_instruct.store.run_dir import RunDir


def test_atomic_write_leaves_nothing_behind_on_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(RuntimeError), atomic_write(path) as stream:
        stream.write("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["rows.parquet", "rows.jsonl"])
def test_rows_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    rows = [
        to_dict(Rejection("a/1", "score", Reason.EMPTY, "ü\n'\u2028")),
        to_dict(Rejection("b", "score", Reason.EMPTY)),
    ]
    assert write_rows(tmp_path / name, rows) == 2
    assert read_rows(tmp_path / name) == rows
    write_rows(tmp_path / name, [])
    assert read_rows(tmp_path / name) == []


def test_damaged_rows_are_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(RunDirError, match="rows.parquet: cannot be read"):
        read_rows(path)


def test_manifest_is_refused_when_an_output_changes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "out.txt").write_text("x")
    write_manifest(tmp_path, Manifest("score", "key", 3, 2, {"empty": 1}), ["out.txt"])
    assert read_manifest(tmp_path, "key") is not None
    assert read_manifest(tmp_path, "other key") is None
    assert not caplog.text
    (tmp_path / "out.txt").write_text("y")
    assert read_manifest(tmp_path) is None
    assert f"{tmp_path / 'out.txt'} is damaged or gone" in caplog.text


def test_every_flipped_bit_of_a_manifest_is_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "out.txt").write_text("x")
    write_manifest(tmp_path, Manifest("score", "key", 3, 2, {"empty": 1}, metrics={"loss": 1.25}), ["out.txt"])
    path = tmp_path / "manifest.json"
    whole = path.read_bytes()
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        found = read_manifest(tmp_path)
        assert found is None or json.loads(content) == json.loads(whole), place  # white space means nothing
    assert f"{path} is damaged" in caplog.text


def test_manifest_refuses_lost_rows(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="3 rows in, 1 out"):
        write_manifest(tmp_path, Manifest("score", "key", 3, 1, {"empty": 1}), [])
    assert read_manifest(tmp_path) is None


def _hold(path: Path, ready: object, release: object) -> None:
    with RunDir(path).lock():
        ready.set()  # type: ignore[attr-defined]
        release.wait(30)  # type: ignore[attr-defined]


def test_second_process_is_refused_and_told_who_holds_the_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, ready, release))
    holder.start()
    assert ready.wait(30)
    with pytest.raises(RunDirError, match=f"in use by pid {holder.pid} on "), RunDir(tmp_path).lock():
        pass
    holder.kill()
    holder.join()
    caplog.set_level("INFO")
    with RunDir(tmp_path).lock():  # a killed holder leaves nothing that needs mending
        assert f"was held by pid {holder.pid} on " in caplog.text and "stale" in caplog.text
    caplog.clear()
    with RunDir(tmp_path).lock():
        assert not caplog.text


def test_rows_digest_ignores_order() -> None:
    assert rows_digest(["a", "b"]) == rows_digest(["b", "a"]) != rows_digest(["a"])
