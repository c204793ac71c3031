"""A suite asked of a model, judged in the sandbox and compared."""
