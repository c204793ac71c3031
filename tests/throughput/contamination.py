"""How much of a benchmark is found in disguise, and how many rows of a corpus are rejected for one.

Enters: benchmark files, and files of rows in a layout that `preprocess` reads. Leaves, on standard output: the share of
tasks found when their text, their solution or both are planted in an otherwise empty row, as they are and in three
disguises; how many rows of the corpus are rejected, and some of them to be read; rows a second of CPU time.

    python -m tests.throughput.contamination --benchmarks HumanEval.jsonl.gz mbpp.jsonl.gz --corpus rows.json.gz

Not guaranteed: that a row which is rejected was copied, or one that is kept was not; that takes a reader.
"""

from __future__ import annotations

import argparse
import builtins
import json
import random
import re
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from evaluation.rows import read_file
from evaluation.texts import read_texts, texts_of
from inverse_instruct.config.corpus_source import CorpusSource
from inverse_instruct.corpus.code_tokens import KEYWORDS
from inverse_instruct.corpus.decontamination import BenchmarkIndex
from inverse_instruct.corpus.readers import read_source
from inverse_instruct.records import SourceRow

NGRAM = 13
_SOLUTIONS = ("canonical_solution", "code", "reference_code", "output")
_PARTS = re.compile(r"(\"[^\"\n]*\"|'[^'\n]*'|[^\W\d]\w*|\s+|.)", re.DOTALL)
_DEFINITIONS = [
    re.compile(pattern)
    for pattern in (
        r"\bdef (\w+)",
        r"\bfor (\w+)",
        r"(\w+) *=(?!=)",
        r"\b(\w+) *,? *in\b",
        r"[(,] *([A-Za-z_]\w*) *[,):]",
    )
]
_BUILT_IN = frozenset(dir(builtins)) | KEYWORDS | {"np", "pd", "plt", "sns", "tf", "torch", "self", "std"}


def as_it_is(text: str) -> str:
    return text


def renamed(code: str) -> str:
    """Give every variable, parameter and function that the code defines another name."""
    own = {name for definition in _DEFINITIONS for name in definition.findall(code)} - _BUILT_IN
    names = {name: f"{name[0]}{number}_x" for number, name in enumerate(sorted(own))}
    parts = ["", *_PARTS.findall(code)]
    return "".join(names.get(part, part) if before != "." else part for before, part in pairwise(parts))


def respaced(text: str) -> str:
    """Indent by another width, put blank lines between lines and other white space around signs, and wrap prose."""
    if "\n" not in text.strip() and len(text.split()) > 12:
        return textwrap.fill(text.strip(), 40, initial_indent="  ", subsequent_indent="    ")
    lines = [re.sub(r" *([=+*<>,]) *", r" \1 ", line) for line in text.expandtabs(4).split("\n")]
    wider = [" " * (len(line) - len(line.lstrip())) + line for line in lines]
    return "\n\n".join(line.replace("= =", "==").replace("< =", "<=").replace("> =", ">=") for line in wider)


def commented(text: str) -> str:
    """Put a comment behind or above lines, and single quotes for double ones."""
    lines = text.replace('"""', "'''").replace('"', "'").split("\n")
    with_comments = [
        f"{line}  # step {number}" if line.strip() and line[:1].isspace() and number % 2 else line
        for number, line in enumerate(lines)
    ]
    return "# written by somebody else\n" + "\n".join(with_comments)


DISGUISES: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "as it is": (as_it_is, as_it_is),
    "other names": (as_it_is, renamed),
    "other white space": (respaced, respaced),
    "other comments and quotes": (as_it_is, commented),
}
"""Name -> what it does to the text and to the solution of a task."""


def tasks(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the text and the solution of each task; one of them may be empty."""
    rows = read_file(path).rows
    for row, found in zip(rows, texts_of(rows, "b"), strict=True):
        solution = next((value for name in _SOLUTIONS if isinstance(value := row.fields.get(name), str)), "")
        yield max(found.prose, key=len, default=""), solution.replace("\r\n", "\n")


def found_shares(index: BenchmarkIndex, path: Path) -> dict[str, dict[str, float]]:
    """Return, for what is planted and in which disguise, the share of a benchmark's tasks that is found."""
    pairs = list(tasks(path))
    shares: dict[str, dict[str, float]] = {}
    for name, (for_text, for_code) in DISGUISES.items():
        rows = [
            (for_text(text) if text else "", f"Sure:\n```\n{for_code(code)}\n```\n" if code else "")
            for text, code in pairs
        ]
        shares[name] = {
            "text": _share([index.match(text) for text, _ in rows if text]),
            "solution": _share([index.match(code) for _, code in rows if code]),
            "both": _share([index.match(text, code) for text, code in rows if text and code]),
        }
    return shares


def _share(answers: list[str | None]) -> float:
    return round(sum(answer is not None for answer in answers) / len(answers), 3) if answers else -1


def rejected(index: BenchmarkIndex, corpora: list[Path]) -> tuple[int, float, list[tuple[str, SourceRow]]]:
    """Return how many rows there are, rows a second of CPU time, and those that are rejected with the task for each."""
    rows = [row for path in corpora for row in read_source(CorpusSource(path=str(path))) if isinstance(row, SourceRow)]
    started = time.process_time()
    answers = [index.match(row.instruction, row.response) for row in rows]
    speed = len(rows) / (time.process_time() - started)
    return len(rows), speed, [(answer, row) for answer, row in zip(answers, rows, strict=True) if answer]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmarks", type=Path, nargs="+", required=True)
    parser.add_argument("--corpus", type=Path, nargs="+", default=[])
    parser.add_argument("--read", type=int, default=50, help="print so many of the rejected rows")
    arguments = parser.parse_args()
    started = time.process_time()
    index = BenchmarkIndex([read_texts(path) for path in arguments.benchmarks], NGRAM)
    report: dict[str, Any] = {"CPU seconds to index": round(time.process_time() - started, 1)}
    report["found"] = {path.name: found_shares(index, path) for path in arguments.benchmarks}
    if arguments.corpus:
        count, speed, found = rejected(index, arguments.corpus)
        report |= {
            "rows": count,
            "rows a second of CPU time": round(speed),
            "rejected": len(found),
            "by task": dict(Counter(task for task, _ in found).most_common(30)),
        }
        for task, row in random.Random(0).sample(found, min(arguments.read, len(found))):
            print(f"----- {task}  {row.source}:{row.line}\n{row.instruction}\n-> {row.response}")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
