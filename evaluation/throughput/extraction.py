"""Judge a model's replies as they are read here, as they stand, and as EvalPlus reads them; list where ours is worse.

Enters: the `replies.jsonl` of an evaluation on a suite in EvalPlus's format, and, if named, an interpreter that has
EvalPlus installed. Leaves: how many replies pass in which way, on standard output, and one line for each reply that
fails as it is read here and passes otherwise; the exit status is 1 if there is any.

As it stands means: all of the reply, or all that is in its code blocks, by itself or after the prompt, without a
thought that ends. Not guaranteed: a limit of time that is met in one way and not in the other on a busy machine.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.errors import BenchmarkError
from evaluation.rows import Row, read_file
from evaluation.sanitize import extract_readings
from evaluation.suite import Execution, Sample
from evaluation.suites import SUITES
from evaluation.suites.evalplus import EvalPlusSuite

SUITE_NAMES = ("mini", "humaneval_plus", "mbpp_plus")
_BLOCK = re.compile(r"^```[^\n]*\n(.*?)(?:^```|\Z)", re.DOTALL | re.MULTILINE)
_THOUGHT = re.compile(r".*</think>", re.DOTALL)
_SANITIZE = """
import json, sys
from evalplus.sanitize import sanitize
for line in sys.stdin:
    try:
        print(json.dumps([sanitize(*json.loads(line))]))
    except (ValueError, RecursionError):  # as for half a surrogate pair
        print("[]")
"""


@dataclass(frozen=True, slots=True)
class Readings:
    """One reply, as programs."""

    task_id: str
    ours: Sequence[str]
    """What is judged, then what is judged where that fails."""
    as_it_stands: Sequence[str]
    evalplus: Sequence[str]
    """None or one."""


def read_replies(path: Path, suite: EvalPlusSuite) -> list[tuple[str, str]]:
    """Return the answers in a journal of replies as task ids and texts.

    Raises:
        BenchmarkError: the file is no such journal, or of another suite.
    """
    rows = [row for row in read_file(path).rows if str(row.fields.get("kind", "")).startswith("answer")]
    if not rows:
        raise BenchmarkError(f"{path}: holds no answers; name the replies.jsonl of an evaluation")
    return [(_known_task(row, suite), row.text("text", empty=True)) for row in rows]


def _known_task(row: Row, suite: EvalPlusSuite) -> str:
    task_id = row.text("task_id")
    if task_id not in suite.problems:
        raise BenchmarkError(f"{row.where}: task_id: {suite.name} has no task {task_id}")
    return task_id


def pasted(reply: str, prompt: str) -> list[str]:
    """Return the programs that a reply is as it stands."""
    answer = _THOUGHT.sub("", reply)
    texts = dict.fromkeys([answer, "\n".join(_BLOCK.findall(answer))])
    return [program for text in texts if text.strip() for program in (text, f"{prompt}\n{text}", f"{prompt}{text}")]


def sanitized(replies: Sequence[tuple[str, str]], suite: EvalPlusSuite, python: Path | None) -> list[list[str]]:
    """Return what EvalPlus takes out of each reply; nothing without an interpreter."""
    if python is None:
        return [[] for _ in replies]
    requests = "".join(json.dumps([text, suite.problems[task].entry_point]) + "\n" for task, text in replies)
    ended = subprocess.run([str(python), "-c", _SANITIZE], input=requests, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise BenchmarkError(f"EvalPlus failed: {ended.stderr.strip()[-1000:]}")
    return [json.loads(line) for line in ended.stdout.splitlines()]


def judge_programs(
    suite: EvalPlusSuite, programs: Iterable[tuple[str, str]], execution: Execution
) -> set[tuple[str, str]]:
    """Return those of the programs, given with their task ids, that pass all tests."""
    unique = list(dict.fromkeys(programs))
    samples = [Sample(task, number, program) for number, (task, program) in enumerate(unique)]
    with suite.examiner(execution) as judge:
        return {unique[verdict.sample] for verdict in judge(samples) if verdict.passed}


def summarize(replies: Sequence[Readings], passing: set[tuple[str, str]]) -> tuple[Mapping[str, int], list[str]]:
    """Return how many replies pass in which way, and a line for each that fails only as it is read here; pure."""
    names = ("read", "read otherwise", "as it stands", "not as it stands", "only as it stands", "EvalPlus")
    counts = dict.fromkeys((*names, "only EvalPlus"), 0)
    lines = []
    for number, reply in enumerate(replies):
        first, any_of_ours, stands, theirs = (
            any((reply.task_id, program) in passing for program in programs)
            for programs in (reply.ours[:1], reply.ours, reply.as_it_stands, reply.evalplus)
        )
        counts["read"] += first
        counts["read otherwise"] += any_of_ours and not first
        counts["as it stands"] += stands
        counts["EvalPlus"] += theirs
        counts["not as it stands"] += any_of_ours and not stands
        for name, passes in (("as it stands", stands), ("EvalPlus", theirs)):
            if passes and not any_of_ours:
                counts[f"only {name}"] += 1
                lines.append(f"reply {number}, {reply.task_id}: passes only {name}")
    return counts, lines


def main() -> int:
    """Run from the command line; return the exit status."""
    arguments = _parse_arguments()
    suite = SUITES[arguments.suite](arguments.data)
    assert isinstance(suite, EvalPlusSuite)
    texts = read_replies(arguments.replies, suite)
    theirs = sanitized(texts, suite, arguments.evalplus_python)
    replies = []
    for (task, text), programs in zip(texts, theirs, strict=True):
        problem = suite.problems[task]
        ours = extract_readings(text, problem.entry_point, problem.prompt)
        replies.append(Readings(task, ours, pasted(text, problem.prompt), programs))
    all_programs = (
        (reply.task_id, program) for reply in replies for program in (*reply.ours, *reply.as_it_stands, *reply.evalplus)
    )
    execution = Execution(workers=arguments.workers, references=arguments.references)
    counts, lines = summarize(replies, judge_programs(suite, all_programs, execution))
    print(
        f"{suite.version}: {len(replies)} replies, passing " + ", ".join(f"{name}: {n}" for name, n in counts.items())
    )
    print(*lines, sep="\n", end="\n" if lines else "")
    return 1 if lines else 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare verdicts on replies as they are read and as they stand.")
    parser.add_argument("replies", type=Path, help="replies.jsonl of an evaluation")
    parser.add_argument("--suite", required=True, choices=SUITE_NAMES)
    parser.add_argument("--data", help="the benchmark's JSONL, plain or gzip-compressed (mini needs none)")
    parser.add_argument("--evalplus-python", type=Path, help="interpreter of an environment with evalplus")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--references", type=Path, help="folder that keeps expected outputs between runs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
