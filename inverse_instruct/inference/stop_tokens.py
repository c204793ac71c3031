"""At which tokens a server ends a reply, as a model's folder says it, and how a trained checkpoint says it.

Enters: a model folder. Leaves: the ids that vLLM and transformers stop at: the tokenizer's EOS, and the `eos_token_id`
of `generation_config.json`, or of `config.json` where there is none. `name_end` writes the token that a model was
trained to end with into all three, the earlier ones kept, so that every server stops where the training did.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inverse_instruct.errors import ModelError
from inverse_instruct.inference.models import read_settings
from inverse_instruct.store.files import write_json

KEY = "eos_token_id"


@dataclass(frozen=True)
class Ending:
    """How the replies of a checkpoint end, and what its tokenizer's settings shall say."""

    end: int  # the token that responses are trained to end with
    stops: tuple[int, ...]  # that and all others at which a reply ends
    eos: str = ""  # what the tokenizer shall call its EOS; "" leaves it as it is, as its chat template depends on that
    plain_tokenizer: bool = False  # whether transformers shall take `tokenizer.json` as it stands


def stop_tokens(folder: Path, tokenizer_eos: int | None) -> list[int]:
    """Return the ids that end a reply, the tokenizer's own first.

    Raises:
        ModelError: a file names what is no token id.
    """
    path = folder / "generation_config.json"
    if not path.is_file():
        path = folder / "config.json"
    own = [] if tokenizer_eos is None else [tokenizer_eos]
    return list(dict.fromkeys([*own, *_ids(path, read_settings(path))]))


def name_end(folder: Path, ending: Ending) -> None:
    """Write how replies end into the files of a checkpoint; they are replaced, as they may have a second name."""
    files = {path: read_settings(path) for path in (folder / "generation_config.json", folder / "config.json")}
    named = [token for path, settings in files.items() for token in _ids(path, settings)]
    ids = list(dict.fromkeys([ending.end, *ending.stops, *named]))
    for path, settings in files.items():
        write_json(path, settings | {KEY: ids if len(ids) > 1 else ids[0]})
    settings = read_settings(folder / "tokenizer_config.json")
    changes = {"eos_token": ending.eos} if ending.eos else {}
    if ending.plain_tokenizer:
        changes["tokenizer_class"] = "PreTrainedTokenizerFast"
    if settings and changes:
        write_json(folder / "tokenizer_config.json", settings | changes)
    special = folder / "special_tokens_map.json"  # older than the other, and read before it
    if ending.eos and special.is_file():
        write_json(special, read_settings(special) | {"eos_token": ending.eos})


def _ids(path: Path, settings: dict[str, Any]) -> list[int]:
    value = settings.get(KEY)
    ids = value if isinstance(value, list) else [] if value is None else [value]
    if not all(type(token) is int and token >= 0 for token in ids):
        raise ModelError(f"{path}: {KEY} is {str(value)[:80]}; give the id of a token, or a list of them")
    return ids
