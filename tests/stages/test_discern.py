"""How well scores tell right pairs from shuffled ones, and the warning where they do not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.records import Candidate, ScoredPair, Snippet
from inverse_instruct.stages.discern import DISCERN, PAIRS
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.rows import read_rows
from tests.playing import play_asking, room_of
from tests.stages.spelled import NotingClient, model_of


def world(count: int) -> dict[str, Any]:
    numbers = range(count)
    return {
        "snippets": [Snippet(f"s{n}", f"def f{n}(x):\n    return x", "python", "", "r", "f", n) for n in numbers],
        "candidates": [
            Candidate(f"c{n}-{k}", f"s{n}", k, "", f"Write f{n}.", 0, "m", "p", 1, 1) for n in numbers for k in (0, 1)
        ],
        "scores": [
            ScoredPair(f"c{n}-{k}", f"s{n}", -0.1, -2.0, 0.6 + k / 10, "m", "p") for n in numbers for k in (0, 1)
        ],
    }


def discern(folder: Path, count: int, judge: Callable[[str], list[float]], **sections: Any) -> Manifest:
    client = NotingClient(logprobs=judge)
    [manifest] = asyncio.run(play_asking(room_of(DISCERN, folder, world(count), asked=model_of(client), **sections)))
    return manifest


def test_a_judge_that_discerns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    manifest = discern(tmp_path, 30, lambda prompt: [-3.0, -0.1])
    assert manifest.measures.discernment == 1.0 and manifest.rows_out == 30 and not caplog.messages
    rows = read_rows(tmp_path / "shuffled.parquet")
    assert all(row["own_score"] == 0.6 and row["lm_score"] < 0.1 for row in rows), "the first one, which was not chosen"
    assert all(not row["candidate_id"].startswith(f"c{row['snippet_id'][1:]}-") for row in rows), "none is its own"
    assert len({row["candidate_id"] for row in rows}) == 30


def by_chance(prompt: str) -> list[float]:
    """Prefer every second stranger."""
    return [-0.1, -3.0] if int(prompt.partition("def f")[2].partition("(")[0]) % 2 else [-3.0, -0.1]


@pytest.mark.parametrize(("judge", "share"), [(by_chance, 0.5), (lambda prompt: [-0.1, -3.0], 0.0)])
def test_one_that_does_not_is_told_before_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, judge: Callable[[str], list[float]], share: float
) -> None:
    with caplog.at_level(logging.WARNING):
        manifest = discern(tmp_path, 40, judge)
    assert manifest.measures.discernment == share
    [warning] = caplog.messages
    assert f"in {100 * share:.0f}% of 40 cases" in warning and "inversecoder-verified" in warning


def test_only_so_many_are_asked(tmp_path: Path) -> None:
    assert discern(tmp_path, PAIRS + 50, lambda prompt: [-3.0, -0.1]).rows_out == PAIRS


@pytest.mark.parametrize("count", [0, 1])
def test_one_snippet_has_no_stranger(tmp_path: Path, count: int) -> None:
    manifest = discern(tmp_path, count, lambda prompt: [-3.0, -0.1])
    assert manifest.measures.discernment is None and manifest.rows_in == 0


def test_what_has_no_score_is_counted(tmp_path: Path) -> None:
    manifest = discern(tmp_path, 10, lambda prompt: [float("nan"), -1.0])
    assert manifest.rejected == {"bad_score": 10} and manifest.measures.discernment is None
