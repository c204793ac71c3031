"""Where the documentation is tried out: a folder like a checkout, a small model, a finished run of the quickstart."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inverse_instruct.system.root import ROOT


@pytest.fixture(scope="session")
def models(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of models in which the tiny one stands for SmolLM2."""
    store = tmp_path_factory.mktemp("models")
    shutil.copytree(tiny_model, store / "smollm2-135m")
    settings = json.loads((tiny_model / "config.json").read_text())
    settings["max_position_embeddings"] = 8192  # as the real one has
    (store / "smollm2-135m/config.json").write_text(json.dumps(settings))
    return store


def run_script(script: str, folder: Path, models: Path) -> subprocess.CompletedProcess[str]:
    """Run lines of bash; the first that fails ends it, and is told by its number as `LINE n`."""
    programs = folder / ".bin"
    programs.mkdir(exist_ok=True)
    ours = programs / "inverse-instruct"
    ours.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.docs.played "$@"\n')
    ours.chmod(0o755)
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    known = {"PATH": path, "PYTHONPATH": str(ROOT), "INVERSE_INSTRUCT_MODELS": str(models), "HF_HUB_OFFLINE": "1"}
    known |= {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / ".cache")}
    begin = "set -euo pipefail; trap 'echo \"LINE $LINENO\" >&2' ERR; "
    return subprocess.run(
        ["bash", "-c", begin + script],
        cwd=folder,
        env={**os.environ, **known},
        text=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=240,
        check=False,
    )


def furnish(folder: Path) -> None:
    """Let a folder look like a checkout; what is written there stays there."""
    for name in ("configs", "docs", "launch"):
        shutil.copytree(ROOT / name, folder / name)


@pytest.fixture(scope="session")
def quickstart(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the quickstart."""
    folder = tmp_path_factory.mktemp("quickstart")
    furnish(folder)
    ended = run_script("inverse-instruct run configs/quickstart.yaml", folder, models)
    assert ended.returncode == 0, ended.stderr
    return folder / "runs/quickstart"
