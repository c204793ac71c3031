"""Every command of the README and the docs is run as it stands, or a mark says why not and it is parsed.

A page is one script: its blocks without a mark, in order, in a folder with copies of the repository's files, a
finished run of the quickstart lies in `runs/quickstart`, and what the page marks as a file is that file. Models are the
fake engine's (`played.py`).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from inverse_instruct.system.root import ROOT
from tests.docs.conftest import furnish, run_script
from tests.docs.pages import PAGES, Block, blocks_of, prose_of
from tests.docs.shell import commands_of, problem_of, problem_of_mention

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
OURS = ("inverse-instruct ", "python -m ", "./launch/", "pytest ")
HARMLESS = ("cat", "cd", "head", "ls", "mkdir", "python")
"""What a page's script may call beside our command; whatever installs, sends or submits something is marked."""
ENDLESS = ("chat", "dashboard", "fetch-model", "serve")
"""Commands of ours that wait for somebody, or for the network."""


def runs(block: Block) -> bool:
    """Tell whether a block is part of its page's script."""
    return block.is_shell and not block.mark


def has_commands(page: Path) -> bool:
    return any(block.page == page and runs(block) for block in BLOCKS)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def script_of(page: Path, folder: Path) -> str:
    """Return the page as a script of as many lines, and write its files into the folder."""
    lines = [""] * len(page.read_text(encoding="utf-8").splitlines())
    for block in BLOCKS:
        if block.page == page and block.mark == "file":
            (folder / block.said).write_text("".join(f"{line}\n" for line in block.lines), encoding="utf-8")
        elif block.page == page and runs(block):
            lines[block.line - 1 : block.end - 1] = block.lines
    return "\n".join(lines)


def may_run(words: Sequence[str]) -> bool:
    """Tell whether a test can run a command."""
    return words[1] not in ENDLESS if words[0] == "inverse-instruct" else words[0] in HARMLESS


@pytest.mark.slow  # a page plays whole runs; that each command can be right is looked at by default
@pytest.mark.parametrize("page", [page for page in PAGES if has_commands(page)], ids=name_of)
def test_the_commands_of_a_page_run(page: Path, models: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    commands = [found for block in BLOCKS if block.page == page and runs(block) for found in commands_of(block)]
    silent = [command.place for command in commands if not may_run(command.words)]
    assert silent == [], "not run by this test; say why in a mark before the block: <!-- not run: WHY -->"
    furnish(tmp_path)
    script = script_of(page, tmp_path)
    if "runs/quickstart" in script:
        shutil.copytree(request.getfixturevalue("quickstart"), tmp_path / "runs/quickstart")
    ended = run_script(script, tmp_path, models)
    place = next((line[5:] for line in ended.stderr.splitlines() if line.startswith("LINE ")), "?")
    assert ended.returncode == 0, f"{name_of(page)}:{place} fails:\n{ended.stdout}\n{ended.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_can_be_right(page: Path) -> None:
    commands = [command for block in BLOCKS if block.page == page and block.is_shell for command in commands_of(block)]
    wrong = [f"{command.place}: {problem}" for command in commands if (problem := problem_of(command.words))]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_within_sentences_can_be_right(page: Path) -> None:
    mentions = [(number, text) for number, line in prose_of(page) for text in re.findall(r"`([^`]+)`", line)]
    wrong = [f"{name_of(page)}:{number}: {said}" for number, text in mentions if (said := problem_of_mention(text))]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("inverse-instruct run CONFIG --preview 20", ""),
        ("track DIR --to tensorboard\\|mlflow", ""),
        ("checkpoints export round-02 --output DIR", ""),
        ("inverse-instruct COMMAND --help", ""),
        ("inverse-instruct play CONFIG", "there is no command play"),
        ("evaluate --suite NAME (--model DIR \\| --modle DIR)", "evaluate has no option --modle"),
        ("./launch/nothing.sh", "./launch/nothing.sh is not there"),
    ],
)
def test_what_cannot_be_right_within_a_sentence_is_told(text: str, problem: str) -> None:
    assert problem_of_mention(text) == problem


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_command_stands_where_the_tests_do_not_see_it(page: Path) -> None:
    silent = [
        f"{name_of(page)}:{number}: name the language of the block, bash"
        for block in BLOCKS
        if block.page == page and not block.language
        for number, line in enumerate(block.lines, block.line)
        if line.startswith(OURS)
    ]
    indented = [
        f"{name_of(page)}:{number}: put it into a fenced block"
        for number, line in prose_of(page)
        if line.startswith("    ") and line.strip().startswith(OURS)
    ]
    assert silent + indented == []


def block(*lines: str, mark: str = "") -> Block:
    return Block(ROOT / "README.md", 10, "bash", lines, mark)


def test_lines_are_read_as_a_shell_reads_them() -> None:
    found = commands_of(
        block(
            "# first", "A=1 inverse-instruct run x.yaml \\", "    --set rounds=1 | head -3  # two", "cat > f <<'EOF'",
            "inverse-instruct nonsense", "EOF", "cd a && ./launch/test.sh -m 'not slow' > log",
        )
    )  # fmt: skip
    assert [(command.place, *command.words) for command in found] == [
        ("README.md:11", "inverse-instruct", "run", "x.yaml", "--set", "rounds=1"),
        ("README.md:11", "head", "-3"),
        ("README.md:13", "cat"),
        ("README.md:16", "cd", "a"),
        ("README.md:16", "./launch/test.sh", "-m", "not slow"),
    ]


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("inverse-instruct check configs/quickstart.yaml", ""),
        ("inverse-instruct check configs/slowstart.yaml", "configs/slowstart.yaml is not there"),
        ("inverse-instruct chekc configs/quickstart.yaml", "invalid choice"),
        ("inverse-instruct run configs/quickstart.yaml --previw 3", "unrecognized arguments: --previw"),
        ("inverse-instruct verify --help", ""),
        ("./launch/nothing.sh", "./launch/nothing.sh is not there"),
        ("python -m tests.docs.nothing", "there is no module tests.docs.nothing"),
        ("python -m tests.throughput.coreset --nothing", "has no option --nothing"),
        ("pytest -m sloow tests/config", "knows no marker sloow"),
        ("python -m pytest -m 'gpu and not slow' tests/gpu", ""),
        ("pip install 'inverse-instruct[gpus]'", "no extra gpus"),
    ],
)
def test_what_cannot_be_right_is_told(command: str, problem: str) -> None:
    [found] = commands_of(block(command))
    told = problem_of(found.words)
    assert problem in told and bool(problem) == bool(told)
