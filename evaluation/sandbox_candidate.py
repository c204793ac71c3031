"""What the fork inside the sandbox does: run one generated program and report.

Enters: a request as `sandbox_worker` got it, and the pipe to report over. Leaves: messages. For a program with inputs,
an empty one once it is loaded, then per input ``V`` and the encoded output; for a script the token announced before it
began, once more; in either case ``E`` with a reason and a detail where something failed.
Not guaranteed: that these reports are true, since the program shares the process; see `scripts` for what a token shows.
"""

import builtins
import json
import os
import sys
import types
from collections import deque
from collections.abc import Callable
from itertools import starmap
from typing import Any

from evaluation.framing import write_message
from evaluation.values import decode, encode_output

TOKEN_MARK = b"T"
"""First byte of the message that announces a token."""
_TOKEN_BYTES = 32
_MODULE_NAME = "candidate"
_DETAIL_CHARACTERS = 300
_REFUSED_EVENTS = frozenset(
    ("sys.settrace", "sys.setprofile", "sys.monitoring.register_callback", "gc.get_objects", "gc.get_referrers")
)


def run_function(request: dict[str, Any], pipe: int) -> None:
    """Load a program, and call its entry point with every input."""
    try:
        function = _load(request["code"], request["entry_point"])
    except _CannotLoad as error:
        write_message(pipe, failure(*error.args))
        return
    except BaseException as error:
        write_message(pipe, failure(*_classify(error)))
        return
    write_message(pipe, b"")
    for arguments in request["inputs"]:
        write_message(pipe, _call(function, arguments))


def run_script(request: dict[str, Any], pipe: int) -> None:
    """Run a script; write the token announced before it once more, if no exception ended it."""
    try:
        code, tests = (_compile(request[part]) for part in ("code", "tests"))
        sys.addaudithook(_forbid_tracing())
        names = _new_module().__dict__
        # One expression, so that while the script runs the token and all that is still to be called lie on the
        # interpreter's stack alone: no name, frame or object that the script could reach leads to them. The builtins
        # that the code may have replaced are put back before the tests.
        os.write(
            pipe,
            (
                _announce_token(pipe),
                deque(
                    starmap(
                        types.BuiltinFunctionType.__call__,
                        (
                            (exec, code, names),  # runs generated code, in a confined process
                            (vars(builtins).update, dict(vars(builtins))),
                            (exec, tests, names),
                        ),
                    ),
                    maxlen=0,
                ),
            )[0],
        )
    except _CannotLoad as error:
        write_message(pipe, failure(*error.args))
    except AssertionError as error:
        write_message(pipe, failure("assertion", _classify(error)[1]))
    except BaseException as error:
        write_message(pipe, failure(*_classify(error)))


def _announce_token(pipe: int) -> bytes:
    """Tell this process's parent the token; return the whole message, to be written again."""
    token = TOKEN_MARK + os.urandom(_TOKEN_BYTES)
    message = len(token).to_bytes(4, "big") + token
    os.write(pipe, message)
    return message


def _forbid_tracing() -> Callable[[str, tuple[object, ...]], None]:
    """Return an audit hook against jumping over a failing test, and against listing what the interpreter holds."""
    refused, frame = _REFUSED_EVENTS, types.FrameType

    def forbid(event: str, arguments: tuple[Any, ...]) -> None:
        # what a frame holds is not for scripts; what other objects hold is asked for by pandas, for one
        if event in refused or (event == "gc.get_referents" and any(type(each) is frame for each in arguments[0])):
            raise PermissionError(f"a script may not use {event}")

    return forbid


class _CannotLoad(Exception):
    """The program defines no callable entry point; holds the reason and the detail."""


def _compile(code: str) -> types.CodeType:
    try:
        return compile(code, f"<{_MODULE_NAME}>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _CannotLoad("syntax", _classify(error)[1]) from None


def _new_module() -> types.ModuleType:
    """Return the module that programs run in: never `__main__`, as in the official harnesses, which call `exec`."""
    module = types.ModuleType(_MODULE_NAME)
    sys.modules[_MODULE_NAME] = module
    return module


def _load(code: str, entry_point: str) -> Callable[..., object]:
    compiled = _compile(code)
    module = _new_module()
    exec(compiled, module.__dict__)  # runs generated code, in a confined process
    function = module.__dict__.get(entry_point)
    if not callable(function):
        raise _CannotLoad("missing", f"no function named {entry_point}")
    return function  # type: ignore[no-any-return]


def _call(function: Callable[..., object], arguments: str) -> bytes:
    try:
        return b"V" + encode_output(function(*decode(arguments))).encode("ascii")
    except BaseException as error:
        return failure(*_classify(error))


def _classify(error: BaseException) -> tuple[str, str]:
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
