"""The proof that a stage is done.

Guaranteed: a stage is done if and only if its `manifest.json` is there, is as it was written, and the digests of its
outputs still match; what does not match is named in a warning.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from inverse_instruct.records import digest
from inverse_instruct.store.files import changed_files, file_digest, write_json
from inverse_instruct.store.measures import Measures, read_measures

MANIFEST = "manifest.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WrittenRows:
    """The rows of a file."""

    record: str  # name of the record in `records.py`
    rows: int


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
    unit: str = "row"  # what a row is, in the singular; "" where the rows are no data, such as verdicts
    kept: str = ""  # the file of the rows that went on; "" where there is none
    rows: dict[str, WrittenRows] = field(default_factory=dict)  # file of rows among the outputs -> what they are
    inputs: dict[str, dict[str, str]] = field(default_factory=dict)  # input -> file, relative to the run -> SHA-256

    @property
    def record(self) -> str:
        """What the rows are that went on; "" where they are not in a file of rows."""
        return self.rows[self.kept].record if self.kept in self.rows else ""

    @classmethod
    def of(cls, values: dict[str, Any]) -> Manifest:
        """Return the manifest from its plain values.

        Raises:
            TypeError: they are of another version.
        """
        rows = {name: WrittenRows(**about) for name, about in values.get("rows", {}).items()}
        return cls(**values | {"rows": rows})

    @property
    def measures(self) -> Measures:
        """What readers look for in the metrics."""
        return read_measures(self.metrics, self.stage)

    def check_accounting(self) -> None:
        """Raise an AssertionError unless rows in = rows out + rejections."""
        if self.rows_in != self.rows_out + sum(self.rejected.values()):
            raise AssertionError(f"{self.stage}: {self.rows_in} rows in, {self.rows_out} out, {self.rejected} rejected")


def write_manifest(folder: Path, manifest: Manifest, outputs: Iterable[str]) -> Manifest:
    """Digest the named outputs and publish the manifest; called last, it makes the stage done."""
    manifest.check_accounting()
    manifest.outputs = {name: file_digest(folder / name) for name in outputs}
    values = asdict(manifest)
    write_json(folder / MANIFEST, values | {"digest": digest(json.dumps(values))})
    return manifest


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
        manifest = Manifest.of(values)
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
