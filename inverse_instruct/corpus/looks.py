"""What is told of a row by itself: its code, the benchmark that it holds, and what near duplicates are found by.

Enters: rows in batches. Leaves: a `Look` for each, which depends on the row and the config alone, so that rows may be
looked at anywhere and in any order. Most of the time of `preprocess` is spent here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.texts import TaskTexts
from inverse_instruct.config.sections import PreprocessSection
from inverse_instruct.corpus.decontamination import BenchmarkIndex
from inverse_instruct.corpus.deduplication import Sketch, Sketcher
from inverse_instruct.corpus.extraction import Code, NotCode, extract, extract_plain
from inverse_instruct.records import Reason, SourceRow
from inverse_instruct.source_code.parser_process import ParserFailed


@dataclass(frozen=True, slots=True)
class Look:
    """What is told of one row."""

    code: Code | NotCode
    task: str | None  # of a benchmark, if the row holds something of it
    sketch: Sketch | None  # of the code, if there is some


class Looker:
    """Looks at rows."""

    def __init__(self, section: PreprocessSection, benchmarks: Sequence[Sequence[TaskTexts]]) -> None:
        """Index the benchmarks.

        Args:
            section: limits and languages.
            benchmarks: the tasks of each that is kept out.
        """
        self._section = section
        self._benchmarks = BenchmarkIndex(benchmarks, section.ngram)
        self._sketch = Sketcher(section.near_duplicate_threshold)

    def __call__(self, rows: Sequence[SourceRow]) -> list[Look]:
        """Return a look at each row."""
        return list(map(self._look, rows))

    def _look(self, row: SourceRow) -> Look:
        code = code_of(row, self._section)
        task = self._benchmarks.match(row.instruction, row.response)
        return Look(code, task, self._sketch(code.text) if isinstance(code, Code) else None)


def code_of(row: SourceRow, section: PreprocessSection) -> Code | NotCode:
    """Return the code of a row, or why there is none."""
    read = extract if row.instruction.strip() else extract_plain
    try:
        return read(row.response, section.languages, section.max_characters, row.language)
    except ParserFailed as error:
        return NotCode(Reason.PARSER_FAILED, str(error))
