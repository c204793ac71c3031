"""Reading a config from YAML: every problem at once, each with its line, its key and the remedy."""

from __future__ import annotations

import copy
import difflib
import glob
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from inverse_instruct.config.outside import change_outside
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.config.yaml_file import Key, read_yaml
from inverse_instruct.errors import ConfigError
from inverse_instruct.source_code.row_paths import is_pattern

MAX_PROBLEMS = 100  # that are put in words; to look for what was meant takes a millisecond each


@dataclass
class ConfigFile:
    """What could be made of a config file."""

    path: Path | None  # None: the values did not come from a file
    config: RunConfig | None = None  # with its problems cut out; None if what is left is no config
    problems: list[tuple[int, str]] = field(default_factory=list)  # (line, text)
    lines: dict[Key, int] = field(default_factory=dict)

    def add(self, key: Key, text: str) -> None:
        """Note a problem of a key."""
        line = next((self.lines[key[:end]] for end in range(len(key), 0, -1) if key[:end] in self.lines), 1)
        place = f"{self.path}:{line}: " if self.path else ""
        name = ".".join(map(str, key))
        self.problems.append((line, f"{place}{name}: {text}" if name else f"{place}{text}"))

    def add_all(self, problems: Sequence[str]) -> None:
        """Note problems that begin with their key, as `check.py` words them."""
        for problem in problems:
            name, colon, text = problem.partition(": ")
            key = tuple(int(part) if part.isdigit() else part for part in name.split("."))
            self.add(key, text) if colon and key in self.lines else self.problems.append((0, problem))

    def explain(self, error: ValidationError, model: type[BaseModel]) -> None:
        """Note what does not fit a model, in words that name the remedy."""
        details = error.errors(include_url=False)
        for detail in details[:MAX_PROBLEMS]:
            self.add(detail["loc"], _explain(detail, model))
        if len(details) > MAX_PROBLEMS:
            self.problems.append((sys.maxsize, f"and {len(details) - MAX_PROBLEMS} more problems"))

    def error(self) -> ConfigError:
        """Return all problems as one error, in the order of their lines."""
        return ConfigError([text for _, text in sorted(self.problems, key=lambda problem: problem[0])])


def load_config(path: Path, overrides: Sequence[str] = (), given: dict[str, Any] | None = None) -> RunConfig:
    """Read and validate a config; relative paths in it are relative to its folder and come back absolute.

    Args:
        path: the YAML file.
        overrides: `a.b=c` pairs that win over the file; values are read as YAML, list items by number.
        given: sections whose values win over those of the file, and lose to overrides.

    Raises:
        ConfigError: with every problem found.
    """
    return usable(read_config(path, overrides, given))


def parse_config(tree: dict[str, Any], overrides: Sequence[str] = ()) -> RunConfig:
    """Validate the values of a config that are already in memory.

    Raises:
        ConfigError: with every problem found.
    """
    return usable(_parse(ConfigFile(None), tree, overrides))


def read_config(path: Path, overrides: Sequence[str] = (), given: dict[str, Any] | None = None) -> ConfigFile:
    """Read as much of a config as can be understood, with all of its problems.

    Raises:
        ConfigError: there is no such file, it is not YAML, or it is too large.
    """
    tree, lines = read_yaml(path)
    if not isinstance(tree, dict):
        raise ConfigError([f"{path}: holds no keys; start from one of the files under configs/"])
    for name, value in (given or {}).items():
        both = isinstance(value, dict) and isinstance(tree.get(name), dict)
        tree[name] = tree[name] | value if both else value
    return _parse(ConfigFile(path, lines=lines), tree, overrides, path.resolve().parent)


def read_values(tree: dict[str, Any], folder: Path) -> ConfigFile:
    """Read as much of the values of a config as can be understood; relative paths in it are relative to `folder`."""
    return _parse(ConfigFile(None), tree, (), folder)


def dump_config(config: RunConfig) -> str:
    """Return the resolved config as YAML that `load_config` takes back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def usable(result: ConfigFile) -> RunConfig:
    """Return what was read.

    Raises:
        ConfigError: with every problem found.
    """
    if result.problems or result.config is None:
        raise result.error()
    return result.config


def _parse(
    result: ConfigFile, tree: dict[str, Any], overrides: Sequence[str], folder: Path | None = None
) -> ConfigFile:
    tree = copy.deepcopy(tree)
    for override in overrides:
        problem = _override(tree, override)
        if problem:
            result.problems.append((0, problem))
    try:
        result.config = RunConfig.model_validate(tree)
    except ValidationError as error:
        result.explain(error, RunConfig)
        for detail in error.errors(include_url=False):
            _cut_out(tree, detail["loc"])
        try:
            result.config = RunConfig.model_validate(tree)
        except ValidationError:
            pass  # something is missing that has no default
    if result.config is not None and folder is not None:
        result.config = _with_absolute_paths(result.config, folder)
    return result


def _cut_out(tree: Any, key: Key) -> None:
    for part in key[:-1]:
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            return
    if key and isinstance(tree, dict):
        tree.pop(key[-1], None)


def _override(tree: Any, override: str) -> str | None:
    key, equals, value = override.partition("=")
    if not equals:
        return f"--set {override}: needs the form key=value, such as train.micro_batch_size=2"
    *parents, last = key.split(".")
    node = tree
    try:
        for parent in parents:
            node = node[int(parent)] if isinstance(node, list) else node.setdefault(parent, {})
        node[int(last) if isinstance(node, list) else last] = yaml.safe_load(value)
    except (ValueError, IndexError, TypeError, AttributeError):
        return f"--set {override}: there is no such place in the config"
    except (yaml.YAMLError, KeyError, RecursionError):  # the last two for `!!bool x` and deep nesting
        return f"--set {override}: the value is not valid YAML"
    return None


def _explain(detail: Any, model: type[BaseModel]) -> str:
    match detail["type"]:
        case "extra_forbidden":
            known = _known_keys(model, detail["loc"][:-1])
            close = difflib.get_close_matches(str(detail["loc"][-1]), known, n=1)
            remedy = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
            return f"unknown key; {remedy}"
        case "missing":
            return "is required; add it"
        case "value_error":
            return str(detail["ctx"]["error"])
        case _:
            return f"{detail['msg'][0].lower()}{detail['msg'][1:]}, but it is {repr(detail['input'])[:80]}"


def _known_keys(model: Any, location: Key) -> list[str]:
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            annotation = model.model_fields[part].annotation
            candidates = [annotation, *get_args(annotation)]
            model = next(kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel))
    return list(model.model_fields)


def _with_absolute_paths(config: RunConfig, folder: Path) -> RunConfig:
    """Turn what names a file or folder beside the config into an absolute path, and so any pattern of the corpus."""

    def absolute(key: str, value: str) -> str:
        try:
            if value and (folder / value).exists():
                return str(folder / value)
        except OSError:  # a name that no file system takes
            return value
        is_of_corpus = key.startswith("corpus.") and is_pattern(value)
        return str(Path(glob.escape(str(folder)), value)) if is_of_corpus else value

    return change_outside(config, lambda key, mark, value: absolute(key, value) if mark.is_path else value)
