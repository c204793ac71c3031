"""Original instructions with their clean code, without any model."""

from __future__ import annotations

from pathlib import Path

import pytest

from inverse_instruct.errors import StageError
from inverse_instruct.records import Reason, Snippet, TrainingRow
from inverse_instruct.stages.pair import PAIR
from inverse_instruct.store.rows import iterate_rows, read_rows
from tests.playing import play_stage

SNIPPETS = [
    Snippet("s1", "a = 1", "python", "Set a.", "r1", "corpus.jsonl", 3),
    Snippet("s2", "b = 2", "python", "  ", "r2", "corpus.jsonl", 4),
    Snippet("s3", "c();", "cpp", "Call c.", "r3", "corpus.jsonl", 5),
]


def test_each_snippet_stands_behind_its_own_instruction(tmp_path: Path) -> None:
    manifest = play_stage(PAIR, tmp_path / "one", {"snippets": SNIPPETS, "earlier": []})
    first, second = iterate_rows(tmp_path / "one/selected.parquet", TrainingRow)
    assert (first.instruction, first.response) == ("Set a.", "```python\na = 1\n```")
    assert (second.language, second.row_id, second.source, second.line) == ("cpp", "r3", "corpus.jsonl", 5)
    assert manifest.rejected == {"empty": 1} and manifest.rows_in == 3
    play_stage(PAIR, tmp_path / "two", {"snippets": SNIPPETS + SNIPPETS[:0], "earlier": [first]}, number=2)
    assert [row["reason"] for row in read_rows(tmp_path / "two/rejections.parquet")] == [
        Reason.EXACT_DUPLICATE, Reason.EMPTY,
    ]  # fmt: skip


def test_plain_code_gives_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="holds no instruction"):
        play_stage(PAIR, tmp_path, {"snippets": SNIPPETS[1:2], "earlier": []})
