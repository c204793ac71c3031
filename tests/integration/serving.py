"""A real `inverse-instruct serve` with real engines, and clients that keep asking it and remember everything."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai

from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.machine import free_port
from inverse_instruct.system.supervisor import descendants

PROMPT = "def add(a, b):\n"


class Served:
    """The command under way."""

    def __init__(self, run_dir: RunDir, log: Path) -> None:
        self.run_dir = run_dir
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "inverse_instruct.cli",
                    "serve",
                    "--run-dir",
                    str(run_dir.path),
                    "--set",
                    f"serve.port={port}",
                ],
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def status(self) -> dict[str, Any]:
        return dict(httpx.get(f"{self.url}/ready", trust_env=False).json())

    def wait_for(self, name: str, seconds: float = 400) -> None:
        deadline = time.monotonic() + seconds
        status: Any = None
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "serve has ended"
            try:
                status = self.status()
                if status["ready"] and status["state"] == "serving" and status["checkpoint"] == name:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise AssertionError(f"{name} is not served: {status}")

    def engine_pids(self) -> list[int]:
        return [
            pid
            for pid in descendants(self.process.pid)
            if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:3]
            == [b"-m", b"vllm.entrypoints.openai.api_server"]
        ]

    def client(self, **options: Any) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", max_retries=0, timeout=600, **{"api_key": "none"} | options)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(120)


@contextmanager
def served(run_dir: RunDir, log: Path) -> Iterator[Served]:
    """Serve a run; whatever happens, nothing of it is left behind."""
    serving = Served(run_dir, log)
    try:
        yield serving
    finally:
        if serving.process.poll() is None:
            serving.stop()
        print(log.read_text()[-3000:])
    assert not [pid for pid in descendants(os.getpid()) if b"vllm" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@dataclass
class Answer:
    """One streamed reply."""

    checkpoint: str  # of the header
    models: set[str] = field(default_factory=set)  # of the chunks
    text: str = ""
    finish_reason: str | None = None
    done: bool = False
    first_token: float = 0.0  # when it came
    error: dict[str, Any] | None = None  # in the stream


def stream(client: openai.OpenAI, max_tokens: int, prompt: str = PROMPT) -> Answer:
    """Ask greedily and read the stream to its end, as it is on the wire."""
    with client.completions.with_streaming_response.create(
        model="current",
        prompt=prompt,
        max_tokens=max_tokens,
        temperature=0,
        stream=True,
        extra_body={"ignore_eos": True},
    ) as response:
        answer = Answer(response.headers["x-checkpoint"])
        for line in response.iter_lines():
            if line == "data: [DONE]":
                answer.done = True
            elif line.startswith("data: "):
                _take(answer, json.loads(line.removeprefix("data: ")))
    return answer


def _take(answer: Answer, chunk: dict[str, Any]) -> None:
    if "error" in chunk:
        answer.error = chunk["error"]
        return
    answer.first_token = answer.first_token or time.monotonic()
    answer.models.add(chunk["model"])
    for choice in chunk["choices"]:
        answer.text += choice["text"]
        answer.finish_reason = choice["finish_reason"] or answer.finish_reason


class Load:
    """Clients that keep asking; `under_load` begins and ends it."""

    def __init__(self, served: Served, clients: int, max_tokens: int) -> None:
        self.answers: list[Answer] = []
        self.errors: list[Exception] = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        self._served, self._max_tokens = served, max_tokens

    def _ask(self) -> None:
        with self._served.client() as client:
            while not self.stopping.is_set():
                try:
                    self.answers.append(stream(client, self._max_tokens))
                except openai.APIStatusError as error:
                    self.errors.append(error)
                    self.stopping.wait(float(error.response.headers.get("retry-after", "0")))
                except Exception as error:
                    self.errors.append(error)

    def wait(self, what: Callable[[Answer], bool], count: int = 1, seconds: float = 300) -> None:
        """Wait for so many answers of a kind."""
        deadline = time.monotonic() + seconds
        while sum(map(what, list(self.answers))) < count:
            assert time.monotonic() < deadline, "no such answer"
            time.sleep(0.1)


@contextmanager
def under_load(served: Served, clients: int, max_tokens: int) -> Iterator[Load]:
    """Let so many clients ask until the block ends, and each of them finish."""
    load = Load(served, clients, max_tokens)
    for thread in load.threads:
        thread.start()
    try:
        yield load
    finally:
        load.stopping.set()
        for thread in load.threads:
            thread.join()
