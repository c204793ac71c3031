"""A conversation with a server that streams, and with one that does not do what it should."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from inverse_instruct import cli
from inverse_instruct.commands.chat import Chat


def event(text: str) -> str:
    return f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n"


class Server:
    """Streams the given pieces, or answers with a status and a body."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.status, self.content = 200, event("Hello") + event(" there") + "data: [DONE]\n\n"
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fake.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                fake.keys.append(self.headers.get("Authorization"))
                self.send_response(fake.status)
                self.send_header("Content-Length", str(len(fake.content.encode())))
                self.end_headers()
                self.wfile.write(fake.content.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    fake = Server()
    yield fake
    fake.stop()


def talk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str, said: str = ""
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["inverse-instruct", "chat", *words])
    monkeypatch.setattr("sys.stdin", io.StringIO(said))
    code = 0
    try:
        cli.main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    told = capsys.readouterr()
    return code, told.out, told.err


def test_a_conversation_goes_on_and_begins_anew(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INVERSE_INSTRUCT_API_KEY", "secret")
    words = ["--url", f"{server.url}/v1/", "--system", "Be brief.", "--temperature", "0.5"]
    code, out, _ = talk(monkeypatch, capsys, *words, said="one\n\ntwo\n/new\nthree\n/exit\nfour\n")
    assert code == 0 and out == "Hello there\n" * 3
    asked = [[(message["role"], message["content"]) for message in body["messages"]] for body in server.bodies]
    first = [("system", "Be brief."), ("user", "one")]
    assert asked == [
        first,
        [*first, ("assistant", "Hello there"), ("user", "two")],
        [("system", "Be brief."), ("user", "three")],
    ]
    assert server.keys == ["Bearer secret"] * 3
    assert server.bodies[0]["model"] == "current" and server.bodies[0]["temperature"] == 0.5


def test_one_message(server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = talk(monkeypatch, capsys, "--url", server.url, "--message", "Hi", "--name", "round-01")
    assert (code, out) == (0, "Hello there\n") and server.bodies[0]["model"] == "round-01"


def test_nothing_that_a_terminal_obeys_is_shown(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.content = event("a\x1b]0;owned\x07b\x1b[2J\r\x9b31m\u202e\tc\n")
    _, out, _ = talk(monkeypatch, capsys, "--url", server.url, "--message", "Hi")
    assert out == "a\\x1b]0;owned\\x07b\\x1b[2J\\r\\x9b31m\\u202e\tc\n\n"


@pytest.mark.parametrize(
    ("status", "content", "told"),
    [
        (401, json.dumps({"error": {"message": "a key is \x1b[1mneeded"}}), "answered 401: a key is \\x1b[1mneeded"),
        (500, "broken", "answered 500: broken"),
        (200, "data: {not json\n\n", "sent what is no answer"),
        (200, "data: []\n\n", "sent what is no answer"),
        (200, 'data: {"error": "died"}\n\n', "ended with an error: died"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int,
    content: str,
    told: str,
) -> None:
    server.status, server.content = status, content
    code, _, err = talk(monkeypatch, capsys, "--url", server.url, "--message", "Hi")
    assert code == 1 and told in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("url", "code", "told"), [("http://127.0.0.1:9", 1, "start it: inverse-instruct serve"), ("nowhere", 2, "--url")]
)
def test_nobody_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, code: int, told: str
) -> None:
    found, _, err = talk(monkeypatch, capsys, "--url", url, "--message", "Hi")
    assert found == code and told in err


def test_an_answer_that_is_broken_off_is_kept_as_far_as_it_came(server: Server) -> None:
    chat = Chat(server.url, "current", {})
    answer = chat.say("Hi")
    assert next(answer) == "Hello"
    answer.close()  # type: ignore[attr-defined]
    assert chat.messages[-1] == {"role": "assistant", "content": "Hello"}
