"""The command `track`: what a run has measured, to the tracker that a person has."""

from __future__ import annotations

import argparse

from inverse_instruct.errors import StageError
from inverse_instruct.trackers.mlflow import MLflow
from inverse_instruct.trackers.tensorboard import TensorBoard
from inverse_instruct.trackers.tracker import Open, track
from inverse_instruct.trackers.wandb import Trackio, WandB

TRACKERS: dict[str, tuple[Open, str]] = {
    "tensorboard": (TensorBoard, "tensorboard"),
    "mlflow": (MLflow, "mlflow"),
    "wandb": (WandB, "wandb"),
    "trackio": (Trackio, "trackio"),
}
"""Name -> what opens it, and what to install for it."""


def run_track(arguments: argparse.Namespace) -> None:
    """Tell a tracker what is new of a run.

    Raises:
        StageError: the tracker's library is not installed.
    """
    open_tracker, library = TRACKERS[arguments.to]
    try:
        told = track(arguments.run_dir, arguments.to, open_tracker, arguments.project, follow=arguments.follow)
    except ModuleNotFoundError as error:
        raise StageError(f"{library} is not installed; install it: pip install {library}") from error
    print(f"{arguments.run_dir}: {told or 'nothing'} new for {arguments.to}, project {arguments.project}")
