"""A program that reads standard input and prints, as a function from text to text that the sandbox can call.

Enters: the program's source. Leaves: source with the entry point `ENTRY_POINT`. Each call runs the whole program anew,
as `__main__`, on files in place of the descriptors 0 and 1. Leaving by `sys.exit` ends a run as reaching the end does;
an exception is one of the call. Not guaranteed: that modules which the program changes are as before in the next call.
"""

ENTRY_POINT = "run_on_standard_input"
_HARNESS = """
import os as _os, sys as _sys

_PROGRAM = compile({source!r}, "<candidate>", "exec", dont_inherit=True)


def {entry_point}(text):
    with open("stdin", "w", encoding="utf-8", newline="") as file:
        file.write(text)
    for descriptor, name, flags in ((0, "stdin", _os.O_RDONLY), (1, "stdout", _os.O_RDWR | _os.O_CREAT | _os.O_TRUNC)):
        opened = _os.open(name, flags, 0o600)
        if opened != descriptor:  # it is, where the last run has closed it
            _os.dup2(opened, descriptor)
            _os.close(opened)
    _sys.stdin = open(0, encoding="utf-8", closefd=False)
    _sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
    printed = _sys.stdout
    try:
        exec(_PROGRAM, {{"__name__": "__main__", "__builtins__": __builtins__}})
    except SystemExit:
        pass
    for stream in {{printed, _sys.stdout}}:
        if not stream.closed:
            stream.flush()
    with open("stdout", encoding="utf-8", errors="replace", newline="") as file:
        return file.read()
"""


def from_standard_input(source: str) -> str:
    """Return a program whose `ENTRY_POINT` takes what stands on standard input and returns what is printed."""
    return _HARNESS.format(source=source, entry_point=ENTRY_POINT)
