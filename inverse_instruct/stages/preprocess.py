"""The preprocess stage: from the original corpus to clean snippets (InverseCoder sections 3.1 and 4.1).

Enters: the sources of a corpus. Leaves, in the stage's folder:

- `snippets.parquet`, the clean pieces of code, each one once;
- `original.parquet`, the rows of the corpus that are fit to be trained on as they are: an instruction and a response,
  not contaminated, not seen before; code or not, the response is left untouched;
- `rejections.parquet`, why each of the other rows gave no snippet;
- `manifest.json`, written last.

Rows are streamed; memory grows with what duplicates are found by, about 1.2 KiB for a row with a short snippet. Not
guaranteed: the same result for another order of the rows, since the first of several duplicates is kept.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from tqdm import tqdm

from inverse_instruct.benchmarks.kept_out import kept_out_digests, read_kept_out
from inverse_instruct.corpus.decontamination import BenchmarkIndex
from inverse_instruct.corpus.deduplication import ExactDuplicates, NearDuplicates
from inverse_instruct.corpus.extraction import Code, NotCode, extract, extract_plain
from inverse_instruct.corpus.readers import STAGE, check_there, read_source
from inverse_instruct.errors import StageError
from inverse_instruct.records import Reason, Rejection, Snippet, SourceRow, TrainingRow, digest
from inverse_instruct.source_code.parser_process import ParserFailed
from inverse_instruct.stages.estimate import Cost, Estimate
from inverse_instruct.stages.stage import Rows, Stage

if TYPE_CHECKING:
    from inverse_instruct.config.sections import CorpusSource, PreprocessSection
    from inverse_instruct.stages.room import Room

SNIPPETS = "snippets.parquet"
ORIGINAL = "original.parquet"
IF_EMPTY = "check that the corpus holds code, that its format is right, and the languages and limits under `preprocess`"
ROWS_PER_SECOND = 2000  # nominal
_ROWS_TO_TRY = 200  # of each source
_WITHOUT_CODE = {
    reason.value
    for reason in (Reason.EMPTY, Reason.MALFORMED, Reason.NO_CODE, Reason.SYNTAX_ERROR, Reason.UNSUPPORTED_LANGUAGE)
}


def preprocess(room: Room) -> None:
    """Turn the corpus into snippets.

    Raises:
        CorpusError: a source cannot be read.
        StageError: a benchmark that is to be kept out cannot be read.
    """
    started = time.monotonic()
    sources: list[CorpusSource] = room.section("corpus")
    section: PreprocessSection = room.section()
    row_filter = _RowFilter(section, BenchmarkIndex(read_kept_out(room.section("kept_out")), section.ngram))
    languages: Counter[str] = Counter()
    original = room.writer(ORIGINAL, TrainingRow)
    for source in sources:
        check_there(source)
    for row in _with_progress(sources):
        result: Snippet | Rejection
        training_row: TrainingRow | None = None
        if isinstance(row, Rejection):
            result = row
        elif room.seed("share", row.id) >= section.share * 2**31:
            result = Rejection(row.id, STAGE, Reason.NOT_DRAWN)
        else:
            result, training_row = row_filter.judge(row)
        if training_row is not None:
            original.write(training_row)
        if isinstance(result, Snippet):
            room.keep(result)
            languages[result.language] += 1
        else:
            room.reject(result)
    rows = room.rows_out + room.rejected.total()
    room.metrics |= {
        "original_rows": original.count,
        "original_rejected": dict(row_filter.original_rejected),
        "languages": dict(languages.most_common()),
        "rows_per_second": round(rows / (time.monotonic() - started), 1),
    }


def check_yield(sources: Sequence[CorpusSource], config: PreprocessSection) -> list[str]:
    """See that one of the first rows of a corpus gives a snippet; return a note if none does, but others might.

    Raises:
        StageError: there are no others, and none of the rows holds code in a language to keep.
    """
    rejected: Counter[str] = Counter()
    all_read = True
    for source in sources:
        rows = read_source(source)
        for row in islice(rows, _ROWS_TO_TRY):
            found = row if isinstance(row, Rejection) else _code_of(row, config)
            if isinstance(found, Code) and len(found.text) >= config.min_characters:
                return []
            rejected[Reason.TOO_SHORT.value if isinstance(found, Code) else found.reason.value] += 1
        all_read &= next(rows, None) is None
    said = _nothing_left(rejected.total(), rejected)
    if all_read and rejected.keys() <= _WITHOUT_CODE:
        raise StageError(said)
    return [f"corpus: {'' if all_read else 'of the first rows, '}{said}"]


def _with_progress(sources: Sequence[CorpusSource]) -> Iterator[SourceRow | Rejection]:
    rows = (row for source in sources for row in read_source(source))
    return iter(tqdm(rows, desc=STAGE, unit=" rows", file=sys.stderr, mininterval=1.0))


def _nothing_left(rows: int, rejected: Counter[str]) -> str:
    counts = ", ".join(f"{reason} {count}" for reason, count in rejected.most_common()) or "no rows at all"
    return f"none of {rows} rows gives a snippet ({counts}); {IF_EMPTY}"


def _code_of(row: SourceRow, config: PreprocessSection) -> Code | NotCode:
    read = extract if row.instruction.strip() else extract_plain
    try:
        return read(row.response, config.languages, config.max_characters, row.language)
    except ParserFailed as error:
        return NotCode(Reason.PARSER_FAILED, str(error))


class _RowFilter:
    """What is remembered from row to row: duplicates, and the benchmarks to keep out."""

    def __init__(self, config: PreprocessSection, benchmarks: BenchmarkIndex) -> None:
        self.original_rejected: Counter[str] = Counter()
        self._config = config
        self._benchmarks = benchmarks
        self._same_row = ExactDuplicates()
        self._same_code = ExactDuplicates()
        self._near = NearDuplicates(config.near_duplicate_threshold)

    def judge(self, row: SourceRow) -> tuple[Snippet | Rejection, TrainingRow | None]:
        """Return the row's snippet or why it has none, and the row to train on, if it is fit for that."""
        task = self._benchmarks.match(row.instruction, row.response)
        code = _code_of(row, self._config)
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


def _cost(estimate: Estimate) -> Cost:
    return Cost(estimate.rows, estimate.tokens, estimate.rows / ROWS_PER_SECOND)


PREPROCESS = Stage(
    STAGE,
    "turn a corpus into clean snippets",
    preprocess,
    unit="snippet",
    writes=Rows(SNIPPETS, Snippet),
    sections=("corpus", "kept_out"),
    outside=kept_out_digests,
    cost=_cost,
    version=3,
    if_empty=IF_EMPTY,
)
