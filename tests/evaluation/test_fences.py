"""The one reader of fences, in two ways: what a reply holds, and the first block of a corpus row to the letter."""

from __future__ import annotations

import pytest

from evaluation.fences import find_blocks, first_block


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("```py\na\n```\nb", ("py", "a\n", True)),
        ("So ```py\na\n```", ("py", "a\n", True)),
        ("~~~ js x=1\na\n~~~~", ("js x=1", "a\n", True)),
        ("````\n```\na\n```\n````", ("", "```\na\n```\n", True)),
        ("```\na\n~~~\n```", ("", "a\n~~~\n", True)),
        ("```\na\n        ```  \nb", ("", "a\n", True)),
        ("```py\na\n```py\nb\n```", ("py", "a\n```py\nb\n", True)),
        ("```\na ```\n```", ("", "a ```\n", True)),
        ("```py\na", ("py", "a", False)),
        ("```", ("", "", False)),
    ],
)
def test_the_first_block_to_the_letter(text: str, found: tuple[str, str, bool]) -> None:
    block = first_block(text)
    assert block is not None and (block.label, block.text, block.closed) == found


@pytest.mark.parametrize("text", ["", "a ``b`` c", "Use ```x``` here.", "``\na\n``"])
def test_where_there_is_no_fence_there_is_no_block(text: str) -> None:
    assert first_block(text) is None and find_blocks(text) == []


def test_the_indentation_of_a_fence_is_told_apart_from_its_content() -> None:
    text = "1. So:\n\n   ```py\n   a\n     b\n   ```\n"
    for block in (first_block(text), *find_blocks(text)):
        assert block is not None and (block.indent, block.text) == ("   ", "   a\n     b\n")


def test_a_reply_opens_its_next_block_where_one_was_not_closed() -> None:
    text = "```py\na\n```js\nb\n```"
    assert [(block.label, block.text, block.closed) for block in find_blocks(text)] == [
        ("py", "a\n", False),
        ("js", "b\n", True),
    ]
