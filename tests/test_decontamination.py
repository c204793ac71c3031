"""Text of a benchmark is found in every layout that benchmarks come in; ordinary code is not."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.decontamination import BenchmarkIndex
from inverse_instruct.errors import CorpusError

PROSE = "Count the purple parrots that sit on a given branch and return how many of them can whistle a sea shanty"
CODE = "    birds = [bird for bird in branch if bird.color == 'purple']\n    return sum(map(whistles, birds))\n"
HEAD = "def whistling_parrots(branch):\n"
JAVA = "import java.util.*;\nclass Problem {\n    // " + PROSE.replace("given ", "given\n    // ")

LAYOUTS: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "humaneval": (
        {"task_id": "HumanEval/12", "prompt": f'{HEAD}    """ {PROSE}\n    >>> whistling_parrots([])\n    0\n    """\n',
         "entry_point": "whistling_parrots", "canonical_solution": CODE, "test": "def check(candidate):\n    pass"},
        "HumanEval/12", [PROSE, CODE],
    ),
    "evalplus-mbpp": (
        {"task_id": "Mbpp/3", "prompt": f'"""\n{PROSE}\nassert whistling_parrots([]) == 0\n"""\n', "base_input": [[1]],
         "canonical_solution": HEAD + CODE, "contract": "", "atol": 0, "assertion": "assert 1"},
        "Mbpp/3", [PROSE, HEAD + CODE],
    ),
    "mbpp": ({"task_id": 4, "text": PROSE, "code": (HEAD + CODE).replace("\n", "\r\n"), "test_list": ["assert 1"]},
             "bench/4", [PROSE, HEAD + CODE]),
    "mbpp_sanitized": ({"task_id": "4", "prompt": PROSE, "code": HEAD + CODE}, "bench/4", [PROSE, HEAD + CODE]),
    "multipl-e": (
        {"name": "HumanEval_5_parrots", "task_id": "HumanEval_5_parrots", "language": "java",
         "prompt": JAVA + "\n    // >>> f(1)\n    public static int f(int b) {\n", "tests": "}"},
        "HumanEval_5_parrots (java)", [PROSE, "/** " + PROSE + " */"],
    ),
    "ds1000": (
        {"prompt": f"Problem:\n{PROSE}\nA:\n<code>\nimport pandas\n</code>\nBEGIN SOLUTION\n<code>\n",
         "reference_code": CODE, "metadata": {"problem_id": 7, "library": "Pandas"}, "code_context": "import copy"},
        "bench/7", [PROSE, CODE],
    ),
    "editeval": ({"task_id": "EditEval/9", "instruction": PROSE, "context": "", "input": HEAD + CODE,
                  "output": HEAD + "    # edited\n" + CODE, "test": "def check(): pass"},
                 "EditEval/9", [PROSE, HEAD + CODE, HEAD + "# edited\n" + CODE]),
    "humanevalpack": (
        {"task_id": "CPP/8", "prompt": f"/*\n{PROSE}\n*/\nint f(int b){{\n", "declaration": "int f(int b){\n",
         "docstring": PROSE, "instruction": f"Write a C++ function `int f(int b)` to solve:\n{PROSE}",
         "canonical_solution": "    " + CODE, "buggy_solution": CODE.replace("purple", "green")},
        "CPP/8", [PROSE, CODE, CODE.replace("purple", "green")],
    ),
}


def index(folder: Path, *rows: dict[str, Any], ngram: int = 13) -> BenchmarkIndex:
    path = folder / "bench.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return BenchmarkIndex([path], ngram)


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_prose_and_solutions_of_every_layout_are_found(tmp_path: Path, layout: str):
    row, task, texts = LAYOUTS[layout]
    benchmarks = index(tmp_path, row)
    for text in texts:
        for copy in (text, text.upper(), "Please help!\n" + text + "\nThank you.", " ".join(text.split())):
            assert benchmarks.match(copy) == task
    assert benchmarks.match("Count the green parrots in a cage.") is None
    assert benchmarks.match("") is None


def test_a_run_of_words_is_enough(tmp_path: Path):
    benchmarks = index(tmp_path, LAYOUTS["humaneval"][0])
    some = PROSE.split()
    assert benchmarks.match("So " + " ".join(some[2:15]) + " now") == "HumanEval/12"
    assert benchmarks.match("// " + ",\n// ".join(some[2:15])) == "HumanEval/12"
    assert benchmarks.match(" ".join(some[2:14])) is None
    assert index(tmp_path, LAYOUTS["humaneval"][0], ngram=8).match(" ".join(some[2:10])) == "HumanEval/12"


def test_short_references_do_not_count(tmp_path: Path):
    row = {"task_id": "T/1", "prompt": 'def add(a, b):\n    """Add two numbers."""\n',
           "canonical_solution": "    return a + b\n"}
    benchmarks = index(tmp_path, row)
    assert benchmarks.match("Add two numbers.\ndef plus(a, b):\n    return a + b\n") is None
    assert benchmarks.match(row["prompt"]) == "T/1"


def test_boilerplate_and_numbers_do_not_count(tmp_path: Path):
    start = "Read the following story about a small purple parrot with care and then answer one question on"
    rows = [{"task_id": f"T/{n}", "text": f"{start} topic number {n}, which is all about subject {n}"}
            for n in range(12)]
    rows.append({"task_id": "N/1", "text": "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 of these are numbers as you see"})
    benchmarks = index(tmp_path, *rows)
    assert benchmarks.match(start + " birds") is None
    assert benchmarks.match("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]") is None
    assert benchmarks.match(rows[3]["text"]) == "T/3"


def test_common_phrases_do_not_count(tmp_path: Path):
    phrase = "write a function that takes a list of numbers as input and returns"
    rare = ["purple parrots", "copper coins", "tall towers", "wet socks"]
    rows = [{"task_id": f"T/{n}", "text": f"{'Now please' if n % 2 else 'Kindly'} {phrase} {rare[n % 4]} of kind {n}"}
            for n in range(40)]
    assert index(tmp_path, *rows).match(phrase) is None


def test_several_benchmarks_and_none(tmp_path: Path):
    assert BenchmarkIndex([], 13).match(PROSE) is None
    files = []
    for name in ("mbpp", "editeval"):
        files.append(tmp_path / f"{name}.jsonl")
        files[-1].write_text(json.dumps(LAYOUTS[name][0]) + "\n")
    assert BenchmarkIndex(files, 13).match(PROSE) == "mbpp/4"


def test_what_is_no_benchmark_is_refused(tmp_path: Path):
    with pytest.raises(CorpusError, match="no such file"):
        BenchmarkIndex([tmp_path / "x.jsonl"], 13)
    (tmp_path / "y.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(CorpusError, match="holds no benchmark"):
        BenchmarkIndex([tmp_path / "y.jsonl"], 13)
