"""The exceptions of the project, all on one page.

Only `cli.py` prints an error and sets the exit code; everything else raises one of these with a message that names
the place (file, line, key) and the remedy. Anything that is not an `InverseInstructError` is a bug of ours.
"""

from __future__ import annotations

from collections.abc import Sequence

from inverse_instruct.records import Reason
from inverse_instruct.redaction import redact


class InverseInstructError(Exception):
    """Base of all errors that a user can cause and mend; the command ends with exit code 1."""

    exit_code = 1
    label = "error"

    def __init__(self, message: str) -> None:
        """Take what happened and what to do; secrets are taken out of it."""
        super().__init__(redact(message))


class ConfigError(InverseInstructError):
    """One or more problems in a config, all reported at once; exit code 2."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        """Take every problem found, each one a full sentence with its key and remedy."""
        self.problems = tuple(map(redact, problems))
        super().__init__("\n".join(self.problems))


class CorpusError(InverseInstructError):
    """A corpus cannot be read at all (single bad rows are rejections, not errors)."""


class ModelError(InverseInstructError):
    """A model folder is missing, incomplete or does not fit what is asked of it."""


class TextError(ModelError):
    """One text that a model's tokenizer cannot take, though it takes others."""


class RunDirError(InverseInstructError):
    """A run directory is locked, belongs to another config, or cannot be written."""


class NoRunError(RunDirError):
    """A folder holds no run: it has no ledger, or one that is just being made."""


class NotFoundError(RunDirError):
    """There is no run of this name, or no checkpoint of this name in it."""


class HubError(InverseInstructError):
    """The Hugging Face hub does not answer, or refuses what it is asked."""


class ServerError(InverseInstructError):
    """The inference server does not start, or died more often than the config allows."""


class StartError(ServerError):
    """An engine did not come up; to start it later may help."""


class NoRoomError(StartError):
    """An engine was not started, as its memory is not free."""


class DevicesError(InverseInstructError):
    """The devices that a run shares with the gateway were not freed in time."""


class RequestError(InverseInstructError):
    """One row was refused, or not answered however often it was sent."""

    def __init__(self, message: str, reason: Reason = Reason.REQUEST_FAILED) -> None:
        """Take what happened, and the reason under which the row is rejected."""
        self.reason = reason
        super().__init__(message)


class TrainingError(InverseInstructError):
    """The training processes failed; the message ends with the tail of their log."""


class WorkerLostError(TrainingError):
    """A training process was ended by a signal, or lost the others; to start all of them again may help."""


class DamagedFileError(InverseInstructError):
    """A file of the run is no longer what its stage wrote; to go through the stages again makes it anew."""


class WaitingError(InverseInstructError):
    """A run waits for a person, who is told what to do; nothing has failed; exit code 3."""

    exit_code = 3
    label = "waiting"


class StageError(InverseInstructError):
    """A stage cannot give a usable result, such as a corpus with no usable row."""


class BudgetSpent(InverseInstructError):
    """A start has taken what it may take; the same command goes on. Exit code 3."""

    exit_code = 3

    def __init__(self, spent: str) -> None:
        """Take what is spent."""
        super().__init__(f"{spent}, so the run stops here; the same command goes on, with a budget of its own")
