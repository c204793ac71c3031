"""Which configs are taken: from whom, and how often."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config.config_file import read_values
from inverse_instruct.errors import ConfigError, RunDirError
from inverse_instruct.loop_service.allowed import Allowed
from inverse_instruct.loop_service.run_queue import RunQueue
from inverse_instruct.loop_service.service import open_loop_service
from inverse_instruct.loop_service.submission import check_unless_known, read_submission
from inverse_instruct.store.run_dir import RunDir
from tests.loop_service.conftest import config

URL = "http://127.0.0.1:1"


def test_unsafe_settings_are_taken_where_the_service_allows_them(toy_model: Path, tmp_path: Path) -> None:
    tree = config("unsafe", toy_model, URL, tmp_path)
    tree["model"]["trust_remote_code"] = True
    with pytest.raises(ConfigError, match="model.trust_remote_code: is refused"):
        read_submission(tree, tmp_path, Allowed.of([str(tmp_path), str(toy_model), URL]))
    assert read_submission(tree, tmp_path, Allowed.of([], unsafe=True)).model.trust_remote_code


@pytest.mark.parametrize(
    "serve",
    [
        {"api_keys": "/etc/keys"},
        {"host": "0.0.0.0"},
        {"port": 1},
        {"endpoints": [URL], "mode": "in_place"},
        {"max_body_bytes": 10**12},
        {"during_training": "stop"},
    ],
)
def test_how_a_run_is_served_is_not_for_senders_to_say(toy_model: Path, tmp_path: Path, serve: dict[str, Any]) -> None:
    allowed = Allowed.of([], unsafe=True)
    tree: dict[str, Any] = config("served", toy_model, URL, tmp_path)
    with open_loop_service(tmp_path, allowed) as loop:
        with pytest.raises(ConfigError, match=f"serve.{next(iter(serve))}: is for whoever starts the service to say"):
            read_submission(tree | {"serve": serve}, tmp_path, allowed)
        own = read_values(tree | {"serve": serve}, tmp_path).config
        assert own is not None and loop.submit(own, "served", submitted=False)
        again = read_submission(tree | {"rounds": 1, "serve": serve}, tmp_path, allowed)
        assert again.serve == own.serve and again.rounds == 1, "what the run has already may be repeated"
        assert read_submission(tree | {"serve": {}}, tmp_path, allowed).serve == own.serve
        assert read_submission(tree, tmp_path, allowed).serve == own.serve, "or left out"


def test_what_may_not_be_named_is_not_looked_at(toy_model: Path, tmp_path: Path) -> None:
    allowed = Allowed.of([str(toy_model)])
    for name in ("there", "not-there"):
        (tmp_path / "there").write_text("{% broken")
        tree = config("curious", toy_model, URL, tmp_path, score={"template": str(tmp_path / name)})
        with pytest.raises(ConfigError) as caught:
            read_submission(tree, tmp_path / "runs", allowed)
        text = str(caught.value)
        assert "does not exist" not in text and "broken" not in text
        assert text.count("is not in a folder that this service reads for others") == 2
        assert f"{URL} is no endpoint of this service" in text


def test_where_a_config_came_from_is_kept(toy_model: Path, tmp_path: Path) -> None:
    values = read_values(config("known", toy_model, URL, tmp_path), tmp_path).config
    assert values is not None
    with open_loop_service(tmp_path, Allowed()) as loop:
        loop.submit(values, "known")
        assert loop.is_submitted("known")
        with pytest.raises(ConfigError, match="corpus.0.path"):
            loop.resume_run("known")
        loop.stop_run("known")
        assert loop.is_submitted("known")
        assert not loop.submit(values, "known", submitted=False) and not loop.is_submitted("known")
        loop.resume_run("known")
    with open_loop_service(tmp_path, Allowed()) as loop:
        assert not loop.is_submitted("known")
        assert not loop.submit(values, "known"), "to repeat it changes nothing"
        assert not loop.is_submitted("known")
        loop.stop_run("known")
        loop.submit(values.model_copy(update={"rounds": 7}), "known")
        assert loop.is_submitted("known")


def test_a_run_that_holds_its_port_is_no_problem_for_itself(toy_model: Path, tmp_path: Path) -> None:
    with socket.socket() as listener, open_loop_service(tmp_path, Allowed()) as loop:
        listener.bind(("127.0.0.1", 0))
        tree = config("busy", toy_model, URL, tmp_path, inference={"port": listener.getsockname()[1]})
        run_dir = RunDir(tmp_path / "busy")
        with pytest.raises(ConfigError, match="inference.port"):
            check_unless_known(read_values(tree, tmp_path), run_dir)
        busy = read_values(tree, tmp_path).config
        assert busy is not None and loop.submit(busy, "busy")
        assert check_unless_known(read_values(tree, tmp_path), run_dir) == busy
        assert not loop.submit(busy, "busy")


def test_what_was_wanted_is_read_back_in_order(tmp_path: Path) -> None:
    queue = RunQueue(tmp_path / "queue.json")
    for name in ("a", "b", "c"):
        queue.want(name)
    queue.want("a")  # is in it already
    queue.end("b", "failed", "for a reason")
    again = RunQueue(tmp_path / "queue.json")
    assert again.waiting() == ["a", "c"] and not again.is_wanted("b")
    assert (queued := again.get("b")) and (queued.ended, queued.reason) == ("failed", "for a reason")
    again.want("b")
    assert RunQueue(tmp_path / "queue.json").waiting() == ["a", "c", "b"]
    (tmp_path / "queue.json").write_text("{")
    with pytest.raises(RunDirError, match="damaged"):
        RunQueue(tmp_path / "queue.json")
