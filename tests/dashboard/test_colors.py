"""The colors: each stage has one of its own, texts can be read, and lines and bars be seen, by day and by night."""

from __future__ import annotations

import re

import pytest

from inverse_instruct.dashboard.page import STYLES, asset
from inverse_instruct.recipes.recipe import Recipe, reviewed
from inverse_instruct.recipes.table import RECIPES

TEXTS = [  # color -> what it stands on
    *((text, ground) for text in ("text", "soft") for ground in ("ground", "card", "code")),
    ("accent", "card"),
    ("accent", "ground"),
    *((kind, f"{kind}-ground") for kind in ("good", "warn", "bad")),
]


def palettes() -> dict[str, dict[str, list[str]]]:
    light, dark = re.findall(r":root \{(.*?)\n *\}", asset(STYLES), re.DOTALL)[:2]
    return {
        scheme: {name: colors.split(", ") for name, colors in re.findall(r"--([\w-]+): (#[^;]+);", block)}
        for scheme, block in (("light", light), ("dark", dark))
    }


def luminance(color: str) -> float:
    """Return the relative luminance, as WCAG 2 defines it."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read_and_charts_be_seen(scheme: str) -> None:
    colors = palettes()[scheme]
    assert {
        f"{text} on {ground}": found
        for text, ground in TEXTS
        if (found := contrast(colors[text][0], colors[ground][0])) < 4.5
    } == {}
    assert [
        color for name in ("series", "rejections") for color in colors[name] if contrast(color, colors["card"][0]) < 3
    ] == []


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_each_stage_of_a_recipe_has_a_color_of_its_own(recipe: Recipe) -> None:
    table = re.search(r"STAGE_COLORS = \{(.*?)\}", asset("charts.js"), re.DOTALL)
    assert table
    places = {name: int(place) for name, place in re.findall(r"(\w+): (\d+)", table[1])}
    colors = [places[stage.name] for stage in reviewed(recipe).stages]
    assert len(set(colors)) == len(colors)
    assert max(colors) < min(len(palette["series"]) for palette in palettes().values())
