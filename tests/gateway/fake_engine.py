"""A stand-in for vLLM, for fault injection: it knows the same routes, and misbehaves when the prompt or a file says so.

The prompt is a list of `key=value`: `tokens`, `delay` (seconds a token), `size` (more characters a token), `die` (after
so many tokens), `garbage`, `cut` (end the stream without its mark), `status`. A file `fault` in the
model folder: `unhealthy`, `reload`, `nan`, `stale`, `sleepless`. With FAKE_DEVICE it holds that file locked as its
device unless it sleeps, and as many seconds longer than it was told to as the file beside it with `.linger` says.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route


def argument(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1]


THOUGHT, SPOKEN = "Is it warm?\n\n", "I look. "
CALLS = [("call-0", "weather", '{"city": "Z\u00fcrich", "days": 2}'), ("call-1", "clock", "{}")]


def call_a_tool(body: dict[str, Any]) -> Response:
    """Think, speak, and call two tools, in vLLM's words; what was asked comes back as `system_fingerprint`."""
    head = {"id": "x", "created": 1, "model": body["model"], "system_fingerprint": json.dumps(body)}
    calls = [{"id": id, "type": "function", "function": {"name": name, "arguments": said}} for id, name, said in CALLS]
    if not body.get("stream"):
        message = {"role": "assistant", "content": SPOKEN, "reasoning": THOUGHT, "tool_calls": calls, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls", "stop_reason": None}
        usage = {"prompt_tokens": 2, "completion_tokens": 9, "total_tokens": 11}
        return JSONResponse(head | {"object": "chat.completion", "choices": [choice], "usage": usage})
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning": word} for word in THOUGHT.partition(" ")] + [{"content": SPOKEN}]
    for index, (id, name, said) in enumerate(CALLS):
        start = {"id": id, "type": "function", "index": index, "function": {"name": name}}
        pieces = [said[:7], said[7:]]
        deltas.append({"tool_calls": [start]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces if piece]
    choices: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None} for delta in deltas
    ]
    choices.append({"index": 0, "delta": {"content": ""}, "finish_reason": "tool_calls", "stop_reason": None})
    chunks = [head | {"object": "chat.completion.chunk", "choices": [choice]} for choice in choices]
    lines = [f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n" for chunk in chunks]
    return StreamingResponse(iter([*lines, "data: [DONE]\n\n"]), media_type="text/event-stream")


class Device:
    """A device on which one stand-in has room: a locked file, and beside it a log of who was on it."""

    def __init__(self, who: str) -> None:
        self.who = who
        self.path = Path(os.environ["FAKE_DEVICE"]) if "FAKE_DEVICE" in os.environ else None
        self.stream = self.path.open("a") if self.path else None

    def take(self) -> None:
        if self.stream:
            try:
                fcntl.flock(self.stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.note("OVERLAPS")
                sys.exit("out of memory")
            self.note("on")

    def free(self) -> None:
        if self.stream:
            self.note("off")
            fcntl.flock(self.stream, fcntl.LOCK_UN)

    def linger(self) -> None:
        if self.stream:
            asked = Path(f"{self.path}.linger")
            time.sleep(float(asked.read_text()) if asked.exists() else 0)
            self.note("ends")

    def note(self, words: str) -> None:
        if self.path:
            with self.path.with_suffix(".log").open("a") as log:
                log.write(f"{self.who} {words}\n")


class Engine:
    def __init__(self, folder: Path, device: Device) -> None:
        self.folder = folder
        self.device = device
        self.sleeps = False
        self.aborted = 0
        self.counted = 0  # tokens

    def fault(self, name: str) -> bool:
        path = self.folder / "fault"
        return path.is_file() and path.read_text() == name

    @property
    def value(self) -> float:
        weights = b"".join(path.read_bytes() for path in sorted(self.folder.glob("model*.safetensors")))
        return -int(hashlib.sha256(weights).hexdigest()[:6], 16) / 1e6

    async def complete(self, request: Request) -> Response:
        body = await request.json()
        if body.get("logprob_token_ids"):
            value = float("nan") if self.fault("nan") else self.value
            top = {f"token_id:{label}": value for label in body["logprob_token_ids"]}
            return Response(json.dumps({"choices": [{"index": 0, "logprobs": {"top_logprobs": [top]}}]}))
        if body.get("tools") and "--tool-call-parser" in sys.argv:
            return call_a_tool(body)
        if body.get("tools"):
            return JSONResponse(
                {
                    "error": {
                        "message": '"auto" tool choice requires --enable-auto-tool-choice and '
                        "--tool-call-parser to be set",
                        "type": "BadRequestError",
                        "param": None,
                        "code": 400,
                    }
                },
                400,
            )
        prompt = body["prompt"] if "prompt" in body else body["messages"][-1]["content"]
        wanted = dict(part.split("=") for part in prompt.split()) if isinstance(prompt, str) else {}
        if "status" in wanted:
            return JSONResponse({"error": {"message": "told to", "param": "input_tokens"}}, int(wanted["status"]))
        if body.get("stream"):
            return StreamingResponse(self.stream(body, wanted, "messages" in body), media_type="text/event-stream")
        work = asyncio.create_task(self.tokens(wanted))
        while not work.done():
            await asyncio.wait({work}, timeout=0.05)
            if await request.is_disconnected():
                work.cancel()
                self.aborted += 1
                return Response()
        if "garbage" in wanted:
            return PlainTextResponse("<html>")
        return JSONResponse(
            {
                "model": body["model"],
                "received": body,
                "choices": [{"index": 0, "text": self.text, "finish_reason": "length"}],
                "usage": {"prompt_tokens": 2, "completion_tokens": 3},
            }
        )

    @property
    def text(self) -> str:
        return f"{self.value}\u2028"

    async def tokens(self, wanted: dict[str, str]) -> None:
        for number in range(int(wanted.get("tokens", 3))):
            await self.token(number, wanted)

    async def token(self, number: int, wanted: dict[str, str]) -> None:
        if number == int(wanted.get("die", -1)):
            os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(float(wanted.get("delay", 0)))
        self.counted += 1

    async def stream(self, body: dict[str, Any], wanted: dict[str, str], chat: bool) -> AsyncIterator[str]:
        total = int(wanted.get("tokens", 3))
        try:
            for number in range(total):
                await self.token(number, wanted)
                text = self.text + "x" * int(wanted.get("size", 0))
                words = {"delta": {"content": text}} if chat else {"text": text}
                reason = "length" if number == total - 1 else None
                chunk = {
                    "id": "x",
                    "object": "chunk",
                    "created": 1,
                    "model": body["model"],
                    "choices": [{"index": 0, "finish_reason": reason, **words}],
                }
                yield f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"
                if "garbage" in wanted:
                    yield "data: <html>\n\n"
        except asyncio.CancelledError:
            self.aborted += 1
            raise
        if body.get("stream_options", {}).get("include_usage"):
            chunk = {
                "id": "x",
                "object": "chunk",
                "created": 1,
                "model": body["model"],
                "choices": [],
                "usage": {"prompt_tokens": 2, "completion_tokens": total, "total_tokens": 2 + total},
            }
            yield f"data: {json.dumps(chunk)}\n\n"
        if "cut" not in wanted:
            yield "data: [DONE]\n\n"

    async def command(self, request: Request) -> Response:
        if request.url.path == "/collective_rpc":
            folder = Path((await request.json())["kwargs"]["weights_path"])
            if (folder / "fault").is_file() and (folder / "fault").read_text() == "reload":
                return JSONResponse({"error": "no"}, 500)
            if not ((folder / "fault").is_file() and (folder / "fault").read_text() == "stale"):
                self.folder = folder
        if request.url.path == "/sleep" and not self.fault("sleepless"):
            self.sleeps = True
            self.device.free()
        if request.url.path == "/wake_up":
            self.device.take()
            self.sleeps = False
        return JSONResponse({"success": True})

    async def is_sleeping(self, request: Request) -> Response:
        return JSONResponse({"is_sleeping": self.sleeps})

    async def health(self, request: Request) -> Response:
        return JSONResponse({"pid": os.getpid()})

    async def metrics(self, request: Request) -> Response:
        return PlainTextResponse(f'aborted {self.aborted}\nvllm:generation_tokens_total{{engine="0"}} {self.counted}\n')

    async def models(self, request: Request) -> Response:
        return JSONResponse({"data": [{"id": "fake"}]})


def main() -> None:
    device = Device(os.environ.get("FAKE_NAME", "engine"))
    device.take()
    engine = Engine(Path(argument("--model")), device)
    if engine.fault("unhealthy"):
        sys.exit("these weights do not fit")
    development = os.environ.get("VLLM_SERVER_DEV_MODE", "1") == "1"
    commands = ("/pause", "/collective_rpc", "/reset_prefix_cache", "/resume", "/sleep", "/wake_up")
    app = Starlette(
        routes=[
            Route("/v1/completions", engine.complete, methods=["POST"]),
            Route("/v1/models", engine.models),
            Route("/v1/chat/completions", engine.complete, methods=["POST"]),
            Route("/health", engine.health),
            Route("/metrics", engine.metrics),
            Route("/is_sleeping", engine.is_sleeping),
            *([Route("/is_paused", engine.health)] if development else []),
            *(Route(path, engine.command, methods=["POST"]) for path in commands if development),
        ]
    )
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises it again at its end
    uvicorn.run(app, host="127.0.0.1", port=int(argument("--port")), log_level="warning")
    device.linger()


if __name__ == "__main__":
    main()
