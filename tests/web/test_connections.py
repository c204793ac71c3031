"""Connections to a real server: what they may take before a request has come, in bytes, in time and in number."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from inverse_instruct.system.root import ROOT
from inverse_instruct.web import connections
from inverse_instruct.web.connections import HEADER_BYTES, GuardedServer, connection_limit, guarded_config

HEAD = b"POST /echo HTTP/1.1\r\nHost: localhost\r\n"
SECONDS = 0.5


async def ping(request: Request) -> Response:
    return PlainTextResponse("pong")


async def echo(request: Request) -> Response:
    return Response(await request.body())


async def slow(request: Request) -> Response:
    await asyncio.sleep(2)
    return PlainTextResponse("at last")


class Server:
    """A guarded server in a thread."""

    def __init__(self) -> None:
        app = Starlette(routes=[Route("/ping", ping), Route("/slow", slow), Route("/echo", echo, methods=["POST"])])
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.server = GuardedServer(guarded_config(app, log_config=None, timeout_keep_alive=30))
        self._thread = threading.Thread(target=self.server.run, args=([listener],))
        self._thread.start()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ping(self) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}/ping", trust_env=False, timeout=10)

    def close(self) -> None:
        self.server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture
def start() -> Iterator[Callable[[], Server]]:
    servers: list[Server] = []

    def start() -> Server:
        servers.append(Server())
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def server(start: Callable[[], Server], monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(connections, "HEADER_SECONDS", SECONDS)
    return start()


def read_to_end(stream: socket.socket) -> bytes:
    """Return what comes until the other side closes."""
    content = b""
    try:
        while piece := stream.recv(65536):
            content += piece
    except ConnectionResetError:
        pass
    return content


def send(stream: socket.socket, *pieces: bytes) -> bytes:
    """Send as much as is taken; return all that comes back."""
    try:
        for piece in pieces:
            stream.sendall(piece)
    except OSError:
        pass
    return read_to_end(stream)


FLOODS = {
    "one header": (HEAD + b"X: ", *[b"x" * 100_000] * 100),
    "many headers": (HEAD, *[b"X-Y: z\r\n" * 10_000] * 100),
    "a request line": (b"GET /ping?", *[b"x" * 100_000] * 100),
    "no line at all": (*[b"x" * 100_000] * 100,),
    "a folded header": (HEAD + b"X: y\r\n", *[b" z\r\n" * 20_000] * 100),
    "the second request": (b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n", HEAD + b"X: ", *[b"x" * 100_000] * 100),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_header_without_end_is_refused_and_takes_no_memory(server: Server, name: str) -> None:
    assert server.ping().text == "pong"
    before, most = psutil.Process().memory_info().rss, 0

    def pieces() -> Iterator[bytes]:
        nonlocal most
        for piece in FLOODS[name]:
            most = max(most, psutil.Process().memory_info().rss)
            yield piece

    with server.connect() as stream:
        reply = send(stream, *pieces())
    assert b"HTTP/1.1 431 " in reply and b"connection: close" in reply, reply[:200]
    assert reply.count(b'{"error":{"message":"the header is larger than 65536 bytes"') == 1
    assert most - before < 5 * 2**20
    assert server.ping().text == "pong"


def test_a_header_of_the_longest_length_is_taken(server: Server) -> None:
    with server.connect() as stream:
        request = b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: "
        assert send(stream, request + b"x" * (HEADER_BYTES - len(request) - 4) + b"\r\n\r\n").endswith(b"pong")


@pytest.mark.parametrize(
    "pieces",
    [(b"1;" + b"x" * 400_000,), (b"1\r\na\r\n0\r\n" + b"X: y\r\n" * 60_000,), (b"f" * 100_000,)],
    ids=["chunk extension", "trailers", "chunk size"],
)
def test_what_surrounds_a_body_is_bounded_as_well(server: Server, pieces: tuple[bytes, ...]) -> None:
    with server.connect() as stream:
        started = time.monotonic()
        reply = send(stream, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *pieces)
        assert reply[:12] in (b"HTTP/1.1 431", b"HTTP/1.1 400") and time.monotonic() - started < 5, reply[:100]
    assert server.ping().text == "pong"


def drip(stream: socket.socket, piece: bytes) -> float:
    """Send a piece again and again until the other side closes; return how long that took."""
    started = time.monotonic()
    stream.settimeout(0.1)
    while time.monotonic() - started < 20:
        try:
            stream.sendall(piece)
            if stream.recv(65536) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - started


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"", b""),  # nothing at all
        (b"G", b""),
        (HEAD, b""),
        (HEAD, b"x"),
        (b"", b"\r\n"),
        (b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\nG", b""),  # half a request after a whole one
        (b"POST /ping HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999\r\n\r\n", b"x"),  # nobody reads the body
        (b"POST /ping HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=[
        "nothing",
        "a byte",
        "half a header",
        "byte by byte",
        "blank lines",
        "the second request",
        "an unread body",
        "unread chunks",
    ],
)
def test_who_sends_no_request_is_closed(server: Server, first: bytes, piece: bytes) -> None:
    with server.connect() as stream:
        stream.sendall(first)
        assert drip(stream, piece) < 8 * SECONDS


def test_who_is_slow_is_told_so(server: Server) -> None:
    with server.connect() as stream:
        reply = send(stream, HEAD)
    assert reply.startswith(b"HTTP/1.1 408 ") and b"the header did not come within" in reply


def test_who_waits_for_a_reply_or_between_two_is_not_closed(server: Server) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False, timeout=10) as client:
        assert client.get("/slow").text == "at last"  # longer than a header may take
        stream = client._transport._pool.connections[0]  # type: ignore[attr-defined]
        time.sleep(2 * SECONDS)
        assert client.get("/ping").text == "pong"
        assert client._transport._pool.connections == [stream]  # type: ignore[attr-defined]


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    with server.connect() as stream:
        body = HEAD + b"Content-Length: 2\r\n\r\n"
        reply = send(stream, body + b"ab" + body + b"cd" + body[:-2] + b"Connection: close\r\n\r\nef")
        assert [part[-2:] for part in reply.split(b"HTTP/1.1 200 OK")[1:]] == [b"ab", b"cd", b"ef"]


def test_who_has_been_idle_for_longest_makes_room(start: Callable[[], Server], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 20)
    server = start()
    idle = [server.connect() for _ in range(100)]
    assert server.ping().text == "pong"
    assert idle[0].recv(1) == b""
    idle[-1].sendall(b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert read_to_end(idle[-1]).endswith(b"pong")
    for stream in idle:
        stream.close()


def test_a_connection_with_a_request_under_way_is_never_given_up(
    start: Callable[[], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 10)
    server = start()
    busy = [server.connect() for _ in range(10)]
    for stream in busy:
        stream.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    time.sleep(0.3)
    assert server.ping().status_code == 503
    assert all(read_to_end(stream).endswith(b"at last") for stream in busy)
    assert server.ping().text == "pong"


@pytest.mark.parametrize("descriptors", [64, 256, 1024, 4096, 10**6, resource.RLIM_INFINITY])
def test_descriptors_are_kept_for_others(monkeypatch: pytest.MonkeyPatch, descriptors: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (descriptors, descriptors))
    limit, at_once = connection_limit(8), guarded_config(Starlette()).backlog
    most = limit + 5 * at_once + 8 + len(os.listdir("/proc/self/fd"))  # the loop is that far ahead of what it has seen
    assert 8 <= limit <= 2048
    assert descriptors == resource.RLIM_INFINITY or descriptors < 256 or most < descriptors * 0.95


CROWD = """
import resource, sqlite3, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.web.connections import GuardedServer, guarded_config
from pathlib import Path
import socket
def ledger(request):
    with Ledger(Path(sys.argv[1]), create=True) as ledger:
        ledger.add_event("here")
        return PlainTextResponse(str(len(ledger.events())))
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
GuardedServer(guarded_config(Starlette(routes=[Route("/", ledger)]), engine_requests=64)).run([listener])
"""


def test_a_crowd_of_idle_connections_takes_no_descriptor_of_the_ledger(tmp_path: Path) -> None:
    log = (tmp_path / "log").open("w+")
    process = subprocess.Popen(
        [sys.executable, "-c", CROWD, str(tmp_path / "ledger.db")],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=log,
    )
    assert process.stdout
    port = int(process.stdout.readline())
    idle: list[socket.socket] = []
    try:
        for number in range(1, 6):
            idle += [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(200)]
            assert httpx.get(f"http://127.0.0.1:{port}/", trust_env=False, timeout=10).text == str(number)
            assert len(os.listdir(f"/proc/{process.pid}/fd")) < 256 - 64
    finally:
        process.terminate()
        process.wait(30)
        for stream in idle:
            stream.close()
        process.stdout.close()
    log.seek(0)
    assert "Too many open files" not in log.read()
    log.close()
