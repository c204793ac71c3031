"""However a right program is written, and whatever is said around it, it passes once it is taken out of the reply."""

import pytest

from evaluation import Sandbox, extract_code, run_program
from tests.evaluation.program_forms import PROGRAM_FORMS, REPLY_FORMS

PROGRAM = "from typing import List\n\n\ndef total(numbers: List[int]) -> int:\n    return sum(numbers)\n"
PROMPT = 'from typing import List\n\n\ndef total(numbers: List[int]) -> int:\n    """Add."""\n'
AROUND = ("CODE\n", "```python\nCODE\n```", "Well:\nCODE\nprint(total([1]))\nassert total([1]) == 2\nThat's all!\n")


def outputs(sandbox: Sandbox, code: str) -> list[object]:
    outcomes = run_program(sandbox, code, "total", [[[1, 2]], [[]]])
    return [outcome.value if outcome.reason is None else outcome.detail for outcome in outcomes]


@pytest.mark.parametrize("name", PROGRAM_FORMS)
def test_what_the_entry_point_can_reach_is_kept(sandbox: Sandbox, name: str) -> None:
    program = PROGRAM_FORMS[name](PROGRAM, "total")
    assert outputs(sandbox, program) == [3, 0], "as it stands"
    for around in AROUND:
        code = extract_code(around.replace("CODE", program), "total", PROMPT)
        assert outputs(sandbox, code) == [3, 0], code


@pytest.mark.parametrize("name", REPLY_FORMS)
def test_the_answer_in_a_reply_is_found(sandbox: Sandbox, name: str) -> None:
    code = extract_code(REPLY_FORMS[name](PROGRAM, "total"), "total", PROMPT)
    assert outputs(sandbox, code) == [3, 0], code
