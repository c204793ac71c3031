"""Shell lines as far as they can be looked at without running them.

Enters: a fenced block. Leaves: its commands with the numbers of their lines, and what of each cannot be right, by the
parsers and files that it names. Lines are split as a shell splits them; substitutions and loops are not looked into.
"""

from __future__ import annotations

import argparse
import configparser
import contextlib
import io
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from inverse_instruct import cli
from inverse_instruct.system.root import ROOT
from tests.docs.pages import Block
from tests.docs.reference import subparsers_of

OPERATORS = {"&&", "||", "|", ";", "&"}
REDIRECTIONS = {">", ">>", "<", "2>", "<<"}
TREES = ("configs", "docs", "evaluation", "inverse_instruct", "launch", "tests")
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
_ASSIGNMENT = re.compile(r"[A-Z_][A-Z0-9_]*=")


@dataclass(frozen=True)
class Command:
    """One command of a block."""

    place: str
    """`FILE:LINE`, as an editor opens it."""
    words: tuple[str, ...]


def commands_of(block: Block) -> Iterator[Command]:
    """Yield the commands of a block; continued lines are one, and texts that are handed over are none."""
    lines = iter(enumerate(block.lines, block.line))
    for number, line in lines:
        while line.endswith("\\"):
            line = line[:-1] + next(lines)[1]
        if text := _HEREDOC.search(line):
            while next(lines)[1].strip() != text[2]:
                pass
        reader = shlex.shlex(line, posix=True, punctuation_chars=True)
        reader.whitespace_split = True
        words: list[str] = []
        for word in [*reader, ";"]:
            if word not in OPERATORS:
                words.append(word)
            elif words:
                yield Command(f"{block.page.relative_to(ROOT)}:{number}", tuple(_without_redirections(words)))
                words = []


def _without_redirections(words: Sequence[str]) -> Iterator[str]:
    """Yield the words of a command without files that it reads and writes, and variables that it sets."""
    rest = iter(words)
    begun = False
    for word in rest:
        if word in REDIRECTIONS:
            next(rest, None)
        elif begun or not _ASSIGNMENT.match(word):
            begun = True
            yield word


def problem_of(words: Sequence[str]) -> str:
    """Return what of a command cannot be right; "" if nothing is seen."""
    for word in words:
        path = word.removeprefix("./")
        if path.partition("/")[0] in TREES and "/" in path and not (ROOT / path.partition("::")[0]).exists():
            return f"{word} is not there"
    program, *rest = words
    if program.startswith("./"):
        return "" if os.access(ROOT / program, os.X_OK) else f"{program} cannot be run"
    if program == "inverse-instruct":
        return _problem_of_ours(rest)
    if program == "python" and rest[:1] == ["-m"]:
        return _problem_of_module(rest[1], rest[2:])
    if program == "pytest":
        return _problem_of_pytest(rest)
    if program == "pip":
        return _problem_of_pip(rest)
    return ""


def _problem_of_ours(words: Sequence[str]) -> str:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            cli.parser_of(words).parse_args(words)
    except SystemExit as ended:
        return said.getvalue().strip().splitlines()[-1] if ended.code else ""
    return ""


def problem_of_mention(text: str) -> str:
    """Return what cannot be right of a command that is named within a sentence, with places for names left open."""
    words = re.sub(r"[\[\]()|\\]", " ", text).split()
    if words[:1] == ["inverse-instruct"]:
        words = words[1:]
        if words and words[0].islower() and words[0] not in OURS:
            return f"there is no command {words[0]}"
    elif words and (words[0].startswith("./") or words[:2] == ["python", "-m"]):
        return problem_of(words)
    unknown = [word for word in words[1:] if word.startswith("--") and word not in OURS.get(words[0], [word])]
    return f"{words[0]} has no option {unknown[0]}" if unknown else ""


def _options_of(parser: argparse.ArgumentParser) -> set[str]:
    """Return the options of a command and of the commands in it."""
    own = {option for action in parser._actions for option in action.option_strings}
    return own.union(*map(_options_of, subparsers_of(parser).values()))


OURS = {name: _options_of(command) for name, command in subparsers_of(cli.parser_of()).items()}
"""Our command -> its options."""


def _problem_of_module(module: str, words: Sequence[str]) -> str:
    if module == "pytest":
        return _problem_of_pytest(words)
    if module.partition(".")[0] not in TREES:
        return ""
    source = ROOT / f"{module.replace('.', '/')}.py"
    if not source.is_file():
        return f"there is no module {module}"
    text = source.read_text(encoding="utf-8")
    unknown = [word for word in words if word.startswith("--") and f'"{word}"' not in text]
    return f"{module} has no option {unknown[0]}" if unknown else ""


def _problem_of_pytest(words: Sequence[str]) -> str:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("-m", default="")
    known, _ = parser.parse_known_args(list(words))
    markers = set(re.findall(r"^    \"(\w+): ", (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    unknown = set(re.findall(r"\w+", known.m)) - markers - {"and", "or", "not"}
    return f"pytest knows no marker {', '.join(sorted(unknown))}" if unknown else ""


def _problem_of_pip(words: Sequence[str]) -> str:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    named = {extra for word in words for extras in re.findall(r"\[(.+)\]", word) for extra in extras.split(",")}
    unknown = named - set(setup["options.extras_require"])
    return f"setup.cfg has no extra {', '.join(sorted(unknown))}" if unknown else ""
