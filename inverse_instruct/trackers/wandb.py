"""Weights & Biases, and Trackio, which speaks the same way: a run in a project.

Credentials and offline mode are those of the libraries: `wandb login`, WANDB_MODE=offline.
"""

from __future__ import annotations

from typing import Any

from inverse_instruct.trackers.facts import Artifact, Distribution, Point


class WandB:
    """Tells a run of Weights & Biases. Each training phase has an axis of its own, as steps begin anew in each."""

    def __init__(self, project: str, name: str, run: str) -> None:
        """Go on with the run, or begin one in the project."""
        import wandb

        self._wandb: Any = wandb
        about = {"id": run, "resume": "allow"} if run else {}
        self._run = self._wandb.init(project=project, name=name, settings={"silent": True}, **about)
        self.run = str(self._run.id)
        self._axes: set[str] = set()

    def point(self, point: Point) -> None:
        """Keep numbers over their axis."""
        axis = f"{point.axis}/step"
        if axis not in self._axes:
            self._axes.add(axis)
            self._run.define_metric(axis, hidden=True)
            self._run.define_metric(f"{point.axis}/*", step_metric=axis)
        self._run.log({**point.values, axis: point.step})

    def distribution(self, distribution: Distribution) -> None:
        """Keep a histogram."""
        found = self._wandb.Histogram(distribution.values, num_bins=20)
        self._run.log({distribution.measure: found, "round/step": distribution.round})

    def artifact(self, artifact: Artifact) -> None:
        """Keep a file with the run."""
        base = artifact.path.parents[artifact.name.count("/")]
        self._run.save(str(artifact.path), base_path=str(base), policy="now")

    def close(self) -> None:
        """Send what is left."""
        self._run.finish()


class Trackio:
    """Tells a run of Trackio, which keeps it on this machine; files are not kept, and of a distribution the median."""

    def __init__(self, project: str, name: str, run: str) -> None:
        """Go on with the run, or begin one in the project."""
        import trackio

        self._trackio: Any = trackio
        self.run = run or name
        self._trackio.init(project=project, name=self.run, resume="allow", embed=False)

    def point(self, point: Point) -> None:
        """Keep numbers at their step."""
        self._trackio.log(point.values, step=point.step)

    def distribution(self, distribution: Distribution) -> None:
        """Keep the median."""
        ordered = sorted(distribution.values)
        self._trackio.log({f"{distribution.measure}/p50": ordered[len(ordered) // 2]}, step=distribution.round)

    def artifact(self, artifact: Artifact) -> None:
        """Keep nothing: Trackio has runs of numbers."""

    def close(self) -> None:
        """Write what is left."""
        self._trackio.finish()
