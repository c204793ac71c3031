"""A model folder as one GGUF file, by the converter of llama.cpp, which is none of ours and has to be here.

Enters: a folder with safetensors. Leaves: the file that llama.cpp and what is built on it read. The converter loads
tokenizers with the code that comes with them, so a folder that brings code is refused unless that is trusted. Not
guaranteed: that llama.cpp knows the architecture; the converter's own words say so.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

from inverse_instruct.errors import ModelError
from inverse_instruct.inference.models import read_settings

TYPES = ("auto", "f32", "f16", "bf16", "q8_0")
"""Of the weights in the file, by the converter's names; `auto` keeps 16 bits as they are."""
PLACE = "LLAMA_CPP"
"""Variable with the folder of llama.cpp's sources."""
SCRIPT = "convert_hf_to_gguf.py"
LAST_LINES = 5

logger = logging.getLogger(__name__)


def find_converter() -> list[str]:
    """Return the command of the converter: in the folder that `LLAMA_CPP` names, else on the PATH.

    Raises:
        ModelError: it is not there.
    """
    if place := os.environ.get(PLACE):
        script = Path(place, SCRIPT)
        if not script.is_file():
            raise ModelError(
                f"--gguf: {PLACE} is {place}, which has no {SCRIPT}; name the folder of llama.cpp's sources"
            )
        return [sys.executable, str(script)]
    if found := shutil.which(SCRIPT):
        return [found]
    raise ModelError(
        f"--gguf: llama.cpp's {SCRIPT} is not here; get the sources of llama.cpp (those of the package "
        f"llama-cpp-python have them under vendor/llama.cpp; nothing is built) and set {PLACE} to their folder, or put "
        "it on the PATH"
    )


def write_gguf(converter: list[str], folder: Path, target: Path, weights: str, *, trusted: bool) -> None:
    """Write a model as a GGUF file.

    Args:
        converter: what `find_converter` returned.
        folder: of the model.
        target: the file.
        weights: one of `TYPES`.
        trusted: whether code that comes with the model may run.

    Raises:
        ModelError: the model brings code, or the converter fails.
    """
    if not trusted and _brings_code(folder):
        raise ModelError(
            "--gguf: the model brings Python code, which the converter would run; leave --gguf out, or set "
            "model.trust_remote_code in the run's run.yaml if you trust it"
        )
    logger.info("%s writes %s", Path(converter[-1]).name, target.name)
    command = [*converter, "--outfile", str(target), "--outtype", weights, str(folder)]
    offline = dict(os.environ) | {"HF_HUB_OFFLINE": "1"}
    result = subprocess.run(command, env=offline, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if result.returncode or not target.is_file():
        tail = result.stdout.decode(errors="replace").strip().splitlines()[-LAST_LINES:]
        raise ModelError(
            f"--gguf: {Path(converter[-1]).name} ended with {result.returncode} and made no file; a newer llama.cpp "
            "may know the model, or leave --gguf out. It ends with:\n" + "\n".join(tail)
        )


def _brings_code(folder: Path) -> bool:
    settings = (read_settings(path) for path in (folder / "config.json", folder / "tokenizer_config.json"))
    return any(folder.glob("*.py")) or any("auto_map" in named for named in settings)
