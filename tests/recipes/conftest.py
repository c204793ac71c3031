"""Which of the many (recipe, field) pairs are looked at by default: those that another recipe does not tell about."""

from __future__ import annotations

import pytest

from inverse_instruct.recipes.inversecoder import INVERSE_CODER
from inverse_instruct.recipes.table import RECIPES


def is_own(recipe: str, key: str) -> bool:
    """Tell whether a stage that only this recipe has may depend on a field."""
    own = set(RECIPES[recipe].stages) - set(INVERSE_CODER.stages)
    parts = {part for stage in own for part in (stage.name, *stage.sections)} - {"selection"}
    return recipe == INVERSE_CODER.name or any(key == part or key.startswith(f"{part}.") for part in parts)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `slow` what changes a field on which only stages of the main recipe depend, in another recipe."""
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        if {"finished", "key"} <= params.keys() and not is_own(params["finished"], params["key"]):
            item.add_marker(pytest.mark.slow)
