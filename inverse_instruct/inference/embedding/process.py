"""How the process is asked in which embedding models run: what a model folder brings stays out of ours.

Enters: a folder and texts. Leaves: vectors, or a `ModelError` that names the folder and the remedy. The process takes
memory on the first GPU, if there is one, and gives it back when it is closed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from evaluation.limited_process import LimitedProcess, ProcessFailed
from inverse_instruct.errors import ModelError
from inverse_instruct.inference.models import model_digest
from inverse_instruct.system.machine import gpu_count

CPU_SECONDS = 3600.0  # of one question: a thousand texts take minutes with a large model on two cores
MEMORY_BYTES = 24 << 30
ADDRESS_BYTES_WITH_GPU = 1 << 44  # drivers reserve addresses for all the memory there is
TEXTS = 64  # of one question, so that none takes long by the wall clock
REMEDY = "give a whole folder of sentence-transformers, or leave the embedding out for TF-IDF"


class SentenceModel:
    """An embedding model in its process; use as a context manager."""

    def __init__(self, folder: Path) -> None:
        """Start nothing yet.

        Args:
            folder: with a Transformers encoder, and `modules.json` where it was made by sentence-transformers.
        """
        self._folder = folder
        memory = ADDRESS_BYTES_WITH_GPU if gpu_count() else MEMORY_BYTES
        self._child = LimitedProcess("inverse_instruct.inference.embedding", "the embedding model", memory)

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self._child.close()

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of some texts, at least one; (n, dimensions).

        Raises:
            ModelError: the folder is no embedding model, or it ran into a limit.
        """
        return np.concatenate([self._ask(texts[start : start + TEXTS]) for start in range(0, len(texts), TEXTS)])

    def _ask(self, texts: Sequence[str]) -> NDArray[np.float32]:
        request = json.dumps({"folder": str(self._folder.absolute()), "texts": list(texts)}).encode()
        try:
            reply = self._child.ask(request, CPU_SECONDS)
        except ProcessFailed as error:
            raise ModelError(f"{self._folder}: {error}; {REMEDY}") from error
        head, _, vectors = reply.partition(b"\n")
        answer = json.loads(head)
        if "error" in answer:
            raise ModelError(f"{self._folder}: {answer['error']}; {REMEDY}")
        found = np.frombuffer(vectors, np.float32).reshape(len(texts), -1)
        if not np.isfinite(found).all():
            raise ModelError(f"{self._folder}: its vectors are not finite; {REMEDY}")
        return found


def unit_vectors(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors of length 1, whose products are cosines; those of length 0 stay so."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = vectors / np.where(lengths > 0, lengths, 1)
    return scaled


def embedding_digest(folder: Path) -> str:
    """Return what tells an embedding model from others: its weights, and how it makes one vector of a text."""
    modules = sorted(folder.glob("*_*/*")) + [folder / "modules.json", folder / "sentence_bert_config.json"]
    return model_digest(folder, beside=[path for path in modules if path.is_file()])
