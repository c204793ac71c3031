"""The process in which tokenizers and chat templates of model folders run; `process.py` starts and asks it.

Enters: settings and words as JSON. Leaves: token ids, or an error as text, whatever a folder makes the libraries raise.
"""

from __future__ import annotations

import array
import importlib.util
import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from evaluation.limited_process import answer_questions, end_with_parent
from inverse_instruct.errors import ModelError
from inverse_instruct.inference.models import tokenizer_classes
from inverse_instruct.inference.tokenization.model_tokenizer import ModelTokenizer
from inverse_instruct.inference.tokenization.process import LENGTH, OTHER_FORMATS, Setting

VOICES = 4  # kept at once: base, start, the last checkpoints
Found = tuple[dict[str, Any], list[list[int]]]


@lru_cache(VOICES)
def _tokenizer(setting: Setting) -> ModelTokenizer:
    return ModelTokenizer(setting)


def _answer(request: bytes) -> bytes:
    values, question, items = json.loads(request)
    setting = Setting(**values)
    try:
        tokenizer = _tokenizer(setting)
        value, ids = _ANSWERS[question](tokenizer, items)
    except ModelError as error:
        return _reply({"error": str(error)}, [])
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        _tokenizer.cache_clear()  # a panic may leave a tokenizer half changed
        what = f"{type(error).__name__}: {error}"[:300]
        return _reply(
            {
                "error": f"{setting.folder}: its tokenizer or chat template does not work ({what}); get the "
                f"files anew, or {OTHER_FORMATS}"
            },
            [],
        )
    return _reply({"value": value, "lengths": list(map(len, ids))}, ids)


def _reply(head: dict[str, Any], ids: Sequence[list[int]]) -> bytes:
    text = json.dumps(head).encode()
    flat = array.array("i", (token for one in ids for token in one))
    return LENGTH.pack(len(text)) + text + flat.tobytes()


def _describe(tokenizer: ModelTokenizer, items: list[Any]) -> Found:
    return {
        "end": tokenizer.end,
        "stops": tokenizer.stops,
        "eos_name": tokenizer.eos_name,
        "as_it_stands": tokenizer.as_it_stands,
        "variables": dict(tokenizer.frame.variables),
        "warnings": tokenizer.warnings,
    }, []


_ANSWERS: dict[str, Callable[[ModelTokenizer, list[Any]], Found]] = {
    "describe": _describe,
    "prompts": lambda tokenizer, items: ({}, tokenizer.prompts(items)),
    "rows": lambda tokenizer, items: ({}, [ids for pair in tokenizer.rows(items) for ids in pair]),
    "texts": lambda tokenizer, items: ({}, tokenizer.texts(items)),
    "bare": lambda tokenizer, items: ({}, tokenizer.bare(items)),
    "decode": lambda tokenizer, items: ({"text": tokenizer.decode(items)}, []),
}


def _hide_torch() -> None:
    """Let transformers believe that there is no torch, which tokenizers do not need: it takes seconds to import."""
    find_spec = importlib.util.find_spec
    importlib.util.find_spec = lambda name, package=None: None if name == "torch" else find_spec(name, package)


if __name__ == "__main__":
    end_with_parent()
    _hide_torch()
    tokenizer_classes()  # imported before the limits are set
    answer_questions(_answer)
