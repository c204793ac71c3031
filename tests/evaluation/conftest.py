"""One sandbox for all tests of the examiner: the hostile programs and the honest ones share its workers."""

from collections.abc import Iterator

import pytest

from evaluation import MINI_PATH, Problem, ResourceLimits, Sandbox, read_file, read_problems


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with two workers and small limits."""
    limits = ResourceLimits(memory_bytes=256 << 20, output_bytes=1 << 20, patience=2.0)
    with Sandbox(workers=2, limits=limits) as running:
        yield running


@pytest.fixture(scope="session")
def mini() -> list[Problem]:
    """The mini benchmark."""
    return read_problems(read_file(MINI_PATH))
