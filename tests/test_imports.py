"""Imports flow one way, and the heavy libraries stay where they belong."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STAGES = {"preprocess", "summarize", "score", "selection", "train", "evaluate", "promote"}
ABOVE_STAGES = {"run", "rounds", "disk_space", "standalone", "cli", "check", "status", "checkpoints", "export",
                "dashboard", "gateway", "loop_service", "serve"}
SOURCES = sorted([*(ROOT / "inverse_instruct").rglob("*.py"), *(ROOT / "evaluation").rglob("*.py")])


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_direction(path: Path) -> None:
    imports = imports_of(path)
    tops = {name.split(".")[0] for name in imports}
    ours = {name.split(".")[1] for name in imports if name.startswith("inverse_instruct.")}
    room = path.relative_to(ROOT).parts
    assert "vllm" not in tops, "only the server process imports vllm"
    if room[0] == "evaluation":
        assert "inverse_instruct" not in tops, "the examiner stands apart from the pupil"
        return
    if room[1] != "training" and path.stem != "models":
        assert not tops & {"torch", "deepspeed", "transformers", "peft"}, "only the training worker imports these"
    if not {path.stem, room[1]} & ABOVE_STAGES:
        assert not ours & (ABOVE_STAGES - {path.stem}), "the loop stands above the stages"
    if path.stem in STAGES and len(room) == 2:
        assert not ours & (STAGES - {path.stem}), "stages never import one another"


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['inverse-instruct', '--help']\n"
        "from inverse_instruct.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'vllm', 'deepspeed', 'transformers', 'pydantic', 'pyarrow', 'datasets', 'uvicorn'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, capture_output=True)
