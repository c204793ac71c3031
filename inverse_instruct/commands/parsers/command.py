"""What the parsers of all commands have in common."""

from __future__ import annotations

import argparse
from typing import Any


def add_command(commands: Any, name: str, run: Any, help_text: str, example: str) -> argparse.ArgumentParser:
    """Add a command, whose help ends with an example.

    Args:
        commands: the subparsers to add to.
        name: as it is typed.
        run: called with the parsed arguments.
        help_text: what it does, in lower case.
        example: one or several lines that can be typed.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help_text,
        description=f"{help_text[0].upper()}{help_text[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_overrides(parser: argparse.ArgumentParser, help_text: str) -> None:
    """Add `--set KEY=VALUE`."""
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help=help_text)


def add_json(parser: argparse.ArgumentParser, help_text: str = "print stable JSON") -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help=help_text)
