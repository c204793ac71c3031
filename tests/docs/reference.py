"""Pages of the documentation that are made from the code: `python -m tests.docs.reference commands > docs/commands.md`.

`commands` is made from the parsers of the command line, `python-api` from the public names and their docstrings.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Iterator

import inverse_instruct
from inverse_instruct import cli

COMMANDS = """# Commands

Made by `python -m tests.docs.reference commands` from what the program itself says; `inverse-instruct COMMAND --help`
prints the same. What stands in brackets may be left out. Exit codes: 0 done, 1 failed with a message, 2 wrong usage or
config, 130 interrupted, where the same command goes on.
"""
PYTHON_API = """# The Python API

Made by `python -m tests.docs.reference python-api` from the docstrings. [A notebook](python-api.ipynb) shows them at
work. Each function does what the command of its name does, and raises what that prints: an `InverseInstructError` (in
`inverse_instruct.errors`) whose text names the place and the remedy.
"""


def commands() -> str:
    """Return the reference of the command line."""
    return "\n".join([COMMANDS, *_commands_of(cli.parser_of(), "", "##")])


def subparsers_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the commands of a parser by their names; none if it has none."""
    found = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found[0]) if found else {}


def _commands_of(parser: argparse.ArgumentParser, place: str, heading: str) -> Iterator[str]:
    for name, command in subparsers_of(parser).items():
        yield f"{heading} {place}{name}\n"
        yield f"{command.description}\n"
        inner = subparsers_of(command)
        options = [action for action in command._actions if action.dest != "help" and action.choices != inner]
        if options and not inner:
            yield from ["| argument | meaning |", "|---|---|", *map(_row, options), ""]
        examples = (command.epilog or "").partition("\n")[2].splitlines()
        yield "\n".join(["<!-- not run: the examples of the help -->", "```bash", *map(str.strip, examples), "```", ""])
        yield from _commands_of(command, f"{place}{name} ", f"{heading}#")


def _row(action: argparse.Action) -> str:
    """Return the line of an argument; in brackets what may be left out."""
    words = [*action.option_strings[-1:]]
    if action.choices is not None:
        words += [f"{{{','.join(map(str, action.choices))}}}"]
    elif action.nargs != 0:
        words += [str(action.metavar or (action.dest.upper() if words else action.dest))]
    shown = " ".join(words) + (" …" if action.nargs == "+" else "")
    needed = action.required if action.option_strings else action.nargs != "?"
    text = (action.help or "") % {"default": action.default}
    return f"| `{shown if needed else f'[{shown}]'}` | {text.replace('|', chr(92) + '|')} |"


def python_api() -> str:
    """Return the reference of the public names."""
    lines = [PYTHON_API]
    for name in inverse_instruct.__all__:
        thing = getattr(inverse_instruct, name)
        if not callable(thing):
            continue
        lines += [f"## {name}\n", f"```python\n{name}{_signature(thing)}\n```\n", *_docstring(thing)]
        if inspect.isclass(thing):
            shown = [(key, value) for key, value in vars(thing).items() if isinstance(value, property)]
            lines += ["| attribute | what |", "|---|---|"]
            lines += [f"| `{key}` | {next(_docstring(value)).strip()} |" for key, value in shown]
            lines += [""]
    return "\n".join(lines)


def _signature(thing: Callable[..., object]) -> str:
    return str(inspect.signature(thing)).replace("'", "")


def _docstring(thing: object) -> Iterator[str]:
    """Yield a docstring in Google's form as Markdown: sections as lists."""
    for part in (inspect.getdoc(thing) or "").split("\n\n"):
        title, _, rest = part.partition("\n")
        if not re.fullmatch(r"[A-Z]\w+:", title):
            yield " ".join(part.split()) + "\n"
            continue
        entries = re.sub(r"\n {8,}", " ", rest)
        yield f"{title}\n"
        yield "\n".join(re.sub(r"^ +(\w+): ", r"- `\1`: ", line) for line in entries.splitlines()) + "\n"


PAGES: dict[str, Callable[[], str]] = {"commands": commands, "python-api": python_api}
"""Name of the page -> what makes it."""

if __name__ == "__main__":
    print(PAGES[sys.argv[1]](), end="")
