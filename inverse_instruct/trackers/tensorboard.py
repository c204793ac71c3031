"""TensorBoard: event files in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inverse_instruct.trackers.facts import Artifact, Distribution, Point


class TensorBoard:
    """Writes `PROJECT/NAME`; the project is a folder. Files are shown as their text."""

    def __init__(self, project: str, name: str, run: str) -> None:
        """Open a new event file beside those that are there."""
        from torch.utils.tensorboard import SummaryWriter

        self.run = run or str(Path(project, name))
        self._writer = SummaryWriter(self.run)

    def point(self, point: Point) -> None:
        """Keep numbers as scalars."""
        for name, value in point.values.items():
            self._writer.add_scalar(name, value, point.step)

    def distribution(self, distribution: Distribution) -> None:
        """Keep a histogram."""
        values = np.asarray(distribution.values)
        self._writer.add_histogram(distribution.measure, values, distribution.round)

    def artifact(self, artifact: Artifact) -> None:
        """Keep a file as text."""
        text = artifact.path.read_text(encoding="utf-8", errors="replace")
        self._writer.add_text(artifact.name, f"```\n{text}\n```")

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
