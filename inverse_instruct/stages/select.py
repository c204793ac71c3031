"""Scored pairs to training rows (InverseCoder section 3.4).

Enters: snippets, candidates and scores of a round. Leaves: `selected.parquet` (one row in is one scored pair) and
`rejections.parquet`. The order of the input does not matter: ties are broken by the candidate's id. Every selected row
carries its lineage down to the source row. Generated instructions are decontaminated like the corpus was.
"""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from inverse_instruct.config.sections import SelectionSection
from inverse_instruct.corpus.decontamination import BenchmarkIndex
from inverse_instruct.records import (
    Candidate,
    Reason,
    Rejection,
    ScoredPair,
    Snippet,
    TrainingRow,
    digest,
    rows_digest,
    to_dict,
)
from inverse_instruct.store.manifest import Manifest, write_manifest
from inverse_instruct.store.rows import write_rows


def select(section: SelectionSection, folder: Path, *, snippets: Iterable[Snippet], candidates: Iterable[Candidate],
           pairs: Sequence[ScoredPair], benchmarks: BenchmarkIndex, earlier_ids: frozenset[str], seed: int,
           round_number: int, key: str) -> Manifest:
    """Choose the training rows of a round and write the stage's files.

    Args:
        section: how to choose.
        folder: the stage's folder.
        snippets: the snippets that the pairs speak of.
        candidates: the candidates that the pairs speak of.
        pairs: all scored pairs.
        benchmarks: what must not be in the training data.
        earlier_ids: ids of rows already selected in earlier rounds.
        seed: the run's seed.
        round_number: number of the round.
        key: digest of everything the result depends on.
    """
    started = time.monotonic()
    snippet_of = {snippet.id: snippet for snippet in snippets}
    candidate_of = {candidate.id: candidate for candidate in candidates}
    chosen, rejections = choose(section, pairs, seed, round_number)
    rows: list[TrainingRow] = []
    seen = set(earlier_ids)
    for pair in chosen:
        row = _training_row(snippet_of[pair.snippet_id], candidate_of[pair.candidate_id], pair, round_number)
        task = benchmarks.match(row.instruction, row.response)
        if task:
            rejections.append(Rejection(pair.candidate_id, "selection", Reason.CONTAMINATED, task))
        elif row.id in seen:
            rejections.append(Rejection(pair.candidate_id, "selection", Reason.EXACT_DUPLICATE, row.id))
        else:
            seen.add(row.id)
            rows.append(row)
    write_rows(folder / "selected.parquet", map(to_dict, rows), TrainingRow)
    write_rows(folder / "rejections.parquet", map(to_dict, rejections), Rejection)
    scores = [row.lm_score for row in rows if row.lm_score is not None]
    manifest = Manifest(
        stage="selection", key=key, rows_in=len(pairs), rows_out=len(rows),
        rejected=dict(Counter(rejection.reason.value for rejection in rejections)),
        seconds=time.monotonic() - started,
        metrics={"mean_lm_score": sum(scores) / len(scores) if scores else None,
                 "snippets": len({row.snippet_id for row in rows}), "rows": rows_digest([row.id for row in rows])},
    )
    return write_manifest(folder, manifest, ["selected.parquet", "rejections.parquet"])


def choose(section: SelectionSection, pairs: Sequence[ScoredPair], seed: int, round_number: int
           ) -> tuple[list[ScoredPair], list[Rejection]]:
    """Split pairs into chosen ones, in the order of snippet ids, and rejections."""
    by_snippet: dict[str, list[ScoredPair]] = defaultdict(list)
    rejections = []
    for pair in pairs:
        if pair.lm_score < section.min_score:
            detail = f"{pair.lm_score:.4f} < {section.min_score}"
            rejections.append(Rejection(pair.candidate_id, "selection", Reason.BELOW_MINIMUM, detail))
        else:
            by_snippet[pair.snippet_id].append(pair)
    chosen = []
    for snippet_id in sorted(by_snippet):
        ranked = sorted(by_snippet[snippet_id], key=lambda pair: (-pair.lm_score, pair.candidate_id))
        match section.method:
            case "best":
                kept = ranked[:1]
            case "top_k":
                kept = ranked[: section.k]
            case "threshold":
                kept = ranked
            case "random":
                generator = random.Random(int(digest(seed, round_number, snippet_id), 16))
                kept = [generator.choice(sorted(ranked, key=lambda pair: pair.candidate_id))]
        chosen += kept
        for rank, pair in enumerate(ranked):
            if pair not in kept:
                detail = f"rank {rank + 1} of {len(ranked)} with {pair.lm_score:.4f}"
                rejections.append(Rejection(pair.candidate_id, "selection", Reason.NOT_SELECTED, detail))
    return chosen, rejections


def _training_row(snippet: Snippet, candidate: Candidate, pair: ScoredPair, round_number: int) -> TrainingRow:
    response = f"```{snippet.language}\n{snippet.code}\n```"
    return TrainingRow(
        id=digest(candidate.instruction, response), instruction=candidate.instruction, response=response,
        language=snippet.language, round=round_number, snippet_id=snippet.id, candidate_id=candidate.id,
        lm_score=pair.lm_score, row_id=snippet.row_id, source=snippet.source, line=snippet.line, model=pair.model,
    )
