"""The page of an analysis: the figures of each set side by side, with their distributions drawn.

Enters: the JSON of an analysis. Leaves: one HTML file that needs no script, no connection and nothing beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from inverse_instruct.dashboard.page import STYLES, asset, template
from inverse_instruct.store.files import atomic_write

HEIGHT = 80  # of a drawing, in its own units


def write_analysis_page(analysis: dict[str, Any], output: Path) -> None:
    """Write the page of an analysis."""
    sets = analysis["sets"]
    drawings = [
        ("instruction, tokens", "20 tokens a bar", [each["instruction"]["histogram"] for each in sets]),
        ("response, tokens", "20 tokens a bar", [each["response"]["histogram"] for each in sets]),
        *(
            (f"similarity to {name}", "0 to 1", [each["similarity"][name]["histogram"] for each in sets])
            for name in sets[0]["similarity"]
        ),
    ]
    drawings += [
        (
            f"similarity to {name}, embedded",
            "0 to 1",
            [each["embedded_similarity"][name]["histogram"] for each in sets],
        )
        for name in sets[0]["embedded_similarity"]
    ]
    if any(each["edits"] for each in sets):
        ratios = [each["edits"]["histogram"] if each["edits"] else [0] * 10 for each in sets]
        drawings.append(("edit ratio", "0 to 1", ratios))
    page = template("analysis.html.jinja").render(
        sets=sets,
        overlap=analysis["overlap"],
        drawings=[(title, unit, [_bars(counts) for counts in found]) for title, unit, found in drawings],
        height=HEIGHT,
        styles=Markup(asset(STYLES)),
    )
    with atomic_write(output) as stream:
        stream.write(page)


def _bars(counts: list[int]) -> list[dict[str, float]]:
    """Return the heights of bars, of which the tallest fills the drawing."""
    tallest = max(counts) or 1
    return [{"count": count, "height": round(HEIGHT * count / tallest, 1)} for count in counts]
