"""Text of a benchmark is found in every layout that benchmarks come in; ordinary code is not."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from evaluation.texts import read_texts
from inverse_instruct.corpus.decontamination import BenchmarkIndex

PROSE = "Count the purple parrots that sit on a given branch and return how many of them can whistle a sea shanty"
CODE = "    birds = [bird for bird in branch if bird.color == 'purple']\n    return sum(map(whistles, birds))\n"
HEAD = "def whistling_parrots(branch):\n"
JAVA = "import java.util.*;\nclass Problem {\n    // " + PROSE.replace("given ", "given\n    // ")

LAYOUTS: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "humaneval": (
        {
            "task_id": "HumanEval/12",
            "prompt": f'{HEAD}    """ {PROSE}\n    >>> whistling_parrots([])\n    0\n    """\n',
            "entry_point": "whistling_parrots",
            "canonical_solution": CODE,
            "test": "def check(candidate):\n    pass",
        },
        "HumanEval/12",
        [PROSE, CODE],
    ),
    "evalplus-mbpp": (
        {
            "task_id": "Mbpp/3",
            "prompt": f'"""\n{PROSE}\nassert whistling_parrots([]) == 0\n"""\n',
            "base_input": [[1]],
            "canonical_solution": HEAD + CODE,
            "contract": "",
            "atol": 0,
            "assertion": "assert 1",
        },
        "Mbpp/3",
        [PROSE, HEAD + CODE],
    ),
    "mbpp": (
        {"task_id": 4, "text": PROSE, "code": (HEAD + CODE).replace("\n", "\r\n"), "test_list": ["assert 1"]},
        "bench/4",
        [PROSE, HEAD + CODE],
    ),
    "mbpp_sanitized": ({"task_id": "4", "prompt": PROSE, "code": HEAD + CODE}, "bench/4", [PROSE, HEAD + CODE]),
    "multipl-e": (
        {
            "name": "HumanEval_5_parrots",
            "task_id": "HumanEval_5_parrots",
            "language": "java",
            "prompt": JAVA + "\n    // >>> f(1)\n    public static int f(int b) {\n",
            "tests": "}",
        },
        "HumanEval_5_parrots (java)",
        [PROSE, "/** " + PROSE + " */"],
    ),
    "ds1000": (
        {
            "prompt": f"Problem:\n{PROSE}\nA:\n<code>\nimport pandas\n</code>\nBEGIN SOLUTION\n<code>\n",
            "reference_code": CODE,
            "metadata": {"problem_id": 7, "library": "Pandas"},
            "code_context": "import copy",
        },
        "bench/7",
        [PROSE, CODE],
    ),
    "editeval": (
        {
            "task_id": "EditEval/9",
            "instruction": PROSE,
            "context": "",
            "input": HEAD + CODE,
            "output": HEAD + "    # edited\n" + CODE,
            "test": "def check(): pass",
        },
        "EditEval/9",
        [PROSE, HEAD + CODE, HEAD + "# edited\n" + CODE],
    ),
    "humanevalpack": (
        {
            "task_id": "CPP/8",
            "prompt": f"/*\n{PROSE}\n*/\nint f(int b){{\n",
            "declaration": "int f(int b){\n",
            "docstring": PROSE,
            "instruction": f"Write a C++ function `int f(int b)` to solve:\n{PROSE}",
            "canonical_solution": "    " + CODE,
            "buggy_solution": CODE.replace("purple", "green"),
        },
        "CPP/8",
        [PROSE, CODE, CODE.replace("purple", "green")],
    ),
}


def index(folder: Path, *rows: dict[str, Any], ngram: int = 13) -> BenchmarkIndex:
    path = folder / "bench.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return BenchmarkIndex([read_texts(path)], ngram)


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_prose_and_solutions_of_every_layout_are_found(tmp_path: Path, layout: str) -> None:
    row, task, texts = LAYOUTS[layout]
    benchmarks = index(tmp_path, row)
    for text in texts:
        for copy in (text, text.upper(), "Please help!\n" + text + "\nThank you.", " ".join(text.split())):
            assert benchmarks.match(copy) == task
    assert benchmarks.match("Count the green parrots in a cage.") is None
    assert benchmarks.match("") is None


def test_a_run_of_words_is_enough(tmp_path: Path) -> None:
    benchmarks = index(tmp_path, LAYOUTS["humaneval"][0])
    some = PROSE.split()
    assert benchmarks.match("So " + " ".join(some[2:15]) + " now") == "HumanEval/12"
    assert benchmarks.match("// " + ",\n// ".join(some[2:15])) == "HumanEval/12"
    assert benchmarks.match(" ".join(some[2:14])) is None
    assert index(tmp_path, LAYOUTS["humaneval"][0], ngram=8).match(" ".join(some[2:10])) == "HumanEval/12"


EVERYDAY_CODE = [
    'plt.legend(loc="lower right")',
    "ax.invert_yaxis()",
    "ax = plt.gca()\nax.invert_yaxis()",
    "model_name = type(model).__name__",
    "def is_even(n): return n % 2 == 0",
    "def add(a, b):\n    return a + b",
    "df = df.sort_values('a', ascending=False).reset_index(drop=True)",
    "x = np.linspace(0, 10, 100)\ny = np.sin(x)",
    "plt.xticks(rotation=45)\nplt.tight_layout()\nplt.show()",
    "return [x for x in numbers if x > 0]",
    "X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=42)",
    "clf = GridSearchCV(model, grid)\nclf.fit(X_train, y_train)",
    "a = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]",
    "for i in range(2, int(n ** 0.5) + 1):\n    if n % i == 0:\n        return False\nreturn True",
    "def fact(n):\n    if n == 0:\n        return 1\n    return n * fact(n - 1)",
    "d = {}\nfor w in words:\n    if w in d:\n        d[w] += 1\n    else:\n        d[w] = 1\nreturn d",
    "int s = 0;\nfor (int i = 1; i <= n; i++) {\n    s += i;\n}\nreturn s;\n}",
]
EVERYDAY_PROSE = [
    "checks if given string is a palindrome",
    "Return the largest number in a list.",
    "Write a function to find the area of a rectangle.",
    "Write a function to reverse a string.",
    "Write a python function to find the largest prime factor of a given number.",
    "Concatenate list of strings into a single string",
    "Return true if a given number is prime, and false otherwise.",
]


@pytest.mark.parametrize("line", EVERYDAY_CODE + EVERYDAY_PROSE)
def test_what_is_written_every_day_is_no_proof_though_it_is_a_whole_reference(tmp_path: Path, line: str) -> None:
    if line in EVERYDAY_CODE:
        rows: list[dict[str, Any]] = [
            {"task_id": 1, "text": "Do it.", "code": line},
            {"prompt": "Problem:\n", "reference_code": line},
            {"task_id": "T/1", "prompt": 'def f():\n    """Do it."""\n', "canonical_solution": line},
        ]
    else:
        rows = [
            {"task_id": 1, "text": line, "code": "pass"},
            {"task_id": "T/1", "prompt": f'def f():\n    """ {line}\n    """\n', "canonical_solution": "pass"},
        ]
    for row in rows:
        benchmarks = index(tmp_path, LAYOUTS["humaneval"][0], LAYOUTS["editeval"][0], row)
        for text in (line, f"Please help me.\n{line}\n", f"```python\n{line}\n```"):
            assert benchmarks.match(text) is None


SOLUTION = '''def closest_ports(ports, limit):
    """Return the pairs of ports that are nearer than the limit."""
    pairs = []
    for number, port in enumerate(ports):
        for other in ports[number + 1:]:
            if abs(port.mile - other.mile) < limit and port.name != "none":
                pairs.append((port.name, other.name))
    return sorted(pairs)
'''
COPIES = {
    "other names": """def near(harbors, d):
    result = []
    for i, a in enumerate(harbors):
        for b in harbors[i + 1:]:
            if abs(a.mile - b.mile) < d and a.name != "none":
                result.append((a.name, b.name))
    return sorted(result)
""",
    "other white space": SOLUTION.replace("    ", "\t").replace("\n", "\n\n").replace(" + ", "+").replace(", ", ","),
    "one line": " ".join(SOLUTION.split()),
    "other quotes": SOLUTION.replace('"none"', "'none'").replace('"""', "'''"),
    "other comments": SOLUTION.replace("pairs = []", "pairs = []  # none yet").replace(
        "    for other", "    # the ones behind it\n        for other"
    ),
    "no docstring": "\n".join(line for line in SOLUTION.split("\n") if '"""' not in line),
    "docstring wrapped anew": SOLUTION.replace("pairs of ports", "pairs of\n    ports"),
    "inside other code": f"import os\n\n\nclass Chart:\n    pass\n\n\n{SOLUTION}\n\nprint(os.name)\n",
    "one number changed": SOLUTION.replace("number + 1", "number + 2"),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_in_disguise_is_found(tmp_path: Path, copy: str) -> None:
    for row in (
        {"task_id": "T/1", "text": "Ports.", "code": SOLUTION},
        {"task_id": "T/1", "prompt": SOLUTION},
        {"task_id": "T/1", "prompt": "Problem:\n", "reference_code": SOLUTION.replace("\n", "\r\n")},
    ):
        assert index(tmp_path, row, LAYOUTS["mbpp"][0]).match(f"Here you are:\n```\n{copy}\n```") == "T/1"


def test_names_must_stand_where_the_reference_has_one_and_the_same(tmp_path: Path) -> None:
    benchmarks = index(tmp_path, {"task_id": "T/1", "text": "Ports.", "code": SOLUTION})
    numbers = itertools.count()
    unlike = re.sub(
        r"(?<!\.)\b(pairs|ports|number|port|other|limit)\b", lambda _: f"n{next(numbers)}", COPIES["no docstring"]
    )
    assert benchmarks.match(unlike) is None


def test_text_and_solution_count_together(tmp_path: Path) -> None:
    text = "Return the share of even numbers."
    code = "    return sum(n % 2 == 0 for n in numbers) / len(numbers)\n"
    benchmarks = index(tmp_path, {"task_id": "T/1", "text": text, "code": code})
    assert benchmarks.match(text) is None and benchmarks.match("Say something.", code) is None
    assert benchmarks.match(text, f"```\n{code.replace('numbers', 'x')}\n```") == "T/1"
    assert benchmarks.match(f"{text}\n\n{code}") == "T/1"


@pytest.mark.parametrize(
    "text",
    ["0, " * 30_000, "a = b\n" * 20_000, "(" * 50_000, "x" * 100_000, "/*" * 30_000, '"""' * 30_001, "# " * 50_000],
)
def test_repetitive_rows_take_no_longer(tmp_path: Path, text: str) -> None:
    zeros = {"task_id": "T/2", "text": "Zeros.", "code": f"a = [{'0, ' * 3000}]\n"}
    benchmarks = index(tmp_path, {"task_id": "T/1", "text": "Ports.", "code": SOLUTION}, zeros)
    started = time.monotonic()
    benchmarks.match(text, text)
    assert time.monotonic() - started < 3


def test_short_references_do_not_count(tmp_path: Path) -> None:
    row = {
        "task_id": "T/1",
        "prompt": 'def add(a, b):\n    """Add two numbers."""\n',
        "canonical_solution": "    return a + b\n",
    }
    benchmarks = index(tmp_path, row)
    assert benchmarks.match("Add two numbers.\ndef plus(a, b):\n    return a + b\n") is None
    assert benchmarks.match(row["prompt"]) is None, "anybody may have written it"


def test_boilerplate_and_numbers_do_not_count(tmp_path: Path) -> None:
    start = "Read the following story about a small purple parrot with care and then answer one question on"
    rows = [
        {"task_id": f"T/{n}", "text": f"{start} topic number {n}, which is all about subject {n}"} for n in range(12)
    ]
    rows.append({"task_id": "N/1", "text": "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 of these are numbers as you see"})
    benchmarks = index(tmp_path, *rows)
    assert benchmarks.match(start + " birds") is None
    assert benchmarks.match("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]") is None
    assert benchmarks.match(rows[3]["text"]) == "T/3"


def test_common_phrases_do_not_count(tmp_path: Path) -> None:
    phrase = "write a function that takes a list of numbers as input and returns"
    rare = ["purple parrots", "copper coins", "tall towers", "wet socks"]
    rows = [
        {"task_id": f"T/{n}", "text": f"{'Now please' if n % 2 else 'Kindly'} {phrase} {rare[n % 4]} of kind {n}"}
        for n in range(40)
    ]
    assert index(tmp_path, *rows).match(phrase) is None


def test_several_benchmarks_and_none(tmp_path: Path) -> None:
    assert BenchmarkIndex([], 13).match(PROSE) is None
    files = []
    for name in ("mbpp", "editeval"):
        files.append(tmp_path / f"{name}.jsonl")
        files[-1].write_text(json.dumps(LAYOUTS[name][0]) + "\n")
    assert BenchmarkIndex([read_texts(path) for path in files], 13).match(PROSE) == "mbpp/4"
