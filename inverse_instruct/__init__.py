"""inverse-instruct: a service that lets a code LLM improve itself, round after round."""

__version__ = "0.1.0"

__all__ = ["__version__"]
