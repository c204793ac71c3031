"""The progress bar of a phase, fed by the loss lines that the workers write."""

from __future__ import annotations

import json
from pathlib import Path

from inverse_instruct.store.progress import Progress, open_bar


class TrainingProgress:
    """Shows step, loss, tokens per second and the remaining time on stderr."""

    def __init__(self, label: str, losses: Path, steps: int, progress: Progress) -> None:
        """Start at the step that `losses` ends with; `progress` is told of each step."""
        self._losses = losses
        self._steps = steps
        self._done = 0
        self._progress = progress
        progress.expect(steps)
        self._bar = open_bar(label, "step", steps)
        self._read = 0
        self._bar.initial = self._new_lines()  # what an earlier attempt did counts for the bar, not for the speed
        self._bar.update(self._bar.initial)

    def refresh(self) -> None:
        """Take up what has been written since the last call."""
        self._bar.update(self._new_lines())

    def close(self) -> None:
        """Take up the rest and leave the bar as it is."""
        self.refresh()
        self._bar.close()

    def _new_lines(self) -> int:
        if not self._losses.exists():
            return 0
        with self._losses.open("rb") as stream:
            stream.seek(self._read)
            lines = stream.read().split(b"\n")[:-1]
        self._read += sum(len(line) + 1 for line in lines)
        if lines:
            self._done += len(lines)
            self._progress.reach(self._done)
            last = json.loads(lines[-1])
            speed = last["tokens"] / max(last["seconds"], 1e-9)
            self._bar.set_postfix_str(f"loss {last['loss']:.4f}, {speed:,.0f} tok/s", refresh=False)
        return len(lines)
