"""A chat endpoint that writes edits in place of the model: it is told how to begin, and asked once."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config.editing import WriterSection
from inverse_instruct.records import Draft
from inverse_instruct.stages.bootstrap import BOOTSTRAP
from inverse_instruct.store.rows import iterate_rows, read_rows
from tests.playing import play_asking, room_of
from tests.stages.spelled import NotingClient, model_of

FILE = BOOTSTRAP.writes.file if BOOTSTRAP.writes else ""
SEED = Draft("seed", [], "fix bugs", "Fix the loop.", "a", "b", "python", 0, 0, "", "")


class Endpoint(ThreadingHTTPServer):
    """Speaks chat alone; `asked` has the bodies with the keys that they came with."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.longest = 100_000
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Endpoint

    def do_GET(self) -> None:
        self._reply(200, {"data": [{"id": "big"}, {"id": "bigger"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/chat/completions":
            return self._reply(404, {"error": {"message": "chat only"}})
        self.server.asked.append(body | {"key": self.headers.get("Authorization")})
        words = body["messages"][0]["content"]
        if len(words) > self.server.longest:
            return self._reply(400, {"error": {"message": "maximum context length"}})
        number = len(self.server.asked)
        begins = "2. " if number % 2 else ""  # as it was told, or not
        text = f"{begins}Rename the variables of function number {number} so that they say what they hold."
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        self._reply(200, {"model": "big", "choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 7}})

    def _reply(self, status: int, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def bootstrap(folder: Path, endpoint: Endpoint, **writer: Any) -> list[Draft]:
    client = NotingClient(lambda prompt, seed: pytest.fail("the model is not to write"))
    room = room_of(
        BOOTSTRAP,
        folder,
        {"seeds": [SEED], "earlier": []},
        asked=model_of(client, 4000),
        writer={"endpoint": endpoint.url} | writer,
        bootstrap={"instructions": 2, "prompts": 3, "wave": 1, "rouge": 1.0},
    )
    asyncio.run(play_asking(room))
    return list(iterate_rows(folder / FILE, Draft))


def test_it_writes_in_place_of_the_model_and_is_named(
    tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVERSE_INSTRUCT_WRITER_API_KEY", "for-the-writer")
    monkeypatch.setenv("INVERSE_INSTRUCT_API_KEY", "for-another")
    drafts = bootstrap(tmp_path, endpoint)
    assert [draft.model for draft in drafts] == [f"{endpoint.url} big"] * 2
    assert all(draft.instruction.startswith("Rename the variables") for draft in drafts)
    assert {body["key"] for body in endpoint.asked} == {"Bearer for-the-writer"}
    told = [body["messages"][0]["content"].rpartition("\n")[2] for body in endpoint.asked]
    assert told[0] == "Begin your reply with: 2." and all(line.startswith("Begin your reply with: ") for line in told)
    assert all("stop_token_ids" not in body for body in endpoint.asked), "those are of another tokenizer"
    asked = len(endpoint.asked)
    (tmp_path / "manifest.json").unlink()
    assert bootstrap(tmp_path, endpoint) == drafts and len(endpoint.asked) == asked, "each question is asked once"


def test_another_model_of_it_may_be_named(tmp_path: Path, endpoint: Endpoint) -> None:
    [draft, _] = bootstrap(tmp_path, endpoint, model="bigger")
    assert draft.model == f"{endpoint.url} bigger" and {body["model"] for body in endpoint.asked} == {"bigger"}


def test_what_it_refuses_is_a_counted_rejection(tmp_path: Path, endpoint: Endpoint) -> None:
    endpoint.longest = 10
    assert bootstrap(tmp_path, endpoint) == []
    assert {row["reason"] for row in read_rows(tmp_path / "rejections.parquet")} == {"request_failed"}


@pytest.mark.parametrize("url", ["ftp://x", "http://me:word@x", "x"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        WriterSection(endpoint=url)
