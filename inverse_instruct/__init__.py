"""inverse-instruct: a service that lets a code LLM improve itself, round after round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inverse_instruct.api import Run, evaluate, load_run, run, score, select

__version__ = "0.1.0"

__all__ = ["Run", "__version__", "evaluate", "load_run", "run", "score", "select"]


def __getattr__(name: str) -> Any:
    """Import what is called from programs when it is asked for, so that the command line starts at once."""
    if name in __all__:
        from inverse_instruct import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
