"""A start that has taken what it may take stops, and the same command goes on to the same rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from inverse_instruct.config.config_file import load_config
from inverse_instruct.config.sections import BudgetSection
from inverse_instruct.errors import BudgetSpent
from inverse_instruct.loop import run as run_module
from inverse_instruct.loop.budget import Budget
from inverse_instruct.recipes.table import RECIPES
from inverse_instruct.store import progress
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.status import summarize_run
from tests.recipes.fake_engine import faked, play
from tests.recipes.test_loop import results, write_world


def test_it_goes_on_budget_after_budget(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "RECORD_INTERVAL_SECONDS", 0.0)  # it is looked at after each group
    recipe = faked(RECIPES["inversecoder"])
    config = load_config(write_world(tmp_path, tiny_model, "inversecoder"))
    play(config, tmp_path / "whole", recipe)
    short = load_config(tmp_path / "run.yaml", ["budget.tokens=1500"])

    stops = 0
    while stops < 50:
        try:
            play(short, tmp_path / "stopped", recipe)
            break
        except BudgetSpent as error:
            assert "of 1,500 tokens are spent, so the run stops here; the same command goes on" in str(error)
            stops += 1

    assert 2 < stops < 50
    assert results(tmp_path / "stopped") == results(tmp_path / "whole")


def test_hours_are_those_of_one_start(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("inverse_instruct.loop.budget.time.monotonic", lambda: clock[0])
    budget = Budget(BudgetSection(hours=0.5))
    clock[0] += 1799
    budget.check()
    clock[0] += 2
    with pytest.raises(BudgetSpent, match=r"budget.hours: 0.50 of 0.5 hours are spent"):
        budget.check()
    Budget(BudgetSection()).check()


def test_the_run_is_not_failed(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Spent:
        models = {"model.base": tiny_model}

        def __init__(self, *_: object, **__: object) -> None: ...

        def play(self) -> None:
            raise BudgetSpent("budget.hours: 2 of 2 hours are spent")

    monkeypatch.setattr(run_module, "Loop", Spent)
    config = load_config(write_world(tmp_path, tiny_model, "inversecoder"))
    with pytest.raises(BudgetSpent) as raised:
        run_module.run(config, tmp_path / "run")
    assert raised.value.exit_code == 3
    status = summarize_run(tmp_path / "run")
    assert status.run is not None and status.run.state == "interrupted"
    with Ledger(tmp_path / "run/ledger.db") as ledger:
        assert "the run stops here" in ledger.events()[-1].message
