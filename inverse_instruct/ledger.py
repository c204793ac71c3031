"""The record of a run in SQLite: what `status`, reports and gateways read, also while the run goes on.

One process writes (the one that holds the run's lock); any number read. The files and manifests of the run directory
stay the truth: a lost ledger costs history, never results.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inverse_instruct.errors import RunDirError
from inverse_instruct.run_dir import Manifest

SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    name TEXT NOT NULL, rounds INTEGER NOT NULL, state TEXT NOT NULL, pid INTEGER, host TEXT, updated REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS stages (
    round INTEGER NOT NULL, stage TEXT NOT NULL, state TEXT NOT NULL, started REAL NOT NULL, updated REAL NOT NULL,
    done INTEGER, total INTEGER, manifest TEXT, PRIMARY KEY (round, stage)
);
CREATE TABLE IF NOT EXISTS checkpoints (
    round INTEGER PRIMARY KEY, path TEXT NOT NULL, digest TEXT NOT NULL, parent TEXT NOT NULL, state TEXT NOT NULL,
    reason TEXT NOT NULL, metrics TEXT NOT NULL, created REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS events (time REAL NOT NULL, round INTEGER, stage TEXT, message TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint and what became of it."""

    round: int
    path: str
    digest: str
    parent: str  # digest of the base model it was trained from, or "" for a given model
    state: str  # "candidate", "promoted", "retired" or "rejected"
    reason: str
    metrics: dict[str, Any]
    created: float = 0.0  # seconds since the epoch


class Ledger:
    """Opens the ledger of a run; use as a context manager or call `close`."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Open the database.

        Args:
            path: the file.
            create: make it if it is not there.

        Raises:
            RunDirError: there is no ledger, or it is damaged.
        """
        if not create and not path.is_file():
            raise RunDirError(f"{path.parent} is not a run: it has no ledger.db; check the path")
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, timeout=30)
            self._db.row_factory = sqlite3.Row
            if create:
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.executescript(SCHEMA)
        except sqlite3.DatabaseError as error:
            raise RunDirError(f"{path} is damaged ({error}); move it away and run again, results are kept") from error

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._db:
                yield self._db
        except sqlite3.OperationalError as error:
            raise RunDirError(f"{self._path} cannot be written ({error}); free some space and run again") from error

    def set_run(self, name: str, rounds: int, state: str, pid: int, host: str) -> None:
        """Record what the run as a whole is doing: running, done, failed or interrupted."""
        with self._write() as db:
            db.execute("DELETE FROM run")
            db.execute("INSERT INTO run VALUES (?, ?, ?, ?, ?, ?)", (name, rounds, state, pid, host, time.time()))

    def start_stage(self, round_number: int, stage: str, total: int | None = None) -> None:
        """Record that a stage is under way."""
        now = time.time()
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO stages VALUES (?, ?, 'running', ?, ?, 0, ?, NULL)",
                       (round_number, stage, now, now, total))

    def advance(self, round_number: int, stage: str, done: int, total: int | None) -> None:
        """Record how far a running stage is."""
        with self._write() as db:
            db.execute("UPDATE stages SET done = ?, total = ?, updated = ? WHERE round = ? AND stage = ?",
                       (done, total, time.time(), round_number, stage))

    def finish_stage(self, round_number: int, manifest: Manifest) -> None:
        """Record a finished stage with its manifest."""
        now = time.time()
        known = self._db.execute("SELECT manifest FROM stages WHERE round = ? AND stage = ?",
                                 (round_number, manifest.stage)).fetchone()
        if known and known["manifest"] == json.dumps(vars(manifest)):
            return  # a resumed run passes by what it did before
        row = (round_number, manifest.stage, now - manifest.seconds, now, manifest.rows_in, manifest.rows_in,
               json.dumps(vars(manifest)))
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO stages VALUES (?, ?, 'done', ?, ?, ?, ?, ?)", row)

    def add_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Record a checkpoint; if it is promoted, the promoted one before it is retired in the same transaction."""
        known = self._db.execute("SELECT digest, reason FROM checkpoints WHERE round = ?",
                                 (checkpoint.round,)).fetchone()
        if known and (known["digest"], known["reason"]) == (checkpoint.digest, checkpoint.reason):
            return  # a resumed run passes by what it decided before
        row = (checkpoint.round, checkpoint.path, checkpoint.digest, checkpoint.parent, checkpoint.state,
               checkpoint.reason, json.dumps(checkpoint.metrics), time.time())
        with self._write() as db:
            if checkpoint.state == "promoted":
                db.execute("UPDATE checkpoints SET state = 'retired' WHERE state = 'promoted'")
            db.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def add_event(self, message: str, round_number: int | None = None, stage: str | None = None) -> None:
        """Record something that a person may want to know later."""
        with self._write() as db:
            db.execute("INSERT INTO events VALUES (?, ?, ?, ?)", (time.time(), round_number, stage, message))

    def run(self) -> dict[str, Any] | None:
        """Return the row of the run, or None before its first start."""
        row = self._db.execute("SELECT * FROM run").fetchone()
        return dict(row) if row else None

    def stages(self) -> list[dict[str, Any]]:
        """Return all stages in the order they were started, `manifest` as a mapping or None."""
        rows = [dict(row) for row in self._db.execute("SELECT * FROM stages ORDER BY round, started")]
        for row in rows:
            row["manifest"] = json.loads(row["manifest"]) if row["manifest"] else None
        return rows

    def checkpoints(self) -> list[Checkpoint]:
        """Return all checkpoints by round."""
        rows = self._db.execute("SELECT * FROM checkpoints ORDER BY round")
        return [Checkpoint(**(dict(row) | {"metrics": json.loads(row["metrics"])})) for row in rows]

    def events(self) -> list[dict[str, Any]]:
        """Return all events, oldest first."""
        return [dict(row) for row in self._db.execute("SELECT * FROM events ORDER BY time")]
