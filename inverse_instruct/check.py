"""Does the world agree with a config? Everything that can be known before anything starts, all reported at once.

Enters: a valid config. Leaves: a `Plan` with rough estimates, or a `ConfigError` with every problem. Reads files and
probes the port, but starts and downloads nothing. The estimates come from file sizes and nominal speeds: right within a
factor of a few.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inverse_instruct.config import RunConfig, benchmark_path
from inverse_instruct.config_file import ConfigFile, read_config
from inverse_instruct.errors import ConfigError, CorpusError, InverseInstructError
from inverse_instruct.machine import free_port, gpu_count
from inverse_instruct.models import FETCHABLE, resolve_model
from inverse_instruct.prompts import PromptFormatter, PromptTemplate
from inverse_instruct.source_files import source_paths

BYTES_PER_TOKEN = 3.5  # of code and prose, with the usual vocabularies
INSTRUCTION_TOKENS = 80  # mean length of a written instruction
CPU_FLOPS_PER_CORE = 50e9
GPU_FLOPS = 2e14  # of one data-center GPU in bf16, as reached in training
BENCHMARK_PROBLEMS = 200


@dataclass(frozen=True)
class Step:
    """One stage of the plan, per round."""

    stage: str
    rows: int
    tokens: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What a run will do, roughly."""

    rounds: int
    steps: tuple[Step, ...]
    disk_bytes: int
    complete: bool  # whether the model and the whole corpus are here to be measured
    notes: tuple[str, ...]


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
    problems = [*_file_problems(config), *_context_problems(config), *_environment_problems(config)]
    plan = _survey(config, problems)
    problems += _disk_problems(plan, run_dir)
    if problems:
        raise ConfigError(problems)
    return plan


def bytes_needed(config: RunConfig, run_dir: Path) -> int:
    """Return what the rest of a run will still write, roughly; never less than a tenth of the whole."""
    whole = _survey(config, []).disk_bytes
    return max(whole - _bytes_used(run_dir), whole // 10)


def _survey(config: RunConfig, problems: list[str]) -> Plan:
    """Measure models and corpus for the plan; add what is wrong with them to the problems."""
    notes: list[str] = []
    weights = 0
    for key, name in (("model.base", config.model.base), ("model.start", config.model.start)):
        if name is None:
            continue
        try:
            folder = resolve_model(name, download=False)
        except InverseInstructError as error:
            if _may_be_on_the_hub(name):
                notes.append(f"{key}: {name} is not here yet and will be downloaded")
            else:
                problems.append(f"{key}: {error}")
            continue
        weights = max(weights, sum(path.stat().st_size for path in folder.glob("*.safetensors")))
        problems += _tokenizer_problems(config, key, folder)
    return _plan(config, weights, notes, problems)


def print_plan(config: RunConfig, plan: Plan) -> None:
    """Print the plan for a person."""
    from rich.console import Console
    from rich.table import Table

    table = Table("stage", title=f"{config.name}: {plan.rounds} self-training rounds after round 0")
    for name in ("rows", "tokens", "about"):
        table.add_column(name, justify="right")
    for step in plan.steps:
        rows, tokens = (f"{step.rows:,}", f"{step.tokens:,}") if step.rows else ("?", "?")
        table.add_row(step.stage, rows, tokens, _duration(step.seconds) if plan.complete and step.rows else "?")
    console = Console(width=None if Console().is_terminal else 100)
    console.print(table)
    whole = sum(step.seconds for step in plan.steps) * max(1, plan.rounds)
    figures = f"about {_duration(whole)}, {plan.disk_bytes / 1e9:.1f} GB of disk" if plan.complete else "not known yet"
    console.print(f"all rounds: {figures}; rough figures, from file sizes and nominal speeds", markup=False)
    for note in plan.notes:
        console.print(f"note: {note}", markup=False)


def _file_problems(config: RunConfig) -> Iterator[str]:
    for number, source in enumerate(config.corpus):
        if Path(source.path).exists():
            if not os.access(source.path, os.R_OK):
                yield f"corpus.{number}.path: {source.path} cannot be read; check its permissions"
            elif not (Path(source.path).is_file() or Path(source.path).is_dir()):
                yield f"corpus.{number}.path: {source.path} is neither a file nor a folder; give one of these"
            elif Path(source.path).is_file() and Path(source.path).stat().st_size == 0:
                yield f"corpus.{number}.path: {source.path} is empty; give a file with rows"
        elif not _may_be_on_the_hub(source.path):
            yield f"corpus.{number}.path: {source.path} does not exist; paths are relative to the config's folder"
    for number, benchmark in enumerate(config.preprocess.benchmarks):
        if not benchmark_path(benchmark).is_file():
            yield f"preprocess.benchmarks.{number}: {benchmark} does not exist; give a JSONL file"
    yield from _suite_problems(config)
    for name, template in (("summarize", config.summarize.template), ("score", config.score.template)):
        try:
            PromptTemplate(name, template)
        except ConfigError as error:
            yield from error.problems
    if config.train.hostfile and not Path(config.train.hostfile).is_file():
        yield f"train.hostfile: {config.train.hostfile} does not exist; give a DeepSpeed hostfile, or null"
    if config.train.deepspeed not in ("zero1", "zero2", "zero3") and not Path(config.train.deepspeed).is_file():
        yield f"train.deepspeed: {config.train.deepspeed} does not exist; give zero1, zero2, zero3 or a JSON file"


def _suite_problems(config: RunConfig) -> Iterator[str]:
    from evaluation import BenchmarkError, Execution, choose_tasks
    from evaluation.suites import SUITES

    python = config.evaluate.python
    if python and not os.access(python, os.X_OK):
        yield f"evaluate.python: {python} is no program; give the interpreter of the environment of DS-1000"
    for number, section in enumerate(config.evaluate.suites):
        key = f"evaluate.suites.{number}"
        if section.data is None and section.suite != "mini":
            continue  # on the hub, which is not asked before the run
        try:
            suite = SUITES[section.suite](section.data)
            tasks = choose_tasks(suite.task_ids, section.tasks, section.limit)
        except (BenchmarkError, OSError) as error:
            yield f"{key}.data: {error}"
            continue
        missing = suite.not_measured(Execution(python=Path(python) if python else None))
        if all(task in missing for task in tasks):
            yield f"{key}.suite: nothing of {section.suite} can be measured here: {missing[tasks[0]]}"


def _context_problems(config: RunConfig) -> Iterator[str]:
    room = config.model.max_model_len
    lengths = {"summarize": config.summarize.max_new_tokens} | {
        f"evaluate.suites.{number}": suite.max_new_tokens for number, suite in enumerate(config.evaluate.suites)}
    for name, tokens in lengths.items():
        if tokens >= room:
            yield (f"{name}.max_new_tokens: {tokens} tokens leave no room for a prompt in model.max_model_len {room}; "
                   "lower the one or raise the other")


def _environment_problems(config: RunConfig) -> Iterator[str]:
    if shutil.which("bwrap") is None:
        yield "evaluate: bubblewrap is missing, so generated code could not be confined; apt-get install bubblewrap"
    if config.inference.port and not config.inference.endpoints:
        try:
            free_port(config.inference.port)
        except InverseInstructError as error:
            yield f"inference.port: {error}"


def _tokenizer_problems(config: RunConfig, key: str, folder: Path) -> Iterator[str]:
    try:
        formatter = PromptFormatter(folder, config.model.prompt_format, config.model.template_date)
    except InverseInstructError as error:
        yield f"{key}: {error}"
        return
    for name, word in (("yes_token", config.model.yes_token), ("no_token", config.model.no_token)):
        try:
            formatter.single_token(word)
        except InverseInstructError as error:
            yield f"model.{name}: {error}"


def _disk_problems(plan: Plan, run_dir: Path) -> Iterator[str]:
    existing = next(path for path in [run_dir.absolute(), *run_dir.absolute().parents] if path.exists())
    free = shutil.disk_usage(existing).free
    needed = plan.disk_bytes - _bytes_used(run_dir)
    if free < needed:
        yield (f"--run-dir: {existing} has {free / 1e9:.1f} GB free and the run needs about {needed / 1e9:.1f} GB; "
               "free some space or name a folder on another disk")


def _bytes_used(run_dir: Path) -> int:
    return sum(path.stat().st_size for path in run_dir.rglob("*") if path.is_file())  # by what it did so far


def _may_be_on_the_hub(name: str) -> bool:
    """Tell whether a name has the form OWNER/NAME of the hub and not that of a file."""
    suffixes = (".json", ".jsonl", ".gz", ".parquet", ".txt")
    return bool(re.fullmatch(r"[\w.-]+/[\w.-]+", name)) and not name.endswith(suffixes) and name not in FETCHABLE \
        and not name.startswith(".") and not Path(name).parent.exists()


def _plan(config: RunConfig, weights: int, notes: list[str], problems: list[str]) -> Plan:
    rows = size = 0
    for number, source in enumerate(config.corpus):
        path = Path(source.path)
        if not (path.is_file() or path.is_dir()):  # a pipe would be waited for without end
            notes.append(f"corpus: the size of {source.path} is not known before it is read")
            continue
        try:
            source_rows, source_bytes = _measure(path)
        except CorpusError as error:
            problems.append(f"corpus.{number}.path: {error}")
            continue
        except (OSError, EOFError, ValueError, zlib.error) as error:  # pyarrow's errors are ValueErrors
            problems.append(f"corpus.{number}.path: {path} is damaged ({str(error).splitlines()[0]}); get it anew")
            continue
        share = min(1.0, (source.limit or source_rows) / max(1, source_rows))
        rows += round(source_rows * share)
        size += round(source_bytes * share)
    gpus = gpu_count()
    parameters = max(1, weights // (2 if gpus else 4))
    flops = GPU_FLOPS * gpus if gpus else CPU_FLOPS_PER_CORE * len(os.sched_getaffinity(0))
    snippet_tokens = int(size / BYTES_PER_TOKEN)
    candidates = rows * config.summarize.candidates
    written = candidates * INSTRUCTION_TOKENS
    judged = snippet_tokens + written + candidates * INSTRUCTION_TOKENS
    epochs = {phase.data: phase.epochs for phase in config.train.phases}
    trained = int(snippet_tokens * sum(epochs.values()))
    asked = sum((suite.limit or BENCHMARK_PROBLEMS) * suite.samples for suite in config.evaluate.suites)
    answered = sum((suite.limit or BENCHMARK_PROBLEMS) * suite.max_new_tokens // 2
                   * (suite.samples + 2 * suite.self_consistency) for suite in config.evaluate.suites)
    forward, backward = 2 * parameters / flops, 6 * parameters / flops
    steps = (
        Step("preprocess (once)", rows, snippet_tokens, rows / 2000),
        Step("summarize", candidates, written, written * forward * 2),
        Step("score", candidates, judged, judged * forward),
        Step("train", rows * len(epochs), trained, trained * backward),
        Step("evaluate", asked, answered, answered * forward * 2),
    )
    # per round: one checkpoint and the rows; at any time: a phase's export, optimizer state and step checkpoint
    disk = weights * (config.rounds + 1) + 4 * weights + size * 3 * (config.rounds + 1) * config.summarize.candidates
    return Plan(config.rounds, steps, disk, not notes, tuple(notes))


def _measure(path: Path) -> tuple[int, int]:
    """Return roughly (rows, bytes) of a corpus file or folder, reading at most a few megabytes."""
    if path.is_dir():
        sizes = [source.stat().st_size for source, _ in source_paths(path)]
        return len(sizes) * 5, sum(sizes)
    size = path.stat().st_size
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return int(pq.ParquetFile(path).metadata.num_rows), size * 3
    sample_bytes = 4 * 2**20
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
        sample = stream.read(sample_bytes)
    size = size * 4 if path.suffix == ".gz" else size
    is_array = ".json" in path.suffixes
    rows = len(re.findall(rb'[\[,]\s*\{\s*"', sample)) if is_array else sample.count(b"\n") + 1
    scale = max(1.0, size / max(1, len(sample))) if len(sample) == sample_bytes else 1.0
    return int(rows * scale), int(len(sample) * scale)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
