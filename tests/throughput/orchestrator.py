"""CPU time a snippet on this side of the engines: summarize and score, against a server that replies at once.

Enters: a model folder, for its tokenizer, and files of code; functions of 5 to 60 lines are the snippets. Leaves, on
standard output, for each number of requests in flight and of processes: milliseconds of CPU a snippet of this process,
of those that ask ahead and of those in which the tokenizer runs, and snippets per second.

    python -m tests.throughput.orchestrator MODEL FILES... --snippets 300 --in-flight 64 512 1024 --processes 1 2

Not guaranteed: the time of the stand-in server, which runs in a process of its own and is not counted.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
from aiohttp import web

from inverse_instruct.config.config_file import parse_config
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.inference.connect import connect
from inverse_instruct.inference.models import model_digest
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.loop.ahead import ask_ahead
from inverse_instruct.records import Candidate, Snippet, digest
from inverse_instruct.stages.play import work
from inverse_instruct.stages.questions import Asked
from inverse_instruct.stages.room import Place, Room
from inverse_instruct.stages.score import SCORE
from inverse_instruct.stages.stage import Stage
from inverse_instruct.stages.summarize import SUMMARIZE
from inverse_instruct.store.rows import iterate_rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--snippets", type=int, default=300)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[64, 512, 1024])
    parser.add_argument("--processes", type=int, nargs="+", default=[1])
    arguments = parser.parse_args()
    snippets = list(functions(arguments.files))[: arguments.snippets]
    name = model_digest(arguments.model)
    PromptFormatter(arguments.model, "chat").single_token("Yes")  # the tokenizer is loaded
    pipe, other = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(other, name), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{pipe.recv()}"
    print(f"{len(snippets)} snippets, 10 candidates and 10 pairs each")
    for processes in arguments.processes:
        for in_flight in arguments.in_flight:
            inference = {"endpoints": [url], "concurrency": in_flight, "processes": processes}
            measure(arguments.model, inference, snippets, server.pid)
    server.terminate()


def functions(files: Sequence[Path]) -> Iterator[Snippet]:
    """Yield the functions of 5 to 60 lines of Python files."""
    for path in files:
        text = path.read_text(errors="replace")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and 5 <= (node.end_lineno or 0) - node.lineno <= 60:
                code = ast.get_source_segment(text, node) or ""
                yield Snippet(digest("python", code), code, "python", "", str(node.lineno), path.name, node.lineno)


def measure(model: Path, inference: dict[str, Any], snippets: Sequence[Snippet], server: int | None) -> None:
    """Play both stages with so many requests in flight, and print what that took."""
    given = {"name": "x", "model": {"base": str(model)}, "corpus": [{"path": "none"}], "inference": inference}
    config = parse_config(given, [])
    with tempfile.TemporaryDirectory() as folder:
        began, spent = time.perf_counter(), cpu_seconds(server)
        candidates = played(SUMMARIZE, config, Path(folder, "summarize"), {"snippets": snippets}, model)
        scores = played(
            SCORE,
            config,
            Path(folder, "score"),
            {"snippets": snippets, "candidates": list(iterate_rows(candidates, Candidate))},
            model,
        )
        assert scores.exists()
        took = time.perf_counter() - began
        own, others = (now - then for now, then in zip(cpu_seconds(server), spent, strict=True))
    each = 1000 / len(snippets)
    print(
        f"{inference['concurrency']:5} in flight, {inference['processes']} processes: {(own + others) * each:6.1f} ms "
        f"a snippet, {others * each:5.1f} of other processes; {len(snippets) / took:6.1f} a second"
    )


def played(stage: Stage, config: RunConfig, folder: Path, inputs: dict[str, Any], model: Path) -> Path:
    """Play one stage; return its rows."""
    room = Room(stage, config, Place(folder, 1, 0, folder), dict.fromkeys(stage.reads, []) | inputs)

    async def ask() -> None:
        async with connect(config.inference, []) as client:
            formatter = PromptFormatter(model, config.model.prompt_format)
            room.asked = Asked(client, formatter, model_digest(model), config.model.max_model_len)
            async with ask_ahead([room], model, client) as ready:
                await work([room], ready)

    asyncio.run(ask())
    room.finish()
    assert stage.writes
    return folder / stage.writes.file


def cpu_seconds(server: int | None) -> tuple[float, float]:
    """Return the CPU seconds of this process, and of its children, those that have ended too, but for the server."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    children = [child for child in psutil.Process().children(recursive=True) if child.pid != server]
    return time.process_time(), ended.ru_utime + ended.ru_stime + sum(sum(child.cpu_times()[:2]) for child in children)


def serve(pipe: Any, name: str) -> None:
    """Answer as vLLM does, at once; the port goes through the pipe."""
    number = 0

    async def complete(request: web.Request) -> web.Response:
        nonlocal number
        body = await request.json()
        number += 1
        labels = {f"token_id:{label}": -1.0 - place for place, label in enumerate(body.get("logprob_token_ids", []))}
        prompts = body["prompt"] if isinstance(body["prompt"][0], list) else [body["prompt"]]
        text = f" function number {number} that does what its name says, with every argument checked first."
        choices = [
            {"index": place, "text": text, "finish_reason": "stop", "logprobs": {"top_logprobs": [labels]}}
            for place in range(len(prompts))
        ]
        usage = {"prompt_tokens": sum(map(len, prompts)), "completion_tokens": 20}
        return web.json_response({"model": name, "choices": choices, "usage": usage})

    async def models(request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": name}]})

    async def start() -> None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_post("/v1/completions", complete)
        app.router.add_get("/v1/models", models)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
        await site.start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(start())


if __name__ == "__main__":
    main()
