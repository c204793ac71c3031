"""Both ends of each language's wire, spoken to from outside: the format holds, and no bytes make tests pass or hang."""

import random
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evaluation.native.toolchain import Places, Recipe, Toolchain
from evaluation.toolchains import SYSTEM_PATH, missing
from tests.evaluation.native_programs import CASES
from tests.evaluation.native_wire import Named, decode, encode, message

TOKEN = b"0123456789abcdef" * 2
SECONDS = 20


def number(language: str, value: int) -> object:
    """Return a whole number as a language's harness writes it."""
    return {"javascript": float(value), "go": Named("int", value)}.get(language, value)


NONSENSE = [
    b"",
    b"\0\0",
    struct.pack(">I", 1 << 24),
    struct.pack(">I", (1 << 24) + 1) + b"x" * 99,
    struct.pack(">i", -1),
    message(b""),
    message(b"Z"),
    message(encode(6) + b"N"),
    message(b"L\0\0\0\1" * 5000 + b"N"),
    message(b"L\xff\xff\xff\xffN"),
    message(b"M\0\0\0\2NN"),
    message(b"S\0\0\0\4\xff\xfe\0\x80"),
    message(b"I\0\0\0\3" + b"6 6"),
    message(b"I\0\0\0\0"),
    message(encode(6 + (1 << 64))),
    message(b"D\0\0"),
    message(b"O\0\0\0\3int"),
    message(b"O\xff\xff\xff\xff"),
    *(message(encode(value)) for value in (None, True, 6.5, float("nan"), "6", [6], {6: 6}, Named("long", 6), 7, 5)),
    *(message(encode(Named(name, 6))) for name in ("", "int8", "[9999999999]int", "map[", "Other", "undefined")),
    *(message(random.Random(seed).randbytes(40)) for seed in range(20)),
]


def _languages() -> Iterator[object]:
    for language in CASES:
        reason = missing(language, "stretchr/testify" if language == "go" else "")
        yield pytest.param(language, marks=pytest.mark.skipif(bool(reason), reason=reason))


class Built:
    """One language's tests of `twice` and its right program, compiled."""

    def __init__(self, language: str, folder: Path) -> None:
        self.language = language
        self.toolchain: Toolchain = CASES[language].toolchain()
        self.folder = folder
        prepared = folder / "prepared"
        prepared.mkdir()
        self.toolchain.prepare(prepared)
        self.tests = self._build("tests", prepared)
        self.program = self._build("program", prepared)

    def _build(self, part: str, prepared: Path) -> Recipe:
        case = CASES[self.language]
        sources, build = self.folder / part, self.folder / f"{part}-build"
        sources.mkdir()
        build.mkdir()
        places = Places(str(sources), str(build), str(prepared))
        if part == "tests":
            recipe = self.toolchain.tests(case.task, places, 1 << 30)
        else:
            recipe = self.toolchain.program(case.before + case.right, case.head, places, 1 << 30)
        for name, text in recipe.files.items():
            (sources / name).write_text(text)
        for command in recipe.compiling:
            subprocess.run(command, check=True, env=self._environment(), capture_output=True)
        return recipe

    def _environment(self) -> dict[str, str]:
        home = {"PATH": SYSTEM_PATH, "HOME": str(self.folder), "TMPDIR": str(self.folder)}
        return home | dict(self.toolchain.environment)

    @contextmanager
    def started(self, recipe: Recipe) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket, socket.socket]]:
        """Yield the process, our end of what joins it to the other, and our end of its standard input."""
        ours, theirs = socket.socketpair()
        channel, stdin = socket.socketpair()
        environment = self._environment() | {"HARNESS_DESCRIPTOR": str(theirs.fileno())}
        with ours, channel:
            with theirs, stdin:
                process = subprocess.Popen(
                    recipe.running,
                    stdin=stdin.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                    pass_fds=[theirs.fileno()],
                )
            ours.settimeout(SECONDS)
            channel.settimeout(SECONDS)
            try:
                yield process, ours, channel
            finally:
                process.kill()
                process.wait()


@pytest.fixture(scope="module", params=_languages())
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Each language in turn."""
    return Built(request.param, tmp_path_factory.mktemp(request.param))


def read_message(end: socket.socket) -> object:
    with end.makefile("rb") as stream:
        (length,) = struct.unpack(">I", stream.read(4))
        return decode(stream.read(length))


def test_a_program_answers_calls_until_the_tests_have_ended(built: Built) -> None:
    with built.started(built.program) as (process, ours, channel):
        channel.close()
        for value in (3, -2):
            ours.sendall(message(encode([number(built.language, value)])))
            assert read_message(ours) == number(built.language, 2 * value)
        ours.close()
        assert process.wait(SECONDS) == 0


def test_tests_call_and_hand_the_token_back_when_they_have_passed(built: Built) -> None:
    assert answered(built, message(encode(number(built.language, 6)))) == TOKEN


def test_whatever_comes_the_tests_end_and_do_not_pass(built: Built) -> None:
    passed = {content for content in NONSENSE if answered(built, content)}
    assert passed <= {message(encode(number(built.language, 6)))}


def answered(built: Built, reply: bytes) -> bytes:
    """Return what the tests hand back when their first call gets this reply, further ones the right one, then none."""
    with built.started(built.tests) as (process, ours, channel):
        channel.sendall(TOKEN)
        channel.shutdown(socket.SHUT_WR)
        assert read_message(ours) == [number(built.language, 3)]
        ours.sendall(reply + message(encode(number(built.language, 8))))
        ours.shutdown(socket.SHUT_WR)
        process.wait(SECONDS)
        channel.setblocking(False)
        try:
            return channel.recv(64)
        except BlockingIOError:
            return b""
