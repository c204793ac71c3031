"""Replies of models as edits, lists and refusals."""

from __future__ import annotations

import pytest

from inverse_instruct.config.editing import EditsSection
from inverse_instruct.corpus.edit_replies import EditReply, read_edit
from inverse_instruct.corpus.edits import edit_ratio, objection
from inverse_instruct.corpus.near_edits import NearEdits
from inverse_instruct.corpus.refusals import refusal_in
from inverse_instruct.corpus.reply_lists import list_items
from inverse_instruct.records import Reason

BEFORE = "def shout(text):\n    return text"
AFTER = "def shout(text):\n    return text.upper()"


@pytest.mark.parametrize("reply", [
    f"Input:\n```python\n{BEFORE}\n```\nOutput:\n```python\n{AFTER}\n```",
    f"Input:\n{BEFORE}\nOutput:\n{AFTER}",
    f"Here it is.\n\n**Input:**\n```python\n{BEFORE}\n```\n\n**Output:**\n```python\n{AFTER}\n```\nNow it shouts.",
    f"### Input:\n~~~python\n{BEFORE}\n~~~\n### Output:\n~~~python\n{AFTER}\n~~~",
    f"Input:\r\n```python\r\n{BEFORE}\r\n```\r\nOutput:\r\n```python\r\n{AFTER}\r\n```".replace("\r\r", "\r"),
    f"Input:\n{BEFORE}\nOutput:\n{AFTER}\nExplanation: it is in upper case now.",
    f"Input code:\n```\n{BEFORE}\n```\nOutput code:\n```\n{AFTER}\n```",
])  # fmt: skip
def test_sides_are_read_without_fences(reply: str) -> None:
    found = read_edit(reply, "python")
    assert isinstance(found, EditReply) and (found.before, found.after) == (BEFORE, AFTER)


@pytest.mark.parametrize(("before", "after"), [
    (f'"""Say.\n\nOutput:\n    text\n"""\n{BEFORE}', f'"""Say.\n\nOutput:\n    text\n"""\n{AFTER}'),
    (f"{BEFORE}\n# Output: it", f"{AFTER}\nprint('Output:')"),
    (BEFORE, f'{AFTER}\n\n\nHELP = """\nOutput:\nwhat it prints\n"""'),
    (f'HELP = """\nInput:\n"""\n{BEFORE}', f'HELP = """\nInput:\n"""\n{AFTER}'),
])  # fmt: skip
@pytest.mark.parametrize("fenced", [True, False])
def test_marks_within_code_do_not_cut_it(before: str, after: str, fenced: bool) -> None:
    open_, close = ("```python\n", "\n```") if fenced else ("", "")
    found = read_edit(f"Input:\n{open_}{before}{close}\nOutput:\n{open_}{after}{close}", "python")
    assert isinstance(found, EditReply)
    assert found.before == before and found.after.startswith(after[:40])
    if fenced:
        assert found.after == after


@pytest.mark.parametrize(("reply", "reason"), [
    ("I'm sorry, but I cannot help with that.", Reason.REFUSAL),
    ("As an AI language model, I do not have access to files.", Reason.REFUSAL),
    (f"Input:\n```python\n{BEFORE}\n```\nOutput:\nI apologize, the task is not clear.", Reason.REFUSAL),
    ("def shout(text): return text", Reason.BAD_REPLY),
    (f"Input:\n```python\n{BEFORE}\n```", Reason.BAD_REPLY),
    (f"Output:\n```python\n{AFTER}\n```", Reason.BAD_REPLY),
    ("", Reason.BAD_REPLY),
    (f"Input:\n```python\n{BEFORE}\nOutput:\n{AFTER}", Reason.BAD_REPLY),
])  # fmt: skip
def test_replies_without_two_sides(reply: str, reason: Reason) -> None:
    found = read_edit(reply, "python")
    if isinstance(found, EditReply):  # the prose stands where the code should be
        assert reason is Reason.REFUSAL and not found.is_whole
        assert objection(found.before, found.after, "python", EditsSection())
    else:
        assert found[0] == reason


@pytest.mark.parametrize("code", [
    "raise ValueError('I cannot open the file')", "print('sorry, already there')  # I am sorry, I can't do that",
    "LOG = 'As an AI language model'", "message = 'I cannot help you'\nprint('the user already exists')",
])  # fmt: skip
def test_what_a_program_says_is_no_refusal(code: str) -> None:
    found = read_edit(f"Input:\n```python\nx = 1\n{code}\n```\nOutput:\n```python\nx = 2\n{code}\n```", "python")
    assert isinstance(found, EditReply)
    assert refusal_in(f"Look:\n```python\n{code}\n```\nThat prints `I cannot help`.") is None


@pytest.mark.parametrize("prose", [
    "I’m sorry, but I can’t assist with that.", "As a language model, I have no files.", "I am unable to run this.",
    "We cannot fulfill this request.", "Please provide the code that I should edit.", "My apologies, no.",
    "I don't have enough information.", "Could you share more details?", "The input is not provided.",
])  # fmt: skip
def test_refusals_are_found_in_prose(prose: str) -> None:
    assert refusal_in(prose)


@pytest.mark.parametrize("prose", [
    "Handle the case where a user cannot be found.", "Make sure that the name is not already taken.",
    "Say sorry to users whose payment failed.", "Return None if the file cannot be opened.",
    "Add an apology to the page that says a room is not available.", "Do not print anything when there is no input.",
])  # fmt: skip
def test_tasks_that_speak_of_failure_are_no_refusals(prose: str) -> None:
    assert refusal_in(prose) is None


@pytest.mark.parametrize(("reply", "items"), [
    ('9. "Add a test."\n10. "Rename it."', ["Add a test.", "Rename it."]),
    ("1) Add a test\n2) Rename it", ["Add a test", "Rename it"]),
    ("Sure:\n\n1. A shop: what it sells\n2. **A bank**\n\nThat is all.", ["A shop: what it sells", "A bank"]),
    ("- one thing\n* another\n• a third", ["one thing", "another", "a third"]),
    ("“Add a test.”\n'Rename it.',\nthat is all", ["Add a test.", "Rename it."]),
    ("1. one\n- not this\n2. two", ["one", "two"]),
    ("1. \n2. two\n3. \"\"", ["two"]),
    ("1. Use `x`\n```python\n1. no item\n```\n2. two", ["Use `x`", "two"]),
    ('1. Rename "a" to "b"', ['Rename "a" to "b"']),
    ("no list at all", []), ("", []),
])  # fmt: skip
def test_items_of_lists(reply: str, items: list[str]) -> None:
    assert list_items(reply) == items


def test_the_edit_ratio_is_that_of_the_paper() -> None:
    assert edit_ratio("a\nb\nc", "a\nb\nd") == (2, 0.5)
    assert edit_ratio("a\n\nb", "a\nb\n") == (0, 0.0)
    assert edit_ratio("a", "b") == (2, 1.0)


@pytest.mark.parametrize(("before", "after", "reason"), [
    (BEFORE, AFTER, None), (BEFORE, BEFORE, Reason.UNCHANGED), (BEFORE, f"\n{BEFORE}\n\n", Reason.UNCHANGED),
    (BEFORE, BEFORE.replace("    ", "\t"), Reason.UNCHANGED), ("", AFTER, Reason.EMPTY), (BEFORE, "  \n", Reason.EMPTY),
    (BEFORE, "def f(:", Reason.SYNTAX_ERROR), ("x = 1", "y = 2", Reason.EDIT_RATIO),
    (BEFORE, "# I cannot do that", Reason.NO_CODE), (BEFORE, "x = 1\n" * 200, Reason.TOO_LONG),
    (BEFORE, f"x = '{'y' * 9000}'", Reason.TOO_LONG),
])  # fmt: skip
def test_what_speaks_against_an_edit(before: str, after: str, reason: Reason | None) -> None:
    found = objection(before, after, "python", EditsSection())
    assert (found[0] if found else None) == reason


def test_bounds_are_those_of_the_config() -> None:
    assert objection("x = 1", "y = 2", "python", EditsSection(max_edit_ratio=1.0)) is None
    wide = "\n".join(f"a{n} = {n}" for n in range(50))
    assert objection(wide, f"{wide}\nb = 1", "python", EditsSection()) is None
    found = objection(wide, f"{wide}\nb = 1", "python", EditsSection(min_edit_ratio=0.05))
    assert found and found[0] == Reason.EDIT_RATIO
    found = objection(BEFORE, AFTER, "python", EditsSection(min_changed_lines=3))
    assert found and found[0] == Reason.EDIT_RATIO


def test_near_duplicates_are_looked_for_on_both_sides() -> None:
    long = "def area(width, height):\n    whole = width * height\n    print(whole)\n    return whole"
    other = "class Tree:\n    def __init__(self, left, right):\n        self.left, self.right = left, right"
    third = "with open('names.txt') as stream:\n    names = [line.strip() for line in stream if line.strip()]"
    near = NearEdits(0.75)
    assert near.objection_or_add("a", long, other) is None
    assert near.objection_or_add("b", long, third) == (Reason.NEAR_DUPLICATE, "input of a")
    assert near.objection_or_add("c", third, other) == (Reason.NEAR_DUPLICATE, "output of a")
    assert near.objection_or_add("d", third, long) is None, "what was rejected is not remembered"
