"""The command `chat`: a conversation on the terminal with the gateway, any OpenAI-compatible server, or a checkpoint.

What a model writes is shown as text: nothing that a terminal would obey. A conversation is kept as long as it goes on;
`/new` begins another one, `/exit` or Ctrl-D ends it, Ctrl-C breaks an answer off.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from inverse_instruct.config.addresses import check_urls
from inverse_instruct.config.config_file import parse_config
from inverse_instruct.errors import ConfigError, ServerError
from inverse_instruct.inference.client import API_KEY
from inverse_instruct.inference.fleet import fleet
from inverse_instruct.inference.models import resolve_model
from inverse_instruct.system.terminal import printable

Message = dict[str, str]


class Chat:
    """A conversation."""

    def __init__(self, url: str, model: str, sampling: dict[str, Any]) -> None:
        """Take whom to ask.

        Args:
            url: of the server, without `/v1`.
            model: by the server's name for it.
            sampling: fields of the request.
        """
        self._url, self._model, self._sampling = url, model, sampling
        self.messages: list[Message] = []

    def say(self, text: str) -> Iterator[str]:
        """Yield the answer piece by piece; both are kept, an answer that is broken off as far as it came.

        Raises:
            ServerError: the server cannot be reached, or refuses.
        """
        self.messages.append({"role": "user", "content": text})
        answer: list[str] = []
        try:
            for piece in self._stream():
                answer.append(piece)
                yield piece
        except ServerError:
            self.messages.pop()  # it can be said again
            raise
        finally:
            if answer:
                self.messages.append({"role": "assistant", "content": "".join(answer)})

    def _stream(self) -> Iterator[str]:
        key = os.environ.get(API_KEY)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        body = {"model": self._model, "messages": self.messages, "stream": True, **self._sampling}
        timeout = httpx.Timeout(None, connect=10)
        try:
            with (
                httpx.Client(timeout=timeout, trust_env=False) as client,
                client.stream("POST", f"{self._url}/v1/chat/completions", json=body, headers=headers) as reply,
            ):
                if reply.status_code != 200:
                    raise ServerError(f"{self._url} answered {reply.status_code}: {_reason(reply.read())}")
                yield from (piece for line in reply.iter_lines() if (piece := _piece(line)))
        except httpx.HTTPError as error:
            raise ServerError(
                f"{self._url} cannot be asked ({type(error).__name__}); start it: inverse-instruct serve --run-dir DIR"
            ) from error


def run_chat(arguments: argparse.Namespace) -> None:
    """Talk until the person, or what is piped in, ends.

    Raises:
        ConfigError: the address is none.
        InverseInstructError: the model or the server cannot be used.
    """
    sampling = {"max_tokens": arguments.max_tokens, "temperature": arguments.temperature}
    with _server(arguments) as (url, model):
        chat = Chat(url, model, sampling)
        if arguments.system:
            chat.messages.append({"role": "system", "content": arguments.system})
        start = list(chat.messages)
        for line in _lines(arguments.message):
            if line == "/new":
                chat.messages = list(start)
            elif line:
                _answer(chat, line)


def _answer(chat: Chat, line: str) -> None:
    try:
        for piece in chat.say(line):
            print(printable(piece, "\n\t"), end="", flush=True)
    except KeyboardInterrupt:
        print(" [broken off]", end="")
    print()


def _lines(message: str | None) -> Iterator[str]:
    """Yield what is said: the one message, else what a person types, or what is piped in, line by line."""
    if message is not None:
        yield message
        return
    typed = sys.stdin.isatty()
    while True:
        try:
            line = input("> " if typed else "").strip()
        except (EOFError, KeyboardInterrupt):
            return
        if line == "/exit":
            return
        yield line


@contextmanager
def _server(arguments: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Give the address of a server and its name of the model; an engine of our own ends with the block."""
    if arguments.model is None:
        try:
            [url] = check_urls([arguments.url])
        except ValueError as error:
            raise ConfigError([f"--url: {error}"]) from error
        yield url.rstrip("/").removesuffix("/v1"), arguments.name
        return
    given = {"name": "chat", "model": {"base": arguments.model}, "corpus": [{"path": "none"}]}
    config = parse_config(given, arguments.overrides)
    with tempfile.TemporaryDirectory() as scratch:
        [server, *_] = fleet(resolve_model(arguments.model), config.model, config.inference, Path(scratch, "vllm.log"))
        print(f"{arguments.model} is being loaded", file=sys.stderr)
        try:
            server.start()
            asyncio.run(server.wait_ready())
            yield server.url, server.name
        finally:
            server.stop()


def _piece(line: str) -> str:
    """Return the text in a line of a stream; "" if it holds none."""
    if not line.startswith("data:") or line.endswith("[DONE]"):
        return ""
    try:
        found = json.loads(line.removeprefix("data:"))
        if "error" in found:
            raise ServerError(f"the answer ended with an error: {printable(str(found['error']))[:200]}")
        text = found["choices"][0]["delta"].get("content") if found["choices"] else ""
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ServerError(
            f"the server sent what is no answer ({type(error).__name__}): {printable(line[:80])}"
        ) from error
    return text if isinstance(text, str) else ""


def _reason(content: bytes) -> str:
    try:
        return printable(str(json.loads(content)["error"]["message"]))[:300]
    except (ValueError, KeyError, TypeError):
        return printable(content[:200].decode(errors="replace"))
