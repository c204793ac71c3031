"""What the config says of verification: the section `verify` of the recipe `inversecoder-verified`."""

from __future__ import annotations

from pydantic import Field, model_validator

from inverse_instruct.config.section import Section


class VerifySection(Section):
    """Candidates to verdicts, by a round trip: the model writes code from the instruction, and both are run."""

    required: bool = False
    """Train on verified rows alone; false: also on those that cannot be verified, such as other languages."""
    tries: int = Field(4, ge=1)
    """Candidates of a snippet that are looked at, the highest scored first, until one is verified."""
    samples: int = Field(1, ge=1)
    """Programs to write from an instruction; one that does the same is enough."""
    temperature: float = Field(0.0, ge=0)
    """Sampling temperature; 0 is greedy, for one sample."""
    max_new_tokens: int = Field(512, ge=1)
    """Longest program, in tokens; one that reaches it counts as different."""
    calls: int = Field(12, ge=3)
    """Calls on which the two are compared."""

    @model_validator(mode="after")
    def _samples_differ(self) -> VerifySection:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(f"{self.samples} samples at temperature 0 are all the same; raise the temperature")
        return self
