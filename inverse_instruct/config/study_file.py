"""The YAML of a study: variants of one config that are compared with each other.

Enters: a file that names a config, what each variant changes, and what the study is to show. Leaves: a `Study`, with a
whole config for each variant, or a `ConfigError` with every problem of every variant, each with its line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from inverse_instruct.config.config_file import ConfigFile, read_config, usable
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.config.yaml_file import read_yaml
from inverse_instruct.errors import ConfigError

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
CHECKPOINT = r"^[A-Za-z0-9][A-Za-z0-9._-]*@[0-9]{1,3}$"


class Claim(BaseModel):
    """What a study is to show, said before it is played; a paired test over the problems decides."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True)

    candidate: str = Field(pattern=CHECKPOINT)
    """The checkpoint that it is about: a variant, and the round of its run, as in `verified@1`."""
    baseline: str = Field(pattern=CHECKPOINT)
    """The one that it is compared with."""
    measure: Literal["pass_at_1", "self_consistency", "solution_loss"] = "pass_at_1"
    """What is compared, on the problems of all suites that measure it; of a loss less is better."""
    holds_if: Literal["better", "not_worse"]
    """`better`: if the test says so at 5 %, corrected for all claims of the study (Holm); `not_worse`: unless it says
    at 5 % that it is worse."""


class StudyFile(BaseModel):
    """What a study's file may say; no section of a config, so nobody can submit one."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True)

    name: str = Field(pattern=NAME, max_length=60)
    """Name of the study; its folder is `runs/NAME` unless --run-dir says otherwise."""
    config: str
    """The config that the variants change; a path relative to this file."""
    baseline: str
    """Variant that all others are compared with."""
    variants: dict[str, dict[str, Any]] = Field(min_length=2, max_length=100)
    """Variant -> what it changes: keys such as `summarize.candidates` with their values."""
    claims: dict[str, Claim] = Field({}, max_length=100)
    """Claim, in words -> how it is decided. Written before the study is played, it is no story told afterwards."""

    @model_validator(mode="after")
    def _names_fit(self) -> StudyFile:
        for name in self.variants:
            if not re.match(NAME, name) or len(name) > 40:
                raise ValueError(f"{name!r} cannot name a folder; take letters, digits, '.', '_' and '-'")
        if self.baseline not in self.variants:
            raise ValueError(f"baseline {self.baseline!r} is none of the variants: {', '.join(self.variants)}")
        return self


@dataclass(frozen=True)
class Study:
    """Variants of one config, and which of them the others are compared with."""

    name: str
    baseline: str
    variants: dict[str, RunConfig]  # in the order of the file
    changes: dict[str, dict[str, Any]]  # variant -> key -> value
    claims: dict[str, Claim]


def load_study(path: Path, overrides: Sequence[str] = ()) -> Study:
    """Read a study.

    Args:
        path: the YAML file.
        overrides: `a.b=c` pairs that change all variants, and lose to what a variant changes itself.

    Raises:
        ConfigError: with every problem found.
    """
    tree, lines = read_yaml(path)
    file = ConfigFile(path, lines=lines)
    if not isinstance(tree, dict):
        raise ConfigError([f"{path}: holds no keys; start from one of the files under configs/studies/"])
    try:
        told = StudyFile.model_validate(tree)
    except ValidationError as error:
        file.explain(error, StudyFile)
        raise file.error() from None
    config = path.resolve().parent / told.config
    usable(read_config(config, overrides))
    variants = {}
    for name, changes in told.variants.items():
        own = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
        read = read_config(config, [*overrides, *own], {"name": f"{told.name}-{name}"})
        for _, problem in read.problems:
            file.add(("variants", name), problem)
        if read.config:
            variants[name] = read.config
    for words, claim in told.claims.items():
        for key in ("candidate", "baseline"):
            if problem := _not_there(getattr(claim, key), variants, told.variants):
                file.add(("claims", words, key), problem)
    if file.problems:
        raise file.error()
    return Study(told.name, told.baseline, variants, told.variants, told.claims)


def _not_there(checkpoint: str, variants: Mapping[str, RunConfig], named: Collection[str]) -> str:
    """Return why a claim cannot be about a checkpoint; "" if it can."""
    variant, _, number = checkpoint.rpartition("@")
    if variant not in named:
        return f"there is no variant {variant!r}; there are: {', '.join(named)}"
    if variant in variants and int(number) > variants[variant].rounds:
        return f"variant {variant} has rounds 0 to {variants[variant].rounds}, so {checkpoint} is never there"
    return ""
