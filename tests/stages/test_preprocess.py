"""From a corpus to snippets, with every row accounted for."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config.corpus_source import CorpusSource
from inverse_instruct.config.examining import EvaluateSection, SuiteSection
from inverse_instruct.config.sections import PreprocessSection
from inverse_instruct.errors import CorpusError, StageError
from inverse_instruct.records import Reason
from inverse_instruct.stages.preprocess import PREPROCESS
from inverse_instruct.store.manifest import Manifest, read_manifest
from inverse_instruct.store.rows import read_rows
from inverse_instruct.system.root import ROOT
from tests.playing import play_stage, preprocess

F = """def weighted_total(items):
    total = 0
    for item in items:
        total += item.weight * item.count
    return total"""
OTHER = "def read_names(path):\n    with open(path) as stream:\n        return [line.strip() for line in stream]"
TASK = {"task_id": "T/1", "prompt": "Add up the wingspans of all migrating storks in the flock that left before noon"}


def run(folder: Path, *rows: Any, **config: Any) -> Manifest:
    folder.mkdir(exist_ok=True)
    corpus = folder / "corpus.jsonl"
    lines = [row if isinstance(row, str) else json.dumps({"instruction": row[0], "output": row[1]}) for row in rows]
    corpus.write_text("\n".join(lines))
    return preprocess([CorpusSource(path=str(corpus))], PreprocessSection(**config), folder / "out", "key")


def fenced(code: str, label: str = "python") -> str:
    return f"Here:\n```{label}\n{code}\n```\nBye."


def test_a_snippet_and_its_training_row(tmp_path: Path) -> None:
    manifest = run(tmp_path, ("Add it up", fenced(F)))
    [snippet] = read_rows(tmp_path / "out/snippets.parquet")
    [row] = read_rows(tmp_path / "out/original.parquet")
    assert (snippet["code"], snippet["language"], snippet["instruction"]) == (F, "python", "Add it up")
    assert (row["instruction"], row["response"], row["language"]) == ("Add it up", fenced(F), "python")
    assert [row[name] for name in ("round", "snippet_id", "candidate_id", "model", "lm_score")] == [0, "", "", "", None]
    assert snippet["row_id"] == row["row_id"] and (row["source"], row["line"]) == ("corpus.jsonl", 1)
    assert read_manifest(tmp_path / "out", "key") == manifest
    assert manifest.metrics["languages"] == {"python": 1} and manifest.metrics["rows_per_second"] > 0


def test_every_reason(tmp_path: Path) -> None:
    benchmark = tmp_path / "b.jsonl"
    benchmark.write_text(json.dumps(TASK))
    manifest = run(
        tmp_path,
        ("good", fenced(F)),
        "{",
        ("empty", " "),
        ("no code", "Just words here."),
        ("syntax", fenced("def f(:")),
        ("language", fenced("SELECT 1;", "sql")),
        ("left out", fenced("puts 'hello to you all'", "ruby")),
        ("short", fenced("x = 1")),
        ("long", fenced(f"x = '{'y' * 600}'")),
        ("again", fenced(F.replace("    ", "  "))),
        ("nearly", fenced(F + "\n")),
        ("near", fenced(F + "  # done")),
        (TASK["prompt"], fenced(OTHER)),
        ("good", fenced(F)),
        benchmarks=[str(benchmark)],
        languages=["python"],
        max_characters=500,
    )
    rejections = read_rows(tmp_path / "out/rejections.parquet")
    assert [row["reason"] for row in rejections] == [
        Reason.MALFORMED,
        Reason.EMPTY,
        Reason.NO_CODE,
        Reason.SYNTAX_ERROR,
        Reason.UNSUPPORTED_LANGUAGE,
        Reason.UNSUPPORTED_LANGUAGE,
        Reason.TOO_SHORT,
        Reason.TOO_LONG,
        Reason.EXACT_DUPLICATE,
        Reason.EXACT_DUPLICATE,
        Reason.NEAR_DUPLICATE,
        Reason.CONTAMINATED,
        Reason.EXACT_DUPLICATE,
    ]
    assert {row["stage"] for row in rejections} == {"preprocess"}
    details = {row["reason"]: row["detail"] for row in rejections}
    [snippet] = read_rows(tmp_path / "out/snippets.parquet")
    assert details["malformed"].startswith("corpus.jsonl:2: ") and details["contaminated"] == "T/1"
    assert details["near_duplicate"] == details["exact_duplicate"] == f"of corpus.jsonl:1 (row {snippet['row_id']})"
    assert (manifest.rows_in, manifest.rows_out) == (14, 1)
    assert manifest.rejected == Counter(row["reason"] for row in rejections)
    assert manifest.metrics["original_rejected"] == {"empty": 1, "contaminated": 1, "exact_duplicate": 1}
    assert manifest.metrics["original_rows"] == 10 == len(read_rows(tmp_path / "out/original.parquet"))


def test_a_contaminated_response_counts_too(tmp_path: Path) -> None:
    benchmark = tmp_path / "b.jsonl"
    benchmark.write_text(json.dumps(TASK))
    rows = ("a", fenced(OTHER)), ("b", TASK["prompt"] + "\n" + fenced(F))
    manifest = run(tmp_path, *rows, benchmarks=[str(benchmark)])
    assert manifest.rejected == {"contaminated": 1} and manifest.metrics["original_rows"] == 1


def test_plain_code_gives_snippets_but_nothing_to_train_on(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.py").write_text(F + "\n\n\n" + OTHER + "\n")
    manifest = preprocess([CorpusSource(path=str(tmp_path / "src"))], PreprocessSection(), tmp_path / "out")
    assert (manifest.rows_in, manifest.rows_out, manifest.metrics["original_rows"]) == (2, 2, 0)
    assert read_rows(tmp_path / "out/original.parquet") == []


def test_duplicates_over_several_sources(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(json.dumps({"instruction": "i", "response": fenced(F)}))
    sources = [CorpusSource(path=str(tmp_path / name)) for name in ("a.jsonl", "b.jsonl")]
    manifest = preprocess(sources, PreprocessSection(), tmp_path / "out")
    assert manifest.rejected == {"exact_duplicate": 1} and manifest.metrics["original_rows"] == 1


def test_the_same_corpus_gives_the_same_files(tmp_path: Path) -> None:
    rows = [("a", fenced(F)), ("b", "no"), ("c", fenced(OTHER))]
    first, second = run(tmp_path / "1", *rows), run(tmp_path / "2", *rows)
    assert first.outputs == second.outputs


def test_a_corpus_without_code_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"none of 3 rows .*no_code 2, malformed 1.*format") as raised:
        run(tmp_path, ("a", "no"), ("b", "no"), "{")
    rejections = tmp_path / "out/rejections.parquet"
    assert str(rejections) in str(raised.value) and len(read_rows(rejections)) == 3
    with pytest.raises(StageError, match="none of 3 rows"):  # nor the next time, though there is nothing to do again
        run(tmp_path, ("a", "no"), ("b", "no"), "{")


def test_a_failing_source_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(CorpusError):
        preprocess([CorpusSource(path=str(tmp_path / "x.jsonl"))], PreprocessSection(), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_quickstart_corpus(tmp_path: Path) -> None:
    corpus = CorpusSource(path=str(ROOT / "configs/quickstart/corpus.jsonl"))
    config = PreprocessSection(benchmarks=[str(ROOT / "evaluation/mini/problems.jsonl")])
    manifest = preprocess([corpus], config, tmp_path)
    assert (manifest.rows_in, manifest.rows_out) == (60, 48)
    assert manifest.rejected == {
        "syntax_error": 2,
        "no_code": 2,
        "unsupported_language": 2,
        "exact_duplicate": 2,
        "near_duplicate": 1,
        "contaminated": 1,
        "empty": 1,
        "too_short": 1,
    }
    assert manifest.metrics["original_rows"] == 57
    assert manifest.metrics["languages"]["python"] == 36 and len(manifest.metrics["languages"]) == 12


TEST_DATA = os.environ.get("INVERSE_INSTRUCT_TEST_DATA")


@pytest.mark.skipif(not TEST_DATA, reason="INVERSE_INSTRUCT_TEST_DATA names no folder of corpora and benchmarks")
def test_real_corpora(tmp_path: Path) -> None:
    data = Path(TEST_DATA or "")
    benchmarks = [str(path) for path in sorted(data.glob("benchmarks/*/*.jsonl.gz"))]
    corpora = [path for path in sorted(data.glob("corpora/*.gz")) if ".txt" not in path.name]
    assert benchmarks and corpora
    manifest = preprocess(
        [CorpusSource(path=str(path)) for path in corpora], PreprocessSection(benchmarks=benchmarks), tmp_path
    )
    assert manifest.rows_out > manifest.rows_in / 2


def test_a_share_of_the_rows_is_part_of_a_larger_one(tmp_path: Path) -> None:
    rows = [(f"Scale by {n}", fenced(f"def scale(x):\n    scaled = x * {n}\n    return scaled")) for n in range(100)]
    kept = {}
    for share in (0.25, 0.5, 1.0):
        folder = tmp_path / str(share)
        manifest = run(folder, *rows, share=share, near_duplicate_threshold=1.0)
        assert manifest.rows_in == 100 and manifest.rejected.get("not_drawn", 0) == 100 - manifest.rows_out
        kept[share] = {row["row_id"] for row in read_rows(folder / "out/snippets.parquet")}
        assert kept[share] == {row["row_id"] for row in read_rows(folder / "out/original.parquet")}
    assert kept[0.25] < kept[0.5] < kept[1.0] and len(kept[1.0]) == 100
    assert 12 <= len(kept[0.25]) <= 38 and 35 <= len(kept[0.5]) <= 65, "four standard deviations are 17 and 20"


@pytest.mark.parametrize("benchmarks", [None, [], ["mini"]])
def test_rows_that_are_held_out_are_trained_on_neither_as_rows_nor_as_snippets(
    tmp_path: Path, benchmarks: list[str] | None
) -> None:
    said = {
        "Sum up the weights of all items, each as often as it is there.": F,
        "Read a file of names, one on each line, without the blanks around them.": OTHER,
        "Turn a word around, letter by letter.": "def around(word):\n    return ''.join(reversed(word))",
    }
    rows = [{"instruction": instruction, "response": fenced(code)} for instruction, code in said.items()]
    corpus, held_out = tmp_path / "corpus.jsonl", tmp_path / "held-out.jsonl"
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    held_out.write_text(json.dumps(rows[1]) + "\n")
    section = PreprocessSection(benchmarks=benchmarks, near_duplicate_threshold=1.0)
    evaluate = EvaluateSection(suites=[SuiteSection(), SuiteSection(suite="held_out", data=str(held_out))])
    source = CorpusSource(path=str(corpus))
    sections: Any = {"corpus": [source], "preprocess": section, "evaluate": evaluate}
    manifest = play_stage(PREPROCESS, tmp_path / "out", number=0, **sections)
    assert manifest.rejected == {"contaminated": 1} and manifest.rows_out == 2
    [rejection] = read_rows(tmp_path / "out/rejections.parquet")
    assert rejection["detail"] == "held_out/1"
    trained = read_rows(tmp_path / "out/original.parquet")
    assert [row["instruction"] for row in trained] == [rows[n]["instruction"] for n in (0, 2)]
