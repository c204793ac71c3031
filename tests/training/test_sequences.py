"""Loss lies on the response and its end, nowhere else; what is cut or dropped is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.training.sequences import IGNORED, Sequences, build_sequences
from tests.training.conftest import MakeRow


@pytest.fixture(scope="module")
def formatter(tiny_model: Path) -> PromptFormatter:
    return PromptFormatter(tiny_model, "chat")


def test_only_the_response_and_its_end_carry_loss(formatter: PromptFormatter, make_row: MakeRow) -> None:
    sequences, rejections = build_sequences([make_row("add two", "a + b")], formatter, 200)
    labels = sequences.labels(0).tolist()
    labeled = [label for label in labels if label != IGNORED]
    prompt = formatter.response_prompt("add two")
    assert labels[: len(prompt)] == [IGNORED] * len(prompt)
    assert sequences.tokens(0)[: len(prompt)].tolist() == prompt
    assert formatter.decode(labeled) == "a + b"
    assert labeled[-1:] == formatter.end_of_response
    assert sequences.response_lengths.tolist() == [len(labeled)]
    assert not rejections


def test_a_long_response_is_cut_and_counted(formatter: PromptFormatter, make_row: MakeRow) -> None:
    room = len(formatter.response_prompt("q")) + 3
    sequences, rejections = build_sequences([make_row("q", "x" * 50), make_row("q", "ab")], formatter, room)
    assert sequences.truncated == 1
    assert sequences.lengths.tolist() == [room, room]
    assert sequences.labels(0)[-1] != formatter.end_of_response[0], "a cut response does not end"
    assert sequences.labels(1)[-1] == formatter.end_of_response[0]
    assert not rejections


def test_rows_without_room_or_response_are_rejected(formatter: PromptFormatter, make_row: MakeRow) -> None:
    rows = [make_row("q" * 300, "x"), make_row("q", " \n"), make_row("q", "x")]
    sequences, rejections = build_sequences(rows, formatter, 100)
    assert len(sequences) == 1
    assert [(rejection.row_id, rejection.reason.value) for rejection in rejections] == [
        (rows[0]["id"], "too_long"),
        (rows[1]["id"], "empty"),
    ]


def test_sequences_come_back_from_disk(formatter: PromptFormatter, make_row: MakeRow, tmp_path: Path) -> None:
    sequences, _ = build_sequences([make_row("a", "b"), make_row("c", "d e")], formatter, 100)
    sequences.save(tmp_path / "sequences.npz")
    again = Sequences.load(tmp_path / "sequences.npz")
    assert [again.tokens(place).tolist() for place in range(2)] == [sequences.tokens(p).tolist() for p in range(2)]
    assert again.labels(1).tolist() == sequences.labels(1).tolist()
    assert again.truncated == 0


def test_no_row_at_all_gives_no_sequence(formatter: PromptFormatter) -> None:
    sequences, rejections = build_sequences([], formatter, 100)
    assert len(sequences) == 0 and not rejections
