"""Rows that ask in other words for what a benchmark asks for are listed, or rejected."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.texts import TaskTexts
from inverse_instruct.config.corpus_source import CorpusSource
from inverse_instruct.config.sections import PreprocessSection, RunConfig
from inverse_instruct.stages.preprocess import PREPROCESS
from inverse_instruct.stages.tasks import embedding, neighbors
from inverse_instruct.stages.tasks.neighbors import Neighbor, find_neighbors
from inverse_instruct.store.rows import read_rows
from tests.playing import preprocess

CODE = "def f{0}(values):\n    total = sum(values) * {0}\n    return total\n"
ROWS = [
    {"instruction": "Tell whether every bracket that opens closes.", "output": CODE.format(1)},
    {"instruction": "Read a table of prices from a file.", "output": CODE.format(2)},
    {"instruction": "", "output": CODE.format(3)},
]
BENCHMARK = [{"task_id": "B/7", "prompt": "Check that the brackets are balanced.", "code": "return not stack"}]


class Meaning:
    """An embedding that knows of brackets and of tables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Meaning:
        """Return this."""
        return self

    def __exit__(self, *_: object) -> None:
        """End nothing."""

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        assert all(texts) and texts
        return np.array([[7.0 * ("bracket" in text), 3.0 * ("table" in text), 0.5] for text in texts], np.float32)


@pytest.fixture
def meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "SentenceModel", Meaning)
    monkeypatch.setattr(neighbors, "resolve_model", Path)
    monkeypatch.setattr(embedding, "resolve_model", Path)
    monkeypatch.setattr(embedding, "embedding_digest", str)


def play(folder: Path, **section: Any) -> tuple[dict[str, Any], list[str], dict[str, str], list[str]]:
    """Return the metrics, the instructions of the snippets, the details of the rejections, the original rows."""
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "bench.jsonl").write_text("".join(json.dumps(row) + "\n" for row in BENCHMARK))
    wanted = PreprocessSection(benchmarks=[str(folder / "bench.jsonl")], near_duplicate_threshold=1.0, **section)
    manifest = preprocess([CorpusSource(path=str(folder / "corpus.jsonl"))], wanted, folder / "out")
    rejected = read_rows(folder / "out/rejections.parquet")
    return (
        manifest.metrics,
        [row["instruction"] for row in read_rows(folder / "out/snippets.parquet")],
        {row["reason"]: row["detail"] for row in rejected},
        [row["instruction"] for row in read_rows(folder / "out/original.parquet")],
    )


@pytest.mark.usefixtures("meaning")
def test_they_are_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    metrics, snippets, rejected, original = play(tmp_path, embedding="a-model")
    assert len(snippets) == 3 and len(original) == 2 and not rejected and metrics["near_benchmarks"] == 1
    [listed] = map(json.loads, (tmp_path / "out/near_benchmarks.jsonl").read_text().splitlines())
    assert (listed["task"], listed["line"], listed["instruction"]) == ("B/7", 1, ROWS[0]["instruction"])
    assert listed["similarity"] == 1.0 and listed["source"].endswith("corpus.jsonl")
    assert "1 rows ask for nearly what a benchmark asks for" in caplog.text and "preprocess.rephrased" in caplog.text


@pytest.mark.usefixtures("meaning")
def test_they_are_dropped(tmp_path: Path) -> None:
    metrics, snippets, rejected, original = play(tmp_path, embedding="a-model", rephrased="drop")
    assert snippets == [ROWS[1]["instruction"], ""] and original == [ROWS[1]["instruction"]]
    assert rejected == {"contaminated": "B/7 in other words, 1.000"}
    assert metrics["original_rejected"] == {"contaminated": 1} and "near_benchmarks" not in metrics
    assert not (tmp_path / "out/near_benchmarks.jsonl").exists()


@pytest.mark.usefixtures("meaning")
def test_nothing_is_near_enough(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tasks = [[TaskTexts("B/7", ("Check brackets.", "  "), ("bracket",)), TaskTexts("B/8", (), ("table",))]]
    find = find_neighbors(Meaning(Path()), tasks, 0.99)
    assert find(["a bracket", "", "a table", "a bracket and a table"]) == [Neighbor("B/7", 1.0), None, None, None]
    assert find([]) == [] and find_neighbors(Meaning(Path()), [], 0.1)(["a bracket"]) == [None]


def test_without_an_embedding_nothing_is_looked_for(tmp_path: Path) -> None:
    metrics, snippets, *_ = play(tmp_path)
    assert len(snippets) == 3 and "near_benchmarks" not in metrics
    assert not (tmp_path / "out/near_benchmarks.jsonl").exists()


def test_check_says_where_there_is_no_embedding() -> None:
    config = RunConfig(
        name="x",
        model={"base": "b"},
        corpus=[{"path": "c"}],
        preprocess={"embedding": "/no/such/folder"},
    )
    [problem] = PREPROCESS.check(config)
    assert problem.startswith("preprocess.embedding: ") and "does not exist" in problem
