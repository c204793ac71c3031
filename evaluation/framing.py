"""Length-prefixed messages over pipes, read under a deadline.

Enters: a file descriptor. Leaves: whole messages, never part of one.
Not guaranteed: anything about the content of a message; the other side may be hostile.
"""

import os
import select
import struct
import time

_LENGTH = struct.Struct(">I")
_CHUNK_BYTES = 1 << 16


class DeadlinePassed(Exception):
    """No whole message arrived in time."""


class MessageTooLarge(Exception):
    """The announced message is longer than the reader allows."""


def pack_message(payload: bytes) -> bytes:
    """Return a message as it is written."""
    return _LENGTH.pack(len(payload)) + payload


def write_message(descriptor: int, payload: bytes) -> None:
    """Write one message, blocking until the pipe has taken all of it."""
    write_all(descriptor, pack_message(payload))


def write_all(descriptor: int, content: bytes | bytearray) -> None:
    """Write packed messages, blocking until the pipe has taken all of them."""
    written = 0
    while written < len(content):
        with memoryview(content) as view:
            written += os.write(descriptor, view[written:])


class MessageReader:
    """Reads messages from one descriptor; keeps what arrived beyond the message asked for."""

    def __init__(self, descriptor: int) -> None:
        """Read from `descriptor`, which the caller closes."""
        self._descriptor = descriptor
        self._buffer = bytearray()
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def read(self, deadline: float | None, largest_bytes: int) -> bytes:
        """Return the next message.

        `deadline` is a `time.monotonic` moment; None waits for ever.

        Raises:
            DeadlinePassed: the message is not complete by then.
            EOFError: the other side closed the pipe.
            MessageTooLarge: the message has more than `largest_bytes`; the pipe is of no more use.
        """
        self._fill(_LENGTH.size, deadline)
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > largest_bytes:
            raise MessageTooLarge(length)
        end = _LENGTH.size + length
        self._fill(end, deadline)
        payload = bytes(self._buffer[_LENGTH.size : end])
        del self._buffer[:end]
        return payload

    def has_message(self) -> bool:
        """Tell whether a whole message has been read from the descriptor already."""
        if len(self._buffer) < _LENGTH.size:
            return False
        (length,) = _LENGTH.unpack_from(self._buffer)
        return len(self._buffer) >= _LENGTH.size + int(length)

    def has_input(self) -> bool:
        """Tell whether something has arrived that is not read yet."""
        return bool(self._buffer) or bool(self._poll.poll(0))

    def _fill(self, wanted_bytes: int, deadline: float | None) -> None:
        while len(self._buffer) < wanted_bytes:
            wait_ms = None if deadline is None else max(0.0, (deadline - time.monotonic()) * 1000)
            if not self._poll.poll(wait_ms):
                raise DeadlinePassed
            chunk = os.read(self._descriptor, _CHUNK_BYTES)
            if not chunk:
                raise EOFError
            self._buffer += chunk
