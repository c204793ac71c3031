"""One stage on files, outside a run: the subcommands of the stages.

Enters: the parsed command line. Leaves: the stage's files in `--output`, made in a room of its own as the loop makes
them; running again with the same folder goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from inverse_instruct.commands.asking import ask
from inverse_instruct.commands.evaluation import evaluate
from inverse_instruct.commands.stage_inputs import check_training_rows, read_pairs, read_snippets, read_written
from inverse_instruct.config.config_file import load_config, parse_config
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import CorpusError
from inverse_instruct.inference.models import resolve_model
from inverse_instruct.recipes.table import RECIPES, stages_by_command
from inverse_instruct.records import Candidate, Record, ScoredPair, Snippet, digest, to_dict
from inverse_instruct.stages.keys import make_key
from inverse_instruct.stages.play import leaving, play, refuse_empty, work
from inverse_instruct.stages.questions import Asked
from inverse_instruct.stages.room import Place, Room, Source
from inverse_instruct.stages.stage import SERVED, Stage
from inverse_instruct.stages.train import PhaseRun, run_phases
from inverse_instruct.store.files import file_digest
from inverse_instruct.store.folder_lock import lock_folder
from inverse_instruct.store.manifest import Manifest, read_manifest
from inverse_instruct.store.progress import Progress


def run_stage(arguments: argparse.Namespace) -> None:
    """Run the stage that the command line names and print what it did.

    Raises:
        InverseInstructError: bad options, bad input, or the stage failed.
    """
    config = _config(arguments)
    with lock_folder(arguments.output, "--output"):
        manifest = (evaluate if hasattr(arguments, "suite") else _on_files)(config, arguments)
    if arguments.json:
        print(json.dumps(asdict(manifest), indent=2))
        return
    print(f"{manifest.stage}: {manifest.rows_in} rows in, {manifest.rows_out} out, {manifest.seconds:.1f} s")
    for reason, count in sorted(manifest.rejected.items(), key=lambda item: -item[1]):
        print(f"  rejected {count:>7}  {reason}")
    print(f"  results in {arguments.output}")


def _config(arguments: argparse.Namespace) -> RunConfig:
    """Build the config of a stage: defaults, then the file's sections, then the command line."""
    corpus = [{"path": path} for path in (arguments.input if arguments.stage == "preprocess" else ["none"])]
    given: dict[str, Any] = {
        "name": arguments.stage,
        "model": {"base": getattr(arguments, "model", None) or "none"},
        "corpus": corpus,
    }
    if getattr(arguments, "executor", None):
        given["preprocess"] = {"executor": arguments.executor}
    if hasattr(arguments, "suite"):
        asked = {
            "suite": arguments.suite,
            "data": arguments.data,
            "tasks": arguments.tasks,
            "limit": arguments.limit,
            "samples": arguments.n,
            "temperature": arguments.temperature,
            "frame": getattr(arguments, "frame", None),
            "self_consistency": arguments.stage == "self-consistency",
        }
        given["evaluate"] = {
            "suites": [{name: value for name, value in asked.items() if value is not None}],
            "unsandboxed": arguments.unsandboxed,
        }
    if arguments.config:
        return load_config(arguments.config, arguments.overrides, given)
    return parse_config(given, arguments.overrides)


def _on_files(config: RunConfig, arguments: argparse.Namespace) -> Manifest:
    stage = stages_by_command()[arguments.stage]
    if stage in {recipe.train for recipe in RECIPES.values()}:
        return _train(stage, config, arguments)
    inputs = _INPUTS.get(stage.verb, _written)(stage, arguments)
    contents = [f"{name} {digest(*(json.dumps(to_dict(row)) for row in rows))}" for name, rows in inputs.items()]
    return _play(stage, config, arguments.output, inputs, contents)


def _train(stage: Stage, config: RunConfig, arguments: argparse.Namespace) -> Manifest:
    """Train on files of rows as they are given, in one phase."""
    files = [Path(path) for path in arguments.input]
    for path in files:
        check_training_rows(path)
    first = config.train.phases[0]
    phase = PhaseRun("selected", files, first.epochs, first.learning_rate or config.train.learning_rate)
    on_files = replace(stage, run=lambda room: run_phases(room, [phase]), reads={})
    return _play(on_files, config, arguments.output, {}, [file_digest(path) for path in files])


def _play(stage: Stage, config: RunConfig, output: Path, inputs: Mapping[str, Source], contents: list[str]) -> Manifest:
    model = resolve_model(config.model.base) if stage.model else None
    key = make_key(stage, config, contents, model)
    if manifest := read_manifest(output, key):
        return refuse_empty(stage, manifest, output)
    place = Place(output, 1, config.seed, output / "logs", key, output / "checkpoint", model)
    room = Room(stage, config, place, inputs)
    if stage.model not in SERVED:
        return refuse_empty(stage, play(room), output)
    assert model is not None
    with Progress(stage.name, stage.unit) as room.progress, leaving([room]):
        ask(config, model, output, lambda asked: _work(room, asked))
        return refuse_empty(stage, room.finish(), output)


async def _work(room: Room, asked: Asked) -> None:
    room.asked = asked
    await work([room])


# -- what a command line gives a stage to read -------------------------------------------------------------------------


def _snippets(stage: Stage, arguments: argparse.Namespace) -> Mapping[str, Sequence[Record]]:
    return {"snippets": read_snippets(arguments.input), "earlier": []}


def _pairs(stage: Stage, arguments: argparse.Namespace) -> Mapping[str, Sequence[Record]]:
    groups = read_pairs(arguments.input, read_snippets([arguments.snippets]) if arguments.snippets else [])
    return {
        "snippets": [snippet for snippet, _ in groups],
        "candidates": [candidate for _, group in groups for candidate in group],
    }


def _scored(stage: Stage, arguments: argparse.Namespace) -> Mapping[str, Sequence[Record]]:
    snippets = read_written(Snippet, arguments.preprocessed / "snippets.parquet")
    candidates = read_written(Candidate, arguments.summarized / "candidates.parquet")
    pairs = read_written(ScoredPair, arguments.scored / "scores.parquet")
    known = {(candidate.id, candidate.snippet_id) for candidate in candidates}
    strangers = [pair.candidate_id for pair in pairs if (pair.candidate_id, pair.snippet_id) not in known]
    if strangers or not {pair.snippet_id for pair in pairs} <= {snippet.id for snippet in snippets}:
        raise CorpusError(
            f"{arguments.scored}: scores pairs that are not in {arguments.summarized} and "
            f"{arguments.preprocessed}; give the folders of one run, scored with --snippets"
        )
    return {"snippets": snippets, "candidates": candidates, "scores": pairs, "earlier": []}


def _written(stage: Stage, arguments: argparse.Namespace) -> Mapping[str, Sequence[Record]]:
    """Read each input from the option of its name, as one of our stages wrote it."""
    given = {name: getattr(arguments, name) for name in stage.reads}
    return {
        name: read_written(source.rows.record, given[name]) if given[name] else []
        for name, source in stage.reads.items()
        if source.rows
    }


_INPUTS: dict[str, Callable[[Stage, argparse.Namespace], Mapping[str, Sequence[Record]]]] = {
    "preprocess": lambda stage, arguments: {},
    "summarize": _snippets,
    "score": _pairs,
    "select": _scored,
}
"""Command -> how it reads its inputs, where that is not by the options of their names."""
