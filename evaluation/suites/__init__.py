"""The benchmark suites, one file each, and their names."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from evaluation.suite import Suite

_HUMANEVALPACK_MODES = ("humanevalfix", "humanevalfix_docs", "humanevalexplain", "humanevalsynthesize")
_HUMANEVALPACK_LANGUAGES = ("python", "js", "java", "go", "cpp", "rust")
_MULTIPL_E_LANGUAGES = ("java", "js", "cpp", "php", "swift", "rust")


def _later(module: str, function: str, *arguments: str) -> Callable[[str | None], Suite]:
    """Return a loader that imports its suite when it is called."""

    def load(data: str | None) -> Any:
        return getattr(import_module(f"evaluation.suites.{module}"), function)(*arguments, data)

    return load


SUITES: dict[str, Callable[[str | None], Suite]] = {
    "mini": _later("evalplus", "load_mini"),
    "humaneval": _later("humaneval", "load"),
    "humaneval_plus": _later("evalplus", "load_humaneval_plus"),
    "mbpp": _later("mbpp", "load"),
    "mbpp_plus": _later("evalplus", "load_mbpp_plus"),
    "editeval": _later("editeval", "load"),
    "ds1000": _later("ds1000", "load"),
    "livecodebench": _later("livecodebench", "load"),
    "bigcodebench": _later("bigcodebench", "load", "instruct"),
    "bigcodebench_complete": _later("bigcodebench", "load", "complete"),
    "own": _later("own", "load"),
    "held_out": _later("held_out", "load"),
    **{
        f"{mode}_{language}": _later("humanevalpack", "load", mode, language)
        for mode in _HUMANEVALPACK_MODES
        for language in _HUMANEVALPACK_LANGUAGES
    },
    **{f"multipl_e_{language}": _later("multipl_e", "load", language) for language in _MULTIPL_E_LANGUAGES},
}
"""Every suite by name; call one with a file, a data folder, or None for the hub, to load it."""

FAMILIES: dict[str, tuple[tuple[str, ...], ...]] = {
    "humanevalpack": tuple(
        tuple(f"{mode}_{language}" for mode in _HUMANEVALPACK_MODES) for language in _HUMANEVALPACK_LANGUAGES
    ),
    "multipl_e": tuple((f"multipl_e_{language}",) for language in _MULTIPL_E_LANGUAGES),
}
"""A benchmark of which several suites are made -> for each of its files, the suites that read it."""

_ABOUT = {
    "mini": "32 short Python functions, which ship with the program",
    "humaneval": "164 Python functions with OpenAI's own tests",
    "humaneval_plus": "the same with EvalPlus's inputs, some 80 times as many",
    "mbpp": "974 short Python tasks in words, with three tests each",
    "mbpp_plus": "378 of these with EvalPlus's inputs",
    "editeval": "194 edits of Python code (InstructCoder)",
    "ds1000": "1,000 tasks with pandas, NumPy, Matplotlib and other libraries",
    "livecodebench": "problems of programming contests, by date (code_generation_lite, up to 1,055)",
    "bigcodebench": "1,140 tasks with 139 libraries, in words",
    "bigcodebench_complete": "the same, from the function's docstring",
    "own": "tasks of yours, from a file (docs/own-suite.md)",
    "held_out": "rows of yours that are kept out of training: the loss of their responses",
    "humanevalfix": "164 broken functions to mend, shown their tests",
    "humanevalfix_docs": "164 broken functions to mend, shown their docstrings",
    "humanevalexplain": "164 functions to describe, and to write again from that",
    "humanevalsynthesize": "164 functions to write from their docstrings",
    "multipl_e": "HumanEval's tasks in other languages, with compiled tests",
}


def describe_suite(name: str) -> str:
    """Return what a suite is, in a line."""
    return _ABOUT.get(name) or _ABOUT[name.rpartition("_")[0]]
