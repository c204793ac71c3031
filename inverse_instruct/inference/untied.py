"""A checkpoint with tied embeddings as a folder whose weights can be exchanged in a running engine.

An engine that ties `lm_head` to the embeddings keeps the old `lm_head` when new weights are loaded into it. Enters: a
model folder. Leaves: the folder itself, or one in the user's cache: links to its files, `lm_head.weight` copied byte
by byte from the embeddings, and a config without the tie. Numeric types do not matter, and torch is not needed.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from inverse_instruct.errors import ModelError
from inverse_instruct.inference.model_files import read_header
from inverse_instruct.store.files import atomic_write, write_json
from inverse_instruct.system.machine import cache_folder

HEAD = "lm_head.weight"
HEAD_FILE = "lm_head.safetensors"
COPY_BYTES = 1 << 24


def untied_folder(model: Path, digest: str) -> Path:
    """Return a folder with the same model, its `lm_head.weight` written out.

    Args:
        model: the checkpoint's folder.
        digest: of the checkpoint; names the folder in the cache.

    Raises:
        ModelError: the embeddings are not to be found.
    """
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    headers = {path.name: read_header(path) for path in sorted(model.glob("*.safetensors"))}
    if not config.get("tie_word_embeddings", not any(HEAD in header for header in headers.values())):
        return model
    folder = cache_folder() / "untied" / digest
    if (folder / "config.json").is_file() and all(path.exists() for path in folder.iterdir()):
        return folder
    _write_untied(model, folder, config, headers)
    return folder


def discard_untied(digest: str) -> None:
    """Remove the folder of a checkpoint from the cache, if there is one."""
    shutil.rmtree(cache_folder() / "untied" / digest, ignore_errors=True)


def _write_untied(model: Path, folder: Path, config: dict[str, Any], headers: dict[str, dict[str, Any]]) -> None:
    weight_map = {name: file for file, header in headers.items() for name in header}
    embeddings = [name for name in weight_map if name.endswith("embed_tokens.weight")]
    if len(embeddings) != 1:
        raise ModelError(
            f"{model} ties its embeddings, and which tensor they are cannot be told, so its weights "
            "cannot be exchanged in place; set serve.mode: blue_green, or inference.reload_endpoints: false"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in model.iterdir():
        if path.is_file() and path.name not in ("config.json", "model.safetensors.index.json"):
            (folder / path.name).symlink_to(path.resolve())
    source = weight_map[embeddings[0]]
    _write_head(model / source, headers[source][embeddings[0]], folder / HEAD_FILE)
    write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": weight_map | {HEAD: HEAD_FILE}})
    write_json(folder / "config.json", config | {"tie_word_embeddings": False})  # last: it marks the folder as whole


def _write_head(source: Path, tensor: dict[str, Any], target: Path) -> None:
    begin, end = tensor["data_offsets"]
    header = json.dumps({"__metadata__": {"format": "pt"}, HEAD: tensor | {"data_offsets": [0, end - begin]}}).encode()
    header += b" " * (-len(header) % 8)
    with source.open("rb") as stream, atomic_write(target, "wb") as out:
        out.write(len(header).to_bytes(8, "little") + header)
        stream.seek(8 + int.from_bytes(stream.read(8), "little") + begin)
        left = end - begin
        while left:
            piece = stream.read(min(left, COPY_BYTES))
            out.write(piece)
            left -= len(piece)
