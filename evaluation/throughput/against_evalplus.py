"""Time this package against EvalPlus on the same samples, with the same number of workers, in one run.

Enters: a samples file, the benchmark's file, and an interpreter that has EvalPlus installed. Leaves: a table on
standard output: seconds cold (expected outputs computed) and warm (kept from the cold run), and every
disagreement. Both sides are whole: reading the files, starting what runs the samples, verdicts. EvalPlus's seconds
are given with and without the import of its own package, which is slow and not about judging.

EvalPlus hardly guards against what it runs, so it is started inside bubblewrap, without a network.
Not guaranteed: figures that mean anything on a busy machine.
"""

import argparse
import gzip
import subprocess
import tempfile
import time
from pathlib import Path

from evaluation.errors import BenchmarkError
from evaluation.isolation import isolated
from evaluation.rows import read_file
from evaluation.samples import read_samples
from evaluation.suite import Execution, Verdict
from evaluation.suites import SUITES
from evaluation.throughput.evalplus_parity import SUITE_NAMES, find_disagreements, read_results

_INSIDE = "/evalplus"
_SCRATCH_BYTES = 1 << 30


class EvalPlus:
    """The other harness, with a folder of its own for the data, the samples and what it keeps."""

    def __init__(self, python: Path, folder: Path, suite: str, data: Path, samples: Path, workers: int) -> None:
        """Copy the files to where it will look for them."""
        self._python = python
        self._folder = folder
        content = data.read_bytes()
        (folder / "data.jsonl").write_bytes(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
        (folder / "samples.jsonl").write_bytes(samples.read_bytes())
        self._arguments = ["--dataset", "humaneval" if suite == "humaneval_plus" else "mbpp"]
        self._arguments += ["--samples", f"{_INSIDE}/samples.jsonl", "--parallel", str(workers)]
        self.results = folder / "samples_eval_results.json"

    def import_seconds(self) -> float:
        """Return how long its import takes."""
        return self._seconds(["-c", "import evalplus.evaluate"])

    def judge_seconds(self) -> float:
        """Judge all samples anew; return how long that took."""
        self.results.unlink(missing_ok=True)
        return self._seconds(["-m", "evalplus.evaluate", *self._arguments])

    def _seconds(self, arguments: list[str]) -> float:
        environment = {"XDG_CACHE_HOME": f"{_INSIDE}/kept", "LC_ALL": "C.UTF-8"}
        environment |= dict.fromkeys(("HUMANEVAL_OVERRIDE_PATH", "MBPP_OVERRIDE_PATH"), f"{_INSIDE}/data.jsonl")
        command = isolated(
            [str(self._python), *arguments],
            scratch_bytes=_SCRATCH_BYTES,
            readable={prefix: prefix for prefix in self._prefixes()},
            environment=environment,
            options=["--proc", "/proc", "--tmpfs", "/dev/shm", "--bind", str(self._folder), _INSIDE],
        )
        started = time.monotonic()
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - started
        if ended.returncode:
            raise BenchmarkError(f"EvalPlus failed: {ended.stderr.strip()[-1000:]}")
        return seconds

    def _prefixes(self) -> list[str]:
        code = "import sys; print(sys.prefix, sys.base_prefix, sep='\\n')"
        printed = subprocess.run([str(self._python), "-c", code], capture_output=True, text=True, check=True)
        return list(dict.fromkeys(printed.stdout.split("\n")[:2]))


def judge_ours(arguments: argparse.Namespace, references: Path) -> tuple[float, list[Verdict]]:
    """Judge all samples; return how long that took, reading the files included, and the verdicts."""
    started = time.monotonic()
    suite = SUITES[arguments.suite](str(arguments.data))
    samples = read_samples(arguments.samples, suite.task_ids)
    with suite.examiner(Execution(workers=arguments.workers, references=references)) as judge:
        verdicts = list(judge(samples))
    return time.monotonic() - started, verdicts


def main() -> None:
    """Run from the command line."""
    arguments = _parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "evalplus").mkdir()
        theirs = EvalPlus(
            arguments.evalplus_python,
            Path(folder, "evalplus"),
            arguments.suite,
            arguments.data,
            arguments.samples,
            arguments.workers,
        )
        theirs.import_seconds()  # once in vain, so that its files are in the page cache
        importing = theirs.import_seconds()
        print(f"{arguments.samples}: {arguments.workers} workers on both sides")
        for state in ("cold", "warm"):
            their_seconds = theirs.judge_seconds()
            our_seconds, verdicts = judge_ours(arguments, Path(folder, "references"))
            bare = their_seconds - importing
            print(
                f"{state}: ours {our_seconds:.1f} s, EvalPlus {their_seconds:.1f} s ({bare:.1f} s without its import); "
                f"ratio {our_seconds / their_seconds:.2f} ({our_seconds / bare:.2f})",
                flush=True,
            )
        results = read_results(theirs.results, read_file(arguments.data).md5)
        disagreements = list(find_disagreements(verdicts, results))
        print(f"{len(verdicts)} samples, {len(disagreements)} disagreements", *disagreements, sep="\n  ")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time our judging of samples against EvalPlus's, cold and warm.")
    parser.add_argument("samples", type=Path, help="JSONL with task_id and solution, all tasks of the benchmark")
    parser.add_argument("--suite", required=True, choices=SUITE_NAMES)
    parser.add_argument("--data", required=True, type=Path, help="the benchmark's JSONL, plain or gzip-compressed")
    parser.add_argument(
        "--evalplus-python", required=True, type=Path, help="interpreter of an environment with evalplus"
    )
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
