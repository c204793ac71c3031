"""The client against a server that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from inverse_instruct.errors import RequestError, ServerError
from inverse_instruct.inference import client as client_module
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.sampling import NEUTRAL, Sampling

Reply = tuple[int, str]
OK = (
    200,
    json.dumps(
        {
            "choices": [{"index": 0, "text": "hi", "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1},
        }
    ),
)
CHAT = (
    200,
    json.dumps(
        {
            "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1},
        }
    ),
)


def logprobs(*rows: dict[str, Any]) -> Reply:
    choices = [{"index": number, "logprobs": {"top_logprobs": [row]}} for number, row in enumerate(rows)]
    return 200, json.dumps({"choices": choices[::-1]})


class Fake:
    """Answers with the given replies in turn, the last one for ever."""

    def __init__(self, *replies: Reply, delay: float = 0.0) -> None:
        self.replies, self.delay = list(replies), delay
        self.bodies: list[dict[str, Any]] = []
        self.busy = self.most_busy = 0
        self._lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with fake._lock:
                    fake.busy += 1
                    fake.most_busy = max(fake.most_busy, fake.busy)
                    fake.bodies.append(body)
                    status, text = fake.replies.pop(0) if len(fake.replies) > 1 else fake.replies[0]
                time.sleep(fake.delay)
                with fake._lock:
                    fake.busy -= 1
                if status == 0:  # hang up
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def fake() -> Iterator[Callable[..., Fake]]:
    made: list[Fake] = []

    def make(*replies: Reply, delay: float = 0.0) -> Fake:
        made.append(Fake(*replies, delay=delay))
        return made[-1]

    yield make
    for server in made:
        server.server.shutdown()
        server.server.server_close()


@pytest.fixture(autouse=True)
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "BACKOFF_SECONDS", 0.001)


def ask(urls: list[str], work: Callable[[InferenceClient], Any], backend: Any = None, **options: Any) -> Any:
    settings = {"concurrency": 4, "timeout_seconds": 5} | options

    async def main() -> Any:
        async with InferenceClient(dict.fromkeys(urls, backend), "m", **settings) as client:
            return await work(client)

    return asyncio.run(main())


def complete(client: InferenceClient) -> Any:
    return client.complete([1, 2, 3], Sampling(max_tokens=5), seed=7)


@pytest.mark.parametrize(
    "trouble",
    [
        (503, "busy"),
        (500, "{}"),
        (429, ""),
        (200, "<html>"),
        (200, "{}"),
        (200, '{"choices": []'),
        (200, "null"),
        (0, ""),
    ],
    ids=str,
)
def test_what_may_be_cured_is_sent_again(fake: Callable[..., Fake], trouble: Reply) -> None:
    server = fake(trouble, trouble, OK)
    assert ask([server.url], complete).text == "hi"
    assert len(server.bodies) == 3 and server.bodies[0] == server.bodies[2]
    assert server.bodies[0]["seed"] == 7 and server.bodies[0]["model"] == "m"


def test_a_refused_prompt_is_not_sent_again(fake: Callable[..., Fake]) -> None:
    server = fake((400, json.dumps({"error": {"message": "too long"}})))
    with pytest.raises(RequestError, match="400: too long"):
        ask([server.url], complete)
    assert len(server.bodies) == 1


def test_giving_up_says_why(fake: Callable[..., Fake]) -> None:
    server = fake((503, json.dumps({"error": {"message": "no room"}})))
    with pytest.raises(RequestError, match="gave up after 10 attempts.*503: no room"):
        ask([server.url], complete)


class Backend:
    """One that is always well; counts how often it was asked to be."""

    starts = 1

    def __init__(self) -> None:
        self.active = self.calls = 0

    async def revive(self, *, counted: bool = True) -> None:
        self.active += 1
        self.calls += 1
        assert self.active == 1 and counted
        await asyncio.sleep(0.01)
        self.active -= 1

    def uncount_restart(self, start: int) -> None:
        raise AssertionError("it has not died")


def test_a_lost_connection_revives_the_server_one_at_a_time(fake: Callable[..., Fake]) -> None:
    server = fake((0, ""), (0, ""), OK)
    backend = Backend()

    async def both(client: InferenceClient) -> Any:
        return await asyncio.gather(complete(client), complete(client))

    assert [reply.text for reply in ask([server.url], both, backend=backend)] == ["hi", "hi"]
    assert backend.calls == 2


def test_concurrency_is_bounded_and_shared_between_endpoints(fake: Callable[..., Fake]) -> None:
    servers = [fake(OK, delay=0.05), fake(OK, delay=0.05)]

    async def many(client: InferenceClient) -> Any:
        return await asyncio.gather(*(complete(client) for _ in range(24)))

    assert len(ask([server.url + "/v1/" for server in servers], many, concurrency=3)) == 24
    assert all(server.most_busy <= 3 and len(server.bodies) == 12 for server in servers)


def test_a_dead_endpoint_does_not_stop_the_others(fake: Callable[..., Fake]) -> None:
    server = fake(OK)

    async def many(client: InferenceClient) -> Any:
        return await asyncio.gather(*(complete(client) for _ in range(16)))

    assert len(ask(["http://127.0.0.1:1", server.url], many)) == 16


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_name_ends_the_stage_at_once(fake: Callable[..., Fake], status: int) -> None:
    server = fake((status, "{}"))
    with pytest.raises(ServerError, match=f"answered {status}.*check the endpoint"):
        ask([server.url], complete)
    assert len(server.bodies) == 1


def test_label_logprobs_come_in_the_order_of_the_prompts(fake: Callable[..., Fake]) -> None:
    server = fake(logprobs({"token_id:5": -1.0, "token_id:6": -2.5}, {"token_id:6": -3.0, "token_id:5": -40.0}))
    rows = ask([server.url], lambda client: client.label_logprobs([[1], [2]], [5, 6]))
    assert rows == [[-1.0, -2.5], [-40.0, -3.0]]
    assert server.bodies[0]["logprob_token_ids"] == [5, 6] and server.bodies[0]["max_tokens"] == 1


ASKING: dict[str, tuple[Callable[[InferenceClient], Awaitable[Any]], Reply, dict[str, Any]]] = {
    "complete": (complete, OK, {"temperature": 0.0}),
    "sampled": (
        lambda client: client.complete([1], Sampling(5, 0.8, 0.9, 1.1), seed=7),
        OK,
        {"temperature": 0.8, "top_p": 0.9, "repetition_penalty": 1.1},
    ),
    "chat": (
        lambda client: client.chat("hi", Sampling(5, repetition_penalty=1.1)),
        CHAT,
        {"temperature": 0.0, "repetition_penalty": 1.1},
    ),
    "scores": (lambda client: client.label_logprobs([[1]], [5]), logprobs({"token_id:5": -1.0}), {"temperature": 0}),
}


@pytest.mark.parametrize("name", ASKING)
def test_every_request_says_all_of_its_sampling(fake: Callable[..., Fake], name: str) -> None:
    work, reply, wanted = ASKING[name]
    server = fake(reply)
    ask([server.url], work)
    assert {name: server.bodies[0][name] for name in NEUTRAL} == NEUTRAL | wanted


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (400, {"error": {"message": "Unrecognized request argument supplied: top_k"}}),
        (422, {"detail": [{"loc": ["body", "top_k"], "type": "extra_forbidden"}]}),
        (400, {"error": {"message": "Extra inputs are not permitted: 'top_k', 'min_p'"}}),
    ],
)
def test_a_field_that_a_server_does_not_know_is_left_out_and_told(
    fake: Callable[..., Fake], caplog: pytest.LogCaptureFixture, status: int, refusal: dict[str, Any]
) -> None:
    server = fake((status, json.dumps(refusal)), (status, json.dumps(refusal)), CHAT, delay=0.3)

    async def several(client: InferenceClient) -> None:
        await asyncio.gather(*(client.chat(str(number), Sampling(5)) for number in range(2)))  # refused at once
        await client.chat("3", Sampling(5))

    ask([server.url], several)
    assert len(server.bodies) == 5 and all("top_k" in body for body in server.bodies[:2])
    assert not any("top_k" in body for body in server.bodies[2:]) and all("top_p" in body for body in server.bodies)
    assert caplog.text.count("the server does not take top_k (-1 was wanted)") == 1


def test_what_ends_a_reply_is_never_left_out(fake: Callable[..., Fake]) -> None:
    server = fake((400, json.dumps({"error": {"message": "unknown field stop_token_ids"}})), OK)
    with pytest.raises(RequestError, match="stop_token_ids"):
        ask([server.url], lambda client: client.complete([1], Sampling(5, stop_token_ids=(2,))))


STOPS = ("\ndef ", "\nprint(", "\nclass ", "\nassert ", "\nimport ", "\n```")


@pytest.mark.parametrize(
    ("text", "finish", "read"),
    [
        ("    return x\nimport os\n\nmore\n```", "length", ("    return x", "stop")),
        ("    return x\n```\nimport os", "stop", ("    return x", "stop")),
        ("    return x", "stop", ("    return x", "stop")),
        ("    return imports", "length", ("    return imports", "length")),
        ("\n```", "stop", ("", "stop")),
    ],
)
@pytest.mark.parametrize("chat", [False, True])
def test_a_server_is_told_of_four_ends_and_the_others_are_cut_at_here(
    fake: Callable[..., Fake], chat: bool, text: str, finish: str, read: tuple[str, str]
) -> None:
    said: dict[str, Any] = {"message": {"content": text}} if chat else {"text": text}
    reply = {"choices": [{"index": 0, "finish_reason": finish} | said]}
    server = fake((200, json.dumps(reply | {"usage": {"prompt_tokens": 3, "completion_tokens": 9}})))
    sampling = Sampling(9, stop=STOPS)
    found = ask([server.url], lambda client: client.chat("x", sampling) if chat else client.complete([1], sampling))
    assert (found.text, found.finish_reason) == read
    assert server.bodies[0]["stop"] == list(STOPS[:4])
