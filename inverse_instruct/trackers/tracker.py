"""A tracker: what it can be told, and where that it was told is remembered.

Enters: facts of a run. Leaves: the same in a tracker of the user's choice, each once: `tracking-NAME.json` in the run's
folder has what was told, and the tracker's own name of the run, so that telling goes on where it stopped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from inverse_instruct.errors import StageError
from inverse_instruct.store.files import write_json
from inverse_instruct.store.status import summarize_run
from inverse_instruct.trackers.facts import Artifact, Distribution, Fact, Point, facts_of

POLL_SECONDS = 10.0


class Tracker(Protocol):
    """What keeps measures for people."""

    run: str
    """The tracker's own name of the run, by which it is gone on with."""

    def point(self, point: Point) -> None:
        """Keep numbers."""

    def distribution(self, distribution: Distribution) -> None:
        """Keep a distribution."""

    def artifact(self, artifact: Artifact) -> None:
        """Keep a file."""

    def close(self) -> None:
        """Keep all of it for good."""


Open = Callable[[str, str, str], Tracker]
"""Opens a tracker: project, name of the run, and the tracker's own name of it from before, or ""."""


def track(path: Path, kind: str, open_tracker: Open, project: str, *, follow: bool = False) -> int:
    """Tell a tracker what is new of a run; return how many facts that were.

    Args:
        path: the run directory.
        kind: of tracker.
        open_tracker: opens it.
        project: in which the run is kept.
        follow: go on until the run has ended.

    Raises:
        RunDirError: the folder holds no run.
        StageError: what is remembered is damaged, or the tracker refuses what it is told.
        ModuleNotFoundError: its library is not installed.
    """
    told = 0
    while True:
        status = summarize_run(path)
        ended = status.run is None or status.run.state != "running"
        told += _tell(path, kind, open_tracker, project, status.run.name if status.run else path.name)
        if ended or not follow:
            return told
        time.sleep(POLL_SECONDS)


def _tell(path: Path, kind: str, open_tracker: Open, project: str, name: str) -> int:
    memory = path / f"tracking-{kind}.json"
    known, before = _read(memory, project)
    new = [fact for fact in facts_of(path) if _key(fact) not in known]
    if not new:
        return 0
    try:
        run = _tell_all(open_tracker(project, name, before), new)
    except ModuleNotFoundError:
        raise
    except Exception as error:  # each library has errors of its own, and those of the network beneath
        said = str(error).strip().partition("\n")[0]
        raise StageError(
            f"{kind} refuses ({type(error).__name__}): {said}; mend that, and give the command again"
        ) from error
    write_json(memory, {"project": project, "run": run, "told": sorted(known | {_key(fact) for fact in new})})
    return len(new)


def _tell_all(tracker: Tracker, facts: Sequence[Fact]) -> str:
    """Tell everything; return the tracker's own name of the run."""
    try:
        for fact in facts:
            match fact:
                case Point():
                    tracker.point(fact)
                case Distribution():
                    tracker.distribution(fact)
                case Artifact():
                    tracker.artifact(fact)
    finally:
        tracker.close()
    return tracker.run


def _key(fact: Fact) -> str:
    return f"{type(fact).__name__} {fact.name}"


def _read(memory: Path, project: str) -> tuple[set[str], str]:
    """Return what was told, and the tracker's own name of the run; nothing, where another project was told."""
    if not memory.is_file():
        return set(), ""
    try:
        found = json.loads(memory.read_text(encoding="utf-8"))
        return (set(found["told"]), str(found["run"])) if found["project"] == project else (set(), "")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StageError(f"{memory} is damaged ({error}); remove it, and all is told again") from error
