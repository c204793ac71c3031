"""DS-1000 in its simplified format of 2024: data science problems, completed, with all perturbations.

A sample is the bare completion, which the row's own test code puts in place of `[insert]`. The libraries, in the
versions that the data was made for, live in an environment of their own (`launch/ds1000_environment.sh`), whose
interpreter runs the sandbox's workers; they are loaded once and each row runs in a fork.

The tests of a row execute the solution themselves, between lines of their own, and look at the frames, models and
figures that it leaves in their process. So here, unlike everywhere else, a solution shares a process with what judges
it; see `scripts` for what that means. Scores on the older archive, with its Completion and Insertion prompts, are not
comparable.
"""

import re
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.errors import BenchmarkError
from evaluation.fences import code_blocks
from evaluation.interpreter import inspect_interpreter, missing_modules
from evaluation.origins import Origin, find_rows
from evaluation.rows import Row, content_digest
from evaluation.sandbox_process import Runtime
from evaluation.scripts import Script, script_examiner
from evaluation.suite import Examiner, Execution, Prompt, Sample
from evaluation.texts import TaskTexts, texts_of
from evaluation.thoughts import without_thoughts
from evaluation.top_level import find_statements

_ORIGIN = Origin(
    ("ds1000.jsonl",), "xlangai/DS-1000", download="https://github.com/xlang-ai/DS-1000 (data/ds1000.jsonl.gz)"
)
_SECONDS = 120.0
"""As upstream, but of CPU time."""
_REMEDY = "run launch/ds1000_environment.sh and name the interpreter that it prints (evaluate.python)"
_LIBRARIES = {
    "numpy": ("numpy",),
    "pandas": ("pandas",),
    "scipy": ("scipy.interpolate", "scipy.optimize", "scipy.sparse", "scipy.stats"),
    "sklearn": ("sklearn.ensemble", "sklearn.linear_model", "sklearn.feature_extraction.text"),
    "matplotlib": ("matplotlib.pyplot",),
    "PIL": ("PIL.Image", "PIL.PngImagePlugin"),
    "seaborn": ("seaborn",),
    "statsmodels": ("statsmodels.api",),
    "gensim": ("gensim",),
    "xgboost": ("xgboost",),
    "yaml": ("yaml",),
    "torch": ("torch",),
    "tensorflow": ("tensorflow",),
}
"""What rows import, each with the modules to load beforehand."""
_ENVIRONMENT = {
    "MPLBACKEND": "Agg",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
_DATA_FOLDER = "ds1000_data"
"""Among the packages of the interpreter: the data sets that rows read and that cannot be downloaded in the sandbox."""
_FIND_DATA = f"""
import os, sys
_folders = [os.path.join(folder, {_DATA_FOLDER!r}) for folder in sys.path]
os.environ.update(dict.fromkeys(("SEABORN_DATA", "SCIKIT_LEARN_DATA"), next(filter(os.path.isdir, _folders), "")))
"""
_FENCE = "```python\n"
_START = "# SOLUTION START\n"
_STOP = ("```", "</code>", "# SOLUTION END", "\nEND SOLUTION")
_IMPORT = re.compile(r"^\s*(?:import|from)\s+(\w+)", re.MULTILINE)
_DATASET = re.compile(r"""load_dataset\(\s*["'](\w+)""")
_CALIFORNIA = "fetch_california_housing", "cal_housing_py3.pkz"
_GIVEN = re.compile(r"<code>\n(.*?)(?:</code>|\Z)", re.DOTALL)
_BEGIN = re.compile(r"^[ #]*(?:BEGIN SOLUTION|SOLUTION START)[ ]*\n(?:<code>[ ]*\n)?", re.MULTILINE)
_WANTED = re.compile(r"^(?:def )?(\w+)(?: = \.\.\. # put solution in this variable|\(.*\):\n)", re.MULTILINE)
_FUNCTION = re.compile(r"^def \w+\(.*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ds1000:
    """The 1,000 tasks."""

    rows: Mapping[str, Row]
    digest: str
    texts: Sequence[TaskTexts] = field(repr=False)
    name: str = "ds1000"
    version: str = "DS-1000 (simplified, 2024)"

    @property
    def task_ids(self) -> Sequence[str]:
        """All tasks, in file order."""
        return list(self.rows)

    def group(self, task_id: str) -> Mapping[str, str]:
        """Return the task's `library` and `perturbation`, by which results are usually broken down."""
        metadata = self.rows[task_id].fields["metadata"]
        return {"library": metadata["library"], "perturbation": metadata["perturbation_type"]}

    def not_measured(self, execution: Execution) -> Mapping[str, str]:
        """Return all tasks where no interpreter is given, else those whose libraries it lacks."""
        if execution.python is None:
            return dict.fromkeys(self.rows, f"DS-1000 needs an environment of its own: {_REMEDY}")
        missing = set(missing_modules(execution.python, _LIBRARIES))
        folders = [Path(folder, _DATA_FOLDER) for folder in inspect_interpreter(execution.python).packages]
        held = {path.name for folder in folders if folder.is_dir() for path in folder.iterdir()}
        lacks = {
            task_id: sorted(_imported(row) & missing) + sorted(_data_files(row) - held)
            for task_id, row in self.rows.items()
        }
        return {
            task_id: f"{execution.python} lacks {', '.join(names)}: {_REMEDY}"
            for task_id, names in lacks.items()
            if names
        }

    def prompt(self, task_id: str, replies: Sequence[str]) -> Prompt | None:
        """Ask for the missing code, once; the reply begins with the code that is given."""
        if replies:
            return None
        request = (
            "Write a short code following the given format and indentation. Give only the code that is missing, "
            f"to go on where the given code ends.\n\n{self.rows[task_id].text('prompt')}"
        )
        return Prompt(request, self._beginning(task_id), _STOP)

    def _beginning(self, task_id: str) -> str:
        given = _given(self.rows[task_id].text("prompt"))
        return _FENCE + given + ("" if _BEGIN.search(given) else _START)

    def extract(self, task_id: str, replies: Sequence[str]) -> str:
        """Return the completion in the reply: what goes on after the given code, without repeating it."""
        reply = without_thoughts(replies[-1].replace("\r\n", "\n")).answer
        beginning = self._beginning(task_id)
        if reply.startswith(beginning):
            return _cut(reply.removeprefix(beginning))
        wanted = set(_WANTED.findall(self.rows[task_id].text("prompt")))
        return _completion(reply, beginning.removeprefix(_FENCE), wanted)

    def readings(self, task_id: str, replies: Sequence[str]) -> Sequence[str]:
        """Return the completion alone: nothing is taken out of it."""
        return [self.extract(task_id, replies)]

    def stem(self, task_id: str) -> str:
        """Return nothing: a sample is the completion."""
        return ""

    def reference(self, task_id: str) -> str:
        """Return the reference completion."""
        return self.rows[task_id].text("reference_code")

    def examiner(self, execution: Execution) -> AbstractContextManager[Examiner]:
        """Open the sandboxes, all libraries loaded.

        Raises:
            BenchmarkError: no interpreter is given, or it cannot be run.
        """
        if execution.python is None:
            raise BenchmarkError(f"DS-1000 needs an environment of its own: {_REMEDY}")
        imported = set().union(*map(_imported, self.rows.values()))
        here = imported.difference(missing_modules(execution.python, imported))
        preload = tuple(name for library in _LIBRARIES if library in here for name in _LIBRARIES[library])
        runtime = Runtime(execution.python, preload, _ENVIRONMENT, threads=True)
        return script_examiner(execution, self._script, runtime)

    def _script(self, sample: Sample) -> Script:
        row = self.rows[sample.task_id]
        context = row.text("code_context")
        calls = [f"solution = {sample.solution!r}", "test_execution(solution)"]
        if "def test_string(" in context:
            calls.append("test_string(solution)")
        before = _FIND_DATA if _data_files(row) else ""
        return Script("", "\n".join([before + context, *calls]), _SECONDS)


def _imported(row: Row) -> set[str]:
    code = "\n".join(row.text(name) for name in ("prompt", "code_context", "reference_code"))
    return set(_IMPORT.findall(code)) & _LIBRARIES.keys()


def _data_files(row: Row) -> set[str]:
    code = row.text("code_context")
    files = {f"{name}.csv" for name in _DATASET.findall(code)}
    function, file = _CALIFORNIA
    return files | {file} if function in code else files


def _given(prompt: str) -> str:
    """Return the code that the completion continues: the prompt's last code block, or the prompt if it is all code."""
    blocks = [block for block in _GIVEN.findall(prompt) if block.strip()]
    return (blocks[-1] if blocks else prompt).rstrip() + "\n"


def _cut(text: str) -> str:
    """Return the text up to the first mark that ends a solution."""
    return text[: min(text.find(stop) % (len(text) + 1) for stop in _STOP)]


def _completion(reply: str, given: str, wanted: set[str]) -> str:
    """Return the completion in a reply of any shape: of several blocks the last that gives what is wanted a value."""
    blocks = code_blocks(reply)
    text = next((block for block in reversed(blocks) if wanted & _made(block)), blocks[0] if blocks else reply)
    begun = list(_BEGIN.finditer(text))
    if begun:
        text = text[begun[-1].end() :]
    text = _cut(text.removeprefix("<code>\n").removeprefix("<code>")).strip("\n")
    head = _FUNCTION.findall(given)
    if not given.rstrip().splitlines()[-1][:1].isspace():
        return _without(given, text)
    body = text.partition(head[-1])[2] if head and head[-1] in text else text
    return body if body[:1].isspace() else textwrap.indent(body, "    ")


def _made(code: str) -> set[str]:
    """Return the names that code gives a value, or a part of one."""
    return {name for statement in find_statements(code) for name in statement.binds | statement.stores}


def _without(given: str, text: str) -> str:
    """Return `text` without the given code where it begins by repeating that, line by line."""
    expected = [line.strip() for line in given.splitlines() if line.strip() and not line.startswith("#")]
    lines = text.splitlines()
    position = 0
    for number, line in enumerate(lines):
        if position == len(expected):
            return "\n".join(lines[number:])
        if line.strip() == expected[position]:
            position += 1
        elif line.strip() and not line.startswith("#"):
            break
    return text


def load(data: str | None) -> Ds1000:
    """Return the suite from a file, a folder, or the hub.

    Raises:
        BenchmarkError: the file cannot be used.
    """
    rows = find_rows(_ORIGIN, data).rows
    tasks: dict[str, Row] = {}
    for row in rows:
        metadata = row.fields.get("metadata")
        if not isinstance(metadata, dict) or not {"library", "perturbation_type", "problem_id"} <= metadata.keys():
            raise BenchmarkError(f"{row.where}: metadata: lacks library, perturbation_type or problem_id")
        for name in ("prompt", "reference_code", "code_context"):
            row.text(name)
        tasks[f"ds1000/{metadata['problem_id']}"] = row
    return Ds1000(tasks, content_digest(rows), texts_of(rows, "ds1000"))
