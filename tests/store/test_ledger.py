"""The registry in the ledger: one promoted checkpoint, forward and back, and no two winners."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from inverse_instruct.errors import RunDirError
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.ledger_rows import Checkpoint


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.db", create=True)
    yield ledger
    ledger.close()


def add(ledger: Ledger, number: int, state: str = "candidate") -> None:
    ledger.add_checkpoint(Checkpoint(number, f"/m{number}", f"d{number}", "", state, f"reason {number}", {}))


def states(ledger: Ledger) -> str:
    return "".join(checkpoint.state[0] for checkpoint in ledger.checkpoints())


def test_one_is_promoted_and_the_others_keep_their_history(ledger: Ledger) -> None:
    assert ledger.promoted() is None
    for number, state in enumerate(("promoted", "candidate", "promoted")):
        add(ledger, number, state)
    assert states(ledger) == "rcp"
    assert ledger.promote(1, over=2, author="ada", reason="looks better").name == "round-01"
    assert states(ledger) == "rpr"
    moves = [(move.round, move.over, move.action, move.author) for move in ledger.promotions()]
    assert moves == [(0, None, "promote", "loop"), (2, 0, "promote", "loop"), (1, 2, "promote", "ada")]


def test_rolling_back_goes_all_the_way_and_forward_again(ledger: Ledger) -> None:
    for number in range(3):
        add(ledger, number, "promoted")
    assert ledger.roll_back(over=2, author="ada", reason="").round == 1
    assert ledger.roll_back(over=1, author="ada", reason="").round == 0
    with pytest.raises(RunDirError, match="nothing to roll back to"):
        ledger.roll_back(over=0, author="ada", reason="")
    ledger.promote(2, over=0, author="ada", reason="")
    assert ledger.roll_back(over=2, author="ada", reason="").round == 0


def test_rolling_back_undoes_one_promotion_after_the_other(ledger: Ledger) -> None:
    for number in range(3):
        add(ledger, number, "promoted")
    ledger.promote(1, over=2, author="ada", reason="")
    went = []
    while (earlier := ledger.predecessor()) is not None:
        promoted = ledger.promoted()
        went.append(ledger.roll_back(over=promoted.round if promoted else None, author="ada", reason="").round)
        assert went[-1] == earlier.round
    assert went == [2, 1, 0]  # not to and fro between 1 and 2


def train_again(ledger: Ledger, state: str) -> None:
    """Rounds 0 and 1 are promoted; then round 1 gives other weights."""
    add(ledger, 0, "promoted")
    add(ledger, 1, "promoted")
    ledger.add_checkpoint(Checkpoint(1, "/m1", "other", "", state, "", {}))


def test_a_round_that_was_trained_again_is_not_rolled_back_to_itself(ledger: Ledger) -> None:
    train_again(ledger, "promoted")
    assert ledger.roll_back(over=1, author="ada", reason="").round == 0


def test_weights_that_are_gone_are_not_rolled_back_to(ledger: Ledger) -> None:
    train_again(ledger, "candidate")
    assert ledger.predecessor() is None  # nothing is promoted
    add(ledger, 2, "promoted")
    assert ledger.roll_back(over=2, author="ada", reason="").round == 0


def test_a_resumed_run_does_not_undo_what_a_person_chose(ledger: Ledger) -> None:
    add(ledger, 0, "promoted")
    add(ledger, 1, "promoted")
    ledger.roll_back(over=1, author="ada", reason="")
    add(ledger, 1, "promoted")  # the loop passes by the round again
    assert states(ledger) == "pr"


@pytest.mark.parametrize(
    ("round_number", "over", "message"),
    [
        (7, 0, "no checkpoint '7'; its checkpoints are round-00, round-01"),
        (0, 0, "promoted checkpoint already"),
        (1, None, "changed meanwhile .round-00 is promoted now."),
    ],
)
def test_what_cannot_be_promoted(ledger: Ledger, round_number: int, over: int | None, message: str) -> None:
    add(ledger, 0, "promoted")
    add(ledger, 1)
    with pytest.raises(RunDirError, match=message):
        ledger.promote(round_number, over=over, author="ada", reason="")
    assert states(ledger) == "pc"


def test_of_two_at_once_one_wins(ledger: Ledger, tmp_path: Path) -> None:
    add(ledger, 0, "promoted")
    for number in range(1, 9):
        add(ledger, number)
    outcomes: list[bool] = []
    barrier = threading.Barrier(8)

    def promote(number: int) -> None:
        own = Ledger(tmp_path / "ledger.db")
        barrier.wait()
        try:
            own.promote(number, over=0, author=str(number), reason="")
            outcomes.append(True)
        except RunDirError:
            outcomes.append(False)
        own.close()

    threads = [threading.Thread(target=promote, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 7 + [True]
    assert len(ledger.promotions()) == 2


def test_the_checkpoints_of_a_run_that_was_moved_are_found(ledger: Ledger, tmp_path: Path) -> None:
    add(ledger, 0, "promoted")
    add(ledger, 1)
    (tmp_path / "checkpoints" / "round-01").mkdir(parents=True)
    assert [checkpoint.path for checkpoint in ledger.checkpoints()] == [
        "/m0",
        str(tmp_path / "checkpoints" / "round-01"),
    ]


@pytest.mark.parametrize(("network", "mode"), [(False, "wal"), (True, "delete")])
def test_on_a_network_it_does_without_shared_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: bool, mode: str
) -> None:
    monkeypatch.setattr("inverse_instruct.store.ledger.is_on_network", lambda path: network)
    with Ledger(tmp_path / "run/ledger.db", create=True) as writer:
        assert writer._db.execute("PRAGMA journal_mode").fetchone()[0] == mode
        writer.set_run("x", 1, "running", 1, "here")
        with Ledger(tmp_path / "run/ledger.db") as reader:
            add(writer, 0, "promoted")
            assert states(reader) == "p"
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left == {"ledger.db"}
