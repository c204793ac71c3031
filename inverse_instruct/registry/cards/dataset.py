"""The dataset card: what the self-generated rows of an export are and where each came from.

Enters: the record of a run, the lineage of a checkpoint and its rows. Leaves: the text of the `README.md` beside them.
"""

from __future__ import annotations

from collections import Counter
from statistics import fmean, median
from typing import Any

from huggingface_hub import DatasetCardData
from markupsafe import Markup

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.registry.cards.markdown import NOT_STATED, render
from inverse_instruct.registry.cards.shared import card_title, corpus_names, decontamination, funnel, method
from inverse_instruct.registry.lineage import History, Lineage

COLUMNS = {
    "id": "digest of instruction and response",
    "instruction": "written by the model",
    "response": "the snippet, fenced",
    "language": "of the snippet",
    "round": "of the run that made the row",
    "snippet_id": "digest of the snippet's language and code",
    "candidate_id": "digest of snippet, number and instruction",
    "lm_score": "how sure the model was that the code answers the instruction, 0 to 1",
    "row_id": "digest of the row of the corpus that the snippet is from",
    "source": "file or data set of that row",
    "line": "line, row or first line in it, from 1",
    "model": "digest of the weights that wrote and judged the row",
    "k": "number among the snippet's candidates, from 0",
    "prefix": "beginning that the instruction was forced to have",
    "seed": "of its sampling",
    "prompt": "digest of the prompt template that it was written with",
    "yes_logprob": "natural logarithm of the probability of yes, over the full vocabulary",
    "no_logprob": "the same of no",
}
"""Column of `train.parquet` -> what it holds, where instructions were written for snippets."""
DRAFT_COLUMNS = {
    "instruction": "what is asked for, with what it is about",
    "response": "what the model is trained to answer",
    "language": "of the response",
    "snippet_id": "id of the first row that it was made from",
    "candidate_id": "id of the draft that it was made of; empty where it was taken as it is",
    "lm_score": "how sure the model was of it, 0 to 1; empty where it was not asked",
    "row_id": "digest of the row of the corpus, where the first row is a snippet of one",
    "model": "digest of the weights that wrote the row; empty where a person wrote it",
    "k": "number among the drafts of the same rows, from 0",
    "task": "what kind of row",
    "detail": "what was found out about it, such as the reasons of a judge",
    "parents": "ids of all rows that it was made from",
}
"""The same for rows that were made in several steps, where it is something else."""
SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}


def dataset_card(history: History, lineage: Lineage, rows: list[dict[str, Any]]) -> str:
    """Return the dataset card of a checkpoint's self-generated rows, of which there is at least one."""
    config = history.config
    columns = COLUMNS if "prefix" in rows[0] else COLUMNS | DRAFT_COLUMNS
    scores = [row["lm_score"] for row in rows if row["lm_score"] is not None]
    title = f"Self-generated rows of {card_title(history, lineage)}"
    example = sorted(rows, key=lambda row: (row["lm_score"] or 0.0, row["id"]))[len(rows) // 2]
    return render(
        "dataset.md.jinja",
        {
            "front_matter": _front_matter(config, title, len(rows)),
            "title": title,
            "name": lineage.name,
            "run": config.name,
            "rows": len(rows),
            "writers": list(dict.fromkeys(data.written_by for data in lineage.self_generated)),
            "facts": [
                ("corpus", ", ".join(corpus_names(config))),
                ("license", config.card.data_license or NOT_STATED),
                *([("authors", ", ".join(config.card.authors))] if config.card.authors else []),
                ("weights trained on it", lineage.digest),
            ],
            "method": method(config),
            "columns": [(name, columns[name]) for name in rows[0]],
            "stages": funnel(history, [data.round for data in lineage.self_generated]),
            "languages": Counter(row["language"] for row in rows).most_common(),
            "scores": {
                "low": f"{min(scores):.3f}",
                "median": f"{median(scores):.3f}",
                "mean": f"{fmean(scores):.3f}",
                "high": f"{max(scores):.3f}",
            }
            if scores
            else None,
            "decontamination": decontamination(config),
            "example": example | {"lm_score": _score(example["lm_score"])},
        },
    )


def _score(value: float | None) -> str:
    return "not asked for" if value is None else f"{value:.3f}"


def _front_matter(config: RunConfig, title: str, rows: int) -> Markup:
    data = DatasetCardData(
        license=config.card.data_license or "unknown",
        pretty_name=" ".join(title.split()),
        task_categories=["text-generation"],
        tags=["code", "synthetic", "inverse-instruct"],
        source_datasets=config.card.datasets or None,
        size_categories=[next((name for size, name in SIZES.items() if rows < size), "n>1M")],
        configs=[{"config_name": "default", "data_files": "train.parquet"}],
    )  # one format for a whole folder
    return Markup(data.to_yaml())
