"""The command `inverse-instruct`: parses first, imports what a subcommand needs afterwards.

The only place that prints an error and sets the exit code: 0 done, 1 failed with a message, 2 wrong usage or config,
3 waiting for a person, 130 interrupted (the same command goes on).
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections import namedtuple
from collections.abc import Sequence
from typing import NoReturn

from inverse_instruct import __version__
from inverse_instruct.commands.parsers.checkpoints import add_checkpoint_commands
from inverse_instruct.commands.parsers.evaluation import add_evaluation_commands
from inverse_instruct.commands.parsers.looking import add_looking_commands
from inverse_instruct.commands.parsers.runs import add_run_commands
from inverse_instruct.commands.parsers.serve import add_chat_command, add_serve_command
from inverse_instruct.commands.parsers.stages import add_other_stages, add_stage_commands
from inverse_instruct.errors import InverseInstructError
from inverse_instruct.redaction import redact, set_up_logging
from inverse_instruct.system.terminal import printable


def main() -> None:
    """Run the command line; the console script."""
    arguments = parser_of(sys.argv[1:]).parse_args()
    set_up_logging()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started with it ignored
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    try:
        arguments.run(arguments)
    except InverseInstructError as error:
        for number, line in enumerate(str(error).split("\n")):
            label = f"{error.label}: "
            print(f"{' ' * len(label) if number else label}{printable(line)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("inverse_instruct", "evaluation"):
            raise
        print(
            f"error: {error.name} is not installed, which this command needs: pip install 'inverse-instruct[all]'",
            file=sys.stderr,
        )
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:  # a full disk, a missing permission: the system's own words name the file
        print(
            f"error: {redact(str(error))}; mend it and run the same command again, what was done is kept",
            file=sys.stderr,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        print("\ninterrupted; what was done is kept, the same command goes on from there", file=sys.stderr)
        _exit_interrupted()


def _exit_interrupted() -> NoReturn:
    """End with 130.

    Where the interrupt passed through an exec() of a string, as of a dataclass being made, CPython keeps a mark, and
    `python -m` then ends by SIGINT whatever exit code is asked for; the next such exec(), here of a named tuple, clears
    it.
    """
    namedtuple("Unmarked", ())
    sys.exit(130)


def parser_of(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser of the command line; stages without options of their own are there if `words` need them."""
    parser = argparse.ArgumentParser(
        prog="inverse-instruct",
        description="A service that lets a code LLM improve itself.",
        epilog="Start with: inverse-instruct fetch-model smollm2-135m && inverse-instruct run configs/quickstart.yaml",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_run_commands(commands)
    add_looking_commands(commands)
    add_checkpoint_commands(commands)
    add_stage_commands(commands)
    add_evaluation_commands(commands)
    add_serve_command(commands)
    add_chat_command(commands)
    if not words or words[0] not in commands.choices:  # to look at the recipes takes a second
        add_other_stages(commands)
    return parser


if __name__ == "__main__":
    main()
