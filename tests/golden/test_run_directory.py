"""`docs/run-directory.md` names all that is in a run's folder."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from inverse_instruct.records import Record, SourceRow
from inverse_instruct.store.ledger import SCHEMA
from inverse_instruct.store.manifest import Manifest, WrittenRows
from inverse_instruct.store.measures import Decision
from inverse_instruct.system.root import ROOT

TEXT = (ROOT / "docs/run-directory.md").read_text()
NAMED = set(re.findall(r"[\w.-]+", " ".join(re.findall(r"`([^`]+)`", TEXT))))
RECORDS = [record for record in get_args(Record) if record is not SourceRow]  # of a corpus, and in no file of a run
MADE_BY_TESTS = {"rows.txt"}


@pytest.mark.parametrize("run", ["played", "example"])
def test_every_file(runs: Path, run: str) -> None:
    folder = runs / run
    names = {path.name for path in folder.rglob("*") if path.is_file() and "checkpoints" not in path.parts}
    own = {"corpus.jsonl", "config.yaml"} | MADE_BY_TESTS  # the input of the furnished run
    assert {re.sub(r"phase-\d+-\w+", "phase-N-DATA", name) for name in names - own} - NAMED == set()


@pytest.mark.parametrize("record", [*RECORDS, Manifest, WrittenRows, Decision], ids=lambda record: record.__name__)
def test_every_column(record: type) -> None:
    assert {field.name for field in fields(record)} - NAMED == set()


def test_every_record() -> None:
    assert {record.__name__ for record in RECORDS} - NAMED == set()


def test_every_table() -> None:
    with sqlite3.connect(":memory:") as database:
        database.executescript(SCHEMA)
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
            [line] = [line for line in TEXT.splitlines() if line.startswith(f"| `{table}` |")]
            assert set(re.findall(r"`(\w+)`", line)) == {table} | columns
