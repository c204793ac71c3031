"""What every part of the config is: the base of its sections, and fields of text with what they name outside of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict

from evaluation.suites import FAMILIES, SUITES
from inverse_instruct.config.outside import ADDRESS, FILE, PROGRAM, Outside

Model = Annotated[str, Outside("file", ours=("smollm2-135m",))]
Benchmark = Annotated[str, Outside("file", ours=(*SUITES, *FAMILIES))]
DeepSpeed = Annotated[str, Outside("program", ours=("zero1", "zero2", "zero3"))]
File = Annotated[str, FILE]
Program = Annotated[str, PROGRAM]
Address = Annotated[str, ADDRESS]


class Section(BaseModel):
    """A part of the config: unknown keys are errors, and each field's doc line is part of the schema."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True, allow_inf_nan=False)
