"""What can go wrong with one attempt of a request, and how often each is tried again before its row is set aside.

Enters: an HTTP status with its headers and body. Leaves: nothing if it is a success, else an `AttemptFailed` (send it
again), a `RequestError` (this row is refused) or a `ServerError` (no row would be answered).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

from inverse_instruct.errors import RequestError, ServerError
from inverse_instruct.records import Reason

REFUSED = (400, 413, 422)  # for what the prompt holds
CURABLE = (408, 409, 425, 429)
OVERLOADED = (429, 503)
MAX_MESSAGE_CHARACTERS = 300
MAX_RETRY_AFTER_SECONDS = 60.0  # a server that asks for more is asked again after this


class AttemptFailed(Exception):
    """An attempt failed, and the next one may not."""

    max_attempts: ClassVar[int]
    reason: ClassVar[Reason]

    def __init__(self, text: str, wait_seconds: float = 0.0) -> None:
        """Take what happened, and how long the server wants us to wait."""
        super().__init__(text)
        self.wait_seconds = wait_seconds

    def final(self) -> RequestError | ServerError:
        """Return the error that ends the row after the last attempt."""
        return RequestError(f"gave up after {self.max_attempts} attempts; the last failure: {self}", self.reason)


class Unavailable(AttemptFailed):
    """No connection, or the server says that it cannot now."""

    max_attempts = 10  # with their pauses about 40 s
    reason = Reason.REQUEST_FAILED


class Overloaded(Unavailable):
    """The server lives but has too much to do."""


class TooSlow(AttemptFailed):
    """No whole reply within `inference.request_timeout_seconds`."""

    max_attempts = 2
    reason = Reason.REQUEST_FAILED


class BadReply(AttemptFailed):
    """A success by its status, but nothing that can be used."""

    max_attempts = 4
    reason = Reason.BAD_REPLY


class BadScore(BadReply):
    """A log-probability that is no number, or none at all."""

    reason = Reason.BAD_SCORE


class NoLogprobs(BadReply):
    """The log-probability of a label is not there: the server does not know how."""

    def final(self) -> ServerError:
        """No row can be scored by such a server."""
        return ServerError(f"{self}; scoring needs a server that knows logprob_token_ids, such as vLLM 0.32")


def check_status(url: str, status: int, headers: Mapping[str, str], content: bytes) -> None:
    """Return if a reply is a success.

    Raises:
        AttemptFailed: it may be cured.
        RequestError: the server refuses this row.
        ServerError: it refuses all of them.
    """
    if 200 <= status < 300:
        return
    error = _error_of(content)
    text = f"{url} answered {status}: {error['message']}"
    if status in REFUSED:
        is_too_long = error.get("param") == "input_tokens"  # vLLM's word for more than the context holds
        raise RequestError(text, Reason.TOO_LONG if is_too_long else Reason.REQUEST_FAILED)
    if status in OVERLOADED:
        raise Overloaded(text, _retry_after_seconds(headers))
    if status >= 500 or status in CURABLE:
        raise Unavailable(text, _retry_after_seconds(headers))
    raise ServerError(f"{text}; check the endpoint, its key and the model's name")


def _retry_after_seconds(headers: Mapping[str, str]) -> float:
    """Return how long to wait by the Retry-After header, seconds or a date; 0 without a usable one."""
    value = headers.get("Retry-After", "")
    try:
        seconds = float(value) if value.isdecimal() else parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _error_of(content: bytes) -> dict[str, Any]:
    text = content[:MAX_MESSAGE_CHARACTERS].decode(errors="replace")
    try:
        error = json.loads(content)["error"]
        return {"param": error.get("param"), "message": _printable(str(error.get("message") or text))}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"message": _printable(text)}


def _printable(text: str) -> str:
    """Return the beginning of a stranger's words as one line that does nothing to a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:MAX_MESSAGE_CHARACTERS])
