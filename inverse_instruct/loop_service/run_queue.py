"""What persons want of the runs of one folder: which are to be played, in which order, and how the others ended.

Enters: what is wanted. Leaves: one JSON file that is rewritten whole, by rename, before a change is acknowledged, so
that a service that is killed and started again goes on with the same queue. Configs are not in it: each run's folder
has its `run.yaml`. Not guaranteed: anything when two processes write; the service locks its folder.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Literal

from inverse_instruct.errors import RunDirError
from inverse_instruct.store.files import write_json

Wanted = Literal["running", "stopped"]


@dataclass(frozen=True)
class QueuedRun:
    """What is wanted of one run, and how its last process ended."""

    wanted: Wanted
    ended: str = ""  # "done", "failed", "waiting" or "stopped"; "" while it is wanted
    reason: str = ""  # of the end
    submitted: bool = True  # its config came over HTTP, or from who knows where; False: from who started the service


class RunQueue:
    """The runs, those that are to be played in the order in which they were wanted; safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        """Read the queue of an earlier process.

        Raises:
            RunDirError: the file is damaged.
        """
        self._path = path
        self._lock = Lock()
        self._runs: dict[str, QueuedRun] = {}
        try:
            if path.exists():
                rows = json.loads(path.read_text(encoding="utf-8"))
                self._runs = {name: QueuedRun(**row) for name, row in rows.items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise RunDirError(
                f"{path} is damaged ({error}); move it away and submit the runs again, what they did is kept"
            ) from error

    def want(self, name: str, *, submitted: bool | None = None) -> None:
        """Put a run at the end of the queue, unless it is in it.

        Args:
            name: of the run.
            submitted: where its config comes from; None: from where it came before.
        """
        with self._lock:
            queued = QueuedRun("running", submitted=self._is_submitted(name) if submitted is None else submitted)
            if not self._is_wanted(name):
                self._runs.pop(name, None)
            self._set(name, queued)

    def end(self, name: str, ended: str, reason: str) -> None:
        """Take a run out of the queue and say why."""
        with self._lock:
            self._set(name, QueuedRun("stopped", ended, reason, self._is_submitted(name)))

    def get(self, name: str) -> QueuedRun | None:
        """Return what is wanted of a run; None: nobody has said anything."""
        with self._lock:
            return self._runs.get(name)

    def is_wanted(self, name: str) -> bool:
        """Tell whether a run is to be played."""
        with self._lock:
            return self._is_wanted(name)

    def is_submitted(self, name: str) -> bool:
        """Tell whether a run's config has to be examined before it is played."""
        with self._lock:
            return self._is_submitted(name)

    def vouch_for(self, name: str) -> None:
        """Note that a run in the queue has a config of the person who starts the service."""
        with self._lock:
            if self._is_submitted(name):
                self._set(name, replace(self._runs[name], submitted=False))

    def waiting(self) -> list[str]:
        """Return the runs that are to be played, the next one first."""
        with self._lock:
            return [name for name in self._runs if self._is_wanted(name)]

    def _is_wanted(self, name: str) -> bool:
        return name in self._runs and self._runs[name].wanted == "running"

    def _is_submitted(self, name: str) -> bool:
        return name not in self._runs or self._runs[name].submitted

    def _set(self, name: str, queued: QueuedRun) -> None:
        runs = self._runs | {name: queued}
        write_json(self._path, {name: asdict(queued) for name, queued in runs.items()})
        self._runs = runs
