"""The pages, skeletons that their scripts fill.

Enters: the name of a run and, for the report, data. Leaves: HTML, with links for the live dashboard, with everything
inside it for the report. Not guaranteed: anything in a browser without JavaScript but a sentence that says so.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from functools import lru_cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from inverse_instruct import __version__

_SHARED = ("text.js", "page.js")
_CHARTS = ("plotly.js", *_SHARED, "charts.js", "rounds.js")
SCRIPTS = {  # page -> what it runs, in order
    "run": (*_CHARTS, "sections.js", "review.js", "row.js", "rows.js", "main.js"),
    "problems": (*_SHARED, "problems.js"),
    "compare": (*_CHARTS, "compare.js"),
}
LINKS = {"run": ("./", "Run"), "problems": ("problems", "Problems"), "compare": ("compare", "Compare runs")}
STYLES = "dashboard.css"
LIVE_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)  # Plotly sets styles in the page


@lru_cache(maxsize=32)
def asset(name: str) -> str:
    """Return the text of a script or of the styles.

    Raises:
        KeyError: there is none of that name.
    """
    if name == "plotly.js":
        from plotly.offline import get_plotlyjs

        return str(get_plotlyjs())
    if name != STYLES and not any(name in scripts for scripts in SCRIPTS.values()):
        raise KeyError(name)
    return resources.files(__package__).joinpath("static", name).read_text(encoding="utf-8")


@lru_cache(maxsize=32)
def asset_digest(name: str) -> str:
    """Return what changes when the asset does."""
    return hashlib.sha256(asset(name).encode()).hexdigest()[:12]


def to_json(value: Any) -> str:
    """Return JSON that is safe inside a script element: plain ASCII without `<`, `>` and `&`; NaN becomes null."""
    text = json.dumps(_finite(value), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def live_page(page: str, name: str, *, others: bool) -> str:
    """Return a page of the live dashboard; all its links are relative.

    Args:
        page: one of `SCRIPTS`.
        name: of the run.
        others: whether there is a page that compares it with others.
    """
    return template(f"{page}.html.jinja").render(
        name=name,
        version=__version__,
        live=True,
        here=LINKS[page][0],
        pages=[link for known, link in LINKS.items() if others or known != "compare"],
        scripts=SCRIPTS[page],
        styles=STYLES,
        digest=asset_digest,
    )


def report_page(name: str, data: dict[str, Any]) -> str:
    """Return a page that needs nothing but itself; its policy allows the scripts in it and no connection."""
    scripts = [asset(script) for script in SCRIPTS["run"]]
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in scripts)
    policy = f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
    return template("run.html.jinja").render(
        name=name,
        version=__version__,
        live=False,
        policy=policy,
        data=Markup(to_json(data)),
        scripts=list(map(Markup, scripts)),
        styles=Markup(asset(STYLES)),
    )


def template(name: str) -> Template:
    """Return a template of this room; values are escaped."""
    environment = Environment(
        loader=PackageLoader("inverse_instruct.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
