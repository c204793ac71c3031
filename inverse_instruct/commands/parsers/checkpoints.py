"""The command on the registry of checkpoints."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from inverse_instruct.commands.parsers.command import add_command, add_json


def add_checkpoint_commands(commands: Any) -> None:
    """Add `checkpoints` with its subcommands."""
    group = add_command(
        commands,
        "checkpoints",
        _checkpoints,
        "list, show, promote, roll back and export checkpoints",
        "inverse-instruct checkpoints list runs/quickstart",
    )
    checkpoints = group.add_subparsers(required=True, metavar="COMMAND")
    for name, (help_text, example) in {
        "list": ("list the checkpoints of a run and how the promoted one changed", "list runs/quickstart --json"),
        "show": ("show where a checkpoint came from and what became of it", "show round-01 runs/quickstart"),
        "promote": ("make a checkpoint the promoted one", "promote round-01 --reason 'writes better Go'"),
        "rollback": ("promote again what the promoted checkpoint replaced", "rollback --reason 'worse in practice'"),
        "export": (
            "write a checkpoint as a self-contained folder with a model card and its training rows",
            "export round-02 runs/quickstart --output out/quickstart-round-02",
        ),
    }.items():
        parser = add_command(checkpoints, name, _checkpoints, help_text, f"inverse-instruct checkpoints {example}")
        parser.set_defaults(checkpoints=name)
        if name in ("show", "promote", "export"):
            parser.add_argument("name", help="round-NN, or N")
        parser.add_argument(
            "run_dir", type=Path, nargs="?", metavar="DIR", help="folder of the run (default: the newest under runs/)"
        )
        if name in ("list", "show"):
            add_json(parser)
        if name in ("promote", "rollback"):
            parser.add_argument("--reason", default="", help="why, for the record")
        if name == "export":
            _add_export_options(parser)


def _add_export_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, required=True, help="folder to write; not there yet, or empty")
    parser.add_argument(
        "--gguf",
        nargs="?",
        const="auto",
        choices=("auto", "f32", "f16", "bf16", "q8_0"),
        help="also write a GGUF file, by llama.cpp's converter (in the folder that LLAMA_CPP names, or on the PATH)",
    )
    parser.add_argument(
        "--push-to-hub",
        metavar="NAME",
        help="upload it to the Hugging Face hub, PRIVATE, as the model NAME and the data set NAME-rows",
    )
    parser.add_argument("--public", action="store_true", help="let everybody read what is pushed")


def _checkpoints(arguments: argparse.Namespace) -> None:
    from inverse_instruct.commands.checkpoints import run_command

    run_command(arguments)
