"""Files that may be compressed (gzip, xz, zstandard) as streams of bytes that do not expand beyond reason.

Enters: a path, whose ending tells how it is compressed. Leaves: a stream; a bomb is refused as soon as it is one. Not
guaranteed: that a file holds what its name says.
"""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from pathlib import Path
from typing import IO, Any, cast

from inverse_instruct.errors import CorpusError
from inverse_instruct.source_code.row_paths import COMPRESSED

DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError)
"""What reading a damaged file raises; one in zstandard raises an OSError."""
_MAX_EXPANSION = 200  # text is compressed 3 to 20 times
_EXPANDED_BYTES = 4 << 20  # what a compressed file may expand to in any case


def open_unpacked(path: Path) -> io.BufferedReader:
    """Open a file for reading, unpacked.

    Raises:
        OSError: it cannot be read.
    """
    return io.BufferedReader(_Expanding(path), 1 << 16) if path.suffix.lower() in COMPRESSED else path.open("rb")


def refuse_bomb(path: Path, compressed_bytes: int, expanded_bytes: int) -> None:
    """Return if a file that has expanded so far may be read on.

    Raises:
        CorpusError: text does not expand so far.
    """
    if expanded_bytes > max(_EXPANDED_BYTES, _MAX_EXPANSION * compressed_bytes):
        raise CorpusError(
            f"{path}: expands to more than {_MAX_EXPANSION} times its size, as no text does; unpack it "
            "yourself if you trust it"
        )


class _Expanding(io.RawIOBase):
    """A compressed file that is refused as soon as it has expanded beyond reason."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._compressed = path.open("rb")
        self._expanded = _unpacking(path.suffix.lower(), self._compressed)
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._expanded.read(len(buffer))
        buffer[: len(data)] = data
        self._bytes += len(data)
        refuse_bomb(self._path, self._compressed.tell(), self._bytes)
        return len(data)

    def close(self) -> None:
        self._compressed.close()
        super().close()


def _unpacking(ending: str, stream: IO[bytes]) -> IO[bytes]:
    if ending == ".gz":
        return cast(IO[bytes], gzip.GzipFile(fileobj=stream))
    if ending == ".xz":
        return cast(IO[bytes], lzma.LZMAFile(stream))
    import pyarrow as pa

    return cast(IO[bytes], pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "zstd"))
