"""What `docs/corpora.md` shows is done as it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict

from inverse_instruct import cli
from inverse_instruct.config.config_file import load_config
from inverse_instruct.corpus.layouts import detect_layout
from inverse_instruct.corpus.readers import read_source
from inverse_instruct.loop import check
from inverse_instruct.records import SourceRow
from inverse_instruct.store.manifest import read_manifest
from inverse_instruct.system.root import ROOT
from tests.corpus.test_readers import jsonl

PAGE = (ROOT / "docs/corpora.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CONFIGS = [text for kind, text in BLOCKS if kind == "yaml"]
COMMANDS = [text for kind, text in BLOCKS if kind == "bash"]
CHATS = [text for kind, text in BLOCKS if kind == ""]
ANSWER = "```python\ndef add(a, b):\n    return a + b\n```"
TALK = [("system", "Be brief."), ("user", "Write a function that adds two numbers.")]
TALK += [("assistant", "def add(a, b): return a + b"), ("user", "Now three."), ("assistant", ANSWER)]
READ = [2, 1, 1, 1, 1, 3, 2]  # rows of the configs, in the order of the page; of a share, before any is drawn


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what the page names."""
    (tmp_path / "data").mkdir()
    row = {"instruction": "Add.", "output": ANSWER}
    jsonl(tmp_path / "data/rows.jsonl", row)
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "data/train-0.parquet")
    DatasetDict({name: Dataset.from_list([row]) for name in ("train", "test")}).save_to_disk(tmp_path / "data/saved")
    (tmp_path / "data/questions.csv").write_text('asked,answered,lang\nAdd.,"def add(a, b): return a + b",python\n')
    stack = [
        {"content": f"def f{stars}(x):\n    return x", "lang": language, "license": ["mit"], "stars": stars}
        for stars, language in ((5, "python"), (4, "python"), (5, "Python"))
    ]
    jsonl(tmp_path / "data/stack.jsonl", *stack)
    jsonl(tmp_path / "data/chats.jsonl", {"messages": [{"role": role, "content": words} for role, words in TALK]})
    (tmp_path / "src").mkdir()
    (tmp_path / "src/add.py").write_text('def add(a, b):\n    """Add."""\n    return a + b\n')
    return tmp_path


def rows_of(folder: Path, corpus: str) -> list[SourceRow]:
    (folder / "run.yaml").write_text(f"name: x\nmodel: {{base: b}}\n{corpus}")
    config = load_config(folder / "run.yaml")
    assert check._corpus_problems(config, []) == []
    return [row for source in config.corpus for row in read_source(source) if isinstance(row, SourceRow)]


@pytest.mark.parametrize(("corpus", "count"), list(zip(CONFIGS, READ, strict=True)))
def test_each_config_reads_what_it_names(folder: Path, corpus: str, count: int) -> None:
    assert len(rows_of(folder, corpus)) == count


def test_the_command_on_several_paths_reads_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", shlex.split(COMMANDS[0]))
    cli.main()
    manifest = read_manifest(folder / "out/preprocess")
    assert manifest and manifest.rows_in == 2


def test_the_history_looks_as_it_is_shown(folder: Path) -> None:
    [shown] = CHATS
    assert rows_of(folder, CONFIGS[-1])[1].instruction == shown.strip()


def test_each_layout_of_the_table_is_known() -> None:
    table = PAGE.partition("## Layouts")[2].partition("The first rows")[0]
    pairs = re.findall(r"`(\w+)`, `(\w+)`[;|, ]", table)
    told: list[dict[str, Any]] = [dict.fromkeys(pair, "x") for pair in pairs if set(pair) != {"role", "content"}]
    codes = re.findall(r"`(\w+)`", next(line for line in table.splitlines() if "code without" in line))
    assert len(told) >= 9 and len(codes) == 6
    for fields in told:
        assert detect_layout(fields) in ("alpaca", "instruction_response", "code"), fields
    assert {detect_layout({name: "x"}) for name in codes} == {"code"}
