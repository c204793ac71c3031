"""An exported checkpoint stands by itself: it loads, its rows load, and no text in it can break its cards."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import DatasetCard, ModelCard
from markdown_it import MarkdownIt

from inverse_instruct.cli import parser_of
from inverse_instruct.commands.checkpoints import run_command
from inverse_instruct.config.corpus_source import CorpusSource
from inverse_instruct.corpus.readers import read_source
from inverse_instruct.errors import ModelError, RunDirError
from inverse_instruct.records import SourceRow
from inverse_instruct.registry.cards import dataset_card, model_card
from inverse_instruct.registry.cards.markdown import code, escape, fence
from inverse_instruct.registry.export import export_checkpoint
from inverse_instruct.registry.lineage import History, Lineage, describe_lineage, read_history
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.rows import read_rows
from tests.example_run import HOSTILE

MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})


@pytest.fixture(scope="module")
def exported(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_checkpoint(finished, "2", tmp_path_factory.mktemp("out") / "model")[0]


def history_of(run: Path) -> History:
    with Ledger(run / "ledger.db") as ledger:
        return read_history(run, ledger)


def lineage_of(history: History, number: int) -> Lineage:
    return describe_lineage(history, history.checkpoints[number])


def headings(text: str) -> list[str]:
    tokens = MARKDOWN.parse(text)
    return [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]


def body(card: Path) -> str:
    return card.read_text().split("\n---\n", 1)[1]


def test_the_folder_holds_files_of_its_own(exported: Path, finished: Path) -> None:
    assert {path.name for path in exported.iterdir()} == {
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "dataset",
    }
    assert not [path for path in exported.rglob("*") if path.is_symlink()]
    assert [path.name for path in exported.parent.iterdir()] == ["model"]  # nothing temporary is left
    assert {path.stat().st_nlink for path in exported.iterdir() if path.is_file()} == {1}


def test_the_model_loads_and_answers_like_the_checkpoint(exported: Path, finished: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ids = torch.tensor([AutoTokenizer.from_pretrained(exported)("def add(a, b):").input_ids])
    models = [AutoModelForCausalLM.from_pretrained(folder) for folder in (exported, finished / "checkpoints/round-02")]
    with torch.no_grad():
        one, other = (model(ids).logits for model in models)
    assert torch.equal(one, other)


def test_every_row_can_be_followed_back(exported: Path, finished: Path) -> None:
    rows = read_rows(exported / "dataset/train.parquet")
    assert len(rows) == 12
    assert [row["id"] for row in rows] == [
        row["id"] for number in (1, 2) for row in read_rows(finished / f"round-{number:02d}/selection/selected.parquet")
    ]
    written = {
        row["id"]: row
        for number in (1, 2)
        for row in read_rows(finished / f"round-{number:02d}/summarize/candidates.parquet")
    }
    for row in rows:
        assert row["seed"] == written[row["candidate_id"]]["seed"] == 100 * row["round"] + row["k"]
        assert row["model"] == written[row["candidate_id"]]["model"]
        assert row["yes_logprob"] == pytest.approx(-0.1 - row["k"]) and row["no_logprob"] == -2.5
        assert row["source"] == "corpus.jsonl" and 1 <= row["line"] <= 6
    assert len({row["model"] for row in rows}) == 2  # the second round was written by the first round's checkpoint


@pytest.mark.parametrize("name", ["train.parquet", "alpaca.jsonl", "sharegpt.jsonl", "messages.jsonl"])
def test_datasets_loads_every_layout(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import load_dataset

    folder = exported / "dataset"
    if name == "train.parquet":  # the folder as a data set, by its card
        rows = load_dataset(str(folder), split="train", cache_dir=str(tmp_path))
    else:
        rows = load_dataset("json", data_files=str(folder / name), split="train", cache_dir=str(tmp_path))
    layouts: dict[str, Callable[[dict[str, Any]], tuple[str, ...]]] = {
        "train.parquet": lambda row: (row["instruction"], row["response"]),
        "alpaca.jsonl": lambda row: (row["instruction"], row["output"]),
        "sharegpt.jsonl": lambda row: tuple(turn["value"] for turn in row["conversations"]),
        "messages.jsonl": lambda row: tuple(turn["content"] for turn in row["messages"]),
    }
    said = layouts[name]
    assert [said(row) for row in rows] == [
        (row["instruction"], row["response"]) for row in read_rows(folder / "train.parquet")
    ]
    assert len(rows) == 12 and said(rows[0])[0].startswith(HOSTILE)
    if name != "train.parquet":  # our own reader tells the layout too
        found = list(read_source(CorpusSource(path=str(folder / name))))
        [source] = [row for row in found if isinstance(row, SourceRow) and row.line == 1]
        assert source.instruction == said(rows[0])[0]


def test_the_code_in_the_cards_runs_as_it_stands(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    for folder in (exported, exported / "dataset"):
        monkeypatch.chdir(folder)
        example = re.search(r"\n```python\n(from .*?)\n```\n", body(folder / "README.md"), re.S)
        assert example is not None
        names: dict[str, Any] = {}
        exec(example[1], names)
    assert capsys.readouterr().out.strip()  # of the model; what a random one says is nobody's concern
    assert len(names["rows"]) == len(names["chats"]) == 12


def test_the_front_matter_is_what_the_hub_reads(exported: Path) -> None:
    card = ModelCard.load(exported / "README.md").data
    assert (card.license, card.base_model, card.model_name) == ("apache-2.0", "someone/base", "example round-02")
    result = card.eval_results[0]
    assert (result.dataset_name, result.metric_type, result.metric_value) == ("mini", "pass@1", 15.62)
    assert result.metric_args == {"confidence_interval_95": [6.86, 31.75]}
    data = DatasetCard.load(exported / "dataset/README.md").data
    assert data.license == "unknown" and data.size_categories == ["n<1K"]


def test_the_cards_say_what_was_done_and_measured(exported: Path, finished: Path) -> None:
    text = body(exported / "README.md")
    assert headings(text) == ["example round-02", "Method", "Data", "Training", "Results", "Limits", "How to load"]
    for words in (
        "| selection, round 2: training rows | 12 | 6 | 6 not selected |",
        "| preprocess: corpus | 7 | 6 | 1 malformed |",
        "after 2 rounds of self-training",
        "12 self-generated rows and 6 rows of the original corpus",
        "| 1: selected | 12 |",
        "| mini | 32 | greedy | pass@1, plus tests | 15.6 | 6.9 to 31.8 |",
        "1 gained, 18 lost",
        "Against `round-01`",
        "Against `round-00`",
        "**not promoted**",
        "not stated",
        "On mini, with 32 problems, any paired difference is likely missed",
        "written and judged by `round-00`, `round-01`",
    ):
        assert words in text, text
    assert not [path for path in (exported.parent, finished) if str(path) in text]  # no path of this machine
    rows = body(exported / "dataset/README.md")
    assert headings(rows)[1:] == ["Files", "Columns of `train.parquet`", "Counts", "A row", "Limits"]
    for column in read_rows(exported / "dataset/train.parquet")[0]:
        assert f"| `{column}` |" in rows


def test_no_text_breaks_out_of_a_card(finished: Path) -> None:
    history = history_of(finished)
    card = history.config.card.model_copy(
        update={
            "title": HOSTILE,
            "authors": [HOSTILE],
            "license": HOSTILE,
            "base_model": HOSTILE,
            "data_license": HOSTILE,
        }
    )
    history = replace(history, config=history.config.model_copy(update={"card": card}))
    lineage = lineage_of(history, 2)
    assert lineage.decision
    lineage = replace(lineage, decision=replace(lineage.decision, reason=HOSTILE))
    rows = read_rows(finished / "round-01/selection/selected.parquet")
    for page, expected in ((model_card(history, lineage, True), 7), (dataset_card(history, lineage, rows), 6)):
        match = re.match(r"---\n(.*?)\n---\n(.*)", page, re.S)
        assert match is not None and yaml.safe_load(match[1])["license"] == HOSTILE
        html = MARKDOWN.render(match[2])
        assert len(headings(match[2])) == expected and "<script" not in html and 'href="http://x"' not in html
        assert "<em>star</em>" not in html and "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        widths = [len(re.findall("<t[hd]", row)) for row in re.findall(r"<tr>.*?</tr>", html, re.S)]
        assert min(widths) >= 2 and html.count("<table>") >= 3


@pytest.mark.parametrize("text", [HOSTILE, "a_b_c", "1 < 2 & 3", "$x$ ~~y~~ #z", "\\*", "`", "![i](u)", "| a | b |"])
def test_escaped_text_is_shown_as_it_is(text: str) -> None:
    def shown(markdown: str) -> str:
        inline = next(token for token in MARKDOWN.parse(f"- {markdown}") if token.type == "inline")
        assert {child.type for child in inline.children or []} <= {"text", "text_special", "code_inline"}
        return "".join(child.content for child in inline.children or [])

    line = " ".join(text.split())
    assert shown(escape(line)) == line
    assert shown(code(text)).replace("\\|", "|") == line
    (block,) = [token for token in MARKDOWN.parse(fence(text, "text")) if token.type == "fence"]
    assert block.content == text + "\n"


def test_a_given_model_has_a_card_that_says_so_and_no_dataset(finished: Path, tmp_path: Path) -> None:
    folder, unstated = export_checkpoint(finished, "round-00", tmp_path / "given")
    text = body(folder / "README.md")
    assert "as it was given: the run trained nothing for it" in text and not (folder / "dataset").exists()
    assert headings(text) == ["example round-00", "Results", "Limits", "How to load"]
    assert unstated == ["card.base_license"]


def test_other_ways_to_train_are_told_too(finished: Path) -> None:
    history = history_of(finished)
    config = history.config
    history = replace(
        history,
        config=config.model_copy(
            update={
                "model": config.model.model_copy(update={"prompt_format": "magicoder"}),
                "preprocess": config.preprocess.model_copy(update={"benchmarks": []}),
                "selection": config.selection.model_copy(update={"method": "top_k", "k": 3, "min_score": 0.5}),
                "train": config.train.model_validate(config.train.model_dump() | {"lora": {"rank": 8}}),
            }
        ),
    )
    lineage = lineage_of(history, 1)
    text = model_card(history, lineage, True)
    for words in (
        "the 3 instructions with the highest scores, of those with an LM-Score of at least 0.5",
        "LoRA of rank 8",
        "Nothing was done to keep benchmarks out",
        "@@ Instruction",
    ):
        assert words in text
    assert "apply_chat_template" not in text
    lineage = replace(lineage, data=tuple(data for data in lineage.data if data.data == "original"))
    text = model_card(history, lineage, False)
    assert "no row was written by a model of this run" in text and "dataset/" not in text
    assert "Trained on 6 rows of the original corpus, which are not included." in text


def test_the_command_warns_of_licenses_that_are_not_stated(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_command(
        parser_of().parse_args(["checkpoints", "export", "1", str(finished), "--output", str(tmp_path / "out")])
    )
    shown = capsys.readouterr().out
    assert str(tmp_path / "out") in shown and "card.base_license" in shown and "card.data_license" in shown
    assert "card.license" not in shown


def test_a_checkpoint_whose_training_is_done_again_is_no_given_model(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "run")
    with Ledger(tmp_path / "run/ledger.db") as ledger:
        ledger.start_stage(1, "train")
    with pytest.raises(RunDirError, match="does not tell how round-01 was trained"):
        export_checkpoint(tmp_path / "run", "1", tmp_path / "out")


def test_what_cannot_be_exported_leaves_nothing_behind(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").write_text("keep")
    for target in (taken, taken / "mine.txt"):
        with pytest.raises(RunDirError, match="not an empty folder"):
            export_checkpoint(run, "1", target)
    (run / "round-01/selection/selected.parquet").write_bytes(b"other rows")
    with pytest.raises(RunDirError, match="gone or has changed"):
        export_checkpoint(run, "1", tmp_path / "out")
    (run / "checkpoints/round-02/config.json").write_text("{}")
    with pytest.raises(ModelError, match="has changed since it was measured"):
        export_checkpoint(run, "2", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "taken"]
    assert (taken / "mine.txt").read_text() == "keep"
    (tmp_path / "empty").mkdir()
    assert json.loads((export_checkpoint(run, "0", tmp_path / "empty")[0] / "config.json").read_text())
