"""What the benchmarks say that a run keeps out of its training data.

Enters: names of suites, each with where its data lies, or files. Leaves: the texts of their tasks, and what tells them
from others in the keys of stages. A suite is found as for its evaluation. Not guaranteed: that a data set on the hub
stays as it was while a program runs; it is read once.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import astuple
from functools import cache
from pathlib import Path

from evaluation import BenchmarkError
from evaluation.origins import here_only
from evaluation.suites import FAMILIES, SUITES
from evaluation.texts import TaskTexts, read_texts
from inverse_instruct.benchmarks.suite_data import load_suite
from inverse_instruct.config.sections import KeptOut, RunConfig
from inverse_instruct.errors import StageError
from inverse_instruct.records import digest

Texts = Sequence[TaskTexts]


def read_kept_out(benchmarks: Sequence[KeptOut]) -> list[Texts]:
    """Return what the tasks of each benchmark say; of two that say the same, the first.

    Raises:
        StageError: one cannot be read; the message names it.
    """
    return list({_digest(texts): texts for texts in map(_read, benchmarks)}.values())


def kept_out_digests(config: RunConfig) -> list[str]:
    """Return what tells what is kept out of a run's data: other texts keep out other rows.

    Raises:
        StageError: a benchmark cannot be read; the message names it.
    """
    return [_digest(texts) for texts in read_kept_out(config.kept_out)]


def texts_here(benchmark: KeptOut) -> Texts:
    """Return what the tasks of a benchmark say whose data lies on this machine.

    Raises:
        OnHub: it does not; whether the hub has it is not known.
        BenchmarkError: the data is not there, or cannot be used.
        OSError: it cannot be read.
    """
    if not benchmark.is_suite:
        return _read_file(benchmark.name)
    with here_only():
        return SUITES[benchmark.name](benchmark.data).texts


def _read(benchmark: KeptOut) -> Texts:
    try:
        if not benchmark.is_suite:
            return _read_file(benchmark.name)
        if benchmark.data is None:
            return _without_data(benchmark.name)
        return load_suite(benchmark.name, benchmark.data).texts
    except (BenchmarkError, OSError) as error:
        raise StageError(f"preprocess.benchmarks: {benchmark.name}: {error}") from error


@cache
def _without_data(name: str) -> Texts:
    return load_suite(name, None).texts


def _read_file(name: str) -> Texts:
    close = [] if Path(name).exists() else difflib.get_close_matches(name.lower(), (*SUITES, *FAMILIES), n=1)
    try:
        return read_texts(Path(name))
    except BenchmarkError as error:
        remedy = f"did you mean the suite {close[0]!r}?" if close else ""
        raise BenchmarkError("; ".join(filter(None, [str(error), remedy]))) from error


def _digest(texts: Texts) -> str:
    return digest(*(json.dumps(astuple(task)) for task in texts))
