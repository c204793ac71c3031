"""The command `serve`: what it cannot do it says at once, before an engine is started."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.runs import make_run


def serve(run_dir: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    options = [part for override in overrides for part in ("--set", override)]
    return subprocess.run(
        [sys.executable, "-m", "inverse_instruct.cli", "serve", "--run-dir", str(run_dir), *options],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
    )


@pytest.fixture(scope="module")
def run_dir(toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("serve") / "run", toy_model, 1).path


def test_what_is_no_run(tmp_path: Path) -> None:
    result = serve(tmp_path)
    assert result.returncode == 1 and "is not a run: it has no run.yaml" in result.stderr


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("serve.mode=green", "serve.mode"),
        ("serve.endpoints=[http://127.0.0.1:1]", "set serve.mode: in_place"),
        ("serve.during_training=sleep", "keep their memory when asleep"),
        ("serve.api_keys=/nowhere/keys", "serve.api_keys: /nowhere/keys cannot be read"),
        ("serve.chat_template=/nowhere.jinja", "serve.chat_template: /nowhere.jinja cannot be read"),
        ("serve.host=nowhere.invalid", "serve.port"),
    ],
)
def test_what_cannot_be_served(run_dir: Path, override: str, words: str) -> None:
    result = serve(run_dir, override)
    assert result.returncode == 2 and words in result.stderr and "Traceback" not in result.stderr, result.stderr


def test_a_port_in_use_is_named(run_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = serve(run_dir, f"serve.port={taken.getsockname()[1]}")
    assert result.returncode == 2 and "cannot be used (Address already in use)" in result.stderr
