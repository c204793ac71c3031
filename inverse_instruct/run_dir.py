"""A run on disk: its paths, files that appear whole or not at all, manifests and the lock.

Guaranteed: a file written here is complete or absent, also after a power cut; a stage is done if and only if its
`manifest.json` is there, is as it was written, and the digests of its outputs still match; what does not match is named
in a warning. Not guaranteed: anything on file systems without atomic rename or flock (some network mounts).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from inverse_instruct.errors import RunDirError
from inverse_instruct.folder_lock import is_locked, lock_folder
from inverse_instruct.records import Record, digest

logger = logging.getLogger(__name__)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def atomic_write(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file beside `path`; it takes that name when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open(mode, encoding=None if "b" in mode else "utf-8") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Return when a file's content, or a folder's list of names, is on the disk and outlasts a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically."""
    with atomic_write(path) as stream:
        json.dump(value, stream, indent=2, ensure_ascii=False)
        stream.write("\n")


def write_rows(path: Path, rows: Iterable[dict[str, Any]], record: type[Record] | None = None) -> int:
    """Write rows as Parquet (`.parquet`) or JSON lines (any other name), atomically; return how many there were.

    Rows are taken one by one, so a generator of any length is fine.

    Args:
        path: the file.
        rows: plain values, as `records.to_dict` gives them.
        record: what the rows are; gives a Parquet file its column types even where it has no row.
    """
    from inverse_instruct.row_files import RowWriter

    with RowWriter(path, record) as writer:
        for row in rows:
            writer.write(row)
    return writer.count


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read back what `write_rows` wrote.

    Raises:
        RunDirError: the file is missing or damaged.
    """
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            return pq.ParquetFile(path).read().to_pylist()  # type: ignore[no-any-return]
        with path.open(encoding="utf-8") as stream:
            return [json.loads(line) for line in stream]
    except (OSError, ValueError) as error:
        raise RunDirError(f"{path}: cannot be read ({error}); remove its folder and run the stage again") from error


@dataclass
class Manifest:
    """The proof that a stage is done: what went in, what came out, and what it took."""

    stage: str
    key: str  # digest of everything the result depends on: config section, inputs, model
    rows_in: int
    rows_out: int
    rejected: dict[str, int] = field(default_factory=dict)  # reason -> rows
    outputs: dict[str, str] = field(default_factory=dict)  # file name -> SHA-256
    seconds: float = 0.0
    tokens: dict[str, int] = field(default_factory=dict)  # kind -> tokens
    metrics: dict[str, Any] = field(default_factory=dict)

    def check_accounting(self) -> None:
        """Raise an AssertionError unless rows in = rows out + rejections."""
        if self.rows_in != self.rows_out + sum(self.rejected.values()):
            raise AssertionError(f"{self.stage}: {self.rows_in} rows in, {self.rows_out} out, {self.rejected} rejected")


MANIFEST = "manifest.json"


def write_manifest(folder: Path, manifest: Manifest, outputs: Iterable[str]) -> Manifest:
    """Digest the named outputs and publish the manifest; called last, it makes the stage done."""
    manifest.check_accounting()
    manifest.outputs = {name: file_digest(folder / name) for name in outputs}
    values = asdict(manifest)
    write_json(folder / MANIFEST, values | {"digest": digest(json.dumps(values))})
    return manifest


def changed_files(folder: Path, digests: Mapping[str, str]) -> list[str]:
    """Return the names of files that are gone or no longer have their SHA-256."""
    return [name for name, expected in digests.items()
            if not (folder / name).is_file() or file_digest(folder / name) != expected]


def read_manifest(folder: Path, key: str | None = None) -> Manifest | None:
    """Return the manifest of a finished stage, or None if the stage is not done.

    Args:
        folder: the stage's folder.
        key: what the manifest must have been made from; None takes any.
    """
    path = folder / MANIFEST
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        written = values.pop("digest")
        manifest = Manifest(**values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        logger.warning("%s is damaged: it cannot be read; the stage is done again", path)
        return None
    if written != digest(json.dumps(values)):
        logger.warning("%s is damaged: its digest is not the one that was written; the stage is done again", path)
        return None
    if key is not None and manifest.key != key:
        return None
    for name in (changed := changed_files(folder, manifest.outputs)):
        logger.warning("%s is damaged or gone: its SHA-256 is not the one in %s; it is made again", folder / name, path)
    return None if changed else manifest


def newest_run(folder: Path = Path("runs")) -> Path:
    """Return the run in a folder of runs whose ledger was written last.

    Raises:
        RunDirError: there is none.
    """
    ledgers = sorted(folder.glob("*/ledger.db"), key=lambda ledger: ledger.stat().st_mtime)
    if not ledgers:
        raise RunDirError(f"there is no run under {folder}/; name a run directory")
    return ledgers[-1].parent


@dataclass(frozen=True)
class RunDir:
    """The places in a run's folder."""

    path: Path

    def stage(self, round_number: int, stage: str) -> Path:
        """Return the folder of a stage of a round."""
        return self.path / f"round-{round_number:02d}" / stage

    def checkpoint(self, round_number: int) -> Path:
        """Return the folder of the checkpoint that a round trained."""
        return self.path / "checkpoints" / f"round-{round_number:02d}"

    @property
    def config(self) -> Path:
        """The resolved config, written once."""
        return self.path / "run.yaml"

    @property
    def ledger(self) -> Path:
        """The SQLite record of the run."""
        return self.path / "ledger.db"

    @property
    def logs(self) -> Path:
        """Where servers and trainers log."""
        return self.path / "logs"

    def is_locked(self) -> bool:
        """Tell whether a process holds the run."""
        return is_locked(self.path)

    def lock(self) -> AbstractContextManager[None]:
        """Hold the run for this process.

        Raises:
            RunDirError: another process holds it (its pid and host are named), or the folder cannot be written.
        """
        return lock_folder(self.path, "--run-dir")
