"""What a request costs is read as the engine would read it, and sent as it was read."""

from __future__ import annotations

from typing import Any

import pytest

from inverse_instruct.inference.sampling import NEUTRAL
from tests.gateway.conftest import Gateway, read_events
from tests.gateway.test_requests import check_error


@pytest.mark.parametrize("value", ['"5000"', "5000.0", "5e3", '"5_000"', '" 5000 "', '"5000.0"', "1e400", "[2]"])
@pytest.mark.parametrize("field", ["n", "best_of"])
def test_what_an_engine_reads_as_a_number_is_one(shared_gateway: Gateway, field: str, value: str) -> None:
    for route, prompt in (
        ("completions", '"prompt": "tokens=1"'),
        ("chat/completions", '"messages": [{"role": "user", "content": "tokens=1"}]'),
    ):
        content = f'{{"model": "current", {prompt}, "{field}": 1, "{field}": {value}}}'
        reply = shared_gateway.http.post(f"/v1/{route}", content=content)
        assert check_error(reply, 400)["param"] in ("n", field), reply.text


SPELLED: dict[str, tuple[str, object]] = {
    "n": ('"7"', 7),
    "best_of": ("2.0", 2),
    "max_tokens": ('"1e1"', None),
    "max_completion_tokens": ("4e0", 4),
    "min_tokens": ('"0"', 0),
    "logprobs": ('"5"', 5),
    "prompt_logprobs": ("true", 1),
    "echo": ('"yes"', True),
    "use_beam_search": ('"off"', False),
    "ignore_eos": ("1", True),
    "truncate_prompt_tokens": ("3.0", 3),
    "logprob_token_ids": ("[]", []),
    "stream": ('"no"', False),
}


@pytest.mark.parametrize("field", SPELLED)
def test_what_is_checked_is_what_is_sent(shared_gateway: Gateway, field: str) -> None:
    spelled, value = SPELLED[field]
    content = f'{{"model": "current", "prompt": "tokens=1", "{field}": {spelled}, "user": "7", "other": [1.0]}}'
    reply = shared_gateway.http.post("/v1/completions", content=content)
    if value is None:
        assert check_error(reply, 400)["param"] == field
        return
    received = reply.json()["received"]
    assert received[field] == value and type(received[field]) is type(value)
    assert received["user"] == "7" and received["other"] == [1.0], "what costs nothing is as it was"
    added = NEUTRAL.keys() | {"stop_token_ids"}
    assert received.keys() - added == {"model", "prompt", field, "user", "other"} - added, "nothing else is made up"


def test_a_stream_is_a_stream_however_it_is_asked_for(gateway: Gateway) -> None:
    reply = gateway.ask("tokens=2", stream="true")
    assert read_events(reply.content)[-1] == "[DONE]"
    assert 'inverse_instruct_tokens_total{kind="completion"} 2.0' in gateway.http.get("/metrics").text


def test_each_route_has_types_of_its_own(shared_gateway: Gateway) -> None:
    chat = {"model": "current", "messages": [{"role": "user", "content": "tokens=1"}]}
    reply = shared_gateway.http.post("/v1/chat/completions", json=chat | {"logprobs": True, "top_logprobs": "3"})
    assert reply.json()["received"]["logprobs"] is True and reply.json()["received"]["top_logprobs"] == 3
    assert check_error(shared_gateway.http.post("/v1/chat/completions", json=chat | {"logprobs": 5}), 400)["param"]


@pytest.mark.parametrize("prompt", [["a"] * 513, [[1]] * 513, [["1"]] * 513, ["a"] * 512 + [1]])
def test_prompts_times_n_are_counted(shared_gateway: Gateway, prompt: list[Any]) -> None:
    for n in (2, "2", 2.0):
        reply = shared_gateway.http.post("/v1/completions", json={"model": "current", "prompt": prompt, "n": n})
        assert "1024 completions" in check_error(reply, 400)["message"]
    reply = shared_gateway.http.post(
        "/v1/completions", json={"model": "current", "prompt": "", "n": 9, "prompt_embeds": ["x"] * 200}
    )
    assert "1024 completions" in check_error(reply, 400)["message"]
