"""What a client gets: replies that name their checkpoint, and for every mistake a status with OpenAI's error body."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from inverse_instruct.gateway.request_defaults import RequestDefaults
from inverse_instruct.inference.sampling import NEUTRAL
from tests.gateway.conftest import Gateway, read_events


def check_error(reply: httpx.Response, status: int) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    error: dict[str, Any] = reply.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"} and error["message"]
    return error


def test_a_whole_reply_names_its_checkpoint(shared_gateway: Gateway) -> None:
    digest = shared_gateway.http.get("/ready").json()["digest"]
    for model in ("current", "round-00"):
        reply = shared_gateway.ask(model=model)
        assert reply.json()["model"] == "round-00" and reply.json()["choices"][0]["finish_reason"] == "length"
        assert reply.headers["x-checkpoint"] == f"round-00@{digest}"
    assert [model["id"] for model in shared_gateway.http.get("/v1/models").json()["data"]] == ["current", "round-00"]


@pytest.mark.parametrize(
    ("options", "chunks"), [({}, 3), ({"stream_options": {"include_usage": True}}, 4), ({"stream_options": None}, 3)]
)
def test_every_chunk_names_its_checkpoint_and_usage_is_for_those_who_ask(
    gateway: Gateway, options: dict[str, Any], chunks: int
) -> None:
    *events, done = gateway.stream(**options)
    assert done == "[DONE]" and len(events) == chunks
    assert {event["model"] for event in events} == {"round-00"}
    assert all(event["choices"][0]["text"].endswith("\u2028") for event in events[:3])
    assert [event["usage"]["completion_tokens"] for event in events if "usage" in event] == [3] * (chunks - 3)
    assert 'inverse_instruct_tokens_total{kind="completion"} 3.0' in gateway.http.get("/metrics").text


def test_the_openai_client_chats(shared_gateway: Gateway) -> None:
    client = openai.OpenAI(base_url=f"{shared_gateway.url}/v1", api_key="none")
    stream = client.chat.completions.create(
        model="current", messages=[{"role": "user", "content": "tokens=4"}], stream=True
    )
    chunks = list(stream)
    assert len(chunks) == 4 and chunks[-1].choices[0].finish_reason == "length"
    with pytest.raises(openai.NotFoundError) as error:
        client.completions.create(model="round-07", prompt="tokens=1")
    assert error.value.code == "model_not_found"
    client.close()


@pytest.mark.parametrize("route", ["completions", "chat/completions"])
@pytest.mark.parametrize(
    "fields", [{}, {"temperature": 0.2, "top_k": 5}, {"min_p": None, "temperature": 0}], ids=["nothing", "some", "null"]
)
def test_engines_are_told_all_of_the_sampling(shared_gateway: Gateway, route: str, fields: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"prompt": "tokens=1"}
    if route == "chat/completions":
        asked = {"messages": [{"role": "user", "content": "tokens=1"}]}
    reply = shared_gateway.http.post(f"/v1/{route}", json={"model": "current"} | asked | fields)
    sent = reply.json()["received"]
    given = {name: value for name, value in fields.items() if value is not None}
    assert {name: sent[name] for name in NEUTRAL} == NEUTRAL | given


@pytest.mark.parametrize(
    ("fields", "stops"),
    [
        ({}, [2]),
        ({"stop_token_ids": [5]}, [5, 2]),
        ({"stop_token_ids": [2]}, [2]),
        ({"stop_token_ids": None}, [2]),
        ({"ignore_eos": True}, None),
    ],
)
def test_engines_are_told_where_a_reply_ends(shared_gateway: Gateway, fields: dict[str, Any], stops: Any) -> None:
    assert shared_gateway.ask("tokens=1", **fields).json()["received"].get("stop_token_ids") == stops


def test_a_chat_is_rendered_as_for_training_unless_its_client_says_otherwise() -> None:
    defaults = RequestDefaults((2,), {"enable_thinking": False})
    chat: dict[str, Any] = {"messages": []}
    assert defaults.applied(chat)["chat_template_kwargs"] == {"enable_thinking": False}
    theirs = defaults.applied(chat | {"chat_template_kwargs": {"enable_thinking": True, "x": 1}})[
        "chat_template_kwargs"
    ]
    assert theirs == {"enable_thinking": True, "x": 1}
    assert "chat_template_kwargs" not in defaults.applied({"prompt": "x"})
    assert "chat_template_kwargs" not in RequestDefaults((2,), {}).applied(chat)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[1]",
        "",
        '{"model": "current", "prompt": NaN',
        "[" * 100_000,
        b"\xff\xfe{",
        '{"prompt": "tokens=1"}',
        '{"model": 7}',
        '{"model": ' + "1" * 5000 + "}",
    ],
)
def test_a_body_that_is_no_request_is_400(shared_gateway: Gateway, content: str | bytes) -> None:
    check_error(shared_gateway.http.post("/v1/completions", content=content), 400)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": "tokens=1", "n": 1025}, "1024 completions"),
        ({"prompt": ["a"] * 1025}, "1024 completions"),
        ({"prompt": [[1]] * 600, "n": 2}, "1024 completions"),
        ({"prompt": "tokens=1", "seed": float("nan")}, "no JSON"),
        ({"prompt": "\ud800"}, "no text"),
    ],
)
def test_what_no_engine_should_see_is_400(shared_gateway: Gateway, fields: dict[str, Any], words: str) -> None:
    reply = shared_gateway.http.post("/v1/completions", content=json.dumps({"model": "current"} | fields))
    assert reply.status_code == 400 and words in reply.json()["error"]["message"]


def test_pages_of_other_origins_cost_nothing(shared_gateway: Gateway) -> None:
    body = json.dumps({"model": "current", "prompt": "tokens=1"})
    for path in ("/v1/completions", "/v1/chat/completions", "/v1/models", "/", "/engines/0/metrics"):
        for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
            reply = shared_gateway.http.request(
                "POST" if "completions" in path else "GET",
                path,
                content=body,
                headers={"content-type": "text/plain"} | headers,
            )
            assert check_error(reply, 403)["code"] == "foreign_origin", path
        preflight = shared_gateway.http.options(
            path, headers={"origin": "http://evil.example", "access-control-request-method": "POST"}
        )
        assert preflight.status_code == 403 and not [name for name in preflight.headers if name.startswith("access-")]
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json"):
        reply = shared_gateway.http.post("/v1/completions", content=body, headers={"content-type": kind})
        assert "must be application/json" in check_error(reply, 415)["message"]
    own = {"origin": shared_gateway.url, "sec-fetch-site": "same-origin", "content-type": "application/json; x=y"}
    assert shared_gateway.http.post("/v1/completions", content=body, headers=own).status_code == 200


def test_a_body_that_does_not_come_is_408(shared_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inverse_instruct.gateway.limits.BODY_SECONDS", 0.3)

    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield b" "
            time.sleep(0.1)

    started = time.monotonic()
    check_error(shared_gateway.http.post("/v1/completions", content=pieces()), 408)
    assert time.monotonic() - started < 1.9 + 0.3


def test_a_prompt_of_many_tokens_is_one_prompt(shared_gateway: Gateway) -> None:
    reply = shared_gateway.http.post("/v1/completions", json={"model": "current", "prompt": [1] * 2000, "n": 1024})
    assert reply.status_code != 400


def test_without_keys_only_names_of_this_machine_are_answered(shared_gateway: Gateway) -> None:
    for path in ("/v1/models", "/ready"):
        assert shared_gateway.http.get(path, headers={"host": "evil.example"}).status_code == 400
        assert shared_gateway.http.get(path, headers={"host": "localhost:1"}).status_code == 200


def test_each_model_has_its_card_and_the_root_its_contents(shared_gateway: Gateway) -> None:
    listed = shared_gateway.http.get("/v1/models").json()["data"]
    for card in listed:
        assert shared_gateway.http.get(f"/v1/models/{card['id']}").json() == card
    assert openai.OpenAI(base_url=f"{shared_gateway.url}/v1", api_key="x").models.retrieve("current").id == "current"
    for name in ("round-07", "some/other", "current/x"):
        error = check_error(shared_gateway.http.get(f"/v1/models/{name}"), 404)
        assert error["code"] == "model_not_found" and "'current' or 'round-00'" in error["message"]
    contents = shared_gateway.http.get("/", headers={"accept": "text/html"}).json()["contents"]
    assert {"/v1/models", "/ready", "/metrics"} < contents.keys() and "/dashboard/" not in contents
    for path in ("/v1", "/docs", "/v1/embeddings"):
        assert "GET / tells what there is" in check_error(shared_gateway.http.get(path), 404)["message"]


def test_tools_are_refused_with_a_key_of_the_config(shared_gateway: Gateway) -> None:
    reply = shared_gateway.http.post(
        "/v1/chat/completions",
        json={"model": "current", "messages": [], "tools": [{"type": "function", "function": {"name": "f"}}]},
    )
    message = check_error(reply, 400)["message"]
    assert "serve.tool_call_parser" in message and "--" not in message


def test_routes_and_methods(shared_gateway: Gateway) -> None:
    check_error(shared_gateway.http.get("/v1/nothing"), 404)
    assert check_error(shared_gateway.http.get("/v1/completions"), 405)
    assert shared_gateway.http.get("/v1/completions").headers["allow"] == "POST"
    check_error(shared_gateway.http.get("/engines/5/metrics"), 404)
    assert "aborted 0" in shared_gateway.http.get("/engines/0/metrics").text
    assert shared_gateway.http.get("/health").json() == {"status": "ok"}


def test_a_large_body_is_413_also_without_a_length(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(max_body_bytes=2000)
    gateway.wait_for("round-00")

    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    check_error(gateway.http.post("/v1/completions", content=b" " * 2001), 413)
    check_error(gateway.http.post("/v1/completions", content=pieces()), 413)
    check_error(gateway.http.post("/v1/completions", content=b" " * 2000), 400)
    assert gateway.ask().status_code == 200


def test_what_the_engine_refuses_is_passed_on(shared_gateway: Gateway) -> None:
    reply = shared_gateway.ask("status=400")
    assert reply.status_code == 400 and reply.json() == {"error": {"message": "told to", "param": "input_tokens"}}
    assert shared_gateway.ask("status=500").status_code == 500
    assert shared_gateway.ask("status=503").headers["retry-after"]
    assert shared_gateway.ask().status_code == 200


def test_what_cannot_be_read_is_502(shared_gateway: Gateway) -> None:
    check_error(shared_gateway.ask("garbage=1"), 502)
    first, error = shared_gateway.stream("garbage=1")
    assert first["choices"] and error["error"]["code"] == 502


def test_a_stream_that_the_engine_cuts_does_not_end_in_silence(gateway: Gateway) -> None:
    *_, last = gateway.stream("cut=1")
    assert last["error"]["code"] == 503 and last["error"]["retry_after"] >= 1


def test_a_slow_stream_is_not_cut(shared_gateway: Gateway) -> None:
    assert shared_gateway.stream("tokens=2 delay=2")[-1] == "[DONE]"


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_ends_its_generation(gateway: Gateway, stream: bool) -> None:
    with pytest.raises(httpx.ReadTimeout):
        with gateway.http.stream(
            "POST",
            "/v1/completions",
            timeout=0.5,
            json={"model": "current", "prompt": "tokens=2 delay=20", "stream": stream},
        ) as reply:
            reply.read()
    deadline = time.monotonic() + 5
    while "aborted 1" not in gateway.http.get("/engines/0/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert gateway.service.admission.in_flight == 0
    assert 'code="499"' in gateway.http.get("/metrics").text


def test_too_many_get_429_and_the_others_their_reply(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(max_concurrent=2, max_waiting=3)
    gateway.wait_for("round-00")
    barrier = threading.Barrier(9)

    def ask(number: int) -> httpx.Response:
        barrier.wait()
        return gateway.ask("tokens=2 delay=0.3")

    with ThreadPoolExecutor(9) as pool:
        replies = list(pool.map(ask, range(9)))
    refused = [reply for reply in replies if reply.status_code == 429]
    assert sorted(reply.status_code for reply in replies) == [200] * 5 + [429] * 4
    assert check_error(refused[0], 429)["type"] == "rate_limit_error" and refused[0].headers["retry-after"]


def test_metrics(gateway: Gateway) -> None:
    gateway.ask()
    gateway.stream()
    gateway.http.get("/secret/../path")
    text = gateway.http.get("/metrics").text
    for line in (
        'requests_total{code="200",route="/v1/completions"} 2.0',
        'first_token_seconds_count{route="/v1/completions"} 1.0',
        'tokens_total{kind="prompt"} 4.0',
        'requests_total{code="404",route="other"} 1.0',
        "requests_in_flight 0.0",
        "requests_waiting 0.0",
        'swaps_total{outcome="done"} 1.0',
        'checkpoint_info{checkpoint="round-00",digest="',
    ):
        assert f"inverse_instruct_{line}" in text, line


def test_events_are_split_at_blank_lines_only() -> None:
    assert read_events(b'data: {"a": "\xe2\x80\xa8"}\n\ndata: [DONE]\n\n') == [{"a": "\u2028"}, "[DONE]"]
