"""Does the world agree with a config? Everything that can be known before anything starts, all reported at once.

Enters: a valid config. Leaves: a `Plan` with rough estimates and notes, or a `ConfigError` with every problem. What is
looked at is what each stage looks at in its first minute, with the stage's own functions. Reads files, asks the hub
whether it has what is named and endpoints whether they take weights, probes the port and the sandbox; starts and
downloads nothing else, and writes nothing.
Not guaranteed: that the memory suffices, or that other machines answer.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from evaluation import BenchmarkError, Execution, SandboxUnavailable, choose_tasks, dates_of, open_sandbox
from evaluation.origins import OnHub
from inverse_instruct.benchmarks.suite_data import load_suite_here
from inverse_instruct.benchmarks.suite_run import frame_problem
from inverse_instruct.config.config_file import ConfigFile, read_config
from inverse_instruct.config.examining import SuiteSection
from inverse_instruct.config.sections import InferenceSection, RunConfig
from inverse_instruct.corpus.places import check_there, is_on_hub
from inverse_instruct.corpus.readers import check_rows
from inverse_instruct.errors import ConfigError, InverseInstructError, ModelError
from inverse_instruct.inference import requirements as engine
from inverse_instruct.inference.chat_options import chat_problems
from inverse_instruct.inference.fleet import describe
from inverse_instruct.inference.given import reload_problems
from inverse_instruct.inference.model_files import check_architecture
from inverse_instruct.inference.models import FETCHABLE, read_settings, resolve_model
from inverse_instruct.inference.prompts import PromptFormatter, PromptTemplate
from inverse_instruct.loop.check_kept_out import kept_out_problems
from inverse_instruct.loop.pinned_config import check_config, check_models, check_ranks
from inverse_instruct.loop.plan import Plan, bytes_used, make_plan
from inverse_instruct.recipes.table import recipe_of
from inverse_instruct.stages.preprocess import check_yield
from inverse_instruct.store.folder_lock import check_free
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.hub import hub_problem, is_hub_name
from inverse_instruct.system.machine import free_port, gpus
from inverse_instruct.training import requirements as training


def check_file(path: Path, overrides: Sequence[str], run_dir: Path | None) -> tuple[RunConfig, Plan]:
    """Read a config and check it against the world.

    Args:
        path: the YAML file.
        overrides: `a.b=c` pairs that win over the file.
        run_dir: folder of the run; None: `runs/NAME`.

    Raises:
        ConfigError: with the problems of the file and those of the world together.
    """
    return check_read(read_config(path, overrides), run_dir)


def check_read(result: ConfigFile, run_dir: Path | None) -> tuple[RunConfig, Plan]:
    """Check what was read of a config against the world; arguments and errors as of `check_file`."""
    if result.config is None:
        raise result.error()
    try:
        plan = check(result.config, run_dir or Path("runs", result.config.name))
    except ConfigError as error:
        result.add_all(error.problems)
    if result.problems:
        raise result.error()
    return result.config, plan


def check(config: RunConfig, run_dir: Path) -> Plan:
    """Look for everything that would make the run fail, and estimate what it takes.

    Raises:
        ConfigError: with all problems, each with its key and remedy.
    """
    notes = _engine_notes(config)
    problems = [
        *_corpus_problems(config, notes),
        *kept_out_problems(config, notes),
        *_models_problems(config, notes),
        *_prompt_problems(config),
        *(problem for stage in recipe_of(config).stages for problem in stage.check(config)),
        *_engine_problems(config.inference),
        *_port_problems(config),
        *training.machine_problems(config.train),
        *chat_problems(config.serve, config.inference),
        *_suites_problems(config, notes),
    ]
    if config.selection.review == "wait":
        notes.append("selection.review: each round stops when its rows are selected, until `inverse-instruct review`")
    plan = make_plan(config)
    problems += _run_dir_problems(config, run_dir, plan)
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return replace(plan, notes=tuple(notes))


def model_problems(config: RunConfig, key: str, folder: Path) -> list[str]:
    """Return where a model whose files are whole does not fit the config.

    Args:
        config: of the run.
        key: `model.base` or `model.start`.
        folder: of the model.
    """
    settings = read_settings(folder / "config.json")
    trusted = config.model.trust_remote_code
    problems = _found(key, partial(check_architecture, folder, settings, trust_remote_code=trusted))
    if not config.inference.reload_endpoints:
        problems += engine.model_problems(config.inference, settings, config.model.max_model_len)
    problems += training.model_problems(config.train, folder) if key == "model.base" else []
    try:
        formatter = PromptFormatter(folder, config.model.prompt_format, config.model.template_date)
    except InverseInstructError as error:
        return [*problems, f"{key}: {error}"]
    for name, word in (("yes_token", config.model.yes_token), ("no_token", config.model.no_token)):
        problems += _found(f"model.{name}", partial(formatter.single_token, word))
    return problems


def _found(key: str, look: Callable[[], Any]) -> list[str]:
    """Return what a look at the world finds wrong, each with its key."""
    try:
        look()
    except ConfigError as error:
        return list(error.problems)
    except (InverseInstructError, BenchmarkError, SandboxUnavailable, OSError) as error:
        return [f"{key}: {error}"]
    return []


def _engine_problems(section: InferenceSection) -> list[str]:
    """Return what stands against the engines; of those that take weights, none is started here."""
    return asyncio.run(reload_problems(section)) if section.reload_endpoints else [*engine.machine_problems(section)]


def _engine_notes(config: RunConfig) -> list[str]:
    if config.inference.reload_endpoints:
        return [
            f"engines: inference.endpoints, {len(config.inference.endpoints)}, which take every checkpoint's weights"
        ]
    engines = describe(config.inference)
    if config.inference.endpoints:
        return [
            f"inference.endpoints serve the model that a run starts from; its checkpoints are served here: {engines}"
        ]
    return [f"engines: {engines}"] if gpus() else []


def _corpus_problems(config: RunConfig, notes: list[str]) -> list[str]:
    problems: list[str] = []
    for number, source in enumerate(config.corpus):
        key = f"corpus.{number}.path"
        absent = _found(key, partial(check_there, source))
        if absent or not is_on_hub(source.path):
            problems += absent or _found(key, partial(check_rows, source))
        else:
            notes.append(f"corpus: the size of {source.path} is not known before it is read")
    if config.corpus and not problems and not any(is_on_hub(source.path) for source in config.corpus):
        problems += _found("corpus", lambda: notes.extend(check_yield(config)))
    return problems


def _models(config: RunConfig) -> dict[str, str]:
    given = {"model.base": config.model.base, "model.start": config.model.start}
    return {key: name for key, name in given.items() if name is not None}


def _models_problems(config: RunConfig, notes: list[str]) -> Iterator[str]:
    for key, name in _models(config).items():
        try:
            folder = resolve_model(name, download=False)
        except ModelError as error:
            if name in FETCHABLE or not is_hub_name(name):
                yield f"{key}: {error}"
            elif problem := hub_problem(name, "model"):
                yield f"{key}: {problem}"
            else:
                notes.append(f"{key}: {name} is not here yet and will be downloaded")
        else:
            yield from model_problems(config, key, folder)


def _prompt_problems(config: RunConfig) -> Iterator[str]:
    stages = recipe_of(config).stages
    for stage in stages:
        if stage.is_data and stage.model:  # it asks a model, by templates that it depends on
            yield from _found(stage.name, partial(stage.outside, config))
    asked: dict[str, Any] = {stage.name: getattr(config, stage.name, None) for stage in stages}
    if any(suite.self_consistency for suite in config.evaluate.suites):
        asked["summarize"] = config.summarize
        yield from _found("summarize.template", partial(PromptTemplate, "summarize", config.summarize.template))
    room = config.model.max_model_len
    lengths = {name: section.max_new_tokens for name, section in asked.items() if hasattr(section, "max_new_tokens")}
    lengths |= {
        f"evaluate.suites.{number}": suite.max_new_tokens for number, suite in enumerate(config.evaluate.suites)
    }
    for name, tokens in lengths.items():
        if tokens >= room:
            yield (
                f"{name}.max_new_tokens: {tokens} tokens leave no room for a prompt in model.max_model_len {room}; "
                "lower the one or raise the other"
            )


def _port_problems(config: RunConfig) -> list[str]:
    if not config.inference.port or config.inference.endpoints:
        return []
    return _found("inference.port", partial(free_port, config.inference.port))


def _suites_problems(config: RunConfig, notes: list[str]) -> Iterator[str]:
    section = config.evaluate
    if section.python and not os.access(section.python, os.X_OK):
        yield f"evaluate.python: {section.python} is no program; give the interpreter of the environment of DS-1000"
    execution = Execution(
        workers=1, unsandboxed=section.unsandboxed, python=Path(section.python) if section.python else None
    )
    yield from _found("evaluate", partial(_start_sandbox, execution))
    for number, suite in enumerate(section.suites):
        yield from _suite_problems(f"evaluate.suites.{number}", suite, execution, notes)
    if {suite.suite for suite in section.suites if suite.decides} == {"held_out"}:
        yield (
            "evaluate.suites: held_out has no tests, so no checkpoint could be told from another; name a suite beside "
            "it that has some, such as mini"
        )


def _start_sandbox(execution: Execution) -> None:
    with open_sandbox(execution):
        pass  # it has proved that it runs a program


def _suite_problems(key: str, section: SuiteSection, execution: Execution, notes: list[str]) -> Iterator[str]:
    try:
        suite = load_suite_here(section.suite, section.data)
        tasks = choose_tasks(suite.task_ids, section.tasks, section.limit, dates_of(suite))
    except OnHub as place:
        notes.append(f"{key}: {place.name} will be downloaded; its tasks are not known before")
        return
    except (BenchmarkError, OSError) as error:
        yield f"{key}.data: {error}"
        return
    if problem := frame_problem(section, suite):
        yield f"{key}.frame: {problem}"
    missing = suite.not_measured(execution)
    if all(task in missing for task in tasks) and section.suite != "held_out":
        yield f"{key}.suite: nothing of {section.suite} can be measured here: {missing[tasks[0]]}"


def _run_dir_problems(config: RunConfig, run_dir: Path, plan: Plan) -> Iterator[str]:
    yield from _found("--run-dir", partial(check_free, run_dir, "--run-dir"))
    yield from _found("--run-dir", partial(check_config, config, RunDir(run_dir)))
    yield from _found("--run-dir", partial(check_ranks, config, RunDir(run_dir)))
    with suppress(ModelError):  # of a model that is not here, all has been said
        models = {key: resolve_model(name, download=False) for key, name in _models(config).items()}
        yield from _found("--run-dir", partial(check_models, models, RunDir(run_dir)))
    existing = next(path for path in [run_dir.absolute(), *run_dir.absolute().parents] if path.exists())
    free, needed = shutil.disk_usage(existing).free, plan.disk_bytes - bytes_used(run_dir)
    if free < needed:
        yield (
            f"--run-dir: {existing} has {free / 1e9:.1f} GB free and the run needs about {needed / 1e9:.1f} GB; "
            "free some space or name a folder on another disk"
        )
