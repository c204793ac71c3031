"""One table of grammars serves the examiner and the corpora."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evaluation.grammars import parser_of
from inverse_instruct.source_code.languages import LANGUAGES, parse, parses

ROOT = Path(__file__).resolve().parents[2]


def test_grammars_are_loaded_in_one_place() -> None:
    sources = [path for package in ("evaluation", "inverse_instruct") for path in (ROOT / package).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in sources if re.search(r"tree_sitter_\w+", path.read_text())}
    assert found == {"evaluation/grammars.py"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_a_parser(language: str) -> None:
    assert not parse("", language).root_node.has_error
    assert parser_of(language) is parser_of(language)


def test_languages_of_several_grammars_are_tried_in_turn() -> None:
    assert parses("const a = <T,>(x: T) => <b>{x}</b>;", "typescript"), "TSX"
    assert parses("const a = <string>b;", "typescript"), "a cast, which TSX has not"
    assert parses("$x = 1;", "php") and parses("<p><?php echo 1; ?></p>", "php")


def test_what_has_no_grammar_is_told() -> None:
    with pytest.raises(KeyError, match="cobol"):
        parser_of("cobol")
