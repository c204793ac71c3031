"""The first block of a response, and nothing else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.fences import first_block
from inverse_instruct.corpus.extraction import Code, NotCode, extract, extract_plain
from inverse_instruct.records import Reason
from inverse_instruct.source_code.languages import LANGUAGES

F = "def f(x):\n    return x"
G = "def g(x):\n    return -x"


def found(response: str) -> Code | NotCode:
    return extract(response, LANGUAGES, 1000)


@pytest.mark.parametrize(
    "response",
    [
        f"```python\n{F}\n```",
        f"```py\n{F}\n```\n",
        f"```\n{F}\n```",
        f'```Python3 title="f.py"\n{F}\n```',
        f"Sure, here it is:\n\n```python\n{F}\n```\n\nIt returns x.",
        f"```python\n{F}\n```\n\nTests:\n\n```python\nassert f(1) == 1\n```",
        f"```python\n{F}\n```\nOutput:\n```text\n1\n```",
        f"~~~python\n{F}\n~~~",
        f"~~~python\n{F}\n~~~~",
        f"````python\n{F}\n````",
        f"```python\r\n{F.replace(chr(10), chr(13) + chr(10))}\r\n```\r\n",
        f"``` python  \n\n{F}\n\n\n```",
        "1. First:\n\n   ```python\n   def f(x):\n       return x\n   ```",
        "```python\n    def f(x):\n        return x\n```",
        f"The code is ```python\n{F}\n```",
        f"Use `f` and ```x``` like this.\n```python\n{F}\n```",
        F,
        f"\n\n{F}\n\n",
        F.replace("\n", "\r\n"),
        f"<think>\n```python\n{G}\n```\nNo, x.\n</think>\n```python\n{F}\n```",
        f"<think>\n{G}\n</think>\n\n{F}",
        f"<thinking>```\n{G}\n```</thinking>```python\n{F}\n```",
        f"<reasoning>\r\n```\r\n{G}\r\n```\r\n</reasoning>\r\n```\r\n{F}\r\n```",
        f"[THINK]\n```python\n{G}\n[/THINK]\n```python\n{F}\n```",
        f"Perhaps\n```python\n{G}\n```\n</think>\n\n```python\n{F}\n```",
        f"```python\n{F}\n```\n<think>Was that right?",
        f"<think></think>\n\n```python\n{F}\n```\nOr\n```python\n{G}\n```",
    ],
)
def test_the_first_block_is_the_snippet(response: str) -> None:
    assert found(response) == Code(F, "python")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("", Reason.EMPTY),
        (" \n\t", Reason.EMPTY),
        ("It cannot be done.", Reason.NO_CODE),
        (f"The function is\n{F}\nas you see.", Reason.NO_CODE),
        (f"```python\n```\n```python\n{F}\n```", Reason.NO_CODE),
        (f"```\nThe answer is 5.\n```\n```python\n{F}\n```", Reason.NO_CODE),
        ("```python\ndef f(x:\n    return x\n```", Reason.SYNTAX_ERROR),
        (f"```java\n{F}\n```", Reason.SYNTAX_ERROR),
        ("```\ndef f(x):\n    return (x\n```", Reason.SYNTAX_ERROR),
        (f"```python\n{F}\n", Reason.SYNTAX_ERROR),
        ("```", Reason.NO_CODE),
        (f"```text\nhello\n```\n```python\n{F}\n```", Reason.UNSUPPORTED_LANGUAGE),
        ("```output\n5\n```", Reason.UNSUPPORTED_LANGUAGE),
        ("```console\n$ ls\n```", Reason.UNSUPPORTED_LANGUAGE),
        ("```sql\nSELECT 1;\n```", Reason.UNSUPPORTED_LANGUAGE),
        (f"```python\n{F}\n{'# ' + 'x' * 1000}\n```", Reason.TOO_LONG),
        ("x" * 1001, Reason.TOO_LONG),
        (f"<think>\n```python\n{F}\n```\nThat is", Reason.NO_CODE),
        (f"<think>\n```python\n{F}\n```\n</think>\n", Reason.NO_CODE),
        (f"```python\n{F}\n```\n</think>\nI cannot do it.", Reason.NO_CODE),
    ],
)
def test_what_is_no_snippet_has_its_reason(response: str, reason: Reason) -> None:
    result = found(response)
    assert isinstance(result, NotCode) and result.reason is reason and result.detail


def test_marks_of_a_thought_within_code_are_code() -> None:
    code = 'def answer(x):\n    """Drop what is between <think> and </think>."""\n    return x.split("</think>")[-1]'
    for response in (f"```python\n{code}\n```", f"The `</think>` tag:\n```python\n{code}\n```", code):
        assert found(response) == Code(code, "python")
    page = "<html>\n<think>\n<b>x</b>\n</think>\n</html>"
    assert found(f"```html\n{page}\n```") == NotCode(Reason.UNSUPPORTED_LANGUAGE, "html")


def test_a_fence_inside_a_longer_one_is_content() -> None:
    block = first_block(f"````markdown\n```python\n{F}\n```\n````")
    assert block is not None and (block.label, block.closed) == ("markdown", True) and "```python" in block.text


def test_a_closing_fence_has_no_label() -> None:
    block = first_block(f"```python\n{F}\n```python\n{G}\n```")
    assert block is not None and block.text == f"{F}\n```python\n{G}\n"


def test_languages_that_are_left_out() -> None:
    for response in (f"```python\n{F}\n```", f"```\n{F}\n```", F):
        assert extract(response, ["go"], 1000) == NotCode(Reason.UNSUPPORTED_LANGUAGE, "python")


def test_what_the_corpus_says_decides_where_the_text_does_not() -> None:
    shared = "int add(int a, int b) { return a + b; }"
    assert extract(shared, LANGUAGES, 1000) == Code(shared, "c")
    assert extract(f"```\n{shared}\n```", LANGUAGES, 1000, "cpp") == Code(shared, "cpp")


def test_plain_code_may_hold_a_fence_in_its_docstring() -> None:
    code = 'def f():\n    """Do it.\n\n    ```\n    f()\n    ```\n    """\n    return 1'
    assert extract_plain(code, LANGUAGES, 1000, "python") == Code(code, "python")
    assert extract_plain(code, LANGUAGES, 1000) == Code(code, "python")
    broken = NotCode(Reason.SYNTAX_ERROR, "does not parse as python")
    assert extract_plain("def f(:", LANGUAGES, 1000, "python") == broken
    assert extract_plain(f"```python\n{F}\n```", LANGUAGES, 1000) == Code(F, "python")


PIECES = st.sampled_from(["```", "~~~", "````", "python", "\n", "\r\n", "  ", F, "text", "{", "Hello you. ", "`", "\t"])


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=20).map("".join)))
def test_no_response_is_too_odd(response: str) -> None:
    for result in (found(response), extract_plain(response, LANGUAGES, 1000)):
        assert isinstance(result, NotCode) or (result.text.strip() and result.language in LANGUAGES)


@pytest.mark.parametrize(
    "response",
    [
        " " * 19_999 + "x",
        "\n" * 20_000,
        "for a in " * 2200,
        "function f($a" * 1500,
        "lambda " * 2800,
        "(" * 20_000,
        "``` " + " " * 19_000 + "`",
        "x" + " " * 19_000 + "``` `",
        "`" * 20_000,
        "Aa aa " * 3300,
        "a = " * 5000,
    ],
)
def test_repetitive_responses_take_no_longer(response: str) -> None:
    started = time.monotonic()
    assert isinstance(extract(response, LANGUAGES, 20_000), NotCode)
    assert time.monotonic() - started < 5
