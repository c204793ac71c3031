"""The job of one phase, handed from the orchestrator to the training workers as a JSON file, and the phase's paths."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inverse_instruct.config.sections import TrainSection
from inverse_instruct.inference.stop_tokens import Ending
from inverse_instruct.store.files import changed_files, write_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PhaseFolder:
    """Where a phase keeps its files."""

    path: Path

    @property
    def job(self) -> Path:
        """What the workers are told."""
        return self.path / "job.json"

    @property
    def sequences(self) -> Path:
        """The tokenized rows."""
        return self.path / "sequences.npz"

    @property
    def rejections(self) -> Path:
        """The rows that are not trained on."""
        return self.path / "rejections.jsonl"

    @property
    def prepared(self) -> Path:
        """The marker that these two are whole, with their digests."""
        return self.path / "prepared.json"

    @property
    def losses(self) -> Path:
        """One line per optimizer step."""
        return self.path / "loss.jsonl"

    @property
    def steps(self) -> Path:
        """Step checkpoints to resume from."""
        return self.path / "steps"

    @property
    def export(self) -> Path:
        """The trained model as a plain folder; appears whole."""
        return self.path / "export"

    @property
    def done(self) -> Path:
        """The marker that is written last."""
        return self.path / "done.json"

    def is_done(self) -> bool:
        """Tell whether the phase has ended with its export in place; what is in it is not looked at."""
        return self.done.is_file() and self.export.is_dir()

    def is_as_marked(self, marker: Path) -> bool:
        """Tell whether a marker is there and its files have the digests that it lists; name those that do not."""
        if not marker.exists():
            return False
        try:
            changed = changed_files(self.path, json.loads(marker.read_text(encoding="utf-8"))["files"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            changed = [marker.name]
        for name in changed:
            logger.warning(
                "%s is damaged: its SHA-256 is not the one that was written; the phase is done again", self.path / name
            )
        return not changed


@dataclass(frozen=True)
class Job:
    """Everything the workers need to know."""

    settings: TrainSection
    base: Path  # model folder to start from
    folder: Path  # of the phase
    lock: Path  # every worker holds it shared while it runs
    tensorboard: Path
    resume: Path | None  # step checkpoint to go on from
    epochs: float
    learning_rate: float
    seed: int
    trust_remote_code: bool
    ending: Ending  # how replies end, for the files of the export

    @property
    def phase(self) -> PhaseFolder:
        """The paths of the phase."""
        return PhaseFolder(self.folder)

    def write(self) -> Path:
        """Write the job into the phase's folder; return the file."""
        values = asdict(self) | {"settings": self.settings.model_dump(mode="json")}
        write_json(
            self.phase.job, {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}
        )
        return self.phase.job

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read back what `write` wrote."""
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        values["settings"] = TrainSection.model_validate(values["settings"])
        values["ending"] = Ending(**values["ending"] | {"stops": tuple(values["ending"]["stops"])})
        for name in ("base", "folder", "lock", "tensorboard", "resume"):
            values[name] = None if values[name] is None else Path(values[name])
        return cls(**values)
