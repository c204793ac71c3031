"""Commands that play one stage on files, outside a run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from inverse_instruct.commands.parsers.command import add_command, add_json, add_overrides


def add_stage_commands(commands: Any) -> None:
    """Add the stages that have options of their own."""
    stages = {
        "preprocess": (
            "turn a corpus into clean snippets",
            "inverse-instruct preprocess --input corpus.jsonl --output out/preprocess",
        ),
        "summarize": (
            "write several instructions for each snippet",
            "inverse-instruct summarize --model smollm2-135m --input out/preprocess/snippets.parquet "
            "--output out/summarize",
        ),
        "score": (
            "judge pairs of instruction and code with exact LM-Scores",
            "inverse-instruct score --model smollm2-135m --input pairs.jsonl --output out/score --json\n"
            "  inverse-instruct score --model smollm2-135m --input out/summarize/candidates.parquet "
            "--snippets out/preprocess/snippets.parquet --output out/score",
        ),
        "select": (
            "choose the best pairs per snippet",
            "inverse-instruct select --preprocessed out/preprocess --summarized out/summarize "
            "--scored out/score --output out/selection",
        ),
        "train": (
            "fine-tune a base model on rows under DeepSpeed",
            "inverse-instruct train --model smollm2-135m --input out/selection/selected.parquet --output out/train",
        ),
    }
    for name, (help_text, example) in stages.items():
        parser = add_command(commands, name, play_stage, help_text, example)
        parser.set_defaults(stage=name)
        if name == "select":
            parser.add_argument("--preprocessed", type=Path, required=True, help="folder with snippets.parquet")
            parser.add_argument("--summarized", type=Path, required=True, help="folder with candidates.parquet")
            parser.add_argument("--scored", type=Path, required=True, help="folder with scores.parquet")
        else:
            parser.add_argument(
                "--input",
                nargs="+",
                action="extend",
                required=True,
                help="one or several: files, folders, patterns in quotes, or hub data sets, where that makes sense",
            )
        if name in ("summarize", "score", "train"):
            parser.add_argument("--model", required=True, help="model folder, a name of fetch-model, or a hub name")
        if name == "preprocess":
            parser.add_argument(
                "--executor",
                choices=("local", "ray"),
                help="where rows are looked at: in as many processes as there are cores (default), or on a Ray cluster",
            )
        if name == "score":
            parser.add_argument("--snippets", help="snippets that candidates in --input refer to")
        add_stage_options(parser)


def add_other_stages(commands: Any) -> None:
    """Offer the stages that have no options of their own: an option for each input, of its name."""
    from inverse_instruct.recipes.table import stages_by_command
    from inverse_instruct.stages.stage import When

    for name, stage in stages_by_command().items():
        if name in commands.choices or not all(source.rows for source in stage.reads.values()):
            continue
        needed = {source: about.when not in (When.EARLIER, When.COMPETING) for source, about in stage.reads.items()}
        options = "".join(f" --{source} {source}.parquet" for source in needed if needed[source])
        options += " --model smollm2-135m" if stage.model else ""
        parser = add_command(
            commands, name, play_stage, stage.does, f"inverse-instruct {name}{options} --output out/{name}"
        )
        parser.set_defaults(stage=name)
        for source in needed:
            rounds = "" if needed[source] else " of earlier rounds, which are left out (default: none)"
            parser.add_argument(
                f"--{source}",
                type=Path,
                required=needed[source],
                metavar="FILE",
                help=f"rows of {stage.reads[source].stage}{rounds}",
            )
        if stage.model:
            parser.add_argument("--model", required=True, help="model folder, a name of fetch-model, or a hub name")
        add_stage_options(parser)


def add_stage_options(parser: argparse.ArgumentParser) -> None:
    """Add what all single stages take."""
    parser.add_argument(
        "--output", type=Path, required=True, help="folder for the results; running again with the same one goes on"
    )
    parser.add_argument("--config", type=Path, help="YAML whose sections set the options of the stage")
    add_overrides(parser, "set an option, such as summarize.candidates=4")
    add_json(parser, "print the manifest as JSON")


def play_stage(arguments: argparse.Namespace) -> None:
    """Play the stage that the command line names."""
    from inverse_instruct.commands.stages import run_stage

    run_stage(arguments)
