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


def is_main(recipe: str, number: int) -> bool:
    """Tell whether a stage of another recipe, by its place, is one of the main recipe."""
    stages = RECIPES[recipe].stages
    return recipe != INVERSE_CODER.name and number < len(stages) and stages[number] in INVERSE_CODER.stages


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `slow` what changes, in another recipe, a field or a stage about which the main recipe tells."""
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        of_main = ({"finished", "key"} <= params.keys() and not is_own(params["finished"], params["key"])) or (
            {"finished", "number"} <= params.keys() and is_main(params["finished"], params["number"])
        )
        if of_main:
            item.add_marker(pytest.mark.slow)
