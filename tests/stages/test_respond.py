"""Responses to original instructions: what is asked, what of a reply is kept, and that the best is chosen."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from inverse_instruct.inference.lm_score import lm_score
from inverse_instruct.recipes.inversecoder import SELECT_RESPONSES
from inverse_instruct.records import Draft, Snippet, TrainingRow
from inverse_instruct.stages.respond import RESPOND
from inverse_instruct.store.rows import iterate_rows, read_rows
from tests.playing import play_asking, play_stage, room_of
from tests.stages.spelled import UNSPEAKABLE, NotingClient, model_of

SNIPPETS = [
    Snippet("s1", "a = 1", "python", "Add one.", "r1", "corpus.jsonl", 3),
    Snippet("s2", "b = 2", "python", "", "r2", "corpus.jsonl", 4),
    Snippet("s3", "b = 2", "python", f"Bad {UNSPEAKABLE}.", "r3", "corpus.jsonl", 5),
    Snippet("s4", "b = 2", "python", "x" * 2000, "r4", "corpus.jsonl", 6),
]
REPLIES = [
    "```python\nx = 1\n```",
    "So:\n```python\ny = 2\n```\nBye.",
    "```python\nx = 1\n```",
    "No code.",
    "```python\nx = (\n```",
]


def respond(folder: Path) -> tuple[NotingClient, dict[str, int]]:
    seeds: list[int] = []

    def reply(prompt: str, seed: int) -> str:
        seeds.append(seed)
        return REPLIES[len(seeds) - 1]

    client = NotingClient(reply, lambda prompt: [-0.1, -2.0] if "y = 2" in prompt else [-2.0, -0.1])
    options: Any = {"candidates": len(REPLIES), "max_new_tokens": 90}
    room = room_of(RESPOND, folder, {"snippets": SNIPPETS}, asked=model_of(client, 1500), respond=options)
    [manifest] = asyncio.run(play_asking(room))
    assert len(set(seeds)) == len(REPLIES) and manifest.rows_in == len(SNIPPETS) * len(REPLIES)
    return client, manifest.rejected


def test_the_code_of_each_reply_is_kept_and_judged(tmp_path: Path) -> None:
    client, rejected = respond(tmp_path)
    assert {prompt for prompt, _ in client.asked} == {"Add one.\n"}
    first, second = iterate_rows(tmp_path / "drafts.parquet", Draft)
    assert (first.response, second.response) == ("```python\nx = 1\n```", "```python\ny = 2\n```")
    assert second.lm_score == lm_score(-0.1, -2.0) and first.parents == second.parents == ["s1"]
    assert all("Add one." in prompt for [prompt], _ in client.judged) and len(client.judged) == 2
    assert rejected == {
        "duplicate_candidate": 1, "no_code": 1, "syntax_error": 1, "empty": 5, "parser_failed": 5, "too_long": 5,
    }  # fmt: skip


def test_the_best_response_becomes_the_training_row(tmp_path: Path) -> None:
    respond(tmp_path / "respond")
    drafts = list(iterate_rows(tmp_path / "respond/drafts.parquet", Draft))
    play_stage(SELECT_RESPONSES, tmp_path / "select", {"drafts": drafts, "snippets": SNIPPETS, "earlier": []})
    [row] = iterate_rows(tmp_path / "select/selected.parquet", TrainingRow)
    assert (row.instruction, row.response) == ("Add one.", "```python\ny = 2\n```")
    assert (row.snippet_id, row.row_id, row.source, row.line) == ("s1", "r1", "corpus.jsonl", 3)
    assert [row["reason"] for row in read_rows(tmp_path / "select/rejections.parquet")] == ["not_selected"]
