"""Every way in which a server can answer wrongly: tried again, and if that does not help, one row with a reason."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from inverse_instruct.errors import InverseInstructError, RequestError, ServerError
from inverse_instruct.inference import attempts as attempts_module
from inverse_instruct.inference import client as client_module
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Reason
from tests.faults.bad_server import (
    BadServer,
    Reply,
    changed,
    choice,
    cut_json,
    endless,
    good,
    half_closed,
    hang_up,
    logprob,
    reset,
    slow_loris,
    status,
)

Make = Callable[..., BadServer]

UNAVAILABLE: dict[str, Reply] = {
    "429": status(429),
    "500": status(500),
    "502 with HTML": status(502, b"<html>"),
    "reset": reset,
    "half closed": half_closed,
    "hang up": hang_up,
}
UNUSABLE: dict[str, Reply] = {
    "cut JSON": cut_json,
    "HTML": status(200, b"<html>busy</html>"),
    "empty": status(200, b""),
    "a list": status(200, b"[]"),
    "packed, unasked": status(200, gzip.compress(b" " * (65 << 20)), "Content-Encoding: gzip"),
    "deep JSON": status(200, b"[" * 100_000),
    "not UTF-8": status(200, b'{"a": "\xff"}'),
    "no choices": changed(lambda tree: tree.pop("choices")),
    "empty choices": changed(lambda tree: tree.update(choices=[])),
    "two choices": changed(lambda tree: tree["choices"].append(tree["choices"][0])),
    "choices of null": changed(lambda tree: tree.update(choices=[None])),
    "another index": choice(index=3),
    "no text": choice(text=None),
    "a number as text": choice(text=7),
    "half a surrogate pair": choice(text="\ud800"),
    "aborted": choice(finish_reason="abort"),
    "not finished": choice(finish_reason=None),
    "no usage": changed(lambda tree: tree.pop("usage")),
    "another model": changed(lambda tree: tree.update(model="other")),
    "a model that is deep": changed(lambda tree: tree.update(model=json.loads("[" * 900 + "]" * 900))),
    "an index that is a list": choice(index=[]),
    "an index that is true": choice(index=False),
    "endlessly many tokens": changed(lambda tree: tree["usage"].update(prompt_tokens=float("inf"))),
    "more tokens than fit a file": changed(lambda tree: tree["usage"].update(completion_tokens=10**30)),
    "fewer tokens than none": changed(lambda tree: tree["usage"].update(completion_tokens=-1)),
}
NO_SCORES: dict[str, Reply] = {
    "NaN": logprob(float("nan")),
    "null": logprob(None),
    "above 0": logprob(0.5),
    "infinite": logprob(float("inf")),
    "400 digits": logprob(-(10**400)),
    "text": logprob("-1"),
    "true": logprob(True),
    "no log-probabilities": choice(logprobs=None),
    "no position": choice(logprobs={"top_logprobs": []}),
    "null position": choice(logprobs={"top_logprobs": [None]}),
}


def ask(server: BadServer, work: Callable[[InferenceClient], Any], **options: Any) -> Any:
    async def main() -> Any:
        settings = {"concurrency": 4, "timeout_seconds": 5} | options
        async with InferenceClient({server.url: None}, "m", **settings) as client:
            return await work(client)

    return asyncio.run(main())


def complete(client: InferenceClient) -> Any:
    return client.complete([7, 8, 9], Sampling(max_tokens=5), seed=7)


def score(client: InferenceClient) -> Any:
    return client.label_logprobs([[7]], [5, 6])


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fault", UNAVAILABLE | UNUSABLE)
def test_a_passing_fault_changes_nothing(bad_server: Make, fault: str) -> None:
    reply = (UNAVAILABLE | UNUSABLE)[fault]
    server = bad_server(reply, reply, good)
    assert ask(server, complete).text == " of 7"
    assert len(server.bodies) == 3 and server.bodies[0] == server.bodies[2]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fault", UNAVAILABLE | UNUSABLE)
def test_a_lasting_fault_is_one_row_with_a_reason(bad_server: Make, fault: str) -> None:
    server = bad_server((UNAVAILABLE | UNUSABLE)[fault])
    with pytest.raises(RequestError, match="the last failure") as caught:
        ask(server, complete)
    assert caught.value.reason == (Reason.BAD_REPLY if fault in UNUSABLE else Reason.REQUEST_FAILED)
    assert len(server.bodies) == (4 if fault in UNUSABLE else 10)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fault", NO_SCORES)
def test_log_probabilities_that_are_none_are_never_taken(bad_server: Make, fault: str) -> None:
    passing = bad_server(NO_SCORES[fault], good)
    assert ask(passing, score) == [[-6.0, -7.0]]
    with pytest.raises(RequestError) as caught:
        ask(bad_server(NO_SCORES[fault]), score)
    assert caught.value.reason == Reason.BAD_SCORE


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_server_does_not_name_another_address(bad_server: Make, code: int) -> None:
    other = bad_server(good)
    with pytest.raises(ServerError, match=f"answered {code}"):
        ask(bad_server(status(code, b"", f"Location: {other.url}/v1/completions")), complete)
    assert other.bodies == []


@pytest.mark.usefixtures("quick")
def test_choices_for_other_prompts_are_not_mixed_up(bad_server: Make) -> None:
    twice = changed(lambda tree: tree["choices"][1].update(index=0))
    missing = changed(lambda tree: tree["choices"].pop())
    server = bad_server(twice, missing, good)
    assert ask(server, lambda client: client.label_logprobs([[1], [2]], [5, 6])) == [[-6.0, -7.0]] * 2
    assert len(server.bodies) == 3


@pytest.mark.usefixtures("quick")
def test_a_server_without_such_log_probabilities_ends_the_stage(bad_server: Make) -> None:
    server = bad_server(choice(logprobs={"top_logprobs": [{"token_id:5": -1.0}]}))
    with pytest.raises(ServerError, match="no log-probability for token 6; scoring needs a server"):
        ask(server, score)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("reply", "text"), [(slow_loris, "no whole reply within 0.5 s"), (endless, "more than")])
def test_a_reply_that_does_not_end(bad_server: Make, monkeypatch: pytest.MonkeyPatch, reply: Reply, text: str) -> None:
    monkeypatch.setattr(client_module, "MAX_REPLY_BYTES", 2**20)
    assert ask(bad_server(reply, good), complete, timeout_seconds=0.5).text == " of 7"
    began = time.monotonic()
    with pytest.raises(RequestError, match=text):
        ask(bad_server(reply), complete, timeout_seconds=0.5)
    assert time.monotonic() - began < 3


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("code", [429, 503])
def test_the_server_says_when_to_come_back(bad_server: Make, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    server = bad_server(status(code, b"", "Retry-After: 1"), good)
    ask(server, complete)
    assert 1.0 <= server.times[1] - server.times[0] < 2.0
    monkeypatch.setattr(attempts_module, "MAX_RETRY_AFTER_SECONDS", 0.5)
    for value in ("86400", "Wed, 21 Oct 2099 07:28:00 GMT"):
        server = bad_server(status(code, b"", f"Retry-After: {value}"), good)
        ask(server, complete)
        assert 0.5 <= server.times[1] - server.times[0] < 1.5, "it is bounded"
    for value in ("-5", "soon", "1e9", "Wed, 21 Oct 2015 07:28:00 GMT"):
        server = bad_server(status(code, b"", f"Retry-After: {value}"), good)
        ask(server, complete)
        assert server.times[1] - server.times[0] < 0.4


def test_what_a_server_refuses_for_good(bad_server: Make) -> None:
    long = json.dumps({"error": {"message": "has 9 tokens", "param": "input_tokens"}}).encode()
    outcomes = {
        400: (RequestError, Reason.REQUEST_FAILED),
        413: (RequestError, Reason.REQUEST_FAILED),
        302: (ServerError, None),
        401: (ServerError, None),
        404: (ServerError, None),
    }
    for code, (kind, reason) in outcomes.items():
        server = bad_server(status(code))
        with pytest.raises(InverseInstructError, match=f"answered {code}: not now") as caught:
            ask(server, complete)
        assert type(caught.value) is kind and getattr(caught.value, "reason", None) == reason
        assert len(server.bodies) == 1, "sending it again would not help"
    with pytest.raises(RequestError, match=r"400:  \[31mred line two$"):
        ask(bad_server(status(400, b'{"error": {"message": "\\u001b[31mred\\nline two"}}')), complete)
    with pytest.raises(RequestError, match="has 9 tokens") as caught:
        ask(bad_server(status(400, long)), complete)
    assert caught.value.reason == Reason.TOO_LONG


@pytest.mark.usefixtures("quick")
def test_a_chat_answers_under_a_name_of_its_own_but_always_the_same(bad_server: Make) -> None:
    def named(name: str) -> Reply:
        return changed(
            lambda tree: tree.update(
                model=name, choices=[{"index": 0, "message": {"content": name}, "finish_reason": "stop"}]
            )
        )

    def chat_body(reply: Reply) -> Reply:
        return lambda connection, body: reply(connection, body | {"prompt": [7]})

    server = bad_server(*map(chat_body, (named("m-2026"), named("other"), named("m-2026"))))

    async def twice(client: InferenceClient) -> list[str]:
        return [(await client.chat("hello", Sampling(5))).text for _ in range(2)]

    assert ask(server, twice) == ["m-2026", "m-2026"] and len(server.bodies) == 3
