"""Benchmark files that are damaged, or are bombs, end in a sentence that names them."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.errors import BenchmarkError
from evaluation.rows import read_file


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "rows.gz").write_bytes(gzip.compress(json.dumps({"task_id": "a/0"}).encode()))
    assert [row.fields for row in read_file(tmp_path / "rows.gz").rows] == [{"task_id": "a/0"}]


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.gz").write_bytes(gzip.compress(b'{"task_id": "' + b" " * (64 << 20) + b'"}'))
    with pytest.raises(BenchmarkError, match="rows.gz: expands to more than 200 times"):
        read_file(tmp_path / "rows.gz")


@pytest.mark.parametrize(
    "spoil", [lambda whole: whole[:-9], lambda whole: whole[:20] + b"\xff" * 20 + whole[40:]], ids=["cut", "garbled"]
)
def test_a_damaged_file_is_named(tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    whole = gzip.compress("".join(json.dumps({"task_id": f"a/{number**7}"}) for number in range(99)).encode())
    (tmp_path / "rows.gz").write_bytes(spoil(whole))
    with pytest.raises(BenchmarkError, match="rows.gz: cannot be read"):
        read_file(tmp_path / "rows.gz")


def test_a_parquet_file_is_read(tmp_path: Path) -> None:
    rows = [{"task_id": f"a/{number}", "test_list": ["x"], "metadata": {"problem_id": number}} for number in range(300)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows")
    found = read_file(tmp_path / "rows").rows
    assert [row.fields for row in found] == rows and found[299].where.endswith("rows[299]")


def spoiled(path: Path) -> None:
    path.write_bytes(b"PAR1" + b"\0" * 99)


def wordy(path: Path) -> None:
    """Say one long text in every row, which Parquet stores once."""
    pq.write_table(pa.table({"text": pa.array(["x" * (1 << 16)] * 4096).dictionary_encode()}), path)


def large(path: Path) -> None:
    path.touch()
    os.truncate(path, (1 << 30) + 1)


def not_utf8(path: Path) -> None:
    text = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff"))
    pq.write_table(pa.table({"text": text}), path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (spoiled, "is not a readable Parquet file"),
        (wordy, "expands to more than 200 times"),
        (not_utf8, "is not a readable Parquet file"),
        (large, "has more than 1024 MiB"),
        (os.mkfifo, "is not a regular file"),
        (Path.mkdir, "is not a regular file"),
        (lambda path: None, "there is no such file"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    make(tmp_path / "rows")
    with pytest.raises(BenchmarkError, match=f"rows: {words}"):
        read_file(tmp_path / "rows")
