"""What a stage takes, roughly: rows, tokens and seconds, from the size of the corpus and nominal speeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inverse_instruct.config.sections import RunConfig

INSTRUCTION_TOKENS = 80  # mean length of a written instruction


@dataclass(frozen=True)
class Estimate:
    """What is known before a run starts."""

    config: RunConfig
    rows: int  # of the corpus
    tokens: int  # of the corpus
    forward: float  # seconds for one token through the model, on all devices in full batches

    @property
    def backward(self) -> float:
        """Seconds to train on one token: a forward and a backward pass, of about twice the work."""
        return 3 * self.forward

    @property
    def written(self) -> float:
        """Seconds to write one token, which fills the devices half as well."""
        return 2 * self.forward


@dataclass(frozen=True)
class Cost:
    """What a stage takes in one round."""

    rows: int
    tokens: int
    seconds: float
