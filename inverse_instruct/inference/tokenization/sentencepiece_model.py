"""A tokenizer that transformers makes out of a `tokenizer.model`, and whether it gives that file's own tokens.

Enters: a model folder without `tokenizer.json`. Leaves: a fast tokenizer, or a `ModelError` that says what to put
there. Not guaranteed: equal tokens for every text; a few of code are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from inverse_instruct.errors import ModelError

FILE = "tokenizer.model"
TEXTS = (
    "def f(x):\n    return [x, x + 1]\n",
    "\n\n\tif (a[0] != b) { return 'Grüße'; }  // 1234.5e-6\n",
    "Write a function that adds two numbers. Yes No",
)
REMEDY = f"put a tokenizer.json beside it: that of the model's authors, or one that you made of {FILE} yourself"


def convert(folder: Path, load: Callable[[], Any]) -> Any:
    """Return the tokenizer of a folder.

    Args:
        folder: of the model.
        load: lets transformers make a tokenizer of the file.

    Raises:
        ModelError: it makes none, or one that gives other tokens, or the file is no model of SentencePiece.
    """
    path = folder / FILE
    try:
        from sentencepiece import SentencePieceProcessor

        own = SentencePieceProcessor(model_file=str(path))
    except ImportError as error:
        raise ModelError(f"{path} is read by sentencepiece, which is not here; install it, or {REMEDY}") from error
    except (RuntimeError, OSError) as error:
        raise ModelError(f"{path} is no model of SentencePiece; {REMEDY}") from error
    try:
        tokenizer = load()
        encode = tokenizer.backend_tokenizer.encode
    except Exception as error:  # each class of tokenizer raises what it likes
        what = f"{type(error).__name__}: {error}"[:300]
        raise ModelError(f"{path}: transformers makes no fast tokenizer of it ({what}); {REMEDY}") from error
    if not all(_agree(own.encode(text), encode(text, add_special_tokens=False).ids) for text in TEXTS):
        raise ModelError(f"{path}: transformers makes a tokenizer of it that gives other tokens; {REMEDY}")
    return tokenizer


def _agree(own: list[int], made: list[int]) -> bool:
    """Tell whether ids are the same but for a space before the first word, which a setting may leave out."""
    return own == made or own[1:] in (made, made[1:])
