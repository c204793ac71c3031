"""Notebooks are their code cells: one file of source code, without what only IPython understands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.corpus.notebooks import read_notebook
from inverse_instruct.records import Reason, Rejection, SourceRow
from tests.corpus.test_readers import read

ADD = "def add(a, b):\n    return a + b"


def code(source: Any) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": [{"text": "def no():\n    pass"}]}


def notebook(*cells: Any, **metadata: Any) -> str:
    return json.dumps({"cells": list(cells), "metadata": metadata, "nbformat": 4})


def test_the_code_cells_are_one_source_file(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": f"```python\n{ADD}\n```"},
        code("import math\n%matplotlib inline"),
        code([f"{line}\n" for line in "def area(r):\n    return math.pi * r**2".split("\n")]),
        {"cell_type": "raw", "source": ADD},
        code(ADD),
    ]
    (tmp_path / "a").mkdir()
    (tmp_path / "a/n.ipynb").write_text(notebook(*cells))
    (tmp_path / "a/.ipynb_checkpoints").mkdir()
    (tmp_path / "a/.ipynb_checkpoints/n.ipynb").write_text(notebook(*cells))
    for path in (tmp_path, tmp_path / "a/n.ipynb", tmp_path / "*/*.ipynb"):
        rows = read(path)
        assert [(row.response, row.language, row.line) for row in rows if isinstance(row, SourceRow)] == [
            ("import math\n\n\ndef area(r):\n    return math.pi * r**2", "python", 4),
            (ADD, "python", 8),
        ]
        assert len(rows) == 2


@pytest.mark.parametrize(
    ("cell", "left"),
    [
        ("!pip install numpy\nx = 1", "x = 1"),
        ("%load_ext autoreload\n%autoreload 2\nx = 1", "x = 1"),
        ("%%time\nx = 1", "x = 1"),
        ("%%bash\nls -l\nx=1", ""),
        ("%%writefile a.py\nx = 1", ""),
        ("files = !ls\nx = 1", "x = 1"),
        ("a, b = %sql select 1\nx = 1", "x = 1"),
        ("?print\nlen??\nx = 1", "x = 1"),
        ("if True:\n    !ls\n    x = 1", "if True:\n    x = 1"),
        ("text = '''\n%d items\n!important\n'''", "text = '''\n%d items\n!important\n'''"),
        ("x = ('%d'\n% 5)", "x = ('%d'\n% 5)"),
        ("x = (a\n    != b)\n!ls", "x = (a\n    != b)"),
        ("x = (a\n    % b)\n!ls", "x = (a\n    % b)"),
    ],
)
def test_what_only_ipython_understands_is_left_out(cell: str, left: str) -> None:
    assert read_notebook(notebook(code(cell))) == (left, "python")


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({}, "python"),
        ({"language_info": {"name": "python"}, "kernelspec": {"language": "x"}}, "python"),
        ({"kernelspec": {"language": "typescript"}}, "typescript"),
        ({"language_info": {"name": "R"}}, "r"),
        ({"language_info": 3, "kernelspec": []}, "python"),
    ],
)
def test_its_language_is_what_it_says(metadata: dict[str, Any], language: str) -> None:
    assert read_notebook(notebook(code("!x"), **metadata)) == ("" if language == "python" else "!x", language)


@pytest.mark.parametrize(
    ("text", "reason", "says"),
    [
        ("{", Reason.MALFORMED, "is not a notebook (Expecting"),
        ("[" * 100_000, Reason.MALFORMED, "is not a notebook"),
        ("[]", Reason.MALFORMED, "is not a notebook of format 4"),
        ('{"worksheets": []}', Reason.MALFORMED, "convert it with `jupyter nbconvert --to notebook`"),
        (notebook(code(3)), Reason.MALFORMED, "the source of a cell is no text"),
        (notebook(code("def f():\n    return '\ud800'")), Reason.MALFORMED, "holds half a surrogate pair"),
        (notebook(code(None)), Reason.MALFORMED, "the source of a cell is no text"),
        (notebook(3, "x", {"cell_type": "code2"}), Reason.NO_CODE, "no function or class in this file"),
        (notebook(code(ADD), language_info={"name": "julia"}), Reason.UNSUPPORTED_LANGUAGE, "is a notebook in julia"),
        (notebook(code("x = 1\n" * 200_000)), Reason.TOO_LONG, "the file has more than 1000000 bytes"),
    ],
)
def test_one_that_cannot_be_used_is_a_counted_rejection(tmp_path: Path, text: str, reason: Reason, says: str) -> None:
    (tmp_path / "n.ipynb").write_text(text)
    [rejection] = read(tmp_path / "n.ipynb")
    assert isinstance(rejection, Rejection) and rejection.reason is reason
    assert rejection.detail.startswith("n.ipynb:1: ") and says in rejection.detail


def test_long_outputs_do_not_count(tmp_path: Path) -> None:
    cell = code(ADD)
    cell["outputs"] = ["x" * 2_000_000]
    (tmp_path / "n.ipynb").write_text(notebook(cell))
    assert [row.response for row in read(tmp_path) if isinstance(row, SourceRow)] == [ADD]
