"""Rooms use rooms below them, as the table says, and the heavy libraries stay where they belong."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.syntax import read_tree

ROOT = Path(__file__).resolve().parents[1]
GROUND = {"errors", "records", "redaction"}
BELOW = {  # room -> the rooms that it may use, beside itself, the ground and `evaluation`
    "errors": set(),
    "records": set(),
    "redaction": set(),
    "web": {"system"},
    "system": set(),
    "store": {"system"},
    "source_code": {"store", "system"},
    "config": {"source_code", "system"},
    "corpus": {"config", "source_code", "store", "system"},
    "inference": {"config", "store", "system"},
    "training": {"config", "inference", "store", "system"},
    "benchmarks": {"config", "inference", "store", "system"},
    "registry": {"benchmarks", "config", "inference", "recipes", "store", "training"},
    "analysis": {"config", "corpus", "source_code", "store", "system"},
    "dashboard": {"benchmarks", "config", "store", "training", "web"},
    "trackers": {"store"},
    "stages": {"benchmarks", "config", "corpus", "inference", "source_code", "store", "system", "training"},
    "recipes": {"config", "stages"},
    "loop": {
        "benchmarks",
        "config",
        "corpus",
        "inference",
        "recipes",
        "source_code",
        "stages",
        "store",
        "system",
        "training",
    },
    "gateway": {"config", "inference", "registry", "store", "system", "web"},
    "loop_service": {"config", "gateway", "inference", "loop", "recipes", "registry", "store", "system", "web"},
    "commands": {
        "analysis",
        "benchmarks",
        "config",
        "corpus",
        "dashboard",
        "gateway",
        "inference",
        "loop",
        "loop_service",
        "recipes",
        "registry",
        "source_code",
        "stages",
        "store",
        "system",
        "trackers",
        "web",
    },
    "cli": {"commands", "system"},
    "api": {"cli", "commands", "loop", "source_code", "store"},
}
LIBRARIES = {  # heavy library -> the places that may import it
    "vllm": (),  # its server is a process of its own
    "torch": ("training/", "inference/models.py", "inference/embedding/encoder.py", "trackers/tensorboard.py"),
    "deepspeed": ("training/",),
    "transformers": ("training/", "inference/models.py", "inference/embedding/encoder.py"),
    "peft": ("training/",),
    "accelerate": ("training/",),
    "datasets": ("corpus/readers.py", "api.py"),
}
SOURCES = sorted((ROOT / "inverse_instruct").rglob("*.py"))
FRAME = {
    "__init__",
    "estimate",
    "judges",
    "judging_edits",
    "keys",
    "limited",
    "play",
    "questions",
    "room",
    "stage",
    "snippets",
    "waves",
    "writing",
}
STAGES = {path.stem for path in (ROOT / "inverse_instruct/stages").glob("*.py")} - FRAME


def imports_of(path: Path) -> set[str]:
    """Return what a file imports, each as a dotted name that ends in a module or in one of its names."""
    found = set()
    for node in ast.walk(read_tree(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "inverse_instruct").parts[0].removesuffix(".py")


def test_every_place_has_a_row_in_the_table() -> None:
    assert {room_of(path) for path in SOURCES} - {"__init__"} == BELOW.keys()


def test_no_room_is_above_itself() -> None:
    def reach(room: str) -> set[str]:
        return BELOW[room].union(*(reach(below) for below in BELOW[room]))

    assert [room for room in BELOW if room in reach(room)] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_uses_rooms_below_it(path: Path) -> None:
    names = [name.split(".") for name in imports_of(path)]
    ours = {name[1] for name in names if name[0] == "inverse_instruct"} - {"__version__"}
    room = room_of(path)
    assert ours - BELOW.get(room, set()) - GROUND - {room} == ({"api"} if room == "__init__" else set())
    if room == "stages":
        used = {name[2] for name in names if name[:2] == ["inverse_instruct", "stages"]}
        assert path.stem not in STAGES or used & (STAGES - {path.stem}) == set(), "stages never import one another"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_libraries_stay_where_they_belong(path: Path) -> None:
    place = str(path.relative_to(ROOT / "inverse_instruct"))
    tops = {name.split(".")[0] for name in imports_of(path)}
    assert [name for name in LIBRARIES.keys() & tops if not place.startswith(LIBRARIES[name] or ("nowhere",))] == []


@pytest.mark.parametrize("path", sorted((ROOT / "evaluation").rglob("*.py")), ids=lambda path: path.name)
def test_the_examiner_stands_apart_from_the_pupil(path: Path) -> None:
    tops = {name.split(".")[0] for name in imports_of(path)}
    assert not tops & ({"inverse_instruct"} | LIBRARIES.keys() - {"datasets"})


@pytest.mark.parametrize(("words", "light"), [(["--help"], set()), (["status", "--help"], {"pydantic", "pyarrow"})])
def test_help_imports_nothing_heavy(words: list[str], light: set[str]) -> None:
    script = (
        f"import sys; sys.argv = ['inverse-instruct', *{words!r}]\n"
        "from inverse_instruct.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"heavy = { ({'torch', 'vllm', 'deepspeed', 'transformers', 'datasets', 'uvicorn'} | light)!r}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, capture_output=True)
