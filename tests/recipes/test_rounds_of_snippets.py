"""What later rounds do with a snippet: the best of all rounds, snippets of their own, or each round anew."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config.config_file import load_config, parse_config
from inverse_instruct.errors import ConfigError
from inverse_instruct.recipes.table import RECIPES
from inverse_instruct.stages.snippets import part_of
from inverse_instruct.store.manifest import read_manifest
from inverse_instruct.store.rows import read_rows
from tests.recipes.fake_engine import faked, play
from tests.recipes.test_loop import CODE, write_world

ROUNDS = 3
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("inversecoder-verified", "inversecoder-responses")]
OF_SNIPPETS = ["inversecoder", "inversecoder-cleaned", *SLOW]


def play_rounds(folder: Path, model: Path, recipe: str, *changes: str) -> Path:
    """Play a run of several rounds on a dozen snippets; return its folder."""
    folder.mkdir(exist_ok=True)
    path = write_world(folder, model, recipe)
    rows = [{"instruction": f"Scale by {n}.", "output": f"```python\n{CODE.format(n)}```"} for n in range(2, 14)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    play(load_config(path, [f"rounds={ROUNDS}", *changes]), folder / "run", faked(RECIPES[recipe]))
    return folder / "run"


def trained_on(run: Path, number: int) -> list[dict[str, Any]]:
    """Return the self-made rows that a round was trained on, by the manifest of its training."""
    manifest = read_manifest(run / f"round-{number:02}/train")
    assert manifest
    return [row for file in manifest.inputs["selected"] for row in read_rows(run / file)]


@pytest.mark.parametrize("recipe", ["inversecoder", "inversecoder-verified"])
def test_the_best_of_all_rounds_is_judged_by_one_model_and_trained_on_alone(
    tiny_model: Path, tmp_path: Path, recipe: str
) -> None:
    run = play_rounds(tmp_path, tiny_model, recipe)
    candidates = [
        {row["id"] for row in read_rows(run / f"round-{n:02}/summarize/candidates.parquet")} for n in (1, 2, 3)
    ]
    assert candidates[0] < candidates[1] < candidates[2], "candidates of all rounds"
    for number in range(1, ROUNDS + 1):
        rows = trained_on(run, number)
        assert max(Counter(row["snippet_id"] for row in rows).values()) == 1, "one instruction of each snippet"
        scores = read_rows(run / f"round-{number:02}/score/scores.parquet")
        assert {row["candidate_id"] for row in scores} == candidates[number - 1]
        assert len({row["model"] for row in scores}) == 1, "one judge"
        if recipe == "inversecoder":
            best: dict[str, float] = {}
            for row in scores:
                best[row["snippet_id"]] = max(best.get(row["snippet_id"], 0.0), row["lm_score"])
            assert {row["snippet_id"]: row["lm_score"] for row in rows} == best
    old = candidates[0] & {row["candidate_id"] for row in trained_on(run, ROUNDS)}
    assert old, "some of the first round are still the best"


@pytest.mark.parametrize("recipe", OF_SNIPPETS)
def test_fresh_snippets_come_once(tiny_model: Path, tmp_path: Path, recipe: str) -> None:
    run = play_rounds(tmp_path, tiny_model, recipe, "selection.per_snippet=fresh", "selection.parts=3")
    whole = {row["id"] for row in read_rows(run / "round-00/preprocess/snippets.parquet")}
    seen: set[str] = set()
    for number in range(1, ROUNDS + 1):
        own = {row["snippet_id"] for row in read_rows(run / f"round-{number:02}/selection/selected.parquet")}
        assert own and not own & seen
        assert all(part_of(snippet, 3) == number - 1 for snippet in own)
        seen |= own
        rows = trained_on(run, number)
        assert {row["snippet_id"] for row in rows} == seen, "those of earlier rounds are trained on too"
        assert max(Counter(row["snippet_id"] for row in rows).values()) == 1
    assert seen == whole or recipe == "inversecoder-verified"


@pytest.mark.slow
def test_each_round_anew_trains_on_several_instructions_of_a_snippet(tiny_model: Path, tmp_path: Path) -> None:
    run = play_rounds(tmp_path, tiny_model, "inversecoder", "selection.per_snippet=each_round")
    assert set(Counter(row["snippet_id"] for row in trained_on(run, ROUNDS)).values()) == {ROUNDS}
    replaced = play_rounds(
        tmp_path / "other", tiny_model, "inversecoder", "selection.per_snippet=each_round",
        "selection.earlier_rounds=replace",
    )  # fmt: skip
    assert set(Counter(row["snippet_id"] for row in trained_on(replaced, ROUNDS)).values()) == {1}


def test_parts_are_about_equal_and_stay_what_they_are() -> None:
    counts = Counter(part_of(f"{number:016x}", 4) for number in range(4000))
    assert set(counts) == {0, 1, 2, 3} and all(900 < count < 1100 for count in counts.values())


@pytest.mark.parametrize(
    ("recipe", "change", "told"),
    [
        ("inversecoder", {"selection": {"per_snippet": "fresh"}, "rounds": 5}, "selection.parts is 4 and there are 5"),
        ("wavecoder", {"selection": {"per_snippet": "best_ever"}}, "best_ever means nothing to the recipe wavecoder"),
        ("wavecoder", {"selection": {"per_snippet": "fresh"}}, "fresh means nothing"),
        ("inversecoder-cleaned", {"selection": {"per_snippet": "best_ever"}}, "each_round or fresh does"),
        ("inversecoder", {"selection": {"per_snippet": "newest"}}, "per_snippet"),
    ],
)
def test_what_a_recipe_cannot_do_is_refused(recipe: str, change: dict[str, Any], told: str) -> None:
    tree = {"name": "x", "recipe": recipe, "model": {"base": "b"}, "corpus": [{"path": "c.jsonl"}], **change}
    with pytest.raises(ConfigError, match=told):
        parse_config(tree, [])


def test_rounds_without_a_gain_end_the_run_until_more_patience_is_asked_for(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = play_rounds(tmp_path, tiny_model, "inversecoder", "promote.patience=2")
    assert (run / "round-02/promote/decision.json").exists() and not (run / "round-03").exists()
    assert "the run ends after round 2: 2 in a row passed no more than the best before them" in caplog.text
    config = load_config(tmp_path / "run.yaml", [f"rounds={ROUNDS}"])
    play(config, run, faked(RECIPES["inversecoder"]))
    assert (run / "round-03/promote/decision.json").exists()
