"""The process in which embedding models run; `process.py` starts and asks it.

Enters: a folder and texts as JSON. Leaves: a line of JSON, which holds an error as text or nothing, and float32 values.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from evaluation.limited_process import answer_questions, end_with_parent


def _answer(request: bytes) -> bytes:
    question = json.loads(request)
    try:
        return b"{}\n" + _encoder(question["folder"])(question["texts"]).tobytes()
    except MemoryError:
        raise
    except Exception as error:  # the folder may hold anything, and the libraries raise what they like
        return json.dumps({"error": f"{type(error).__name__}: {error}"[:500]}).encode() + b"\n"


@lru_cache(1)
def _encoder(folder: str) -> Encoder:
    return Encoder(Path(folder))


if __name__ == "__main__":
    end_with_parent()
    from inverse_instruct.inference.embedding.encoder import Encoder  # before the limits are set

    answer_questions(_answer)
