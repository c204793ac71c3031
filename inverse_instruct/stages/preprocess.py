"""The preprocess stage: from the original corpus to clean snippets (InverseCoder sections 3.1 and 4.1).

Enters: the sources of a corpus. Leaves, in the stage's folder:

- `snippets.parquet`, the clean pieces of code, each one once;
- `original.parquet`, the rows of the corpus that are fit to be trained on as they are: an instruction and a response,
  not contaminated, not seen before; code or not, the response is left untouched;
- `near_benchmarks.jsonl`, where `preprocess.embedding` looks for them: the rows whose instruction says in other words
  what a benchmark asks for, unless these are dropped;
- `rejections.parquet`, why each of the other rows gave no snippet;
- `manifest.json`, written last.

Rows are streamed; memory grows with what duplicates are found by, about 1.2 KiB for a row with a short snippet. Not
guaranteed: the same result for another order of the rows, since the first of several duplicates is kept.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from inverse_instruct.benchmarks.kept_out import Texts, kept_out_digests, read_kept_out
from inverse_instruct.corpus.executors import Seen, look_at
from inverse_instruct.corpus.extraction import Code
from inverse_instruct.corpus.looks import Look, code_of
from inverse_instruct.corpus.places import check_there
from inverse_instruct.corpus.readers import read_source
from inverse_instruct.corpus.row_filter import RowFilter
from inverse_instruct.corpus.rows import STAGE
from inverse_instruct.errors import StageError
from inverse_instruct.records import Reason, Rejection, Snippet, SourceRow, TrainingRow
from inverse_instruct.stages.estimate import Cost, Estimate
from inverse_instruct.stages.stage import Rows, Stage
from inverse_instruct.stages.tasks.embedding import embedding_digests, embedding_problems
from inverse_instruct.stages.tasks.neighbors import Neighbor, open_neighbors
from inverse_instruct.store.progress import open_bar
from inverse_instruct.store.rows import write_rows
from inverse_instruct.store.seeds import sampling_seed

if TYPE_CHECKING:
    from inverse_instruct.config.corpus_source import CorpusSource
    from inverse_instruct.config.sections import PreprocessSection, RunConfig
    from inverse_instruct.stages.room import Room

logger = logging.getLogger(__name__)

SNIPPETS = "snippets.parquet"
ORIGINAL = "original.parquet"
IF_EMPTY = "check that the corpus holds code, that its format is right, and the languages and limits under `preprocess`"
ROWS_PER_SECOND = 2000  # nominal
NEAR = "near_benchmarks.jsonl"
_ROWS_TO_EMBED = 64  # at once
_ROWS_TO_TRY = 200  # of each source
_NO_SNIPPET = {
    reason.value
    for reason in (
        Reason.EMPTY,
        Reason.FILTERED_OUT,
        Reason.MALFORMED,
        Reason.NO_CODE,
        Reason.NOT_DRAWN,
        Reason.SYNTAX_ERROR,
        Reason.UNSUPPORTED_LANGUAGE,
    )
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
    benchmarks = read_kept_out(room.section("kept_out"))
    row_filter = RowFilter(section)
    near: list[dict[str, Any]] = []
    languages: Counter[str] = Counter()
    unread: Counter[str] = Counter()
    original = room.writer(ORIGINAL, TrainingRow)
    for source in sources:
        check_there(source)
    read = chain.from_iterable(_drawn(source, section, unread, room.seed) for source in sources)
    rows = look_at(_with_progress(read), section, benchmarks)
    for row, look, neighbor in _with_neighbors(rows, section, benchmarks):
        result: Snippet | Rejection
        training_row: TrainingRow | None = None
        if isinstance(row, Rejection) or look is None:
            assert isinstance(row, Rejection), "all other rows are looked at"
            result = row
        else:
            is_dropped = neighbor is not None and section.rephrased == "drop"
            result, training_row = row_filter.judge(row, look, str(neighbor) if is_dropped else None)
            if neighbor and not is_dropped:
                near.append(_listed(row, neighbor))
        if training_row is not None:
            original.write(training_row)
        if isinstance(result, Snippet):
            room.keep(result)
            languages[result.language] += 1
        else:
            room.reject(result)
    if section.embedding and section.rephrased == "list":
        write_rows(room.place.folder / NEAR, near)
        room.outputs.append(NEAR)
        room.metrics["near_benchmarks"] = len(near)
        if near:
            logger.warning(
                "%d rows ask for nearly what a benchmark asks for; look at %s, and set preprocess.rephrased to drop, "
                "or preprocess.rephrased_similarity higher",
                len(near),
                room.place.folder / NEAR,
            )
    if said := _left_unread(unread):
        logger.warning("%s", said)
        room.metrics["unread"] = dict(+unread)
    count = room.rows_out + room.rejected.total()
    room.metrics |= {
        "original_rows": original.count,
        "original_rejected": dict(row_filter.original_rejected),
        "languages": dict(languages.most_common()),
        "rows_per_second": round(count / (time.monotonic() - started), 1),
    }


def check_yield(config: RunConfig) -> list[str]:
    """See that one of the first rows of a run's corpus gives a snippet.

    Returns:
        Notes: that none does, where others might; and what of conversations is left out.

    Raises:
        StageError: there are no others, and none of the rows is drawn and holds code in a language to keep.
    """
    section = config.preprocess
    rejected: Counter[str] = Counter()
    unread: Counter[str] = Counter()
    is_good, all_read = False, True
    for source in config.corpus:
        rows = _drawn(source, section, unread, partial(sampling_seed, config.seed, 0))
        for row in islice(rows, _ROWS_TO_TRY):
            if is_good:
                continue  # the rest is read for what of conversations is left out
            found = row if isinstance(row, Rejection) else code_of(row, section)
            is_good = isinstance(found, Code) and len(found.text) >= section.min_characters
            rejected[Reason.TOO_SHORT.value if isinstance(found, Code) else found.reason.value] += 1
        all_read &= next(rows, None) is None
    said = [] if is_good else [_nothing_left(rejected.total(), rejected)]
    if said and all_read and rejected.keys() <= _NO_SNIPPET:
        raise StageError(said[0])
    said += filter(None, [_left_unread(unread)])
    return [f"corpus: {'' if all_read else 'of the first rows, '}{note}" for note in said]


def _drawn(
    source: CorpusSource, section: PreprocessSection, unread: Counter[str], seed: Callable[..., int]
) -> Iterator[SourceRow | Rejection]:
    """Yield the rows of a source, those that are not drawn as rejections.

    Args:
        source: with its share.
        section: with that of the whole corpus.
        unread: is told what of conversations is left out.
        seed: that of what is drawn, in [0, 2**31).
    """
    share = source.share * section.share
    for row in read_source(source, unread):
        if isinstance(row, SourceRow) and seed("share", row.id) >= share * 2**31:
            yield Rejection(row.id, STAGE, Reason.NOT_DRAWN)
        else:
            yield row


def _with_progress(rows: Iterator[SourceRow | Rejection]) -> Iterator[SourceRow | Rejection]:
    with open_bar(STAGE, "row") as bar:
        for row in rows:
            bar.update()
            yield row


def _with_neighbors(
    rows: Seen, section: PreprocessSection, benchmarks: Sequence[Texts]
) -> Iterator[tuple[SourceRow | Rejection, Look | None, Neighbor | None]]:
    """Yield each row with its neighbor in a benchmark, too, if these are looked for."""
    if section.embedding is None:
        yield from ((row, look, None) for row, look in rows)
        return
    with open_neighbors(section.embedding, benchmarks, section.rephrased_similarity) as find:
        while block := list(islice(rows, _ROWS_TO_EMBED)):
            said = ["" if isinstance(row, Rejection) else row.instruction for row, _ in block]
            yield from ((row, look, near) for (row, look), near in zip(block, find(said), strict=True))


def _listed(row: SourceRow, neighbor: Neighbor) -> dict[str, Any]:
    return {
        "similarity": round(neighbor.similarity, 3),
        "task": neighbor.task,
        "source": row.source,
        "line": row.line,
        "instruction": row.instruction,
    }


def _left_unread(unread: Counter[str]) -> str:
    """Say what of conversations is left out, and how it would be read; "" for nothing."""
    remedies = {
        "answers": "answers behind the first of their conversation (`answers: each` of a source reads them)",
        "system_prompts": "system prompts (`system_prompts: keep` puts them in front of the instruction)",
    }
    said = [f"{unread[name]} {remedy}" for name, remedy in remedies.items() if unread[name]]
    return f"left out: {', and '.join(said)}" if said else ""


def _nothing_left(rows: int, rejected: Counter[str]) -> str:
    counts = ", ".join(f"{reason} {count}" for reason, count in rejected.most_common()) or "no rows at all"
    return f"none of {rows} rows gives a snippet ({counts}); {IF_EMPTY}"


def _outside(config: RunConfig) -> list[str]:
    return [*kept_out_digests(config), *embedding_digests(config.preprocess.embedding)]


def _check(config: RunConfig) -> list[str]:
    return embedding_problems("preprocess.embedding", config.preprocess.embedding)


def _cost(estimate: Estimate) -> Cost:
    return Cost(estimate.rows, estimate.tokens, estimate.rows / ROWS_PER_SECOND)


PREPROCESS = Stage(
    STAGE,
    "turn a corpus into clean snippets",
    preprocess,
    unit="snippet",
    writes=Rows(SNIPPETS, Snippet),
    sections=("corpus", "kept_out"),
    outside=_outside,
    check=_check,
    cost=_cost,
    version=3,
    if_empty=IF_EMPTY,
)
