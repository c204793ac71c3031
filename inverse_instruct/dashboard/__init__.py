"""Read-only pages over a run: live, and as one file."""
