"""Docstrings taken off code."""

from __future__ import annotations

import ast

import pytest

from inverse_instruct.source_code.docstrings import without_docstrings

CODE = '''import re


class Words:
    """Of a text."""

    text: str

    def count(self):
        """Count them.

        >>> Words("a b").count()
        2
        """
        # by blanks
        return len(self.text.split())

    async def nothing(self):
        "Do nothing."
'''
BARE = """import re


class Words:

    text: str

    def count(self):
        # by blanks
        return len(self.text.split())

    async def nothing(self):
        pass
"""


def test_docstrings_of_all_definitions_are_taken_off_and_nothing_else() -> None:
    code, said = without_docstrings(CODE)
    assert code == BARE
    assert said == 'Of a text.\n\nCount them.\n\n>>> Words("a b").count()\n2\n\nDo nothing.'
    assert without_docstrings(code) == (code, "")


@pytest.mark.parametrize(
    "code",
    [
        'def f(): "in a line"',
        'def f():\n    "with more"; return 1',
        'def f():\n    x = 1\n    "no docstring"',
        "def f():\n    b'bytes'\n    return 1",
        "def f():\n    f'{1}'\n    return 1",
        "def f(:\n    'broken'\n",
        '"""Of a module."""\n\nx = 1',
        "fn main() {}",
        "",
    ],
)
def test_what_is_left_as_it_is(code: str) -> None:
    assert without_docstrings(code) == (code, "")


def test_letters_beyond_ascii_before_and_in_it() -> None:
    code, said = without_docstrings('def f(ä="ü"):\n\n    """Größe\n    in 米."""\n    return "ß"\n')
    assert said == "Größe\nin 米." and ast.parse(code) and code == 'def f(ä="ü"):\n\n    return "ß"\n'
