"""What the config says of the ablation that writes responses: the section `respond`."""

from __future__ import annotations

from pydantic import Field

from inverse_instruct.config.section import Section


class RespondSection(Section):
    """Original instruction to responses (InverseCoder, ablation "generation + evaluation")."""

    candidates: int = Field(10, ge=1)
    """Responses to write for each instruction."""
    temperature: float = Field(0.8, ge=0)
    """Sampling temperature; 0 is greedy."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus sampling mass."""
    repetition_penalty: float = Field(1.1, gt=0)
    """Penalty on tokens already seen, those of the prompt included."""
    max_new_tokens: int = Field(2048, ge=1)
    """Longest response, in tokens; one that reaches it is rejected as cut off."""
