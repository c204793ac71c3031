"""Benchmark files that are damaged, or are bombs, end in a sentence that names them."""

import gzip
import json
from pathlib import Path

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
