"""What decides a verdict shares nothing with the program: wrong programs that reach for it fail, in every language."""

from collections.abc import Callable, Iterator

import pytest

from evaluation.native.cpp import Cpp
from evaluation.native.golang import Go
from evaluation.native.interpreted import JavaScript, Php
from evaluation.native.java import Java
from evaluation.native.runner import TestedProgram, open_runner
from evaluation.native.rust import Rust
from evaluation.native.swift import Swift
from evaluation.native.toolchain import Task, Toolchain
from evaluation.suite import Execution
from evaluation.toolchains import missing
from tests.evaluation.native_attacks import TARGETS, attacks_in

TOOLCHAINS: dict[str, Callable[[], Toolchain]] = {
    "cpp": Cpp,
    "java": lambda: Java("Main"),
    "javascript": lambda: JavaScript(silent=True),
    "go": Go,
    "rust": lambda: Rust("2021", ()),
    "php": Php,
    "swift": Swift,
}


def _languages() -> Iterator[object]:
    for language in TOOLCHAINS:
        reason = missing(language, "stretchr/testify" if language == "go" else "")
        yield pytest.param(language, marks=pytest.mark.skipif(bool(reason), reason=reason))


@pytest.mark.parametrize("language", _languages())
def test_no_attack_passes(language: str) -> None:
    attacks = attacks_in(language)

    def build(name: str) -> TestedProgram:
        target, program = attacks[name]
        return TestedProgram(program, Task(target.head, target.tests), 2.0)

    with open_runner(TOOLCHAINS[language](), Execution(memory_bytes=512 << 20)) as runner:
        reasons = {name: result.reason for name, result in runner.run(attacks, build)}
    assert len(reasons) == len(attacks)
    assert [name for name, reason in reasons.items() if reason is None] == []


def test_there_are_many_attacks_and_each_has_its_text() -> None:
    found = [program for language in TARGETS for _, program in attacks_in(language).values()]
    assert len(found) >= 80 and all(len(program) > 30 and "\n@" not in program for program in found)
