"""Skips where there is no CUDA GPU; models, rows, and a place to put the figures down.

`INVERSE_INSTRUCT_GPU_TESTS_ON_CPU=1` runs everything on small shapes without a GPU, to find silly mistakes beforehand.
`INVERSE_INSTRUCT_GPU_FIGURES=FILE` appends every figure to a file, one JSON object a line.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import string
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.store.rows import write_rows
from tests.gpu.harness import GIB, on_device
from tests.gpu.shapes import CODER_1_3B, CODER_6_7B, ON_CPU, TINY, Shape
from tests.training.conftest import MakeRow
from tests.training.conftest import make_row as make_row

Figures = Callable[..., None]
WriteRandomRows = Callable[[int, int, int], Path]
MEMORY_FOLDER = Path("/dev/shm")


@pytest.fixture(scope="session", autouse=True)
def device() -> dict[str, Any]:
    """The GPU, or the CPU in a dry run."""
    found: dict[str, Any] = on_device("describe")
    if found["device"] == "cpu" and not ON_CPU:
        pytest.skip("needs a CUDA GPU")
    return found


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    """A function that prints figures in one line and appends them to the file of figures."""

    def put_down(**values: Any) -> None:
        line = json.dumps({"test": request.node.name, **values})
        print(f"\n{line}", flush=True)
        if path := os.environ.get("INVERSE_INSTRUCT_GPU_FIGURES"):
            with open(path, "a") as stream:
                stream.write(line + "\n")

    started = time.monotonic()
    yield put_down
    put_down(test_seconds=round(time.monotonic() - started, 1))


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for models, in memory where there is much, so that loading them times no disk."""
    roomy = MEMORY_FOLDER.is_dir() and shutil.disk_usage(MEMORY_FOLDER).free > 45 * GIB
    folder = MEMORY_FOLDER / f"inverse-instruct-gpu-{os.getpid()}" if roomy else tmp_path_factory.mktemp("models")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _model(scratch: Path, name: str, shape: Shape) -> Path:
    made = on_device("save_model", folder=str(scratch / name), shape=shape.as_dict())
    assert made["parameters"] == shape.parameters
    return scratch / name


@pytest.fixture(scope="session")
def tiny(scratch: Path) -> Path:
    return _model(scratch, "tiny", TINY)


@pytest.fixture(scope="module")
def coder_1_3b(scratch: Path) -> Iterator[Path]:
    yield _model(scratch, "coder-1.3b", CODER_1_3B)
    shutil.rmtree(scratch / "coder-1.3b")


@pytest.fixture(scope="module")
def coder_6_7b(scratch: Path) -> Iterator[Path]:
    yield _model(scratch, "coder-6.7b", CODER_6_7B)
    shutil.rmtree(scratch / "coder-6.7b")


@pytest.fixture(scope="session")
def write_random_rows(tmp_path_factory: pytest.TempPathFactory, make_row: MakeRow) -> WriteRandomRows:
    """A function that writes rows of random letters whose sequences have so many tokens, the template's among them."""

    def write(count: int, shortest: int, longest: int) -> Path:
        dice = random.Random(0)
        rows = []
        for _ in range(count):
            instruction = "".join(dice.choices(string.ascii_letters, k=32))
            length = dice.randint(shortest, longest) - len(instruction) - TEMPLATE_TOKENS
            rows.append(make_row(instruction, "".join(dice.choices(string.ascii_letters, k=length))))
        path = tmp_path_factory.mktemp("rows") / "rows.parquet"
        write_rows(path, rows)
        return path

    return write


TEMPLATE_TOKENS = 20
