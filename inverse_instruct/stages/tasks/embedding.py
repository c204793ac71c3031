"""What makes vectors of texts, as the config says: a folder of sentence-transformers, or TF-IDF where none is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from inverse_instruct.config.tasks import CoresetSection
from inverse_instruct.corpus.tf_idf import TfIdf
from inverse_instruct.errors import ModelError
from inverse_instruct.inference.embedding.process import SentenceModel, embedding_digest
from inverse_instruct.inference.models import FETCHABLE, resolve_model
from inverse_instruct.records import rows_digest
from inverse_instruct.system.hub import hub_problem, is_hub_name

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


@contextmanager
def open_embedding(section: CoresetSection, ids: Sequence[str], texts: Iterable[str]) -> Iterator[tuple[str, Embed]]:
    """Open an embedding, with a name that tells its vectors from others.

    Args:
        section: says which.
        ids: of the texts that TF-IDF is made from.
        texts: read once, and only for TF-IDF.

    Raises:
        ModelError: the embedding model cannot be used.
    """
    if section.embedding is None:
        yield f"TF-IDF {section.dimensions} {rows_digest(list(ids))}", TfIdf(texts, section.dimensions)
        return
    folder = resolve_model(section.embedding)
    with SentenceModel(folder) as model:
        yield embedding_digest(folder), model


def embedding_digests(model: str | None) -> list[str]:
    """Return what tells an embedding model from others, for the keys of stages."""
    return [embedding_digest(resolve_model(model))] if model else []


def embedding_problems(key: str, model: str | None) -> list[str]:
    """Return what a run would refuse of an embedding model, named by its key in the config."""
    if model is None:
        return []
    try:
        resolve_model(model, download=False)
    except ModelError as error:
        on_hub = model not in FETCHABLE and is_hub_name(model)
        problem = hub_problem(model, "model") if on_hub else str(error)
        return [f"{key}: {problem}"] if problem else []
    return []
