"""Processes that ask ahead: the same rows whatever their number, nothing asked twice, and no harm when they die."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from inverse_instruct.config.config_file import parse_config
from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.inference.connect import connect
from inverse_instruct.inference.models import model_digest
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.loop import ahead
from inverse_instruct.records import Snippet, digest
from inverse_instruct.stages.play import leaving, work
from inverse_instruct.stages.questions import Asked
from inverse_instruct.stages.room import Place, Room
from inverse_instruct.stages.score import SCORE
from inverse_instruct.stages.summarize import SUMMARIZE
from inverse_instruct.store.rows import read_rows

ENGINE = """
import hashlib, http.server, json, os, pathlib, sys
name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, reply):
        content = json.dumps(reply).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(content))); self.end_headers()
        self.wfile.write(content)
    def do_GET(self):
        self.answer({"data": [{"id": name}]})
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = hashlib.sha256(json.dumps([body["prompt"], body.get("seed")]).encode()).hexdigest()
        with (folder / "asked").open("a") as stream:
            stream.write(asked + "\\n")
        faults = sorted(folder.glob("fault-*"))
        if faults and (folder / "asked").stat().st_size > 65 * 60:
            faults[0].unlink()
            self.close_connection = True
            self.connection.shutdown(2)
            return
        prompts = body["prompt"] if isinstance(body["prompt"][0], list) else [body["prompt"]]
        labels = {f"token_id:{label}": -1.0 - int(asked[:2], 16) / 99 for label in body.get("logprob_token_ids", [])}
        text = f" program number {asked[:6]} that adds the given numbers and returns them."
        choices = [
            {"index": place, "text": text, "finish_reason": "stop", "logprobs": {"top_logprobs": [labels]}}
            for place in range(len(prompts))
        ]
        self.answer({"model": name, "choices": choices, "usage": {"prompt_tokens": 1, "completion_tokens": 9}})
    def log_message(self, *arguments): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
(folder / "port.part").write_text(str(server.server_address[1]))
os.rename(folder / "port.part", folder / "port")
server.serve_forever()
"""
SNIPPETS = [
    Snippet(
        digest(number), f"def add_{number}(numbers):\n    return sum(numbers) + {number}", "python", "", "r", "f", 1
    )
    for number in range(40)
]


class Engine:
    """A server whose replies are functions of what is asked, and which notes that."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model = folder, model
        self.process = subprocess.Popen([sys.executable, "-c", ENGINE, model_digest(model), str(folder)])
        for _ in range(300):
            if (folder / "port").exists():
                break
            time.sleep(0.1)
        self.url = f"http://127.0.0.1:{(folder / 'port').read_text()}"

    def asked(self) -> Counter[str]:
        """Return how often each question was asked, and forget it."""
        lines = (self.folder / "asked").read_text().splitlines()
        (self.folder / "asked").unlink()
        return Counter(lines)


@dataclass(frozen=True)
class Played:
    """What came of both stages."""

    rows: list[dict[str, Any]]
    tokens: Counter[str]  # that were asked for


@pytest.fixture(scope="module")
def running(smollm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("engine"), smollm)
    yield engine
    engine.process.kill()
    engine.process.wait()


@pytest.fixture(scope="module")
def alone(running: Engine, tmp_path_factory: pytest.TempPathFactory) -> tuple[Played, Counter[str]]:
    """What one process makes, and the questions that it asks."""
    return played(running, tmp_path_factory.mktemp("alone"), 1), running.asked()


@pytest.fixture
def engine(running: Engine, alone: object) -> Engine:
    (running.folder / "asked").unlink(missing_ok=True)
    return running


def played(
    engine: Engine, folder: Path, processes: int, meanwhile: Callable[[], Any] = lambda: asyncio.sleep(0)
) -> Played:
    """Play both stages, and something else meanwhile."""
    inference = {"endpoints": [engine.url], "processes": processes, "concurrency": 6}
    config = parse_config(
        {"name": "x", "model": {"base": str(engine.model)}, "corpus": [{"path": "c"}], "inference": inference}
        | {"summarize": {"candidates": 3}},
        [],
    )
    places = [Place(folder / name, 1, 0, folder) for name in ("summarize", "score")]
    rooms = [
        Room(SUMMARIZE, config, places[0], {"snippets": SNIPPETS, "earlier": []}),
        Room(SCORE, config, places[1], {"snippets": SNIPPETS, "candidates": []}),
    ]

    async def ask() -> None:
        async with connect(config.inference, []) as client:
            formatter = PromptFormatter(engine.model, config.model.prompt_format)
            for room in rooms:
                room.asked = Asked(client, formatter, model_digest(engine.model), config.model.max_model_len)
            async with ahead.ask_ahead(rooms, engine.model, client) as ready:
                task = asyncio.create_task(meanwhile())
                await work(rooms, ready)
                task.cancel()

    with leaving(rooms):
        asyncio.run(ask())
    for room in rooms:
        room.finish()
    rows = [*read_rows(folder / "summarize/candidates.parquet"), *read_rows(folder / "score/scores.parquet")]
    return Played(rows, rooms[0].tokens)


def test_rows_and_questions_are_the_same_whatever_the_number(
    engine: Engine, alone: tuple[Played, Counter[str]], tmp_path: Path
) -> None:
    together = played(engine, tmp_path, 3)

    assert together == alone[0] and len(together.rows) > 100
    assert engine.asked() == alone[1] and set(alone[1].values()) == {1}
    journals = [tmp_path / f"summarize/generations-{part}.jsonl" for part in (1, 2, 3)]
    assert [len(path.read_text().splitlines()) for path in journals] == [42, 39, 39]
    assert not (tmp_path / "summarize/generations.jsonl").exists()


@pytest.mark.slow
def test_another_number_goes_on_with_what_is_known(
    engine: Engine, alone: tuple[Played, Counter[str]], tmp_path: Path
) -> None:
    async def break_off() -> None:
        while not (tmp_path / "score/scores-2.jsonl").exists():
            await asyncio.sleep(0.01)
        for task in asyncio.all_tasks():
            task.cancel()

    with pytest.raises(asyncio.CancelledError):
        played(engine, tmp_path, 3, break_off)
    before = engine.asked()
    rows = played(engine, tmp_path, 2).rows

    assert before.total() > 6 and (before & engine.asked()).total() <= 3 * 6  # those that were in flight
    assert rows == alone[0].rows


@pytest.mark.slow
def test_a_process_that_dies_is_started_again(
    engine: Engine, alone: tuple[Played, Counter[str]], tmp_path: Path
) -> None:
    killed: list[int] = []

    async def kill_one() -> None:
        while not (tmp_path / "summarize/generations-1.jsonl").exists():
            await asyncio.sleep(0.01)
        for child in psutil.Process().children():
            with suppress(psutil.NoSuchProcess):
                if "spawn_main" in " ".join(child.cmdline()):
                    killed.append(child.pid)
                    child.kill()

    rows = played(engine, tmp_path, 2, kill_one).rows

    assert killed and rows == alone[0].rows


@pytest.mark.parametrize("faults", [1, pytest.param(40, marks=pytest.mark.slow)])
def test_a_server_in_trouble_is_left_to_the_stage(
    engine: Engine,
    alone: tuple[Played, Counter[str]],
    tmp_path: Path,
    faults: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for number in range(faults):  # connections that break, from the sixtieth request on
        (engine.folder / f"fault-{number:02}").touch()

    rows = played(engine, tmp_path, 2).rows

    assert not list(engine.folder.glob("fault-*")) and rows == alone[0].rows
    assert ("given up 3 times" in caplog.text) == (faults > 1)


def test_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    counts = [ahead.process_count(InferenceSection(), engines) for engines in (1, 3, 4, 8, 256)]
    assert counts == [1, 1, 2, 4, 32]
    assert ahead.process_count(InferenceSection(processes=5), 1) == 5
