"""One row of a corpus to its snippet and to a row to train on, or to the reason why not (InverseCoder section 3.1).

Enters: rows, one after the other. Leaves: of each a clean piece of code or a rejection, and the row itself where it is
fit to be trained on. What duplicates are found by is remembered, so the first of several is kept.
"""

from __future__ import annotations

from collections import Counter

from evaluation.fences import find_blocks
from evaluation.thoughts import without_thoughts
from inverse_instruct.config.sections import PreprocessSection
from inverse_instruct.corpus.deduplication import ExactDuplicates, NearDuplicates
from inverse_instruct.corpus.extraction import Code, NotCode
from inverse_instruct.corpus.looks import Look
from inverse_instruct.corpus.rows import STAGE
from inverse_instruct.records import Reason, Rejection, Snippet, SourceRow, TrainingRow, digest

MAX_USAGE_CHARACTERS = 20_000


class RowFilter:
    """What is remembered from row to row: duplicates."""

    def __init__(self, config: PreprocessSection) -> None:
        """Remember nothing yet."""
        self.original_rejected: Counter[str] = Counter()
        self._config = config
        self._same_row = ExactDuplicates()
        self._same_code = ExactDuplicates()
        self._near = NearDuplicates(config.near_duplicate_threshold)

    def judge(
        self, row: SourceRow, look: Look, rephrased: str | None = None
    ) -> tuple[Snippet | Rejection, TrainingRow | None]:
        """Return the row's snippet or why it has none, and the row to train on, if it is fit for that.

        Args:
            row: the row.
            look: what is told of it by itself.
            rephrased: the task of a benchmark that it asks for in other words, if it does.
        """
        task = look.task or rephrased
        return self._snippet(row, look, task), self._training_row(row, look.code, task)

    def _snippet(self, row: SourceRow, look: Look, task: str | None) -> Snippet | Rejection:
        code = look.code
        if isinstance(code, NotCode):
            return Rejection(row.id, STAGE, code.reason, code.detail)
        if len(code.text) < self._config.min_characters:
            return Rejection(row.id, STAGE, Reason.TOO_SHORT, f"{len(code.text)} characters")
        if task:
            return Rejection(row.id, STAGE, Reason.CONTAMINATED, task)
        place = f"{row.source}:{row.line} (row {row.id})"
        if first := self._same_code.find_or_add(place, code.text):
            return Rejection(row.id, STAGE, Reason.EXACT_DUPLICATE, f"of {first}")
        assert look.sketch is not None, "what has code has a sketch"
        if first := self._near.find_or_add_sketch(place, look.sketch):
            return Rejection(row.id, STAGE, Reason.NEAR_DUPLICATE, f"of {first}")
        snippet_id = digest(code.language, code.text)
        usage = "\n\n".join(filter(None, [row.usage, *_later_blocks(row.response)]))[:MAX_USAGE_CHARACTERS]
        return Snippet(snippet_id, code.text, code.language, row.instruction, row.id, row.source, row.line, usage)

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


def _later_blocks(response: str) -> list[str]:
    """Return what stands in the blocks after the first, which often show how its code is used."""
    if response.count("```") < 3 and "~~~" not in response:
        return []  # one block at most
    return [block.text for block in find_blocks(without_thoughts(response.replace("\r\n", "\n")).answer)[1:]]
