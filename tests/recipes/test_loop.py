"""Every recipe, played with a fake engine: what runs again after a change, and that a kill loses nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import yaml

from inverse_instruct.config.config_file import load_config
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.loop import check, runner
from inverse_instruct.recipes import table
from inverse_instruct.recipes.recipe import Recipe, stages_of
from inverse_instruct.records import Reason, Rejection, TrainingRow
from inverse_instruct.stages.estimate import Cost
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import SERVED, Input, Rows, Stage, Together
from inverse_instruct.store.files import file_digest
from inverse_instruct.store.rows import read_rows
from tests import edit_world
from tests.config.test_identity import OTHER
from tests.recipes.fake_engine import CODE_TOKENS, Killed, faked, play

RECIPES = list(table.RECIPES)
CODE = "def scale_{0}(number):\n    product = number * {0}\n    return product + {0}\n"
ROWS = [
    {"instruction": f"Multiply the given number by {n} and add {n} to it.", "output": f"```python\n{CODE.format(n)}```"}
    for n in range(2, 6)
]
LOOP = "    result = 0\n    for price in prices:\n        result = result + price\n"
FIRST_ROWS: dict[str, tuple[str, dict[str, str]]] = {
    "preprocess": ("corpus.jsonl", {"instruction": "Say hello.", "output": "Hello to you."}),
    "seeds": (
        "seeds.jsonl",
        {"instruction": "Greet by name.", "input": "print('a')\nprint('b')", "output": "print('a')\nprint('c')"},
    ),
}
"""First stage of a recipe -> the file that it reads, and a row to put before the others."""
CHANGES: dict[str, Any] = {
    "seed": 1, "model.max_model_len": 1500, "model.prompt_format": "magicoder", "preprocess.min_characters": 11,
    "preprocess.ngram": 9, "summarize.temperature": 0.9, "summarize.candidates": 3, "score.template": "score.jinja",
    "selection.method": "top_k", "train.learning_rate": 1e-5, "evaluate.memory_mib": 700, "promote.alpha": 0.2,
    "model.yes_token": "No", "model.no_token": "Yes", "summarize.template": "summarize.jinja",
    "respond.temperature": 0.9, "preprocess.share": 0.8,
    "coreset.size": 3, "generate.temperature": 0.9, "generate.shares.repair": 90, "generate.database": 1,
    "leakage.nearest": 2, "verify.tries": 3, "verify.required": True, "selection.per_snippet": "each_round",
    "seeds.min_message_words": 4, "edits.max_lines": 119, "clarify.enabled": False, "bootstrap.rouge": 0.6,
    "scenarios.shots": 1, "instances.checks": 11,
}  # fmt: skip


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is played from now on, as `round stage`."""
    names: list[str] = []
    furnish = runner.Runner._room

    def noted(self: Any, stage: Stage, at: Any, wanted: runner.Work) -> Room:
        names.append(f"{at.round} {stage.name}")
        return furnish(self, stage, at, wanted)

    monkeypatch.setattr(runner.Runner, "_room", noted)
    return names


def write_world(folder: Path, model: Path, recipe: str) -> Path:
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "score.jinja").write_text("{{ language }} {{ code }} {{ instruction }} {{ yes }} or {{ no }}?")
    (folder / "summarize.jinja").write_text("{{ language }}: {{ code }}\nSay what it does.")
    (folder / "seeds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in edit_world.ROWS))
    repository = edit_world.Repository(folder / "repository")
    repository.change("Add up prices with the built-in function", LOOP, "    result = sum(prices)\n")
    (folder / "run.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "x",
                "recipe": recipe,
                "rounds": 2,
                "corpus": [{"path": "corpus.jsonl"}],
                "model": {"base": str(model), "start": str(model), "max_model_len": 1024},
                "preprocess": {"near_duplicate_threshold": 1.0},
                "summarize": {"candidates": 2, "max_new_tokens": 64},
                "verify": {"max_new_tokens": 64},
                "respond": {"candidates": 2, "max_new_tokens": CODE_TOKENS},
                "coreset": {"size": 4},
                "generate": {"wave": 2, "max_new_tokens": 64, "max_snippet_tokens": 200},
                "evaluate": {"suites": [{"suite": "mini", "limit": 1, "max_new_tokens": 32}]},
                "train": {"optimizer": "adamw"},
                "seeds": {"files": ["seeds.jsonl"], "repositories": ["repository"]},
                "bootstrap": {"instructions": 4, "prompts": 4, "wave": 2, "max_new_tokens": 64},
                "scenarios": {"scenarios": 2, "max_new_tokens": 64},
                "instances": {"samples": 2, "temperature": 0.5, "max_new_tokens": 128},
            }
        )
    )
    return folder / "run.yaml"


@pytest.fixture(scope="module", params=RECIPES)
def finished(
    request: pytest.FixtureRequest, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Recipe]:
    """A world with a finished run in `run`."""
    folder = tmp_path_factory.mktemp("world")
    config = load_config(write_world(folder, tiny_model, request.param))
    recipe = faked(table.RECIPES[request.param])
    play(config, folder / "run", recipe)
    return folder, recipe


def again(
    world: tuple[Path, Recipe],
    folder: Path,
    *changes: str,
    recipe: Recipe | None = None,
    edit: Callable[[Path], None] = lambda folder: None,
) -> None:
    """Start a copy of the finished run again, with changes of its config and of its files."""
    shutil.copytree(world[0], folder, dirs_exist_ok=True, symlinks=True)
    edit(folder)
    play(load_config(folder / "run.yaml", list(changes)), folder / "run", recipe or world[1])


def results(run_dir: Path) -> dict[str, Any]:
    """Return the digests of all rows and checkpoints of a run."""
    names = ("*/*.parquet", "*/decision.json", "rows.txt")
    return {str(path.relative_to(run_dir)): file_digest(path) for name in names for path in sorted(run_dir.rglob(name))}


def below(recipe: Recipe, direct: set[str]) -> set[str]:
    """Return the stages that may have to run when these do: they and what reads of them, or of the model they make."""
    found = set(direct)
    while True:
        more = {stage.name for stage in recipe.stages if {source.stage for source in stage.reads.values()} & found}
        if recipe.train.name in found:
            more |= {stage.name for stage in recipe.stages if stage.model and stage is not recipe.train}
        if more <= found:
            return found
        found |= more


@pytest.mark.parametrize("key", OTHER)
def test_what_says_only_how_runs_no_stage_again(
    finished: tuple[Path, Recipe], tmp_path: Path, ran: list[str], key: str
) -> None:
    if key.startswith("model.") or key.endswith(".embedding"):
        pytest.skip("another model counts by its digest")
    value = 2 if key == "rounds" else OTHER[key]
    again(finished, tmp_path, f"{key}={json.dumps(value)}")
    assert ran == []


@pytest.mark.parametrize("key", CHANGES)
def test_a_changed_field_runs_the_stages_that_depend_on_it(
    finished: tuple[Path, Recipe], tmp_path: Path, ran: list[str], key: str
) -> None:
    recipe = finished[1]
    again(finished, tmp_path, f"{key}={json.dumps(CHANGES[key])}")
    names = {name.split()[1] for name in ran}
    direct = {
        stage.name
        for stage in recipe.stages
        if key == "seed" or any(key == part or key.startswith(f"{part}.") for part in [stage.name, *stage.sections])
    }
    assert direct <= names <= below(recipe, direct), "those that name it, and what stands on them"


@pytest.mark.parametrize("number", range(9))
def test_a_new_version_of_a_stage_runs_it_again_and_nothing_for_equal_rows(
    finished: tuple[Path, Recipe], tmp_path: Path, ran: list[str], number: int
) -> None:
    recipe = finished[1]
    if number >= len(recipe.stages):
        pytest.skip("it has fewer stages")
    old = recipe.stages[number]

    def renewed(step: Any) -> Any:
        if isinstance(step, Together):
            return Together(renewed(step.first), renewed(step.second))
        return replace(step, version=step.version + 1) if step is old else step

    fields: dict[str, Any] = {name: renewed(getattr(recipe, name)) for name in ("train", "evaluate", "decide")}
    fields |= {name: tuple(map(renewed, getattr(recipe, name))) for name in ("corpus", "data")}
    before = results(finished[0] / "run")
    again(finished, tmp_path, recipe=replace(recipe, **fields))
    partners = {
        stage.name
        for step in recipe.data
        if isinstance(step, Together) and old is step.first
        for stage in stages_of((step,))
    }
    assert {name.split()[1] for name in ran} == {old.name} | partners
    assert results(tmp_path / "run") == before


def test_a_row_before_the_others_renews_the_lineage(
    finished: tuple[Path, Recipe], tmp_path: Path, ran: list[str]
) -> None:
    first = finished[1].stages[0].name
    name, row = FIRST_ROWS[first]

    def put_first(folder: Path) -> None:
        (folder / name).write_text(f"{json.dumps(row)}\n{(folder / name).read_text()}")

    again(finished, tmp_path, edit=put_first)
    assert f"0 {first}" in ran
    [original] = (tmp_path / "run/round-00").glob("*/original.parquet")
    lines = [row["line"] for row in read_rows(original) if row["source"].endswith(name)]
    assert lines == list(range(1, len(lines) + 1)) and len(lines) > 2, "each row stands one line further down"
    [selected] = (tmp_path / "run/round-01").glob("*/selected.parquet")
    followed = {row["line"] for row in read_rows(selected) if row["row_id"]}
    assert followed <= set(range(2, 6)) and (followed or first == "seeds"), "rows of models follow it"


def test_what_will_be_done_again_is_told_before(
    finished: tuple[Path, Recipe], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    again(finished, tmp_path)
    assert "will be done again" not in caplog.text
    again(finished, tmp_path / "other", "train.learning_rate=1e-5")
    told = next(message for message in caplog.messages if "will be done again" in message)
    assert told.startswith("round 1 train, round 2 train will be done again") and "copy" in told


def test_killed_after_every_few_replies_the_result_is_the_same(finished: tuple[Path, Recipe], tmp_path: Path) -> None:
    folder, recipe = finished
    config = load_config(folder / "run.yaml")
    kills = 0
    for lives in cycle((2, 3)):  # one of them may go to the question that an evaluation begins with
        try:
            play(config, tmp_path / "run", recipe, lives)
            break
        except Killed:
            kills += 1
    asks = any(stage.model in SERVED for stage in stages_of(recipe.data))
    assert kills > (10 if asks else 3)
    assert results(tmp_path / "run") == results(folder / "run")


# -- a stage in one file and one line ----------------------------------------------------------------------------------


def drop_short(room: Room) -> None:
    """Let rows of more than so many words go on."""
    for row in room.read("selected"):
        if len(row.instruction.split()) > 3:
            room.keep(row)
        else:
            room.reject(Rejection(row.id, "longer", Reason.TOO_SHORT))


LONGER = Stage(
    "longer",
    "drop short instructions",
    drop_short,
    unit="longer row",
    writes=Rows("longer.parquet", TrainingRow),
    reads={"selected": Input("selection", Rows("selected.parquet", TrainingRow))},
    cost=lambda estimate: Cost(estimate.rows, 0, 1.0),
)


@pytest.fixture
def with_stage(finished: tuple[Path, Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    """The config of a run of the first recipe with one stage more, in `run`."""
    name = next(iter(table.RECIPES))
    recipe = table.RECIPES[name]
    monkeypatch.setitem(table.RECIPES, name, replace(recipe, data=(*recipe.data, LONGER)))
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "run")
    return load_config(tmp_path / "run.yaml", [f"recipe={name}"])


def test_a_stage_more_is_played_shown_planned_and_resumed(
    with_stage: RunConfig, tmp_path: Path, ran: list[str]
) -> None:
    from inverse_instruct.dashboard.run_data import collect_run
    from inverse_instruct.loop.pinned_config import pin_config
    from inverse_instruct.loop.plan import make_plan
    from inverse_instruct.registry.cards.shared import funnel
    from inverse_instruct.registry.lineage import read_history
    from inverse_instruct.store.ledger import Ledger
    from inverse_instruct.store.run_dir import RunDir
    from inverse_instruct.store.status import summarize_run

    run_dir = RunDir(tmp_path / "run")
    run_dir.path.mkdir()
    pin_config(with_stage, run_dir)
    recipe = faked(table.RECIPES[with_stage.recipe])
    with pytest.raises(Killed):
        play(with_stage, run_dir.path, recipe, lives=13)
    play(with_stage, run_dir.path, recipe)
    assert ran.count("1 longer") == 1 and ran.count("2 longer") == 1
    stages = [stage.stage for stage in summarize_run(run_dir.path).stages if stage.round == 1]
    assert stages.index("longer") == stages.index("selection") + 1
    assert [row["stage"] for row in collect_run(run_dir.path)["funnel"]].count("longer") == 2
    with Ledger(run_dir.ledger) as ledger:
        labels = [row.label for row in funnel(read_history(run_dir.path, ledger), [1])]
    assert "longer, round 1: longer rows" in labels
    assert "longer" in [step.stage for step in make_plan(with_stage).steps]
    assert check.check(with_stage, run_dir.path).steps


def test_a_stage_more_is_a_command(
    with_stage: RunConfig,
    finished: tuple[Path, Recipe],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from inverse_instruct import cli

    [selected] = (finished[0] / "run/round-01").glob("*/selected.parquet")
    monkeypatch.setattr(
        "sys.argv",
        ["inverse-instruct", "longer", "--selected", str(selected), "--output", str(tmp_path / "out"), "--json"],
    )
    cli.main()
    manifest = json.loads(capsys.readouterr().out)
    assert manifest["rows_in"] == len(read_rows(selected)) == manifest["rows_out"] > 0
    monkeypatch.setattr("sys.argv", ["inverse-instruct", "longer", "--help"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "Drop short instructions" in capsys.readouterr().out


def test_a_room_opens_only_what_was_declared(finished: tuple[Path, Recipe]) -> None:
    from tests.playing import room_of

    room = room_of(LONGER, finished[0] / "out")
    with pytest.raises(LookupError, match="has not declared that it depends on train"):
        room.section("train")
    with pytest.raises(KeyError):
        list(room.read("snippets"))
