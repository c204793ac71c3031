"""A completions server that misbehaves on purpose, down to the bytes on the wire."""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

MODEL = "m"
Body = dict[str, Any]
Reply = Callable[[socket.socket, Body], None]


def send(connection: socket.socket, status: int, content: bytes, *headers: str) -> None:
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}", "Connection: close", *headers]
    connection.sendall("\r\n".join([*head, "", ""]).encode() + content)


def right_reply(body: Body) -> dict[str, Any]:
    many = isinstance(body["prompt"][0], list)
    top = {f"token_id:{label}": -1.0 - label for label in body.get("logprob_token_ids", [])}
    choices = [
        {"index": number, "text": f" of {prompt[0]}", "finish_reason": "stop", "logprobs": {"top_logprobs": [top]}}
        for number, prompt in enumerate(body["prompt"] if many else [body["prompt"]])
    ]
    return {"model": body["model"], "choices": choices, "usage": {"prompt_tokens": 3, "completion_tokens": 1}}


def good(connection: socket.socket, body: Body) -> None:
    send(connection, 200, json.dumps(right_reply(body)).encode())


def status(code: int, content: bytes = b'{"error": {"message": "not now"}}', *headers: str) -> Reply:
    return lambda connection, body: send(connection, code, content, *headers)


def changed(change: Callable[[dict[str, Any]], object]) -> Reply:
    """A right reply after a change to it."""

    def reply(connection: socket.socket, body: Body) -> None:
        tree = right_reply(body)
        change(tree)
        send(connection, 200, json.dumps(tree).encode())

    return reply


def choice(**fields: Any) -> Reply:
    return changed(lambda tree: tree["choices"][0].update(fields))


def logprob(value: Any) -> Reply:
    return choice(logprobs={"top_logprobs": [{"token_id:5": value, "token_id:6": -1.0}]})


def cut_json(connection: socket.socket, body: Body) -> None:
    send(connection, 200, json.dumps(right_reply(body)).encode()[:-20])


def reset(connection: socket.socket, body: Body) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def half_closed(connection: socket.socket, body: Body) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    connection.shutdown(socket.SHUT_WR)
    time.sleep(0.3)


def hang_up(connection: socket.socket, body: Body) -> None:
    connection.close()


def slow_loris(connection: socket.socket, body: Body) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(600):
        connection.sendall(b" ")
        time.sleep(0.05)


def endless(connection: socket.socket, body: Body) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b" " * 2**16)


class BadServer:
    """Gives the replies in turn, the last one for ever, or for every body what `choose` returns."""

    def __init__(
        self,
        *replies: Reply,
        choose: Callable[[Body], Reply] | None = None,
        models: bytes = json.dumps({"data": [{"id": MODEL}]}).encode(),
    ) -> None:
        self._replies = list(replies)
        self._models = models
        self.away = False  # nothing is answered
        self._choose = choose
        self._lock = threading.Lock()
        self.bodies: list[Body] = []
        self.times: list[float] = []
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                try:
                    server._serve(self.rfile, self.connection)
                except OSError:
                    pass  # the client has had enough

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 128

            def shutdown_request(self, request: Any) -> None:
                request.close()

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _serve(self, stream: Any, connection: socket.socket) -> None:
        line = stream.readline().decode()
        headers = {}
        while header := stream.readline().decode().strip():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        if self.away:
            return
        if line.startswith("GET"):
            send(connection, 200, self._models)
        elif line:
            body = json.loads(stream.read(int(headers["content-length"])))
            self._next(body)(connection, body)

    def _next(self, body: Body) -> Reply:
        with self._lock:
            self.bodies.append(body)
            self.times.append(time.monotonic())
            if self._choose:
                return self._choose(body)
            return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
