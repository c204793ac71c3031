"""One row of a corpus to its snippet and to a row to train on, or to the reason why not (InverseCoder section 3.1).

Enters: rows, one after the other. Leaves: of each a clean piece of code or a rejection, and the row itself where it is
fit to be trained on. What duplicates are found by is remembered, so the first of several is kept.
"""

from __future__ import annotations

from collections import Counter

from inverse_instruct.config.sections import PreprocessSection
from inverse_instruct.corpus.decontamination import BenchmarkIndex
from inverse_instruct.corpus.deduplication import ExactDuplicates, NearDuplicates
from inverse_instruct.corpus.extraction import Code, NotCode, extract, extract_plain
from inverse_instruct.corpus.readers import STAGE
from inverse_instruct.records import Reason, Rejection, Snippet, SourceRow, TrainingRow, digest
from inverse_instruct.source_code.parser_process import ParserFailed


def code_of(row: SourceRow, config: PreprocessSection) -> Code | NotCode:
    """Return the code of a row, or why there is none."""
    read = extract if row.instruction.strip() else extract_plain
    try:
        return read(row.response, config.languages, config.max_characters, row.language)
    except ParserFailed as error:
        return NotCode(Reason.PARSER_FAILED, str(error))


class RowFilter:
    """What is remembered from row to row: duplicates, and the benchmarks to keep out."""

    def __init__(self, config: PreprocessSection, benchmarks: BenchmarkIndex) -> None:
        """Remember nothing yet.

        Args:
            config: limits and languages.
            benchmarks: what is kept out.
        """
        self.original_rejected: Counter[str] = Counter()
        self._config = config
        self._benchmarks = benchmarks
        self._same_row = ExactDuplicates()
        self._same_code = ExactDuplicates()
        self._near = NearDuplicates(config.near_duplicate_threshold)

    def judge(self, row: SourceRow, rephrased: str | None = None) -> tuple[Snippet | Rejection, TrainingRow | None]:
        """Return the row's snippet or why it has none, and the row to train on, if it is fit for that.

        Args:
            row: the row.
            rephrased: the task of a benchmark that it asks for in other words, if it does.
        """
        task = self._benchmarks.match(row.instruction, row.response) or rephrased
        code = code_of(row, self._config)
        return self._snippet(row, code, task), self._training_row(row, code, task)

    def _snippet(self, row: SourceRow, code: Code | NotCode, task: str | None) -> Snippet | Rejection:
        if isinstance(code, NotCode):
            return Rejection(row.id, STAGE, code.reason, code.detail)
        if len(code.text) < self._config.min_characters:
            return Rejection(row.id, STAGE, Reason.TOO_SHORT, f"{len(code.text)} characters")
        if task:
            return Rejection(row.id, STAGE, Reason.CONTAMINATED, task)
        place = f"{row.source}:{row.line} (row {row.id})"
        if first := self._same_code.find_or_add(place, code.text):
            return Rejection(row.id, STAGE, Reason.EXACT_DUPLICATE, f"of {first}")
        if first := self._near.find_or_add(place, code.text):
            return Rejection(row.id, STAGE, Reason.NEAR_DUPLICATE, f"of {first}")
        snippet_id = digest(code.language, code.text)
        return Snippet(snippet_id, code.text, code.language, row.instruction, row.id, row.source, row.line)

    def _training_row(self, row: SourceRow, code: Code | NotCode, task: str | None) -> TrainingRow | None:
        if not row.instruction.strip():
            return None  # plain code is not instruction data
        reason = None
        if not row.response.strip():
            reason = Reason.EMPTY
        elif task:
            reason = Reason.CONTAMINATED
        elif self._same_row.find_or_add(row.id, row.instruction, row.response):
            reason = Reason.EXACT_DUPLICATE
        if reason:
            self.original_rejected[reason.value] += 1
            return None
        language = code.language if isinstance(code, Code) else row.language or ""
        return TrainingRow(
            id=digest(row.instruction, row.response),
            instruction=row.instruction,
            response=row.response,
            language=language,
            round=0,
            snippet_id="",
            candidate_id="",
            lm_score=None,
            row_id=row.id,
            source=row.source,
            line=row.line,
            model="",
        )
