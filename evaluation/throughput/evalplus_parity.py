"""Judge the samples that EvalPlus has judged, and list every disagreement.

Enters: a samples file in EvalPlus's JSONL, the benchmark's file, and the `*_eval_results.json` that EvalPlus wrote for
just these samples. Leaves: one line per disagreement on standard output; the exit status is 1 if there is any.
Not guaranteed: that EvalPlus would say the same again: its limits are of wall-clock time, and it fails every answer to
HumanEval/32 (version 0.3.1).
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evaluation.errors import BenchmarkError
from evaluation.rows import read_file
from evaluation.samples import read_samples
from evaluation.suite import Execution, Sample, Verdict
from evaluation.suites import SUITES

SUITE_NAMES = ("humaneval_plus", "mbpp_plus")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One sample that passes here and fails there, or the other way round."""

    task_id: str
    sample: int
    tests: Literal["base", "plus"]
    """`plus` is the published meaning: base and plus inputs all pass."""
    ours: bool
    theirs: bool
    reason: str
    """Ours, where it fails here."""

    def __str__(self) -> str:
        """Show it on one line."""
        ours, theirs = ("pass" if passes else "fail" for passes in (self.ours, self.theirs))
        return f"{self.task_id}\t{self.sample}\t{self.tests}\tours {ours}\tEvalPlus {theirs}\t{self.reason}"


def read_results(path: Path, md5: str) -> dict[str, list[dict[str, Any]]]:
    """Return EvalPlus's rows by task, those of one task in the order of its samples.

    Raises:
        BenchmarkError: the file is no result of EvalPlus, or of another benchmark file than that with this MD5.
    """
    [row] = read_file(path).rows
    if not isinstance(row.fields.get("eval"), dict):
        raise BenchmarkError(f"{path}: not a result file of EvalPlus: it has no field eval")
    if row.fields.get("hash") != md5:
        raise BenchmarkError(f"{path}: hash: is of another benchmark file than the one given, whose MD5 is {md5}")
    return dict(row.fields["eval"])


def find_disagreements(
    verdicts: Iterable[Verdict], results: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Iterator[Disagreement]:
    """Yield where our verdicts and EvalPlus's rows of the same samples differ; pure."""
    for verdict in verdicts:
        theirs = results[verdict.task_id][verdict.sample]
        base = theirs["base_status"] == "pass"
        reason = f"{verdict.reason}: {verdict.detail}" if verdict.reason else ""
        if verdict.base != base:
            yield Disagreement(verdict.task_id, verdict.sample, "base", verdict.base, base, reason)
        if theirs["plus_status"] is not None:
            plus = base and theirs["plus_status"] == "pass"
            if verdict.passed != plus:
                yield Disagreement(verdict.task_id, verdict.sample, "plus", verdict.passed, plus, reason)


def check_same(samples: Iterable[Sample], results: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Check that EvalPlus's rows are of these samples.

    Raises:
        BenchmarkError: they are not.
    """
    for sample in samples:
        rows = results.get(sample.task_id, ())
        if sample.index >= len(rows) or rows[sample.index].get("solution") != sample.solution:
            raise BenchmarkError(f"the results are of other samples: see {sample.task_id}, sample {sample.index}")


def main() -> int:
    """Run from the command line; return the exit status."""
    arguments = _parse_arguments()
    suite = SUITES[arguments.suite](str(arguments.data))
    results = read_results(arguments.results, read_file(arguments.data).md5)
    samples = read_samples(arguments.samples, suite.task_ids)
    check_same(samples, results)
    execution = Execution(workers=arguments.workers, references=arguments.references)
    with suite.examiner(execution) as judge:
        verdicts = list(judge(samples))
    found = list(find_disagreements(verdicts, results))
    for disagreement in found:
        print(disagreement)
    if arguments.verdicts:
        rows = [(v.task_id, v.sample, v.base, v.passed, v.reason, v.detail) for v in verdicts]
        arguments.verdicts.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="ascii")
    print(f"{suite.version}: {len(samples)} samples, {len(found)} disagreements", file=sys.stderr)
    return 1 if found else 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare our verdicts with EvalPlus's, sample by sample.")
    parser.add_argument("samples", type=Path, help="JSONL with task_id and solution")
    parser.add_argument("results", type=Path, help="the *_eval_results.json that EvalPlus wrote for them")
    parser.add_argument("--suite", required=True, choices=SUITE_NAMES)
    parser.add_argument("--data", required=True, type=Path, help="the benchmark's JSONL, plain or gzip-compressed")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--references", type=Path, help="folder that keeps expected outputs between runs")
    parser.add_argument("--verdicts", type=Path, help="write our verdicts to this JSONL file, too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
