"""Rows that can be run are run: repairs fail before and pass after, translations agree; the others are counted."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.toolchains import missing
from inverse_instruct.errors import StageError
from inverse_instruct.records import Draft, Snippet
from inverse_instruct.stages.generate import GENERATE
from inverse_instruct.stages.tasks import trial
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.rows import iterate_rows, read_rows
from tests.playing import play_asking, room_of
from tests.recipes.fake_replies import analysis
from tests.stages.spelled import NotingClient, model_of

RIGHT = "def scale(x, items):\n    return [x * item for item in items]"
WRONG = RIGHT.replace("*", "+")
SAME = RIGHT.replace("item", "one").replace("ones", "items")
JAVASCRIPT = "function scale(x, items) {\n  return items.map((item) => x * item);\n}"
PHP = "<?php\nfunction scale($x, $items) {\n  return array_map(fn($item) => $x * $item, $items);\n}"
ONLY = {"generation": 0, "summarization": 0, "repair": 0, "translation": 0}


def block(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}\n```"


def play(
    folder: Path,
    task: str,
    information: str,
    solution: str,
    snippet: Snippet | None = None,
    **section: Any,
) -> tuple[Manifest, list[Draft], list[dict[str, Any]]]:
    """Return what becomes of one row."""

    def write(prompt: str, seed: int) -> str:
        if prompt.endswith("Task name:"):
            return f" {task}\nInstruction: Do it in code.\nInformation: {information}\nSolution: {solution}"
        return analysis(prompt, 1)

    room = room_of(
        GENERATE,
        folder,
        {"snippets": [snippet or Snippet("s", RIGHT, "python", "", "r", "c", 1)]},
        asked=model_of(NotingClient(write), 100_000),
        generate={"shares": ONLY | {task: 1}} | section,
    )
    [manifest] = asyncio.run(play_asking(room))
    return manifest, list(iterate_rows(folder / "drafts.parquet", Draft)), read_rows(folder / "rejections.parquet")


@pytest.mark.parametrize(
    ("before", "after", "state"),
    [
        (WRONG, RIGHT, "holds"),
        (WRONG, SAME, "holds"),
        ("def scale(x, items):\n    return [x * item for item in item]", RIGHT, "holds"),  # raises
        (SAME, RIGHT, "fails"),
        (f"# broken\n{RIGHT}", RIGHT, "fails"),
        (WRONG, WRONG.replace("+", "-"), "fails"),
        (RIGHT, WRONG, "fails"),
        ("print('Returns 3')", RIGHT, "fails"),  # no version of the code
        (RIGHT.replace("x, items", "items"), RIGHT, "not_run"),  # of other parameters
        ("def other(x):\n    return x + 1", "def other(x):\n    return x + 2", "holds"),  # of another function
        ("def other(x):\n    return x + 1", "def other(y):\n    return y + 1", "not_run"),
        ("x = 1\nprint(x)", "x = 2\nprint(x)", "not_run"),
        ("class A:\n    pass", "class A:\n    x = 1", "not_run"),
        ("def scale(x, items):\n    print(x)", "def scale(x, items):\n    print(items)", "fails"),
    ],
)
def test_a_repair_fails_before_and_passes_after(tmp_path: Path, before: str, after: str, state: str) -> None:
    manifest, drafts, rejected = play(tmp_path, "repair", block(before), block(after))
    assert manifest.metrics["runs"]["repair"] == {state: 1}
    if state == "fails":
        assert not drafts and rejected[0]["reason"] == "fails_when_run" and rejected[0]["detail"]
    else:
        assert json.loads(drafts[0].detail)["run"]["state"] == state


def test_a_repair_in_another_language_is_counted_as_not_run(tmp_path: Path) -> None:
    snippet = Snippet("s", JAVASCRIPT, "javascript", "", "r", "c", 1)
    broken = block(JAVASCRIPT.replace("*", "+"), "javascript")
    manifest, drafts, _ = play(tmp_path, "repair", broken, block(JAVASCRIPT, "javascript"), snippet)
    assert manifest.metrics["runs"]["repair"] == {"not_run": 1}
    assert json.loads(drafts[0].detail)["run"]["detail"] == "javascript code is not run"


needs_node = pytest.mark.skipif(bool(missing("javascript", "")), reason="Node is not here")
needs_php = pytest.mark.skipif(bool(missing("php", "")), reason="PHP is not here")


@pytest.mark.parametrize(
    ("language", "code", "state"),
    [
        pytest.param("javascript", JAVASCRIPT, "holds", marks=needs_node),
        pytest.param("javascript", JAVASCRIPT.replace("*", "-"), "fails", marks=needs_node),
        pytest.param("javascript", JAVASCRIPT.replace("scale", "other"), "not_run", marks=needs_node),
        pytest.param("php", PHP, "holds", marks=needs_php),
        pytest.param("php", PHP.replace("*", "+"), "fails", marks=needs_php),
        ("ruby", "def scale(x, items)\n  items.map { |item| x * item }\nend", "not_run"),
    ],
)
def test_a_translation_agrees_on_inputs(tmp_path: Path, language: str, code: str, state: str) -> None:
    manifest, drafts, rejected = play(
        tmp_path, "translation", block(RIGHT), block(code, language), targets=["python", language]
    )
    assert manifest.metrics["runs"]["translation"] == {state: 1}
    assert len(drafts) == (state != "fails") and all(row["reason"] == "fails_when_run" for row in rejected)


@needs_node
@pytest.mark.parametrize(("code", "state"), [(RIGHT, "holds"), (WRONG, "fails")])
def test_a_translation_into_python_agrees_too(tmp_path: Path, code: str, state: str) -> None:
    snippet = Snippet("s", JAVASCRIPT, "javascript", "", "r", "c", 1)
    manifest, _, _ = play(
        tmp_path,
        "translation",
        block(JAVASCRIPT, "javascript"),
        block(code),
        snippet,
        targets=["python", "javascript"],
    )
    assert manifest.metrics["runs"]["translation"] == {state: 1}


def test_neither_side_python_is_not_run(tmp_path: Path) -> None:
    snippet = Snippet("s", JAVASCRIPT, "javascript", "", "r", "c", 1)
    manifest, _, _ = play(
        tmp_path,
        "translation",
        block(JAVASCRIPT, "javascript"),
        block(PHP, "php"),
        snippet,
        targets=["php", "javascript"],
    )
    assert manifest.metrics["runs"]["translation"] == {"not_run": 1}


@pytest.mark.parametrize("task", ["generation", "summarization"])
def test_tasks_without_a_counterpart_are_not_run(tmp_path: Path, task: str) -> None:
    solution = block(RIGHT) if task == "generation" else "It scales each of the items by x."
    manifest, drafts, _ = play(tmp_path, task, "none" if task == "generation" else block(RIGHT), solution)
    assert manifest.metrics["runs"] == {"repair": {}, "translation": {}}
    assert json.loads(drafts[0].detail)["run"] is None


def test_code_that_does_harm_is_run_where_it_can_do_none(tmp_path: Path) -> None:
    target = tmp_path / "written"
    harm = f"open({str(target)!r}, 'w').write('x')\n{RIGHT}"
    play(tmp_path / "out", "repair", block(harm), block(RIGHT))
    assert not target.exists()


def test_no_row_is_run_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = play(tmp_path, "repair", block(WRONG), block(RIGHT))
    (tmp_path / "manifest.json").unlink()
    monkeypatch.setattr(trial.Trial, "_repair", None)
    second = play(tmp_path, "repair", block(WRONG), block(RIGHT))
    assert first[1] == second[1] and first[0].metrics == second[0].metrics


def test_where_nothing_can_be_isolated_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from evaluation import SandboxUnavailable

    def refuse(*_: Any) -> None:
        raise SandboxUnavailable("no namespaces here")

    monkeypatch.setattr(trial, "open_sandbox", refuse)
    with pytest.raises(StageError, match="no namespaces here; or set generate.execute: false"):
        play(tmp_path, "repair", block(WRONG), block(RIGHT))
    assert play(tmp_path / "without", "repair", block(WRONG), block(RIGHT), execute=False)[1]
