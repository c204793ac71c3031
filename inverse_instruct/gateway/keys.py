"""API keys from a file, compared in constant time.

Enters: a file with one key a line, `NAME: KEY` or `KEY`; `#` begins a comment at the start of a line or after a space.
Leaves: requests that carry one of them, as a bearer token or, from a browser, as the password of basic authentication;
others get 401. What tells only that the service is up (`OPEN`) needs no key. Only digests of the keys are kept. Not
guaranteed: that a changed file is read before the next start.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from inverse_instruct.errors import ConfigError
from inverse_instruct.web.api_error import ApiError

COMMENT = re.compile(r"(^|\s)#.*")
NAME = re.compile(r"^[^:]*:(\s+|$)")
OPEN = ("/health", "/ready", "/metrics")


def read_keys(path: Path) -> list[bytes]:
    """Return the SHA-256 of every key in a file.

    Raises:
        ConfigError: it cannot be read, or holds no key, or one that has a space in it.
    """
    try:
        lines = [COMMENT.sub("", line).strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"serve.api_keys: {path} cannot be read ({error}); check the path"]) from error
    keys = [NAME.sub("", line).strip() for line in lines]
    if any(" " in key for key in keys):
        raise ConfigError([f"serve.api_keys: {path} has a line that is not `NAME: KEY`, or a key with a space in it"])
    if not any(keys):
        raise ConfigError([f"serve.api_keys: {path} holds no key; write one a line, such as `alice: KEY`"])
    return [_digest(key) for key in keys if key]


class KeyCheck:
    """ASGI middleware that lets through who has a key."""

    def __init__(self, app: ASGIApp, keys: list[bytes]) -> None:
        """Take what `read_keys` gave."""
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 401."""
        if scope["type"] != "http" or scope["path"] in OPEN or self._knows(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        refusal = ApiError(401, "a valid API key is needed, as `Authorization: Bearer KEY`", code="invalid_api_key")
        response = refusal.response()
        response.headers["www-authenticate"] = 'Basic realm="inverse-instruct", charset="UTF-8"'
        await response(scope, receive, send)

    def _knows(self, headers: Headers) -> bool:
        given = _digest(_key_of(headers.get("authorization", "")))
        return any([hmac.compare_digest(given, key) for key in self._keys])  # a list: all are compared


def _key_of(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    return value.strip()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()
