"""The examiner's own exceptions; it shares none with the code it examines."""


class BenchmarkError(ValueError):
    """A benchmark file or one of its problems cannot be used; the message says which and why."""


class SandboxUnavailable(RuntimeError):
    """Generated code cannot be isolated on this machine; the message names the remedy."""
