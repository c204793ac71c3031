"""A run has one date for its chat template, whichever day it goes on."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml

from inverse_instruct.config.config_file import load_config, parse_config
from inverse_instruct.config.identity import config_digest
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import RunDirError
from inverse_instruct.loop.pinned_config import pin_config
from inverse_instruct.store.run_dir import RunDir


def config(**model: object) -> RunConfig:
    return parse_config({"name": "a", "model": {"base": "x/y", **model}, "corpus": [{"path": "x/y"}]})


def test_the_day_of_the_first_start_is_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_dir = RunDir(tmp_path)
    first = pin_config(config(), run_dir)
    assert first.model.template_date == date.today() == load_config(run_dir.config).model.template_date

    class Tomorrow(date):
        @classmethod
        def today(cls) -> Tomorrow:
            return cls(2999, 1, 1)

    monkeypatch.setattr("inverse_instruct.loop.pinned_config.date", Tomorrow)
    again = pin_config(config(), run_dir)
    assert again == first and config_digest(again) == config_digest(first)


def test_a_date_that_is_given_is_kept_and_does_not_change(tmp_path: Path) -> None:
    run_dir = RunDir(tmp_path)
    assert pin_config(config(template_date="2020-01-02"), run_dir).model.template_date == date(2020, 1, 2)
    assert pin_config(config(), run_dir).model.template_date == date(2020, 1, 2)
    with pytest.raises(RunDirError, match="model differ"):
        pin_config(config(template_date=date(2021, 1, 1)), run_dir)


def test_a_run_from_before_there_were_dates_goes_on(tmp_path: Path) -> None:
    run_dir = RunDir(tmp_path)
    pin_config(config(), run_dir)
    tree = yaml.safe_load(run_dir.config.read_text())
    del tree["model"]["template_date"]
    run_dir.config.write_text(yaml.safe_dump(tree))
    assert pin_config(config(), run_dir).model.template_date == date.today()
