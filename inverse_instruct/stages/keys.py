"""The key of a piece of work: one digest of everything that its result depends on, as the stage declares it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from inverse_instruct.config.identity import identity_of
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.inference.models import model_digest
from inverse_instruct.records import digest
from inverse_instruct.stages.stage import Stage


def make_key(stage: Stage, config: RunConfig, inputs: Iterable[str], model: Path | None) -> str:
    """Return the key of a stage's work.

    Args:
        stage: whose version, sections of the config and outside are in the key.
        config: files that it names count by their content, fields marked `HOW` do not count.
        inputs: what tells the stage's inputs from others.
        model: the folder of the model that the stage depends on.
    """
    own = [stage.name] if stage.name in RunConfig.model_fields else []
    sections = [f"{key} {json.dumps(identity_of(value_of(config, key)))}" for key in [*own, *stage.sections]]
    return digest(
        stage.name,
        stage.version,
        str(config.seed),
        *sections,
        *inputs,
        *stage.outside(config),
        model_digest(model) if model else "",
    )


def value_of(config: RunConfig, key: str) -> Any:
    """Return what a config holds at a key such as `model.prompt_format`."""
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name)
    return value
