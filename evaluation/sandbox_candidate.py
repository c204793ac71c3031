"""What the fork inside the sandbox does: run one generated program on its inputs and report.

Enters: a request as `sandbox_worker` got it, and the pipe to report over. Leaves: messages: an empty one once the
program is loaded, then per input ``V`` and the encoded output, or ``E`` with a reason and a detail.
Not guaranteed: that these reports are true, since the program shares the process.
"""

import json
import sys
import types
from collections.abc import Callable
from typing import Any

from evaluation.framing import write_message
from evaluation.values import decode, encode_output

_MODULE_NAME = "candidate"
_DETAIL_CHARACTERS = 300


def run_function(request: dict[str, Any], pipe: int) -> None:
    """Load a program, and call its entry point with every input."""
    try:
        function = _load(request["code"], request["entry_point"])
    except CannotLoad as error:
        write_message(pipe, failure(*error.args))
        return
    except BaseException as error:
        write_message(pipe, failure(*classify(error)))
        return
    write_message(pipe, b"")
    for arguments in request["inputs"]:
        write_message(pipe, _call(function, arguments))


class CannotLoad(Exception):
    """The program defines no callable entry point; holds the reason and the detail."""


def compile_source(code: str) -> types.CodeType:
    """Compile source text, of a program or of tests.

    Raises:
        CannotLoad: it is no Python.
    """
    try:
        return compile(code, f"<{_MODULE_NAME}>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise CannotLoad("syntax", classify(error)[1]) from None


def new_module() -> types.ModuleType:
    """Return the module that programs run in: never `__main__`, as in the official harnesses, which call `exec`."""
    module = types.ModuleType(_MODULE_NAME)
    sys.modules[_MODULE_NAME] = module
    return module


def _load(code: str, entry_point: str) -> Callable[..., object]:
    compiled = compile_source(code)
    module = new_module()
    exec(compiled, module.__dict__)  # runs generated code, in a confined process
    function = module.__dict__.get(entry_point)
    if not callable(function):
        raise CannotLoad("missing", f"no function named {entry_point}")
    return function  # type: ignore[no-any-return]


def _call(function: Callable[..., object], arguments: str) -> bytes:
    try:
        return b"V" + encode_output(function(*decode(arguments))).encode("ascii")
    except BaseException as error:
        return failure(*classify(error))


def classify(error: BaseException) -> tuple[str, str]:
    """Return the reason and the detail that an exception stands for; never raises."""
    detail = type(error).__name__
    try:
        detail = f"{detail}: {error}"[:_DETAIL_CHARACTERS]
    except BaseException:
        detail = f"{detail} (its text could not be read)"
    if isinstance(error, SystemExit):
        return "exited", detail
    if isinstance(error, MemoryError):
        return "memory", detail
    if isinstance(error, OSError) and not isinstance(error, (FileNotFoundError, TimeoutError)):
        return "refused", detail
    return "exception", detail


def failure(reason: str, detail: str) -> bytes:
    """Return the message that tells why there is no output, or no end."""
    return b"E" + json.dumps([reason, detail]).encode("ascii")
