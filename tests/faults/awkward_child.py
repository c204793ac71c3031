"""Preprocessing of one awkward corpus in a child process that may crash, hang or grow without harm to the tests.

Enters: an `Awkward` entry made at a path. Leaves: an `Outcome`, with `verdict` "done", "error", "crash" or "hang". The
children are forked from a server that has all modules loaded, so that one takes a tenth of a second.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import traceback
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

NOBODY = 65534
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        "pytest",
        "pandas",
        "pyarrow.parquet",
        "pyarrow.compute",
        "datasketch",
        "tree_sitter_python",
        "tests.faults.awkward_child",
        "inverse_instruct.benchmarks.kept_out",
        "inverse_instruct.config.sections",
        "inverse_instruct.source_code.parser_process",
        "inverse_instruct.stages.preprocess",
        "inverse_instruct.store.rows",
        "evaluation.suites.evalplus",
        "tests.playing",
    ]
)


@dataclass
class Outcome:
    """What became of a corpus."""

    verdict: str
    text: str = ""  # the error or the traceback
    rows_in: int = 0
    kept: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    peak_mib: int = 0


def preprocess_in_child(
    paths: list[Path], out: Path, layout: str, max_characters: int, unprivileged: bool, seconds: float
) -> Outcome:
    """Preprocess the first path in the given layout and the others as they are; wait so many seconds at most."""
    ours, theirs = _context.Pipe()
    child = _context.Process(target=_work, args=(theirs, paths, out, layout, max_characters, unprivileged))
    child.start()
    theirs.close()
    try:
        if not ours.poll(seconds):
            return Outcome("hang", f"more than {seconds} s")
        outcome: Outcome = ours.recv()
        return outcome
    except EOFError:
        child.join(5)
        return Outcome("crash", f"exit code {child.exitcode}")
    finally:
        child.kill()
        child.join()


def _work(
    connection: Connection, paths: list[Path], out: Path, layout: str, max_characters: int, unprivileged: bool
) -> None:
    from inverse_instruct.benchmarks.kept_out import read_kept_out
    from inverse_instruct.config.corpus_source import CorpusSource
    from inverse_instruct.config.sections import KeptOut, PreprocessSection
    from inverse_instruct.corpus.decontamination import BenchmarkIndex
    from inverse_instruct.errors import InverseInstructError
    from inverse_instruct.source_code.parser_process import parses
    from inverse_instruct.store.rows import read_rows
    from tests.playing import preprocess

    if unprivileged and os.geteuid() == 0:
        parses(b"x = 1".decode("utf-8-sig"), "python")  # starts what the unprivileged may be unable to read
        BenchmarkIndex(read_kept_out([KeptOut(name="mini")]), 13)
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    sources = [CorpusSource(path=str(path)) for path in paths]
    sources[0] = sources[0].model_copy(update={"format": layout})
    try:
        manifest = preprocess(sources, PreprocessSection(max_characters=max_characters), out)
        rejected = Counter(row["reason"] for row in read_rows(out / "rejections.parquet"))
        assert manifest.rejected == rejected
        outcome = Outcome("done", "", manifest.rows_in, len(read_rows(out / "snippets.parquet")), dict(rejected))
    except InverseInstructError as error:
        outcome = Outcome("error", f"{type(error).__name__}: {error}")
    except BaseException:
        outcome = Outcome("crash", traceback.format_exc())
    outcome.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    connection.send(outcome)
