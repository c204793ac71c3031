"""The command line with a model that is not there: `python -m tests.docs.played WORDS`.

For the commands of the documentation, which are run as they stand. What is asked of a model is answered by the fake
engine of `tests/recipes`, training copies the base; everything else is what `inverse-instruct` does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct import cli
from inverse_instruct.commands import asking
from inverse_instruct.loop import rounds
from inverse_instruct.recipes.table import RECIPES
from tests.recipes.fake_engine import FakeClient, FakeEngines, faked


class FakeServer:
    """Stands where a server of our own stands."""

    def __init__(self, model: Path) -> None:
        self.model = model

    def start(self) -> None:
        """Start nothing."""

    def stop(self) -> None:
        """Stop nothing."""


@asynccontextmanager
async def connect(section: Any, servers: list[FakeServer], weights: Any = None) -> AsyncIterator[FakeClient]:
    """Yield the fake client."""
    client = FakeClient(None)
    client.model = servers[0].model
    yield client


def fake_models(patch: pytest.MonkeyPatch) -> None:
    """Let nothing start an engine or train."""
    patch.setattr(rounds, "Engines", FakeEngines)
    patch.setattr(asking, "connect", connect)
    patch.setattr(asking, "fleet", lambda model, *_: [FakeServer(model)])
    for name, recipe in RECIPES.items():
        patch.setitem(RECIPES, name, faked(recipe))


def main() -> None:
    """Run the command line."""
    with pytest.MonkeyPatch.context() as patch:
        fake_models(patch)
        cli.main()


if __name__ == "__main__":
    main()
