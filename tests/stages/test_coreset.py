"""The coreset stage: what is selected is what is written, whatever the order; and vectors are computed once."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.corpus import tf_idf
from inverse_instruct.corpus.k_center import k_center_greedy
from inverse_instruct.records import Snippet
from inverse_instruct.stages import coreset
from inverse_instruct.stages.coreset import CORESET
from inverse_instruct.stages.keys import make_key
from inverse_instruct.stages.tasks import embedding
from inverse_instruct.store.rows import iterate_rows, read_rows
from tests.playing import play_stage

WORDS = "parse sort join invoice matrix user socket cache token graph queue image".split()
SNIPPETS = [
    Snippet(f"{number * 7919 % 1000:04}", f"def {word}_{other}(x):\n    return {word}(x)", "python", "", "r", "c.py", 1)
    for number, (word, other) in enumerate((word, other) for word in WORDS for other in WORDS)
]


def choose(folder: Path, snippets: list[Snippet] = SNIPPETS, **options: Any) -> list[Snippet]:
    manifest = play_stage(CORESET, folder, {"snippets": snippets}, number=0, **options)
    assert manifest.rows_in == len(snippets)
    return list(iterate_rows(folder / "coreset.parquet", Snippet))


def test_the_rows_that_are_selected_are_the_ones_that_are_saved(tmp_path: Path) -> None:
    rows = choose(tmp_path, coreset={"size": 20})
    ordered = sorted(SNIPPETS, key=lambda snippet: snippet.id)
    texts = [snippet.code for snippet in ordered]
    expected = k_center_greedy(tf_idf.TfIdf(texts, 384)(texts), 20).chosen
    assert {row.id for row in rows} == {ordered[place].id for place in expected}
    assert rows == [snippet for snippet in SNIPPETS if snippet in rows], "in the order of the corpus, unchanged"
    rejected = read_rows(tmp_path / "rejections.parquet")
    assert {row["row_id"] for row in rejected} == {snippet.id for snippet in SNIPPETS} - {row.id for row in rows}
    assert {row["reason"] for row in rejected} == {"not_selected"}


@pytest.mark.parametrize("size", [1, 20, 143])
def test_order_does_not_matter(tmp_path: Path, size: int) -> None:
    shuffled = random.Random(size).sample(SNIPPETS, len(SNIPPETS))
    first = choose(tmp_path / "a", coreset={"size": size})
    second = choose(tmp_path / "b", shuffled, coreset={"size": size})
    assert len(first) == size and {row.id for row in first} == {row.id for row in second}


def test_a_small_corpus_is_taken_whole(tmp_path: Path) -> None:
    assert choose(tmp_path, SNIPPETS[:5], coreset={"size": 20}) == SNIPPETS[:5]
    assert choose(tmp_path / "none", []) == []


def test_a_snippet_that_comes_twice_is_chosen_once(tmp_path: Path) -> None:
    rows = choose(tmp_path, SNIPPETS + SNIPPETS[:40], coreset={"size": 60})
    assert len(rows) == len({row.id for row in rows}) == 60
    reasons = [row["reason"] for row in read_rows(tmp_path / "rejections.parquet")]
    assert reasons.count("exact_duplicate") == 40


def test_it_says_how_well_it_covers(tmp_path: Path) -> None:
    manifest = play_stage(CORESET, tmp_path, {"snippets": SNIPPETS}, number=0, coreset={"size": 30})
    assert 0 < manifest.metrics["radius"] < manifest.metrics["random_radius"]
    assert manifest.metrics["dimensions"] == 384
    details = [float(row["detail"].split()[0]) for row in read_rows(tmp_path / "rejections.parquet")]
    assert max(details) == pytest.approx(manifest.metrics["radius"], abs=1e-4)


class Killed(BaseException):
    pass


def test_after_a_kill_only_what_is_missing_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coreset, "SHARD", 10)
    embedded: list[int] = []
    embed = tf_idf.TfIdf.__call__

    lives = [6]

    def counted(self: Any, texts: Any) -> Any:
        if len(embedded) == lives[0]:
            raise Killed
        embedded.append(len(texts))
        return embed(self, texts)

    monkeypatch.setattr(tf_idf.TfIdf, "__call__", counted)
    with pytest.raises(Killed):
        choose(tmp_path / "a", coreset={"size": 20})
    damaged = sorted((tmp_path / "a" / "embeddings").iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:50])
    embedded.clear()
    lives[0] = 99
    rows = choose(tmp_path / "a", coreset={"size": 20})
    assert sum(embedded) == len(SNIPPETS) - 5 * 10, "five whole files were there, and one that is damaged"
    assert rows == choose(tmp_path / "b", coreset={"size": 20})


def test_another_size_takes_the_vectors_that_are_there_and_other_rows_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(tmp_path, coreset={"size": 20}, key="a")
    kept = list((tmp_path / "embeddings").iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(tf_idf.TfIdf, "__call__", None)
        assert len(choose(tmp_path, coreset={"size": 21}, key="b")) == 21
    choose(tmp_path, SNIPPETS[1:], key="c")
    assert set((tmp_path / "embeddings").iterdir()).isdisjoint(kept), "those of other rows are gone"


class FakeModel:
    """Vectors by the length of a text."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> FakeModel:
        """Return this."""
        return self

    def __exit__(self, *_: object) -> None:
        """End nothing."""

    def __call__(self, texts: list[str]) -> np.ndarray:
        return np.array([[len(text), 1] for text in texts], np.float32)


def test_an_embedding_model_is_used_where_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "SentenceModel", FakeModel)
    monkeypatch.setattr(embedding, "resolve_model", Path)
    monkeypatch.setattr(embedding, "embedding_digest", lambda folder: f"digest of {folder}")
    section = {"size": 3, "embedding": "some-model"}
    rows = choose(tmp_path, coreset=section)
    lengths = sorted(len(snippet.code) for snippet in SNIPPETS)
    assert lengths[-1] in {len(row.code) for row in rows}, "the farthest from the middle"
    config = RunConfig.model_validate(
        {"name": "x", "model": {"base": "b"}, "corpus": [{"path": "c"}], "coreset": section}
    )
    other = config.model_copy(update={"coreset": config.coreset.model_copy(update={"embedding": "another"})})
    assert make_key(CORESET, config, [], None) != make_key(CORESET, other, [], None)


@pytest.mark.parametrize(("name", "said"), [("/no/such/folder", "does not exist"), ("smollm2-135m", "is not here yet")])
def test_check_says_where_there_is_no_embedding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.setenv("INVERSE_INSTRUCT_MODELS", str(tmp_path))
    world = {"name": "x", "model": {"base": "b"}, "corpus": [{"path": "c"}]}
    assert not list(CORESET.check(RunConfig.model_validate(world)))
    [problem] = CORESET.check(RunConfig.model_validate(world | {"coreset": {"embedding": name}}))
    assert problem.startswith("coreset.embedding: ") and said in problem
