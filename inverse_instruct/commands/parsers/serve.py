"""The command that serves the promoted checkpoint, with or without the loop behind it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from inverse_instruct.commands.parsers.command import add_command, add_overrides
from inverse_instruct.errors import ConfigError


def add_chat_command(commands: Any) -> None:
    """Add `chat`."""
    chat = add_command(
        commands,
        "chat",
        _chat,
        "talk to what was trained: to the gateway, another server, or a checkpoint",
        "inverse-instruct chat\n"
        "  inverse-instruct chat --model runs/quickstart/checkpoints/round-01 --message 'Reverse a list in Python.'",
    )
    whom = chat.add_mutually_exclusive_group()
    whom.add_argument("--url", default="http://127.0.0.1:8000", help="server to ask (default: %(default)s)")
    whom.add_argument("--model", help="checkpoint, name of fetch-model, or hub name to load and ask instead")
    chat.add_argument("--name", default="current", help="the server's name of the model (default: %(default)s)")
    chat.add_argument("--message", help="say this, print the answer, and end")
    chat.add_argument("--system", help="what the model is told before")
    chat.add_argument("--temperature", type=float, default=0.0, help="0 is greedy (default: %(default)s)")
    chat.add_argument("--max-tokens", type=int, default=512, help="longest answer (default: %(default)s)")
    add_overrides(chat, "set an option of the engine, such as model.max_model_len=2048")


def add_serve_command(commands: Any) -> None:
    """Add `serve`."""
    serve = add_command(
        commands,
        "serve",
        _serve,
        "answer with the promoted checkpoint, as an OpenAI-compatible service",
        "inverse-instruct serve --run-dir runs/quickstart --set serve.port=8001\n"
        "  inverse-instruct serve --with-loop configs/quickstart.yaml",
    )
    serve.add_argument("--run-dir", type=Path, help="folder of the run (default: runs/NAME of the loop's config)")
    serve.add_argument(
        "--with-loop",
        type=Path,
        nargs="?",
        const=Path(),
        metavar="CONFIG",
        help="also play runs of the folder that the run is in, as /api is told; CONFIG: begin with this",
    )
    serve.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="WHAT",
        help="let configs from /api name the files below this folder, this endpoint or this name on the "
        "hub, beside what CONFIG names; may be given several times",
    )
    serve.add_argument(
        "--allow-unsafe-configs",
        action="store_true",
        help="take configs from /api that name any file and address, and run CODE OF THE SENDER'S "
        "CHOICE, as trust_remote_code does",
    )
    add_overrides(serve, "override a key of its run.yaml, such as serve.mode=in_place; may be given several times")


def _chat(arguments: argparse.Namespace) -> None:
    from inverse_instruct.commands.chat import run_chat

    run_chat(arguments)


def _serve(arguments: argparse.Namespace) -> None:
    from inverse_instruct.commands.serve import serve, serve_with_loop
    from inverse_instruct.loop_service.allowed import Allowed

    if arguments.with_loop is not None:
        config = arguments.with_loop if arguments.with_loop != Path() else None
        allowed = Allowed.of(arguments.allow, unsafe=arguments.allow_unsafe_configs)
        serve_with_loop(arguments.run_dir, arguments.overrides, config, allowed)
    elif arguments.run_dir is None:
        raise ConfigError(["--run-dir: name the run to serve, or --with-loop CONFIG"])
    elif arguments.allow or arguments.allow_unsafe_configs:
        raise ConfigError(["--allow: without --with-loop no configs are taken; add it, or leave this out"])
    else:
        serve(arguments.run_dir, arguments.overrides)
