"""Are the benchmarks there that are kept out of the training data, and is every measured suite among them?

Enters: a valid config. Leaves: the problems, each with its key and remedy, and notes on what is downloaded and on
what is measured but may be learned by heart. Reads files, and asks the hub whether it has what is named. Not
guaranteed: notes on suites whose tasks are not on this machine, beyond their names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from evaluation import BenchmarkError
from evaluation.origins import OnHub
from inverse_instruct.benchmarks.kept_out import Texts, texts_here
from inverse_instruct.config.sections import KeptOut, RunConfig
from inverse_instruct.system.hub import hub_problem

_KEY = "preprocess.benchmarks"


def kept_out_problems(config: RunConfig, notes: list[str]) -> Iterator[str]:
    """Yield why a benchmark cannot be kept out, and add notes, among them each measured suite that is not kept out."""
    measured = {suite.suite for suite in config.evaluate.suites}
    on_hub: dict[str, list[str]] = defaultdict(list)
    texts: list[Texts] = []
    for benchmark in config.kept_out:
        try:
            texts.append(texts_here(benchmark))
        except OnHub as error:
            on_hub[error.name].append(benchmark.name)
        except (BenchmarkError, OSError) as error:
            if benchmark.name not in measured:  # else it is said of `evaluate.suites`
                yield f"{_KEY}: {benchmark.name}: {error}"
    for place, names in on_hub.items():
        unsaid = [name for name in names if name not in measured]
        if unsaid and (problem := hub_problem(place, "dataset")):
            yield f"{_KEY}: {', '.join(unsaid)}: {problem}"
        elif unsaid:
            notes.append(f"{_KEY}: {place} will be downloaded for {', '.join(unsaid)}")
    notes += _measured_notes(config, texts)


def _measured_notes(config: RunConfig, texts: list[Texts]) -> Iterator[str]:
    """Yield a note for each measured suite of which training rows may hold tasks."""
    named = {benchmark.name for benchmark in config.kept_out}
    kept_out = {text for tasks in texts for task in tasks for text in (*task.prose, *task.code)}
    for number, section in enumerate(config.evaluate.suites):
        if section.suite in named:
            continue
        key = f"evaluate.suites.{number}"
        try:
            tasks = texts_here(KeptOut(name=section.suite, data=section.data))
        except OnHub:
            yield f"{key}: {section.suite} is measured but not kept out of the training data; {_remedy(section.suite)}"
        except (BenchmarkError, OSError):
            continue  # that is a problem, and is said as one
        else:
            open_tasks = [task for task in tasks if not {*task.prose, *task.code} <= kept_out]
            if open_tasks:
                which = f"{len(open_tasks)} of its {len(tasks)} tasks are" if len(open_tasks) < len(tasks) else "is"
                yield (
                    f"{key}: {section.suite} is measured, but {which} not kept out of the training data; "
                    f"{_remedy(section.suite)}"
                )


def _remedy(suite: str) -> str:
    return f"add {suite} to {_KEY}, or its scores may come from rows that hold its answers"
