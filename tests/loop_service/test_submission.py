"""Which configs are taken: from whom, and how often."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config_file import read_values
from inverse_instruct.errors import ConfigError, RunDirError
from inverse_instruct.loop_service.run_queue import RunQueue
from inverse_instruct.loop_service.service import open_loop_service
from inverse_instruct.loop_service.submission import check_unless_known, read_submission
from inverse_instruct.run_dir import RunDir
from tests.loop_service.conftest import config

URL = "http://127.0.0.1:1"


def test_unsafe_settings_are_taken_where_the_service_allows_them(toy_model: Path, tmp_path: Path) -> None:
    tree = config("unsafe", toy_model, URL, tmp_path)
    tree["model"]["trust_remote_code"] = True
    with pytest.raises(ConfigError, match="model.trust_remote_code: is refused"):
        read_submission(tree, tmp_path, allow_unsafe=False)
    assert read_submission(tree, tmp_path, allow_unsafe=True).model.trust_remote_code


def test_how_a_run_is_served_is_not_for_senders_to_say(toy_model: Path, tmp_path: Path) -> None:
    served: dict[str, Any] = config("served", toy_model, URL, tmp_path, serve={"api_keys": "/etc/keys"})
    with open_loop_service(tmp_path) as loop:
        assert loop.submit(read_submission(served, tmp_path, allow_unsafe=False), "served")
        open_to_all = served | {"serve": {"host": "0.0.0.0"}, "rounds": 1}
        again = read_submission(open_to_all, tmp_path, allow_unsafe=False)
        assert (again.serve.api_keys, again.serve.host, again.rounds) == ("/etc/keys", "127.0.0.1", 1)


def test_a_run_that_holds_its_port_is_no_problem_for_itself(toy_model: Path, tmp_path: Path) -> None:
    with socket.socket() as listener, open_loop_service(tmp_path) as loop:
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
    assert (wish := again.get("b")) and (wish.ended, wish.reason) == ("failed", "for a reason")
    again.want("b")
    assert RunQueue(tmp_path / "queue.json").waiting() == ["a", "c", "b"]
    (tmp_path / "queue.json").write_text("{")
    with pytest.raises(RunDirError, match="damaged"):
        RunQueue(tmp_path / "queue.json")
