"""The problems of a suite: each with its verdicts, and one with its prompt and answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from inverse_instruct.dashboard import problems
from inverse_instruct.dashboard.problems import ProblemQuery, list_problems, read_problem
from inverse_instruct.errors import NotFoundError, RequestError, RunDirError

from .made_run import HOSTILE, PROBLEMS, RunWriter


def test_each_problem_has_the_verdicts_of_all_rounds(whole_run: Path) -> None:
    page = list_problems(whole_run, ProblemQuery())
    assert (page["suite"], page["suites"], page["rounds"]) == ("mini", ["mini"], [0, 1, 2])
    assert (page["total"], page["pages"], len(page["problems"])) == (PROBLEMS, 2, 50)
    first, second, third, fourth = page["problems"][:4]
    passed = [[verdict["passed"] for verdict in problem["verdicts"]] for problem in (first, second, third, fourth)]
    assert passed == [[1, 1, 1], [0, 1, 1], [0, 0, 1], [0, 0, 0]]
    assert fourth["verdicts"][0] == {"samples": 1, "passed": 0, "reason": "assertion"}
    last = list_problems(whole_run, ProblemQuery(page=2))["problems"][-1]
    assert last["task"] == "Mini/59"
    assert last["verdicts"][2] == {"samples": 0, "passed": 0, "reason": HOSTILE[0]}  # no answer is no failure


@pytest.mark.parametrize(
    ("query", "tasks"),
    [
        (ProblemQuery(show="passed"), ["Mini/0"]),
        (ProblemQuery(show="changed"), ["Mini/1", "Mini/2"]),
        (ProblemQuery(search="mini/58"), ["Mini/58"]),
        (ProblemQuery(show="passed", search="58"), []),
        (ProblemQuery(page=9), []),
    ],
)
def test_problems_by_query(whole_run: Path, query: ProblemQuery, tasks: list[str]) -> None:
    assert [problem["task"] for problem in list_problems(whole_run, query)["problems"]] == tasks


def test_failed_are_those_that_no_round_has_solved(whole_run: Path) -> None:
    assert list_problems(whole_run, ProblemQuery(show="failed"))["matched"] == PROBLEMS - 3


def test_one_problem_with_the_answers_of_two_rounds(whole_run: Path) -> None:
    found = read_problem(whole_run, "mini", "Mini/1", [0, 2, 7])
    assert "def is_even(n: int)" in found["request"] and found["beginning"].startswith("```python\n")
    assert found["why_no_prompt"] == ""
    assert list(found["verdicts"]) == [0, 1, 2] and list(found["answers"]) == [0, 2]
    [before], [after] = found["answers"][0], found["answers"][2]
    assert before["solution"].startswith(HOSTILE[1]) and not before["passed"]
    assert before["failing_test"] == "is_even(4)" and before["detail"].startswith("input 0: expected 5")
    assert after["passed"] and after["failing_test"] == after["detail"] == ""


def test_what_is_not_in_the_data_has_answers_and_no_prompt(whole_run: Path) -> None:
    found = read_problem(whole_run, "mini", "Mini/40", [1])
    assert found["request"] is None and "Mini/40 is not in the suite's data" in found["why_no_prompt"]
    assert found["answers"][1][0]["failing_test"] == ""


def test_without_a_config_there_are_answers_all_the_same(growing_run: RunWriter) -> None:
    growing_run.evaluate(0, 0.3, "promoted")
    found = read_problem(growing_run.run_dir.path, "mini", "Mini/3", [0])
    assert found["request"] is None and "cannot be read here" in found["why_no_prompt"]
    assert len(found["answers"][0]) == 1


def test_only_the_first_samples_are_read(growing_run: RunWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    growing_run.evaluate(0, 0.3, "promoted")
    monkeypatch.setattr(problems, "MAX_SAMPLES", 0)
    assert read_problem(growing_run.run_dir.path, "mini", "Mini/3", [0])["answers"] == {0: []}


def test_a_run_without_an_evaluation_has_no_problems(begun_run: Path) -> None:
    page = list_problems(begun_run, ProblemQuery())
    assert (page["suites"], page["problems"], page["pages"]) == ([], [], 1)


def test_what_there_is_not_is_refused(whole_run: Path) -> None:
    with pytest.raises(RequestError, match="no round has measured '../x'; measured are: mini"):
        list_problems(whole_run, ProblemQuery("../x"))
    with pytest.raises(RequestError, match="show must be one of changed, failed, passed"):
        list_problems(whole_run, ProblemQuery(show="all"))
    with pytest.raises(NotFoundError, match="no round has measured the problem 'Mini/99'"):
        read_problem(whole_run, "mini", "Mini/99", [0])
    with pytest.raises(NotFoundError, match="no round has measured"):
        read_problem(whole_run, "..", "Mini/1", [0])


def test_a_damaged_file_is_named(growing_run: RunWriter) -> None:
    growing_run.evaluate(0, 0.3, "promoted")
    results = growing_run.run_dir.stage(0, "evaluate") / "mini" / "results.jsonl"
    for text, words in (("{", "cannot be read"), ('{"task_id": "Mini/1"}\n', "holds no 'passed'")):
        results.write_text(text)
        with pytest.raises(RunDirError, match=f"results.jsonl: .*{words}"):
            list_problems(growing_run.run_dir.path, ProblemQuery())
