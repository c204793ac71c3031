"""MLflow: a run in an experiment, on the server or in the store that MLFLOW_TRACKING_URI names."""

from __future__ import annotations

from typing import Any

import numpy as np

from inverse_instruct.trackers.facts import Artifact, Distribution, Point

SHARES = (0.1, 0.5, 0.9)


class MLflow:
    """Tells an MLflow run; a distribution, which it has no form for, is kept as three quantiles."""

    def __init__(self, project: str, name: str, run: str) -> None:
        """Go on with the run, or begin one in the experiment."""
        import mlflow

        client: Any = mlflow.MlflowClient()
        experiment = client.get_experiment_by_name(project)
        number = experiment.experiment_id if experiment else client.create_experiment(project)
        self._client = client
        self.run = run or str(client.create_run(number, run_name=name).info.run_id)

    def point(self, point: Point) -> None:
        """Keep numbers as metrics."""
        for name, value in point.values.items():
            self._client.log_metric(self.run, name, value, step=point.step)

    def distribution(self, distribution: Distribution) -> None:
        """Keep quantiles as metrics."""
        for share, value in zip(SHARES, np.quantile(distribution.values, SHARES), strict=True):
            name = f"{distribution.measure}/p{100 * share:.0f}"
            self._client.log_metric(self.run, name, float(value), step=distribution.round)

    def artifact(self, artifact: Artifact) -> None:
        """Keep a file in the folder that it has in the run."""
        folder = artifact.name.rpartition("/")[0] or None
        self._client.log_artifact(self.run, str(artifact.path), folder)

    def close(self) -> None:
        """End the run, which may be gone on with."""
        self._client.set_terminated(self.run)
