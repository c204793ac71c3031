"""A run that is done, for tests of what becomes of its checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.example_run import make_run


@pytest.fixture(scope="session")
def finished(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two rounds; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        make_run(folder / "run", tiny_model)
    return folder / "run"
