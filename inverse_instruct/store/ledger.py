"""The record of a run in SQLite: what `status`, reports and gateways read, also while the run goes on.

The process that holds the run's lock writes what the loop does. Promotions and events may be written by any process,
each in one transaction; any number read. The files and manifests of the run directory stay the truth about rounds: a
lost ledger costs history and the choices of persons, never results.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from inverse_instruct.errors import NoRunError, NotFoundError, RunDirError
from inverse_instruct.redaction import redact
from inverse_instruct.store.ledger_rows import Checkpoint, Event, Promotion, RunRow, StageRow
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.file_systems import is_on_network

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
CREATE UNIQUE INDEX IF NOT EXISTS one_promoted ON checkpoints (state) WHERE state = 'promoted';
CREATE TABLE IF NOT EXISTS promotions (
    id INTEGER PRIMARY KEY, time REAL NOT NULL, round INTEGER NOT NULL, over INTEGER, action TEXT NOT NULL,
    author TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS events (time REAL NOT NULL, round INTEGER, stage TEXT, message TEXT NOT NULL);
"""


def _trouble(path: Path, error: sqlite3.DatabaseError) -> RunDirError:
    if isinstance(error, sqlite3.OperationalError):
        return RunDirError(
            f"{path} cannot be used ({error}); free some space, see that you may write there, and run again"
        )
    return RunDirError(f"{path} is damaged ({error}); move it away and run again, results are kept")


class Ledger:
    """Opens the ledger of a run; use as a context manager or call `close`."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Open the database.

        Args:
            path: the file.
            create: make it if it is not there.

        Raises:
            NoRunError: there is no ledger.
            RunDirError: it is damaged.
        """
        if not create and not path.is_file():
            raise NoRunError(f"{path.parent} is not a run: it has no ledger.db; check the path")
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, timeout=30)
            self._db.row_factory = sqlite3.Row
            if create:
                # WAL wants memory that its readers share, which machines do not
                self._db.execute(f"PRAGMA journal_mode={'DELETE' if is_on_network(path.parent) else 'WAL'}")
                self._db.executescript(SCHEMA)
            elif not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone():  # the last table
                raise NoRunError(f"{path.parent} is not a run: its ledger.db is empty; start the run again")
        except sqlite3.DatabaseError as error:
            raise _trouble(path, error) from error

    def __enter__(self) -> Ledger:
        """Use as a context manager, so that it is closed and damage is told as a `RunDirError`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the database."""
        self.close()
        if isinstance(error, sqlite3.DatabaseError):
            raise _trouble(self._path, error) from error

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextmanager
    def _write(self, *, immediate: bool = False) -> Iterator[sqlite3.Connection]:
        """Write in one transaction; `immediate`: what is read in it stays true to its end."""
        try:
            with self._db:
                if immediate:
                    self._db.execute("BEGIN IMMEDIATE")
                yield self._db
        except sqlite3.DatabaseError as error:
            raise _trouble(self._path, error) from error

    def set_run(self, name: str, rounds: int, state: str, pid: int, host: str) -> None:
        """Record what the run as a whole is doing: running, done, failed or interrupted."""
        with self._write() as db:
            db.execute("DELETE FROM run")
            db.execute("INSERT INTO run VALUES (?, ?, ?, ?, ?, ?)", (name, rounds, state, pid, host, time.time()))

    def start_stage(self, round_number: int, stage: str, total: int | None = None) -> None:
        """Record that a stage is under way."""
        now = time.time()
        with self._write() as db:
            self._set_stage(db, (round_number, stage, "running", now, now, 0, total, None))

    def advance(self, round_number: int, stage: str, done: int, total: int | None) -> None:
        """Record how far a running stage is."""
        with self._write() as db:
            db.execute(
                "UPDATE stages SET done = ?, total = ?, updated = ? WHERE round = ? AND stage = ?",
                (done, total, time.time(), round_number, stage),
            )

    def finish_stage(self, round_number: int, manifest: Manifest) -> None:
        """Record a finished stage with its manifest."""
        now, text, rows = time.time(), json.dumps(asdict(manifest)), manifest.rows_in
        known = self._db.execute(
            "SELECT manifest FROM stages WHERE round = ? AND stage = ?", (round_number, manifest.stage)
        ).fetchone()
        if known and known["manifest"] == text:
            return  # a resumed run passes by what it did before
        row = (round_number, manifest.stage, "done", now - manifest.seconds, now, rows, rows, text)
        with self._write() as db:
            self._set_stage(db, row)

    def _set_stage(self, db: sqlite3.Connection, row: tuple[Any, ...]) -> None:
        """Write a stage; it keeps its place among the others, also when it is done again or the clock jumps."""
        db.execute(
            "INSERT INTO stages VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (round, stage) DO UPDATE SET state ="
            " excluded.state, started = excluded.started, updated = excluded.updated, done = excluded.done,"
            " total = excluded.total, manifest = excluded.manifest",
            row,
        )

    def add_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Record a checkpoint of the loop; where its state is "promoted", in the same transaction also that."""
        row = (
            checkpoint.round,
            checkpoint.path,
            checkpoint.digest,
            checkpoint.parent,
            "candidate",
            checkpoint.reason,
            json.dumps(checkpoint.metrics),
            time.time(),
        )
        with self._write(immediate=True) as db:
            known = db.execute("SELECT digest, reason FROM checkpoints WHERE round = ?", (checkpoint.round,)).fetchone()
            if known and (known["digest"], known["reason"]) == (checkpoint.digest, checkpoint.reason):
                return  # a resumed run passes by what it decided before, whatever persons have made of it since
            db.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            if checkpoint.state == "promoted":
                self._move(db, checkpoint.round, "promote", "loop", checkpoint.reason)

    def promote(self, round_number: int, *, over: int | None, author: str, reason: str) -> Checkpoint:
        """Make a round's checkpoint the promoted one; return it.

        Args:
            round_number: the round.
            over: the round that the caller saw promoted, None for none: of two at once only one comes through.
            author: who wants it.
            reason: why.

        Raises:
            RunDirError: there is no such checkpoint, it is promoted already, or another was promoted meanwhile.
        """
        with self._write(immediate=True) as db:
            self._expect_promoted(over)
            checkpoint = self.find(str(round_number))
            if checkpoint.state == "promoted":
                raise RunDirError(f"{checkpoint.name} is the promoted checkpoint already")
            self._move(db, round_number, "promote", author, reason)
        return replace(checkpoint, state="promoted")

    def roll_back(self, *, over: int | None, author: str, reason: str) -> Checkpoint:
        """Promote the checkpoint again that the promoted one replaced; return it. Arguments as of `promote`.

        Raises:
            RunDirError: nothing was promoted before, or another was promoted meanwhile.
        """
        with self._write(immediate=True) as db:
            self._expect_promoted(over)
            checkpoint = self.predecessor()
            if checkpoint is None:
                raise RunDirError(
                    f"{self._path.parent}: nothing was promoted before the promoted checkpoint, so there "
                    "is nothing to roll back to"
                )
            self._move(db, checkpoint.round, "rollback", author, reason)
        return replace(checkpoint, state="promoted")

    def _expect_promoted(self, round_number: int | None) -> None:
        promoted = self.promoted()
        if (promoted.round if promoted else None) != round_number:
            now = f"{promoted.name} is promoted now" if promoted else "nothing is promoted now"
            raise RunDirError(
                f"{self._path.parent}: the promoted checkpoint has changed meanwhile ({now}); look at it "
                "and decide again"
            )

    def _move(self, db: sqlite3.Connection, round_number: int, action: str, author: str, reason: str) -> None:
        promoted = self.promoted()
        db.execute("UPDATE checkpoints SET state = 'retired' WHERE state = 'promoted'")
        db.execute("UPDATE checkpoints SET state = 'promoted' WHERE round = ?", (round_number,))
        db.execute(
            "INSERT INTO promotions (time, round, over, action, author, reason) VALUES (?, ?, ?, ?, ?, ?)",
            (time.time(), round_number, promoted.round if promoted else None, action, author, reason),
        )

    def add_event(self, message: str, round_number: int | None = None, stage: str | None = None) -> None:
        """Record something that a person may want to know later."""
        with self._write() as db:
            db.execute("INSERT INTO events VALUES (?, ?, ?, ?)", (time.time(), round_number, stage, redact(message)))

    def run(self) -> RunRow | None:
        """Return the row of the run, or None before its first start."""
        row = self._db.execute("SELECT * FROM run").fetchone()
        return RunRow(**dict(row)) if row else None

    def stages(self) -> list[StageRow]:
        """Return all stages in the order they were started.

        Raises:
            RunDirError: one was recorded by another version.
        """
        rows = self._db.execute("SELECT * FROM stages ORDER BY round, rowid")
        return [StageRow(**dict(row) | {"manifest": self._manifest(row["manifest"])}) for row in rows]

    def _manifest(self, text: str | None) -> Manifest | None:
        try:
            return Manifest.of(json.loads(text)) if text else None
        except (ValueError, TypeError, AttributeError) as error:
            raise RunDirError(f"{self._path} was written by another version ({error}); run its config again") from error

    def checkpoints(self) -> list[Checkpoint]:
        """Return all checkpoints by round, those of the run at their place in it, wherever the run was moved to."""
        rows = self._db.execute("SELECT * FROM checkpoints ORDER BY round")
        own = RunDir(self._path.parent).checkpoint
        return [
            Checkpoint(
                **(
                    dict(row)
                    | {
                        "metrics": json.loads(row["metrics"]),
                        "path": str(own(row["round"])) if own(row["round"]).is_dir() else row["path"],
                    }
                )
            )
            for row in rows
        ]

    def find(self, name: str) -> Checkpoint:
        """Return the checkpoint of a name, `round-NN` or `N`.

        Raises:
            NotFoundError: there is none.
        """
        known = self.checkpoints()
        for checkpoint in known:
            if name == checkpoint.name or (name.isdecimal() and int(name) == checkpoint.round):
                return checkpoint
        raise NotFoundError(
            f"{self._path.parent} has no checkpoint {name!r}; its checkpoints are "
            f"{', '.join(checkpoint.name for checkpoint in known) or 'none so far'}"
        )

    def promoted(self) -> Checkpoint | None:
        """Return the promoted checkpoint, if there is one."""
        return next((checkpoint for checkpoint in self.checkpoints() if checkpoint.state == "promoted"), None)

    def predecessor(self) -> Checkpoint | None:
        """Return what `roll_back` would promote: a rollback undoes the last promotion that was not undone so far."""
        risen: list[int] = []
        for move in self.promotions():
            if risen and (move.action == "rollback" or move.over is None):
                risen.pop()  # undone, or gone because its round was trained again
            if move.action == "promote":
                risen.append(move.round)
        return self.find(str(risen[-2])) if self.promoted() and len(risen) > 1 else None

    def promotions(self) -> list[Promotion]:
        """Return all promotions and rollbacks, oldest first."""
        return [Promotion(**dict(row)) for row in self._db.execute("SELECT * FROM promotions ORDER BY id")]

    def events(self) -> list[Event]:
        """Return all events, oldest first."""
        return [Event(**dict(row)) for row in self._db.execute("SELECT rowid AS id, * FROM events ORDER BY rowid")]
