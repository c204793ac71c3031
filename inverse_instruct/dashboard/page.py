"""The one page, a skeleton that its scripts fill.

Enters: a name and, for the report, data. Leaves: HTML, with links for the live dashboard, with everything inside it for
the report. Not guaranteed: anything in a browser without JavaScript but a sentence that says so.
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

SCRIPTS = ("plotly.js", "text.js", "charts.js", "sections.js", "rows.js", "main.js")
STYLES = "dashboard.css"
LIVE_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)  # Plotly sets styles in the page


@lru_cache(maxsize=16)
def asset(name: str) -> str:
    """Return the text of a script or of the styles.

    Raises:
        KeyError: there is none of that name.
    """
    if name == "plotly.js":
        from plotly.offline import get_plotlyjs

        return str(get_plotlyjs())
    if name not in (*SCRIPTS, STYLES):
        raise KeyError(name)
    return resources.files(__package__).joinpath("static", name).read_text(encoding="utf-8")


@lru_cache(maxsize=16)
def asset_digest(name: str) -> str:
    """Return what changes when the asset does."""
    return hashlib.sha256(asset(name).encode()).hexdigest()[:12]


def to_json(value: Any) -> str:
    """Return JSON that is safe inside a script element: plain ASCII without `<`, `>` and `&`; NaN becomes null."""
    text = json.dumps(_finite(value), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def live_page(name: str) -> str:
    """Return the page of the live dashboard; all its links are relative."""
    return template("page.html.jinja").render(
        name=name, version=__version__, live=True, scripts=SCRIPTS, styles=STYLES, digest=asset_digest
    )


def report_page(name: str, data: dict[str, Any]) -> str:
    """Return a page that needs nothing but itself; its policy allows the scripts in it and no connection."""
    hashes = " ".join(f"'sha256-{_hash(asset(script))}'" for script in SCRIPTS)
    policy = f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
    return template("page.html.jinja").render(
        name=name,
        version=__version__,
        live=False,
        policy=policy,
        data=Markup(to_json(data)),
        scripts=[Markup(asset(script)) for script in SCRIPTS],
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
