"""Servers that misbehave, ended with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.inference import client as client_module
from tests.faults.bad_server import BadServer
from tests.faults.harness import Run, play_whole


@pytest.fixture(scope="session")
def whole_run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run on the small engine that nothing has disturbed; tests work on copies of it."""
    return play_whole(tmp_path_factory.mktemp("whole") / "runs", tiny_model, ranks=1, small_engine=True)


@pytest.fixture
def bad_server() -> Iterator[Callable[..., BadServer]]:
    made: list[BadServer] = []

    def make(*replies: Any, **options: Any) -> BadServer:
        made.append(BadServer(*replies, **options))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts are those of a test."""
    monkeypatch.setattr(client_module, "BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(client_module, "SETTLE_SECONDS", 0.2)
