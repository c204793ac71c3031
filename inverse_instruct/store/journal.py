"""An append-only JSONL file of finished work, keyed by content; survives kill -9 and damage.

Enters: rows with a key. Leaves: one line for each, which ends with the digest of the rest; memory grows with the keys
alone. A torn last line is what a kill leaves behind. Any other line that is not as it was written is named. The work of
both is done again, that of the lines after them is kept. Opening a journal changes nothing on disk. Several processes
write one journal each, and read those of the others. Not guaranteed: lines of the last seconds before a power cut; they
are with the operating system, not yet on the disk.
"""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import IO, Any

from inverse_instruct.errors import DamagedFileError, RunDirError
from inverse_instruct.records import digest
from inverse_instruct.store.files import atomic_write

logger = logging.getLogger(__name__)


class Journal(Mapping[str, dict[str, Any]]):
    """One journal, as a mapping of what is done; the keys are in memory, the rows stay in the file."""

    def __init__(self, path: Path, beside: Iterable[Path] = ()) -> None:
        """Read what is already in the journal; the file need not be there yet.

        Args:
            path: of the journal.
            beside: others that are read, too, and never written here.
        """
        self.path = path
        self._beside = [Journal(other) for other in beside]
        self._places: dict[str, tuple[int, int]] = {}  # key -> where its line begins and how long it is, in bytes
        self._is_whole = True
        self._reader: IO[bytes] | None = None
        self._stream: IO[bytes] | None = None
        self._size = 0  # bytes of whole lines
        self._read = 0  # bytes of them that were read
        self._load()

    def refresh(self) -> None:
        """Read what was written since to the journals beside this one."""
        for journal in self._beside:
            journal._load()

    def _load(self) -> None:
        if not self.path.exists():
            return
        damaged = []
        with self.path.open("rb") as stream:
            stream.seek(self._read)
            for number, line in enumerate(stream, start=1):
                row = _read_line(line)
                if row is not None:
                    self._places[row["key"]] = self._read, len(line)
                else:
                    self._is_whole = False
                    if not line.endswith(b"\n"):
                        break
                    damaged.append(number)
                self._read += len(line)
        if damaged:
            logger.warning(
                "%s is damaged in %s %s: the digest of what is there is not the one that was written; that "
                "work is done again",
                self.path,
                "line" if len(damaged) == 1 else "lines",
                ", ".join(map(str, damaged[:20])) + (" and more" if len(damaged) > 20 else ""),
            )

    def __contains__(self, key: object) -> bool:
        """Tell whether the work of this key is already done; the file is not read."""
        return key in self._places or any(key in journal for journal in self._beside)

    def __iter__(self) -> Iterator[str]:
        """Yield the keys of what is done."""
        return iter(dict.fromkeys(chain(self._places, *self._beside)))

    def __len__(self) -> int:
        """Return how much is done."""
        return sum(1 for _ in self)

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Return what was recorded of the work of this key.

        Raises:
            KeyError: it is not done.
            DamagedFileError: its line has changed since the journal was opened.
        """
        if key not in self._places:
            for journal in self._beside:
                if key in journal:
                    return journal[key]
            raise KeyError(key)
        row = _read_line(self._line(key))
        if row is None or row["key"] != key:
            raise DamagedFileError(f"{self.path} is not as it was written")
        return row

    def _line(self, key: str) -> bytes:
        start, length = self._places[key]
        if self._reader is None:
            self._reader = self.path.open("rb", buffering=0)
        return os.pread(self._reader.fileno(), length, start)

    def append(self, key: str, row: dict[str, Any]) -> None:
        """Record one finished piece of work; with the operating system before this returns.

        Raises:
            RunDirError: the disk is full or not writable; nothing was recorded.
        """
        line = _write_line({"key": key, **row})
        try:
            stream = self._stream or self._open()
            if stream.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            if self._stream:
                os.truncate(self.path, self._size)  # half a line would spoil the next one
            raise RunDirError(
                f"{self.path}: cannot be written ({error.strerror}); free some space and run again, "
                "nothing that was recorded is lost"
            ) from error
        self._places[key] = self._size, len(line)
        self._size += len(line)

    def _open(self) -> IO[bytes]:
        if not self._is_whole:
            self._rewrite()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self.path.open("ab", buffering=0)
        self._size = self._stream.tell()
        return self._stream

    def _rewrite(self) -> None:
        """Leave out the lines that are damaged."""
        places, start = {}, 0
        with atomic_write(self.path, "wb") as stream:
            for key in self._places:
                line = self._line(key)
                stream.write(line)
                places[key] = start, len(line)
                start += len(line)
        self._places = places
        if self._reader:
            self._reader.close()
            self._reader = None

    def close(self) -> None:
        """Close the file; `append` must not be called afterwards."""
        for stream in (self._stream, self._reader):
            if stream:
                stream.close()
        self._reader = None
        for journal in self._beside:
            journal.close()


def _write_line(row: dict[str, Any]) -> bytes:
    text = json.dumps(row, ensure_ascii=False).encode("utf-8", "replace").decode()  # half a surrogate pair fits nowhere
    return text[:-1].encode() + _ending(text)


def _ending(text: str) -> bytes:
    """Return what a line ends with whose row is this text: in place of its brace, the digest of all of it."""
    return f', "digest": "{digest(text)}"}}\n'.encode()


def _read_line(line: bytes) -> dict[str, Any] | None:
    """Return the row of a line, or None unless it is what `_write_line` wrote."""
    try:
        text = line[: -len(_ending(""))].decode() + "}"
        row = json.loads(text) if line.endswith(_ending(text)) else None
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and "key" in row else None
