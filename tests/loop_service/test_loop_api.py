"""The loop's API over real HTTP, with runs that are real processes."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from inverse_instruct.inference.models import model_digest
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.ledger_rows import Checkpoint
from tests.loop_service.conftest import JSON, LiveService, config

pytestmark = pytest.mark.timeout(300)


def error_of(reply: httpx.Response, status: int) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"] and "Traceback" not in reply.text
    return dict(error)


def test_a_run_that_fails_says_why_and_is_started_again_only_when_asked(
    service: LiveService, toy_model: Path, refusing_endpoint: str, tmp_path: Path
) -> None:
    tree = config("failing", toy_model, refusing_endpoint, tmp_path)
    reply = service.http.post("/runs", content=yaml.safe_dump(tree), headers={"content-type": "application/yaml"})
    assert reply.status_code == 201 and reply.json()["wanted"] == "running"
    failed = service.wait_for_state("failing", "failed")
    assert "does not answer as an OpenAI-compatible server" in failed["reason"] and failed["wanted"] == "stopped"
    assert failed["queue_position"] is None and failed["run"]["state"] == "failed"
    assert [stage["stage"] for stage in failed["stages"]] == ["preprocess", "evaluate"]
    failures = sum("failed:" in event["message"] for event in failed["events"])

    service.end(signal.SIGKILL)
    service.start()
    time.sleep(1.5)
    assert service.show("failing")["state"] == "failed" and not service.players("failing")

    assert service.submit(tree).status_code == 200  # known with this very config: nothing is done
    assert service.show("failing")["state"] == "failed"
    assert service.act("failing", "resume").status_code == 202
    service.wait(lambda: len(service.show("failing")["events"]) > failures, 60)
    service.wait_for_state("failing", "failed")

    [row] = service.http.get("/runs").json()["runs"]
    assert (row["name"], row["state"], row["stage"]) == ("failing", "failed", "evaluate")


def test_one_run_at_a_time_and_the_others_in_order(
    service: LiveService, toy_model: Path, silent_endpoint: str, tmp_path: Path
) -> None:
    trees = {name: config(name, toy_model, silent_endpoint, tmp_path) for name in ("first", "second", "third")}
    for tree in trees.values():
        assert service.submit(tree).status_code == 201
    service.wait_for_state("first", "running")
    assert [service.show(name)["queue_position"] for name in trees] == [0, 1, 2]
    assert service.show("second")["state"] == "queued" and not service.players("second")

    taken = error_of(service.submit(trees["first"] | {"seed": 5}), 409)
    assert "seed" in taken["message"] or "another config" in taken["message"]
    assert service.submit(trees["first"]).status_code == 200

    service.wait(lambda: bool(service.show("first")["stages"]), 60)
    assert service.act("second", "stop").json()["state"] == "stopped"
    assert service.act("first", "stop").json()["state"] == "stopping"
    stopped = service.wait_for_state("first", "stopped")
    assert stopped["run"]["state"] == "interrupted", "stopped as by Ctrl-C"
    service.wait_for_state("third", "running")
    assert service.show("second")["state"] == "stopped"
    error_of(service.act("first", "stop"), 409)
    assert service.act("first", "resume").json()["queue_position"] == 1
    error_of(service.submit(trees["first"] | {"rounds": 1}), 409)
    assert service.submit(trees["second"] | {"rounds": 1}).json()["queue_position"] == 2, "rounds may be added"


def test_killed_and_started_again_it_goes_on_with_one_process(
    service: LiveService, toy_model: Path, silent_endpoint: str, tmp_path: Path
) -> None:
    for name in ("going", "next"):
        service.submit(config(name, toy_model, silent_endpoint, tmp_path))
    service.wait(lambda: bool(service.show("going")["stages"]), 90)
    before = service.players("going")
    assert len(before) == 1
    service.end(signal.SIGKILL)
    service.start()
    most = 0
    deadline = time.monotonic() + 60
    while (now := service.players("going")) in ([], before) and time.monotonic() < deadline:
        most = max(most, len(now))
        time.sleep(0.02)
    assert len(now) == 1 and now != before and most <= 1
    service.wait_for_state("going", "running")
    assert service.show("next")["state"] == "queued"

    assert service.end(signal.SIGTERM) in (0, -signal.SIGTERM)
    assert not service.players("going"), "it does not outlive the service"
    with Ledger(service.runs / "going/ledger.db") as ledger:
        assert (row := ledger.run()) and row.state == "interrupted"
    service.start()
    service.wait_for_state("going", "running")


def test_a_second_service_on_the_folder_does_not_start(service: LiveService, tmp_path: Path) -> None:
    second = LiveService(tmp_path)
    second.log = tmp_path / "second.log"
    with pytest.raises(AssertionError):
        second.start()
    assert "is in use by pid" in second.log.read_text()
    second.http.close()


def test_what_cannot_be_written_is_not_acknowledged(
    service: LiveService, toy_model: Path, refusing_endpoint: str, tmp_path: Path
) -> None:
    tree = config("unlucky", toy_model, refusing_endpoint, tmp_path)
    obstacle = service.runs / ".service/queue.json"
    obstacle.mkdir()
    assert "queue.json" in error_of(service.submit(tree), 500)["message"]
    obstacle.rmdir()
    assert service.show("unlucky")["wanted"] is None
    assert service.submit(tree).json()["wanted"] == "running"
    service.wait_for_state("unlucky", "failed")


def test_events_go_on_where_the_client_was(
    service: LiveService, toy_model: Path, silent_endpoint: str, tmp_path: Path
) -> None:
    service.submit(config("told", toy_model, silent_endpoint, tmp_path))
    service.wait(lambda: bool(service.show("told")["stages"]), 90)
    with Ledger(service.runs / "told/ledger.db") as ledger:
        for number in range(3):
            ledger.add_event(f"event {number}\nof the test")

    def read(**headers: str) -> list[tuple[str, str, dict[str, Any]]]:
        text = service.http.get("/runs/told/events?follow=false", headers=headers).text.replace("\r\n", "\n")
        found = []
        for block in filter(None, text.split("\n\n")):
            fields = dict(line.split(": ", 1) for line in block.splitlines())
            found.append((fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"])))
        return found

    events = [event for event in read() if event[0] == "message"]
    assert [event[2]["message"] for event in events[-3:]] == [f"event {n}\nof the test" for n in range(3)]
    again = read(**{"Last-Event-ID": events[-2][1]})
    assert [event[2]["message"] for event in again if event[0] == "message"] == ["event 2\nof the test"]
    assert {event[0] for event in again} == {"message", "stage", "state"}, "stages are told as they are now"
    error_of(service.http.get("/runs/told/events", headers={"Last-Event-ID": "x"}), 400)
    error_of(service.http.get("/runs/told/events?follow=perhaps"), 400)

    with service.http.stream("GET", "/runs/told/events", headers={"Last-Event-ID": events[-1][1]}) as stream:
        lines = stream.iter_lines()
        while not next(lines).startswith("event: state"):
            pass
        with Ledger(service.runs / "told/ledger.db") as ledger:
            ledger.add_event("while you listened")
        while "while you listened" not in next(lines):
            pass
        service.act("told", "stop")
        while '"state":"stopped"' not in next(lines):
            pass
    assert service.end(signal.SIGTERM) in (0, -signal.SIGTERM)


def test_a_listener_does_not_hold_up_the_end(
    service: LiveService, toy_model: Path, silent_endpoint: str, tmp_path: Path
) -> None:
    service.submit(config("told", toy_model, silent_endpoint, tmp_path))
    with service.http.stream("GET", "/runs/told/events") as stream:
        next(stream.iter_lines())
        began = time.monotonic()
        service.end(signal.SIGTERM)
        assert time.monotonic() - began < 20


BAD_CONFIGS: dict[str, tuple[dict[Any, Any], list[str]]] = {
    "all at once": ({"seed": -1, "trane": {}, "corpus": []}, ["seed", "trane", "did you mean 'train'", "corpus"]),
    "the world": (
        {"corpus": [{"path": "/nowhere/x.jsonl"}], "train": {"deepspeed": "/nowhere.json"}},
        ["corpus.0.path", "train.deepspeed"],
    ),
    "code of the sender": (
        {
            "model": {"base": "smollm2-135m", "start": "smollm2-135m", "trust_remote_code": True},
            "evaluate": {"unsandboxed": True, "python": "/bin/sh"},
            "inference": {"extra_arguments": ["--trust-remote-code"]},
            "train": {"hostfile": "/nowhere"},
        },
        [
            "model.trust_remote_code",
            "evaluate.unsandboxed",
            "evaluate.python",
            "inference.extra_arguments",
            "train.hostfile",
            "--allow-unsafe-configs",
        ],
    ),
    "a path as name": ({"name": "../other"}, ["name"]),
    "a long name": ({"name": "a" * 300}, ["name"]),
    "a long path": ({"corpus": [{"path": "a" * 5000}]}, ["path"]),
    "keys that are no text": ({1: {}, "corpus": {None: 2}}, ["corpus"]),
}


def test_what_is_refused(service: LiveService, toy_model: Path, silent_endpoint: str, tmp_path: Path) -> None:
    good = config("good", toy_model, silent_endpoint, tmp_path)
    yaml_type = {"content-type": "application/yaml"}
    for name, (change, words) in BAD_CONFIGS.items():
        reply = service.http.post("/runs", content=yaml.safe_dump(good | change), headers=yaml_type)
        message = error_of(reply, 422)["message"]
        assert all(word in message for word in words), (name, message)
    bomb_of_aliases = "\n".join(
        ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    )
    bombs = [
        bomb_of_aliases,
        "a: &a [*a]",
        "[" * 50_000,
        "- a",
        "{a: b",
        "\x00",
        '{"a": "\\ud800"}',
        "a: !!bool x",
        "a: !!timestamp x",
        "!!python/object/apply:os.system [id]",
    ]
    for bomb in bombs:
        error_of(service.http.post("/runs", content=bomb, headers=yaml_type), 400)
    for body in ("", "[1]", "{", "[" * 60_000, '{"name": "\\ud800"}', '{"name": "\\u0000"}'):
        error_of(service.http.post("/runs", content=body, headers=JSON), 400)
    error_of(service.http.post("/runs", content=b"x" * 2_000_000, headers=JSON), 413)
    assert service.http.get("/runs").json() == {"runs": []}, "nothing was started or kept"

    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        error_of(service.http.post("/runs", content=json.dumps(good), headers={"content-type": kind}), 415)
    for origin in ("http://evil.example", "null", f"http://evil.example:{service.http.base_url.port}"):
        foreign = JSON | {"origin": origin, "host": origin.removeprefix("http://")}
        assert error_of(service.http.post("/runs", json=good, headers=foreign), 403)["code"] == "foreign_origin"
    own = f"http://127.0.0.1:{service.http.base_url.port}"
    assert service.http.post("/runs", json=good, headers={"origin": own}).status_code == 201

    for name in ("unknown", "%2e%2e", "..%2f..%2fetc", ".service", "a" * 300, "\x00", "%00"):
        for path, method in (("", "GET"), ("/events", "GET"), ("/stop", "POST"), ("/resume", "POST")):
            reply = service.http.request(method, f"/runs/{name.replace(chr(0), '%00')}{path}", json={})
            assert reply.status_code in (404, 405), (name, path, reply.text)
    error_of(service.http.delete("/runs/good"), 405)


def test_promotion_and_rollback(service: LiveService, toy_model: Path, refusing_endpoint: str, tmp_path: Path) -> None:
    service.submit(config("chosen", toy_model, refusing_endpoint, tmp_path))
    error_of(service.act("chosen", "rollback"), 409)
    service.wait_for_state("chosen", "failed")
    with Ledger(service.runs / "chosen/ledger.db") as ledger:
        for number, state in enumerate(("promoted", "candidate", "candidate")):
            ledger.add_checkpoint(
                Checkpoint(
                    number, str(toy_model), model_digest(toy_model) if number < 2 else "other", "", state, "", {}
                )
            )
    assert "reason" in error_of(service.act("chosen", "promote", checkpoint="round-01", reason=5), 422)["message"]
    assert error_of(service.act("chosen", "promote"), 422)["param"] == "checkpoint"
    error_of(service.act("chosen", "promote", checkpoint="round-07"), 404)
    assert "has changed since" in error_of(service.act("chosen", "promote", checkpoint="round-02"), 409)["message"]
    error_of(service.act("chosen", "promote", checkpoint="round-01", over="round-02"), 409)
    done = service.act("chosen", "promote", checkpoint="round-01", over="round-00", reason="writes better Go")
    assert done.json() == {"promoted": "round-01", "digest": model_digest(toy_model), "over": "round-00"}
    error_of(service.act("chosen", "promote", checkpoint="round-01"), 409)
    assert service.act("chosen", "rollback", reason="it does not").json()["promoted"] == "round-00"
    error_of(service.act("chosen", "rollback"), 409)
    with Ledger(service.runs / "chosen/ledger.db") as ledger:
        moves = [(move.round, move.action, move.author, move.reason) for move in ledger.promotions()]
    assert moves[1:] == [(1, "promote", "api", "writes better Go"), (0, "rollback", "api", "it does not")]
