"""A suite from where its data lies: a file or folder, what ships with the program, or the Hugging Face hub.

Enters: the name of a suite and, where it is said, its file or folder. Leaves: the suite. The hub is asked whether it
has a data set before the library tries to fetch it, which takes seconds where there is no network, not minutes.
"""

from __future__ import annotations

from evaluation import BenchmarkError, Suite
from evaluation.origins import OnHub, here_only
from evaluation.suites import SUITES
from inverse_instruct.system.hub import hub_problem


def load_suite(name: str, data: str | None) -> Suite:
    """Return a suite from where its data lies; the hub is asked for it only if it answers.

    Raises:
        BenchmarkError: the data is not there, or cannot be used.
        OSError: it cannot be read.
    """
    try:
        return load_suite_here(name, data)
    except OnHub:
        return SUITES[name](data)


def load_suite_here(name: str, data: str | None) -> Suite:
    """Return a suite whose data lies on this machine.

    Raises:
        OnHub: it does not, and the hub has it.
        BenchmarkError: the data is not there, or cannot be used.
        OSError: it cannot be read.
    """
    try:
        with here_only():
            return SUITES[name](data)
    except OnHub as place:
        if problem := hub_problem(place.name, "dataset"):
            raise BenchmarkError(problem) from place
        raise
