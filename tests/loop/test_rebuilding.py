"""A disk that spoils file after file is given up, and warnings are events of the run."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from inverse_instruct.errors import DamagedFileError
from inverse_instruct.loop.engines import Engines
from inverse_instruct.loop.rounds import MAX_REBUILDS, Loop
from inverse_instruct.store.event_log import warnings_as_events
from inverse_instruct.store.ledger import Ledger


class CountingEngines(Engines):
    """Engines that count how often they are stopped."""

    def __init__(self) -> None:
        self.stopped = 0

    def stop(self) -> None:
        self.stopped += 1


class SpoilingLoop(Loop):
    """A loop whose files are damaged a number of times."""

    def __init__(self, times: int) -> None:
        self.times, self.played = times, 0
        self._engines = self.engines = CountingEngines()

    def _play_rounds(self) -> None:
        self.played += 1
        if self.played <= self.times:
            raise DamagedFileError("x.parquet is not as it was written")


def test_damage_is_mended_a_few_times_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    loop = SpoilingLoop(MAX_REBUILDS)
    loop.play()
    assert loop.played == loop.engines.stopped == MAX_REBUILDS + 1
    assert caplog.text.count("x.parquet is not as it was written: the stages are gone through again") == MAX_REBUILDS
    loop = SpoilingLoop(MAX_REBUILDS + 1)
    with pytest.raises(DamagedFileError):
        loop.play()
    assert loop.played == MAX_REBUILDS + 1


def test_warnings_of_any_thread_are_events(tmp_path: Path) -> None:
    import threading

    logger = logging.getLogger("inverse_instruct.some.module")
    with Ledger(tmp_path / "ledger.db", create=True) as ledger, warnings_as_events(tmp_path / "ledger.db"):
        logger.warning("%s is damaged", "a.parquet")
        thread = threading.Thread(target=logger.warning, args=("from a thread",))
        thread.start()
        thread.join()
        logger.info("nothing to worry about")
        assert [event.message for event in ledger.events()] == ["a.parquet is damaged", "from a thread"]
    logger.warning("afterwards")
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert len(ledger.events()) == 2


def test_a_ledger_that_cannot_be_written_is_no_second_failure(tmp_path: Path) -> None:
    with warnings_as_events(tmp_path / "none" / "ledger.db"):
        logging.getLogger("inverse_instruct.x").warning("told on standard error all the same")
