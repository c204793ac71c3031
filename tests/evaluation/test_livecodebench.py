"""LiveCodeBench's rows: programs are judged by what they print, methods by what they return, pickles are not loaded."""

import base64
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import pytest

from evaluation import BenchmarkError, Execution, Sample, Verdict, choose_tasks
from evaluation.packed_text import unpack_text
from evaluation.suites.livecodebench import LiveCodeBench, load

HERE = Execution(workers=2)
Case = dict[str, str]


def case(given: str, wanted: str, kind: str = "stdin") -> Case:
    return {"input": given, "output": wanted, "testtype": kind}


def packed(cases: list[Case]) -> str:
    """Pack hidden tests as upstream does."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(cases)))).decode()


def row(number: str, public: list[Case], hidden: str, **more: Any) -> dict[str, Any]:
    return {
        "question_title": "title",
        "question_content": f"Problem {number}: do it.",
        "platform": "atcoder",
        "question_id": number,
        "contest_id": "abc",
        "contest_date": "2024-08-10T00:00:00",
        "starter_code": "",
        "difficulty": "easy",
        "public_test_cases": json.dumps(public),
        "private_test_cases": hidden,
        "metadata": "{}",
    } | more


SUM = row("abc1_a", [case("2\n1 2\n", "3\n")], packed([case("3\n1 2 4\n", "7"), case("1\n0\n", "0")]))
HALF = row(
    "abc1_b",
    [case("1", "0.5")],
    json.dumps([case("3", "1.50 \nend\n")]),
    contest_date="2025-01-04T00:00:00",
)
PAIR = row(
    "3001",
    [case('[3, 1, 2]\n"up"', "[1, 3]", "functional")],
    packed([case('[5]\n"up"', "[5, 5]", "functional")]),
    platform="leetcode",
    contest_date="2024-09-01T00:00:00",
    starter_code="class Solution:\n    def ends(self, values: List[int], way: str) -> List[int]:\n        ",
    metadata=json.dumps({"func_name": "ends"}),
)
ROWS = [SUM, HALF, PAIR]
SUM_SOLUTION = "n = int(input())\nprint(sum(map(int, input().split())))\n"
PAIR_SOLUTION = """class Solution:
    def ends(self, values: List[int], way: str) -> List[int]:
        return (min(values), max(values))
"""


def write(folder: Path, rows: list[dict[str, Any]], name: str = "test.jsonl") -> Path:
    (folder / name).write_text("".join(json.dumps(each) + "\n" for each in rows))
    return folder


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> LiveCodeBench:
    return load(str(write(tmp_path_factory.mktemp("livecodebench"), ROWS)))


def judged(suite: LiveCodeBench, task: str, *programs: str) -> list[Verdict]:
    with suite.examiner(HERE) as examine:
        samples = [Sample(f"livecodebench/{task}", number, program) for number, program in enumerate(programs)]
        return sorted(examine(samples), key=lambda verdict: verdict.sample)


def passes(suite: LiveCodeBench, task: str, *programs: str) -> list[bool]:
    return [verdict.passed for verdict in judged(suite, task, *programs)]


RIGHT = {
    "lines": SUM_SOLUTION,
    "a main": "import sys\ndef main():\n    input()\n    print(eval('+'.join(input().split())))\n"
    "if __name__ == '__main__':\n    main()\n    sys.exit(0)",
    "bytes": "import sys\nsys.stdout.buffer.write(b'%d' % sum(map(int, sys.stdin.buffer.read().split()[1:])))",
    "descriptors": "import os\nos.write(1, str(sum(map(int, open(0).read().split()[1:]))).encode())",
    "names that upstream imports": "n = int(input())\nprint(reduce(add, map(int, input().split()), 0))",
    "a thread": "import threading\nthreading.stack_size(1 << 26)\n"
    "def main():\n    input(); print(sum(map(int, input().split())))\n"
    "t = threading.Thread(target=main); t.start(); t.join()",
    "a future": "from __future__ import annotations\n" + SUM_SOLUTION,
    "another stream": "import io, sys\nsys.stdout = io.TextIOWrapper(open(1, 'wb', closefd=False))\n" + SUM_SOLUTION,
}
WRONG = {
    "nothing": "",
    "the public test alone": "input(); input(); print(3)",
    "all that is wanted, every time": "print('3'); print('7'); print('0')",
    "leaving at once": "import sys; sys.exit(0)",
    "ending the process": "import os; os._exit(0)",
    "raising after it": SUM_SOLUTION + "raise ValueError",
    "not Python": "print(",
    "words in between": SUM_SOLUTION + "print('done')",
    "a forged report": "import os\n"
    "for fd in range(3, 64):\n"
    "    try:\n        os.write(fd, b'\\0\\0\\0\\5V\"3\"' * 3)\n    except OSError:\n        pass\n",
    "the function of the sandbox": "import sys\n"
    "class Same(str):\n    def __eq__(self, other):\n        return True\n"
    "sys.modules['candidate'].run_on_standard_input = lambda text: Same('3')",
    "a rule of its own": "import sys\nprint(''); sys.stdout = None",
    "too much time": "while True: pass",
}


def test_programs_that_are_right(suite: LiveCodeBench) -> None:
    verdicts = judged(suite, "abc1_a", *RIGHT.values())
    assert {name: verdict.detail for name, verdict in zip(RIGHT, verdicts, strict=True) if not verdict.passed} == {}


def test_programs_that_are_wrong_or_hostile(suite: LiveCodeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.suites.livecodebench._SECONDS", 1.0)
    verdicts = judged(suite, "abc1_a", *WRONG.values())
    assert [name for name, verdict in zip(WRONG, verdicts, strict=True) if verdict.passed] == []
    reasons = dict(zip(WRONG, (verdict.reason for verdict in verdicts), strict=True))
    assert reasons["too much time"] == "time" and reasons["ending the process"] == "exited"
    assert reasons["the public test alone"] == "assertion"
    detail = dict(zip(WRONG, verdicts, strict=True))["the public test alone"].detail
    assert detail.startswith("input 1: expected '7'"), detail


def test_numbers_are_compared_exactly_and_lines_without_their_ends(suite: LiveCodeBench) -> None:
    program = "n = int(input())\nprint(n / 2)\nif n == 3: print('{}')\n"
    assert passes(suite, "abc1_b", *(program.format(end) for end in ("end", " end  ", "End", "end\\nend"))) == [
        *(True, True),
        *(False, False),
    ]
    assert passes(suite, "abc1_b", program.format("end").replace("n / 2", "n / 2 + 1e-9")) == [False]


def test_a_large_input_reaches_the_program(tmp_path: Path) -> None:
    long = "7" * (20 << 20)
    suite = load(str(write(tmp_path, [SUM | {"public_test_cases": json.dumps([case(long, f"{len(long)}")])}])))
    [verdict] = judged(suite, "abc1_a", "print(len(input()))")
    assert verdict.detail.startswith("input 1:"), verdict


def test_methods_get_values_and_return_them(suite: LiveCodeBench) -> None:
    early = PAIR_SOLUTION.replace("return (", "import os; os._exit(0); return (")
    leaves = PAIR_SOLUTION.replace("return (", "raise SystemExit(0); return (")
    text = PAIR_SOLUTION.replace("return (min(values), max(values))", "return str([min(values), max(values)])")
    bare = PAIR_SOLUTION.replace("class Solution:", "if True:").replace("self, ", "")
    forged = "class Always(list):\n    def __eq__(self, other): return True\n" + PAIR_SOLUTION.replace(
        "(min(values), max(values))", "Always()"
    )
    assert passes(suite, "3001", PAIR_SOLUTION, bare, early, leaves, text, forged) == [True, True, *[False] * 4]


def test_what_is_asked_and_read_of_the_reply(suite: LiveCodeBench) -> None:
    program, method = (suite.prompt(f"livecodebench/{task}", []) for task in ("abc1_a", "3001"))
    assert program and "Problem abc1_a: do it." in program.request and "standard input" in program.request
    assert method and "def ends(self" in method.request and suite.prompt("livecodebench/3001", [""]) is None
    reply = f"I think.\n```python\nprint(0)\n```\nBetter:\n```python\n{SUM_SOLUTION}```\nDone."
    assert suite.extract("livecodebench/abc1_a", [reply]) == SUM_SOLUTION
    assert suite.extract("livecodebench/abc1_a", [f"```python\n{SUM_SOLUTION}"]) == SUM_SOLUTION
    found = suite.extract("livecodebench/3001", [f"```python\n{PAIR_SOLUTION}\nprint(Solution())\n```"])
    assert passes(suite, "3001", found) == [True]


# -- the data ----------------------------------------------------------------------------------------------------------


def test_a_span_of_dates_chooses_tasks(suite: LiveCodeBench) -> None:
    def chosen(wanted: str) -> list[str]:
        tasks = choose_tasks(suite.task_ids, wanted, None, suite.dates)
        return [task.partition("/")[2] for task in tasks]

    assert chosen("2024-09-01..2024-12-31") == ["3001"]
    assert chosen("2024-09-01..") == ["abc1_b", "3001"] and chosen("..2024-08-10") == ["abc1_a"]
    assert chosen("2025-01-01..2025-12-31,abc1_a") == ["abc1_a", "abc1_b"]
    with pytest.raises(BenchmarkError, match="means no task; they are of 2024-08-10 to 2025-01-04"):
        chosen("2026-01-01..")
    with pytest.raises(BenchmarkError, match="they have no dates"):
        choose_tasks(["a/1"], "2026-01-01..", None)


def test_files_of_a_folder_are_a_release(tmp_path: Path) -> None:
    write(tmp_path, ROWS[:1])
    assert "LiveCodeBench test.jsonl (SHA-256" in load(str(tmp_path)).version
    write(tmp_path, ROWS[1:], "test2.jsonl")
    both = load(str(tmp_path))
    assert both.version.startswith("LiveCodeBench release_v2 (SHA-256 ")
    assert both.task_ids == ["livecodebench/abc1_a", "livecodebench/abc1_b", "livecodebench/3001"]
    assert passes(both, "3001", PAIR_SOLUTION) == [True], "read again from where it stands"
    (tmp_path / "all").mkdir()
    (tmp_path / "all/code_generation_lite").symlink_to(tmp_path)
    assert load(str(tmp_path / "all")).digest == both.digest
    write(tmp_path, ROWS[:1], "test3.jsonl")
    with pytest.raises(BenchmarkError, match=r"test3.jsonl:1: question_id: .* is there twice"):
        load(str(tmp_path))


class Bomb:
    """Opens a file where it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:  # noqa: D105
        return (open, ("was-loaded", "w"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickle.dumps(Bomb()), "does more than to hold a text"),
        (pickle.dumps([1, 2]), "does more than to hold a text"),
        (pickle.dumps("a") + b"garbage", None),
        (b"\x80\x04.", "of 0 texts"),
        (b"", "pickle"),
        (b"no pickle", "."),
    ],
)
def test_no_pickle_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, words: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    hidden = base64.b64encode(zlib.compress(content)).decode()
    if words is None:
        assert unpack_text(hidden) == "a"
    else:
        with pytest.raises(ValueError, match=words):
            unpack_text(hidden)
    assert not (tmp_path / "was-loaded").exists()


def test_what_expands_too_far_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.packed_text.LARGEST_BYTES", 1 << 20)
    with pytest.raises(ValueError, match="expands to more than 1 MiB"):
        unpack_text(base64.b64encode(zlib.compress(pickle.dumps("a" * (1 << 22)))).decode())
    for cut in ("eJw", "not base64!", base64.b64encode(b"not zlib").decode()):
        with pytest.raises(ValueError, match="."):
            unpack_text(cut)


def test_rows_whose_hidden_tests_cannot_be_read_are_not_measured(tmp_path: Path) -> None:
    suite = load(str(write(tmp_path, [SUM, HALF | {"private_test_cases": "gASVBQ=="}])))
    [(task, why)] = suite.not_measured(HERE).items()
    assert task == "livecodebench/abc1_b" and "get the file anew" in why
    damaged = load(str(write(tmp_path, [SUM | {"private_test_cases": packed([])[:-8]}])))
    with pytest.raises(BenchmarkError, match=r"test.jsonl:1: private_test_cases: "):
        judged(damaged, "abc1_a", SUM_SOLUTION)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"contest_date": "yesterday"}, "test.jsonl:1: contest_date: "),
        ({"question_content": ""}, "test.jsonl:1: question_content: "),
        ({"starter_code": "class Solution:"}, "test.jsonl:1: metadata: names no func_name"),
        (
            {"starter_code": "class Solution:", "metadata": '{"func_name": "f(); import os"}'},
            "is no name of a function",
        ),
    ],
)
def test_rows_that_do_not_say_what_is_needed(tmp_path: Path, change: dict[str, str], words: str) -> None:
    with pytest.raises(BenchmarkError, match=words.replace("(", "\\(")):
        load(str(write(tmp_path, [SUM | change])))


def test_a_line_without_end_is_not_read_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.contest_problems._LARGEST_LINE_BYTES", 1 << 20)
    (tmp_path / "test.jsonl").write_bytes(json.dumps(SUM).encode() + b"\n" + b" " * (1 << 21))
    with pytest.raises(BenchmarkError, match=r"test.jsonl:2: has more than 1 MiB"):
        load(str(tmp_path))


def test_what_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    for data in (None, str(tmp_path), str(tmp_path / "none.jsonl")):
        with pytest.raises(BenchmarkError, match="hf download livecodebench/code_generation_lite"):
            load(data)
    (tmp_path / "test.jsonl").write_text("[]\n")
    with pytest.raises(BenchmarkError, match="test.jsonl:1: not a JSON object"):
        load(str(tmp_path))


def test_what_must_not_be_in_training_data(suite: LiveCodeBench) -> None:
    assert [texts.prose for texts in suite.texts] == [(str(each["question_content"]),) for each in ROWS]
    assert suite.group("livecodebench/3001") == {"difficulty": "easy", "platform": "leetcode"}
