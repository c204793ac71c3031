"""How Swift is compiled and run: swiftc without optimization, which would remove the asserts.

The tests and a program become an executable each, in a process and a sandbox of its own. In the one of the tests the
declared function only sends its arguments and takes the reply; operators, `assert` and types are compiled there from
trusted text. So operators, extensions, globals and exits of a program reach its own process alone.

Debian 12 has no Swift toolchain: this is tried with swiftlang 6.0 of Debian 13.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.native.signatures import Signature, signature_of, with_body
from evaluation.native.swift_types import codec, codecs_of_enums
from evaluation.native.toolchain import Places, Recipe, Task, copy_harness, first_match, run_trusted
from evaluation.programs import Reason
from evaluation.toolchains import SYSTEM_PATH

_IMPORTS = "import Foundation\nimport HarnessModule\n"


@dataclass(frozen=True, slots=True)
class Swift:
    """swiftc; the tests are statements at the end of the file."""

    language: str = "swift"
    silent: bool = False
    readable: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=lambda: {"SWIFT_BACKTRACE": "enable=no"})
    _folders: dict[str, str] = field(default_factory=dict)
    """Where the toolchain keeps its executables and its libraries; filled by `prepare`."""

    @property
    def probe(self) -> tuple[str, Task]:
        """Return a program that passes."""
        head = "func one() -> Int {"
        return f"{head} return 1 }}", Task(head, "assert(one() == 1)")

    def prepare(self, prepared: Path) -> None:
        """Build the wire as a module."""
        copy_harness("swift", prepared)
        compiling = ["swiftc", "-module-name", "HarnessModule", "-emit-module", "-emit-library", "-static"]
        run_trusted([*compiling, "-o", "libHarnessModule.a", "wire.swift", "codecs.swift"], prepared)
        information = json.loads(run_trusted(["swiftc", "-print-target-info"], prepared))
        resources = information["paths"]["runtimeResourcePath"]
        found = shutil.which("swiftc", path=SYSTEM_PATH) or "swiftc"
        self._folders["executables"] = str(Path(found).resolve().parent)
        self._folders["resources"] = resources
        self._folders["libraries"] = f"{resources}/linux"
        self._folders["start"] = f"{resources}/linux/{information['target']['triple'].partition('-')[0]}/swiftrt.o"

    def tests(self, task: Task, places: Places, memory_bytes: int) -> Recipe:
        """Compile the tests with a function that calls the program in place of the declared one."""
        signature = signature_of("swift", task.head)
        put = ", ".join(f"{{ {codec(item.type)}.put({item.name}, $0) }}" for item in signature.parameters)
        stub = with_body("swift", task.head, f"{{ return harnessTests.call({codec(signature.result)}, [{put}]) }}")
        text = f"let harnessTests = HarnessTests()\n{codecs_of_enums(task.head)}\n{stub}\n{task.tests}\n"
        return self._recipe(f"{text}harnessTests.handBack()\n", places)

    def program(self, solution: str, head: str, places: Places, memory_bytes: int) -> Recipe:
        """Compile the solution with statements at its end that answer calls of the declared function."""
        text = f"{solution}\n{codecs_of_enums(solution)}\n{_answering(signature_of('swift', head))}"
        return self._recipe(text, places)

    def reason(self, output: str) -> Reason | None:
        """Tell nothing."""
        return first_match(output, ())

    def _recipe(self, text: str, places: Places) -> Recipe:
        """Return what swiftc itself would call: it needs /proc, which is not there."""
        executables, libraries = self._folders["executables"], self._folders["libraries"]
        binary, made, linked = (f"{places.build}/{name}" for name in ("program", "main.o", "main.autolink"))
        wire = f"{places.prepared}/libHarnessModule.a"
        frontend = [f"{executables}/swift-frontend", "-frontend", "-c", "-primary-file", f"{places.sources}/main.swift"]
        frontend += ["-disable-objc-interop", "-I", places.prepared, "-resource-dir", self._folders["resources"]]
        compiling = [
            [*frontend, "-module-name", "program", "-o", made],
            [f"{executables}/swift-autolink-extract", made, wire, "-o", linked],
            ["gcc", "-pie", f"-Wl,-rpath,{libraries}", "-o", binary, self._folders["start"], made, wire]
            + [f"-L{libraries}", f"@{linked}", "-lswiftCore"],
        ]
        return Recipe({"main.swift": _IMPORTS + text}, compiling, [binary])


def _answering(signature: Signature) -> str:
    """Return the statements that answer calls."""
    taken = "\n".join(
        f"    let argument{number} = {codec(item.type)}.take(input)" for number, item in enumerate(signature.parameters)
    )
    passed = ", ".join(f"{item.label}argument{number}" for number, item in enumerate(signature.parameters))
    return f"""\
harnessServe({len(signature.parameters)}) {{ input, out in
{taken}
    input.done()
    {codec(signature.result)}.put({signature.name}({passed}), out)
}}
"""
