"""Progress where standard error is a file: a line now and then, no bar."""

from __future__ import annotations

import pytest

from inverse_instruct.store import progress
from inverse_instruct.store.progress import Progress


def test_without_a_terminal_there_are_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_INTERVAL_SECONDS", 0.0)
    with Progress("round 1 score", "pair") as counted:
        counted.expect(3)
        for _ in range(3):
            counted.advance()
    shown = capsys.readouterr().err
    assert "\r" not in shown and all(line.startswith("round 1 score:") for line in shown.splitlines())
    assert "3/3" in shown.splitlines()[-1] and len(shown.splitlines()) >= 3


def test_lines_come_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("train", "step") as counted:
        counted.expect(1000)
        for _ in range(1000):
            counted.advance()
    assert len(capsys.readouterr().err.splitlines()) <= 2, "the first and the last"


def test_nothing_is_shown_of_what_has_a_bar_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("train", "step", shown=False) as counted:
        counted.advance(5)
    assert capsys.readouterr().err == ""
