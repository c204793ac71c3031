"""The notebook of the Python API runs from the first cell to the last, on a finished run and with the fake engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import inverse_instruct
from inverse_instruct.system.root import ROOT
from tests.docs.conftest import furnish
from tests.docs.played import fake_models

NOTEBOOK = json.loads((ROOT / "docs/python-api.ipynb").read_text(encoding="utf-8"))
CELLS = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


@pytest.mark.slow  # tests/test_api.py calls the same functions
def test_it_runs(
    quickstart: Path,
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    furnish(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/quickstart").symlink_to(quickstart)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INVERSE_INSTRUCT_MODELS", str(models))
    fake_models(monkeypatch)
    names: dict[str, Any] = {}
    for number, cell in enumerate(CELLS, 1):
        exec(compile(cell, f"docs/python-api.ipynb, cell {number}", "exec"), names)
    said = capsys.readouterr().out
    assert said.startswith("done\n0 promoted\n") and "96 rows in place of 48" in said
    assert names["report"].pass_at_1.base.rate == 31 / 32
    assert "runs/from-a-notebook/checkpoints/round-01" in said and "train.learning_rat" in said


def test_it_shows_every_function() -> None:
    functions = [name for name in inverse_instruct.__all__ if name[0].islower()]
    assert [name for name in functions if f"inverse_instruct.{name}(" not in "\n".join(CELLS)] == []


def test_it_holds_no_outputs_of_a_machine() -> None:
    assert NOTEBOOK["nbformat"] == 4
    cells = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert [cell["source"] for cell in cells if cell["outputs"] or cell["execution_count"]] == []
