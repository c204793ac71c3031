"""Every shipped quickstart, killed once in every stage, ends with the rows of an undisturbed run, and is served.

LM-Scores may differ in their last digits, as they do between any two runs: batches depend on time.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.errors import NoRunError
from inverse_instruct.registry.verify import verify_checkpoint
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.rows import read_rows
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.root import ROOT
from tests.integration.serving import served
from tests.integration.test_loop import start

pytestmark = [pytest.mark.integration, pytest.mark.slow]
QUICKSTARTS = sorted((ROOT / "configs").glob("*quickstart.yaml"))
WITHIN_SECONDS = 900.0  # for the whole of it, on two cores that do nothing else
SCORES = {"lm_score", "yes_logprob", "no_logprob"}


def stages_of(run_dir: Path) -> dict[tuple[int, str], str]:
    """Return the state of each stage that a run has begun, in the order of the run."""
    try:
        with Ledger(run_dir / "ledger.db") as ledger:
            return {(row.round, row.stage): row.state for row in ledger.stages()}
    except NoRunError:  # it is about to begin
        return {}


def finish(config: Path, run_dir: Path) -> None:
    """Play to the end."""
    code = start(config, run_dir).wait(2 * WITHIN_SECONDS)
    assert code == 0, (run_dir.parent / f"{run_dir.name}.log").read_text()[-4000:]


def kill_in(config: Path, run_dir: Path, place: tuple[int, str]) -> None:
    """Play until a stage has begun, and kill the run there."""
    process = start(config, run_dir)
    while place not in stages_of(run_dir):
        assert process.poll() is None, f"ended before {place}"
        time.sleep(0.05)
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def rows_of(run_dir: Path) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of a run without their scores."""
    return {
        str(path.relative_to(run_dir)): [
            {name: value for name, value in row.items() if name not in SCORES} for row in read_rows(path)
        ]
        for path in sorted(run_dir.glob("round-*/*/*.parquet"))
    }


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("config", QUICKSTARTS, ids=lambda path: path.stem)
def test_killed_once_in_every_stage_it_ends_with_equal_rows_and_is_served(
    config: Path, smollm: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    began = time.monotonic()
    finish(config, whole)
    print(f"{config.stem} took {time.monotonic() - began:.0f} s")
    assert time.monotonic() - began < WITHIN_SECONDS
    for place in stages_of(whole):
        kill_in(config, killed, place)
    finish(config, killed)
    assert rows_of(killed) == rows_of(whole)
    with Ledger(killed / "ledger.db") as ledger:
        checkpoints = ledger.checkpoints()
    for checkpoint in checkpoints:
        verify_checkpoint(checkpoint)
    promoted = max(checkpoint.round for checkpoint in checkpoints if checkpoint.state == "promoted")
    with served(RunDir(killed), tmp_path / "serve.log") as serving:
        serving.wait_for(f"round-{promoted:02}")
        answer = serving.client().completions.create(model="current", prompt="def add(a, b):\n", max_tokens=8)
        assert answer.choices[0].text
