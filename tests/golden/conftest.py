"""Runs to look at: one that the fake engine plays, one of furnished records, one that has not begun."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from inverse_instruct.config.config_file import load_config
from inverse_instruct.loop.pinned_config import pin_config
from inverse_instruct.recipes.table import RECIPES
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.run_dir import RunDir
from tests.example_run import make_run
from tests.recipes.fake_engine import faked, play
from tests.recipes.test_loop import write_world


@pytest.fixture(scope="session")
def runs(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of runs: `played` by the fake engine, `example` of furnished records, `waiting` with a config only."""
    folder = tmp_path_factory.mktemp("golden") / "runs"
    folder.mkdir()
    config = load_config(write_world(folder, tiny_model, "inversecoder"))
    for name in ("played", "waiting"):
        pin_config(config, RunDir(folder / name))
    play(config, folder / "played", faked(RECIPES["inversecoder"]))
    with Ledger(folder / "played/ledger.db") as ledger:
        ledger.set_run(config.name, config.rounds, "done", 1, "host")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        make_run(folder / "example", tiny_model)
        yield folder
