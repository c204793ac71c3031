"""Replies with headings are read strictly, and what stands under a heading is taken apart."""

from __future__ import annotations

import pytest

from inverse_instruct.stages.tasks.form import Unfit, block_of, code_of, is_nothing, read_form, sentences, take_apart

KEYS = ("Task name", "Instruction", "Information", "Solution")
CODE = "```python\ndef f(x):\n    '''\nInstruction: not one\n    '''\n    return x\n```"
GOOD = f"Task name: repair\nInstruction: Mend f.\nInformation: none\nSolution:\n{CODE}"


def test_each_key_has_its_text() -> None:
    found = read_form(GOOD, KEYS)
    assert list(found) == list(KEYS)
    assert found["Instruction"] == "Mend f." and found["Solution"] == CODE, "a key within a block is content"


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("Task name:", "**Task name:**").replace("Solution:", "## solution :"),
        "\n\n" + GOOD + "\n\n",
    ],
)
def test_marks_case_and_line_ends_do_not_matter(text: str) -> None:
    assert read_form(text, KEYS) == read_form(GOOD, KEYS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sure, here is a row.\n" + GOOD,
        GOOD.replace("Information: none\n", ""),
        GOOD + "\n\n" + GOOD,
        GOOD + "\nInstruction: And mend g.",
        GOOD.replace("Instruction: Mend f.\nInformation: none", "Information: none\nInstruction: Mend f."),
        GOOD.replace("Information:", "Information"),
        "{'Task name': 'repair', 'Instruction': 'Mend f.'}",
    ],
)
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(Unfit) as refused:
        read_form(text, KEYS)
    assert refused.value.reason == "bad_form" and refused.value.detail


def test_prose_and_blocks_are_told_apart() -> None:
    parts = take_apart(f"Before.\n{CODE}\nAfter.")
    assert parts.prose == "Before.\n\nAfter." or parts.prose.split() == ["Before.", "After."]
    assert code_of(parts, "python", "solution").startswith("def f(x):")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1", "bad_form"),
        (f"{CODE}\n{CODE}", "bad_form"),
        ("```java\nint x;\n```", "bad_form"),
        ("```python\n\n```", "empty"),
        ("```python\nx = 1", "bad_form"),
    ],
)
def test_code_is_one_block_in_its_language(text: str, reason: str) -> None:
    with pytest.raises(Unfit) as refused:
        code_of(take_apart(text), "python", "solution")
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "code", ["x = 1", 'def f():\n    """\n    ```\n    f()\n    ```\n    """', "a = '````'\nb = 2"]
)
def test_a_block_holds_code_with_fences_of_its_own(code: str) -> None:
    text = f"Before.\n\n{block_of(code, 'python')}"
    assert code_of(take_apart(text), "python", "solution") == code
    assert read_form(f"Solution: {text}\nOverall: yes", ("Solution", "Overall"))["Overall"] == "yes"


@pytest.mark.parametrize("label", ["", "py", "Python3", "python"])
def test_labels_are_names_of_the_language(label: str) -> None:
    assert code_of(take_apart(f"```{label}\nx = 1\n```"), "python", "solution") == "x = 1"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("Sort the list", 1),
        ("Sort the list.", 1),
        ("Sort the list. Return it.", 2),
        ("Sort it! Is it sorted? Return it.", 3),
        ("Use a rate of 3.5 e.g. for a loan, i.e. Money.", 1),
        ("Read a.txt and write b.py.", 1),
        ("- one\n- two\n\n- three", 3),
        ('He said "Stop." Then it stopped.', 2),
    ],
)
def test_sentences_are_counted(text: str, count: int) -> None:
    assert sentences(text) == count


@pytest.mark.parametrize("text", ["none", "None.", "`none`", "N/A", "", "**None**"])
def test_nothing_has_many_names(text: str) -> None:
    assert is_nothing(text) and not is_nothing(f"{text} but this")
