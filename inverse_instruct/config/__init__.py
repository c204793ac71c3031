"""The YAML of a run: its sections, how it is read, and what of it decides a result."""
