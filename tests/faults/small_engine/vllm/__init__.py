"""Stands in for vLLM in quick fault tests; see `entrypoints/openai/api_server.py`."""
