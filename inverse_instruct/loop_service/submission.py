"""From the body of a request to a config that may be run.

Enters: bytes and a content type. Leaves: values of a config, or every problem at once, with those that `check` would
find. A submitted config is not trusted: what it names outside of itself must be `allowed`, and how a run is served is
not for its sender to say. What is not allowed is not looked at.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inverse_instruct.config.config_file import ConfigFile, load_config, read_values
from inverse_instruct.config.sections import RunConfig, ServeSection
from inverse_instruct.config.yaml_file import check_depth, parse_yaml
from inverse_instruct.errors import ConfigError
from inverse_instruct.loop.check import check_read
from inverse_instruct.loop.pinned_config import check_config, with_date
from inverse_instruct.loop_service.allowed import OWN, Allowed
from inverse_instruct.loop_service.service import NAME
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.web.api_error import ApiError


def parse_body(body: bytes, content_type: str) -> dict[str, Any]:
    """Return the values in a body of `application/json` or `application/yaml`.

    Raises:
        ApiError: 400, it is not that, or holds no keys.
    """
    try:
        tree = json.loads(body) if content_type == "application/json" else parse_yaml(body, "the body")[0]
        check_depth(tree)
        text = json.dumps(tree, ensure_ascii=False, default=str)
        text.encode()  # JSON can hold half a character, which fits in no file
        if "\\u0000" in text:
            raise ValueError("it holds a NUL character")
    except ConfigError as error:
        raise ApiError(400, str(error)) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise ApiError(400, f"the body is not valid {content_type}: {' '.join(str(error).split())[:500]}") from error
    if not isinstance(tree, dict):
        raise ApiError(400, f"the body must hold the keys of a config, but it is {type(tree).__name__}")
    return tree


def read_submission(tree: dict[str, Any], runs: Path, allowed: Allowed) -> RunConfig:
    """Return the config, checked against the world; relative paths in it are relative to the service's own folder.

    Args:
        tree: the values.
        runs: the folder of runs that it will run in.
        allowed: what the config may name.

    Raises:
        ConfigError: with every problem.
    """
    try:
        result = read_values(tree, Path.cwd())
        if result.config is None:
            raise result.error()
        if not NAME.fullmatch(result.config.name):
            raise ConfigError(["name: is longer than 100 characters; choose a shorter one"])
        run_dir = RunDir(runs / result.config.name)
        serve = load_config(run_dir.config).serve if run_dir.config.is_file() else ServeSection()
        said = result.config.serve
        refused = [f"serve.{key}: {OWN}" for key in said.model_fields_set if getattr(said, key) != getattr(serve, key)]
        result.config, not_allowed = allowed.examine(result.config.model_copy(update={"serve": serve}))
        result.add_all([*not_allowed, *refused])
        if not_allowed or refused:
            raise result.error()
        return check_unless_known(result, run_dir)
    except OSError as error:  # a name that no file can have
        raise ConfigError(
            [f"a path in the config cannot be used ({error.strerror}: {str(error.filename)[:200]})"]
        ) from error


def check_unless_known(result: ConfigFile, run_dir: RunDir) -> RunConfig:
    """Return the config that was read, checked against the world unless the run has it already.

    A run that is there holds what the check would miss: its port, its share of the disk.

    Raises:
        RunDirError: the run is there with another config.
        ConfigError: with every problem.
    """
    if result.config and not result.problems and run_dir.config.is_file():
        known = load_config(run_dir.config)
        if known == with_date(result.config, known):
            return result.config
        check_config(result.config, run_dir)
    return check_read(result, run_dir.path)[0]
