"""Whether a model or a data set can be had from the Hugging Face hub: asked in seconds, nothing is downloaded.

Enters: a name. Leaves: why it cannot be had, or "". Where the hub does not answer, what is in the cache is enough. Not
guaranteed: that a download succeeds.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

SECONDS = 5.0
"""How long the hub may take to answer."""
_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
_ENDINGS_OF_FILES = tuple(
    ".json .jsonl .csv .tsv .gz .xz .zst .parquet .arrow .ipynb .txt .yaml .safetensors .zip".split()
)


def is_hub_name(name: str) -> bool:
    """Tell whether a name has the form NAME or OWNER/NAME of the hub, and is not that of a file."""
    owner, slash, _ = name.partition("/")
    return (
        bool(_NAME.fullmatch(name))
        and not name.lower().endswith(_ENDINGS_OF_FILES)
        and not (slash and Path(owner).exists())
    )


def hub_problem(name: str, kind: Literal["model", "dataset"]) -> str:
    """Return why a name cannot be had, or "" if the hub has it, or if the hub does not answer and the cache has it."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    try:
        HfApi().repo_info(name, repo_type=kind, timeout=SECONDS)
    except (RepositoryNotFoundError, HFValidationError):
        return (
            f"the Hugging Face hub has no {kind} {name} that you may read; check the name, or log in with "
            "`hf auth login`"
        )
    except HfHubHTTPError as error:
        return f"the Hugging Face hub refuses {name} ({str(error).splitlines()[0]}); log in with `hf auth login`"
    except Exception as error:  # of whichever library the hub's own client uses to ask
        if _is_cached(name, kind):
            return ""
        return (
            f"{name} is not in the cache of the Hugging Face hub, which does not answer ({type(error).__name__}); "
            f"check the network, or give a {'folder' if kind == 'model' else 'file'}"
        )
    return ""


def _is_cached(name: str, kind: Literal["model", "dataset"]) -> bool:
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache/huggingface")
    if kind == "dataset":
        folder = Path(os.environ.get("HF_DATASETS_CACHE") or home / "datasets")
        return any(_plain(path.name) == _plain(name) for path in folder.glob("*"))
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    return any((hub / f"models--{name.replace('/', '--')}" / "snapshots").glob("*/config.json"))


def _plain(name: str) -> str:
    """Return what stays of a name in the cache of data sets, which writes `Owner/Name` as `owner___name`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
