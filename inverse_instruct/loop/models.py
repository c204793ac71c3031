"""The models of a run as folders that are whole and fit the config."""

from __future__ import annotations

from pathlib import Path

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import ConfigError
from inverse_instruct.inference.models import resolve_model
from inverse_instruct.loop.check import model_problems


def resolve_models(config: RunConfig) -> dict[str, Path]:
    """Return the folders of the base model and of the starting model, if there is one, by their keys in the config.

    Raises:
        ModelError: one of the models is not there, or is not whole.
        ConfigError: one does not fit the config; of a model that was downloaded, `check` could not know.
    """
    names = {"model.base": config.model.base, "model.start": config.model.start}
    models = {key: resolve_model(name) for key, name in names.items() if name}
    problems = [problem for key, folder in models.items() for problem in model_problems(config, key, folder)]
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return models
