"""Rows are written in bounded memory, with the types of their record."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from inverse_instruct.records import Candidate, Draft, Reason, Rejection, ScoredPair, Snippet, TrainingRow, to_dict
from inverse_instruct.store import rows as row_files
from inverse_instruct.store.rows import RowWriter, iterate_rows, read_rows, record_schema, write_rows

ROW = TrainingRow("id", "i", "r", "python", 0, "", "", None, "row", "file", 1, "")


def types(path: Path) -> dict[str, str]:
    return {field.name: str(field.type) for field in pq.read_schema(path)}


@pytest.mark.parametrize("record", [Snippet, Candidate, ScoredPair, Draft, TrainingRow, Rejection])
def test_an_empty_file_keeps_its_types(tmp_path: Path, record: type) -> None:
    path = tmp_path / "x.parquet"
    assert write_rows(path, [], record) == 0
    assert types(path) == {field.name: str(field.type) for field in record_schema(record)}
    assert read_rows(path) == []


def test_columns_of_nulls_keep_their_types(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    assert write_rows(path, (to_dict(row) for row in [ROW])) == 1
    assert types(path)["lm_score"] == "double" and types(path)["round"] == "int64"
    assert read_rows(path) == [to_dict(ROW)]


def test_a_list_of_ids_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    drafts = [
        Draft("d", parents, "fix", "i", "code", "r", "python", 0, 7, "m", "p") for parents in (["a", "b\ud800"], [])
    ]
    write_rows(path, map(to_dict, drafts), Draft)
    assert [draft.parents for draft in iterate_rows(path, Draft)] == [["a", "b?"], []]


def test_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_files, "_GROUP_ROWS", 3)
    rows = [to_dict(Rejection(str(n), "s", Reason.EMPTY)) for n in range(7)]
    assert write_rows(tmp_path / "x.parquet", iter(rows)) == 7
    assert pq.ParquetFile(tmp_path / "x.parquet").num_row_groups == 3
    assert read_rows(tmp_path / "x.parquet") == rows


@pytest.mark.parametrize("name", ["x.parquet", "x.jsonl"])
def test_half_surrogates_and_failures(tmp_path: Path, name: str) -> None:
    write_rows(tmp_path / name, [{"a": "x\ud800y", "b": 1}, {"a": None, "b": 2}])
    assert read_rows(tmp_path / name) == [{"a": "x?y", "b": 1}, {"a": None, "b": 2}]
    with pytest.raises(ZeroDivisionError), RowWriter(tmp_path / f"other-{name}") as writer:
        writer.write({"a": 1})
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == [name]
