"""What a run takes, roughly: rows, tokens, time and disk of each stage, from file sizes and nominal speeds.

Enters: a config. Leaves: a `Plan`, right within a factor of a few. What cannot be measured, such as a damaged corpus or
a model that is not here yet, counts for nothing and makes the plan incomplete; `check.py` says what is wrong with it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from inverse_instruct.config.corpus_source import CorpusSource
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.corpus.arrow_rows import count_arrow
from inverse_instruct.corpus.places import find_files, is_on_hub
from inverse_instruct.corpus.unpacking import DAMAGE, open_unpacked
from inverse_instruct.errors import InverseInstructError
from inverse_instruct.inference.models import resolve_model
from inverse_instruct.recipes.table import recipe_of
from inverse_instruct.source_code.row_paths import COMPRESSED
from inverse_instruct.stages.estimate import Estimate
from inverse_instruct.system.machine import gpu_count

BYTES_PER_TOKEN = 3.5  # of code and prose, with the usual vocabularies
CPU_FLOPS_PER_CORE = 50e9
GPU_FLOPS = 2e14  # of one data-center GPU in bf16, as reached in training


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
    complete: bool  # whether the models and the whole corpus are here to be measured
    notes: tuple[str, ...] = ()


def make_plan(config: RunConfig) -> Plan:
    """Estimate what a run takes."""
    weights, sizes = _weights(config), [_measured(source) for source in config.corpus]
    rows, size = sum(count for count, _ in filter(None, sizes)), sum(length for _, length in filter(None, sizes))
    gpus = gpu_count()
    parameters = max(1, weights // (2 if gpus else 4))
    flops = GPU_FLOPS * gpus if gpus else CPU_FLOPS_PER_CORE * len(os.sched_getaffinity(0))
    estimate = Estimate(config, rows, int(size / BYTES_PER_TOKEN), 2 * parameters / flops)
    recipe = recipe_of(config)
    once = set(recipe.of_round(0)) - set(recipe.of_round(1))
    steps = tuple(
        Step(f"{stage.verb} (once)" if stage in once else stage.verb, cost.rows, cost.tokens, cost.seconds)
        for stage in recipe.stages
        if stage.cost
        for cost in [stage.cost(estimate)]
    )
    # per round: one checkpoint and the rows; at any time: a phase's export, optimizer state and step checkpoint
    disk = weights * (config.rounds + 1) + 4 * weights + size * 3 * (config.rounds + 1) * config.summarize.candidates
    return Plan(config.rounds, steps, disk, weights > 0 and None not in sizes)


def bytes_needed(config: RunConfig, run_dir: Path) -> int:
    """Return what the rest of a run will still write, roughly; never less than a tenth of the whole."""
    whole = make_plan(config).disk_bytes
    return max(whole - bytes_used(run_dir), whole // 10)


def bytes_used(run_dir: Path) -> int:
    """Return the size of what a run has written so far."""
    return sum(path.stat().st_size for path in run_dir.rglob("*") if path.is_file())


def print_plan(config: RunConfig, plan: Plan) -> None:
    """Print the plan for a person."""
    from rich.console import Console
    from rich.table import Table

    table = Table("stage", title=f"{config.name}: {plan.rounds} self-training rounds after round 0")
    for name in ("rows", "tokens", "about"):
        table.add_column(name, justify="right")
    for step in plan.steps:
        rows, tokens = (f"{step.rows:,}", f"{step.tokens:,}") if step.rows else ("?", "?")
        table.add_row(step.stage, rows, tokens, describe_duration(step.seconds) if plan.complete and step.rows else "?")
    console = Console(width=None if Console().is_terminal else 100)
    console.print(table)
    whole = sum(step.seconds for step in plan.steps) * max(1, plan.rounds)
    figures = (
        f"about {describe_duration(whole)}, {plan.disk_bytes / 1e9:.1f} GB of disk"
        if plan.complete
        else "not known yet"
    )
    console.print(f"all rounds: {figures}; rough figures, from file sizes and nominal speeds", markup=False)
    for note in plan.notes:
        console.print(f"note: {note}", markup=False)


def _weights(config: RunConfig) -> int:
    """Return the bytes of the largest model; 0 if one of them is not here."""
    sizes = []
    for name in filter(None, (config.model.base, config.model.start)):
        try:
            folder = resolve_model(name, download=False)
        except InverseInstructError:
            return 0
        sizes.append(sum(path.stat().st_size for path in folder.glob("*.safetensors")))
    return max(sizes)


def _measured(source: CorpusSource) -> tuple[int, int] | None:
    """Return roughly (rows, bytes) of what is read of a source, or None if that cannot be told.

    A `where` may leave out any part, so all of its rows count.
    """
    try:
        files = [] if is_on_hub(source.path) else list(find_files(source))
        if not all(file.path.is_file() for file in files):  # a pipe would be waited for without end
            return None
        sizes = [(5, file.path.stat().st_size) if file.is_code else _measure(file.path) for file in files]
    except (InverseInstructError, OSError, *DAMAGE, ValueError):  # pyarrow's errors are ValueErrors
        return None
    rows, size = sum(count for count, _ in sizes), sum(length for _, length in sizes)
    share = source.share * min(1.0, (source.limit or rows) / max(1, rows))
    return (round(rows * share), round(size * share)) if files else None


def _measure(path: Path) -> tuple[int, int]:
    """Return roughly (rows, bytes) of a file of rows, reading at most a few megabytes."""
    size = path.stat().st_size
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return int(pq.ParquetFile(path).metadata.num_rows), size * 3
    if path.suffix == ".arrow":
        return count_arrow(path), size
    sample_bytes = 4 * 2**20
    with open_unpacked(path) as stream:
        sample = stream.read(sample_bytes)
    size = size * 4 if path.suffix in COMPRESSED else size
    is_array = ".json" in path.suffixes
    rows = (
        len(re.findall(rb'[\[,]\s*\{\s*"', sample)) if is_array else sample.count(b"\n") + (not sample.endswith(b"\n"))
    )
    scale = max(1.0, size / max(1, len(sample))) if len(sample) == sample_bytes else 1.0
    return int(rows * scale), int(len(sample) * scale)


def describe_duration(seconds: float) -> str:
    """Return a time as a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
