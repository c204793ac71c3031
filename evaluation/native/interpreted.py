"""How JavaScript and PHP are run: a harness loads the tests, another one, in a sandbox of its own, the program.

In the process of the tests the declared function only sends its arguments and takes the reply; Node's modules, built-in
prototypes and PHP's functions are those of a process in which nothing of the program has run. So patched prototypes and
modules, handlers for exit and errors, output buffers, workers and backtraces of a program reach its own process alone.

JavaScript: objects arrive with their own enumerable properties, plain; a map, a set, a date, a number too large and
`undefined` arrive as such; functions, symbols and proxies as a stranger, which is equal to nothing. PHP: objects arrive
as a stranger.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.native.signatures import signature_of, with_body
from evaluation.native.toolchain import MEBIBYTE, Places, Recipe, Task, copy_harness, first_match
from evaluation.programs import Reason
from evaluation.toolchains import NODE_FOLDERS


@dataclass(frozen=True, slots=True)
class JavaScript:
    """Node; tests and program are scripts of a global scope each."""

    silent: bool
    """Whether a program that prints anything has failed, as in HumanEvalPack."""
    language: str = "javascript"
    readable: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=lambda: {"NODE_PATH": ":".join(NODE_FOLDERS)})

    @property
    def probe(self) -> tuple[str, Task]:
        """Return a program that passes."""
        return "const one = () => 1", Task("const one = () => {", "console.assert(one() === 1)")

    def prepare(self, prepared: Path) -> None:
        """Copy the harness."""
        copy_harness("javascript", prepared)

    def tests(self, task: Task, places: Places, memory_bytes: int) -> Recipe:
        """Run the tests with a function that calls the program in place of the declared one."""
        stub = with_body("javascript", task.head, "{ return callProgram(values); }", parameters="(...values)")
        return self._recipe("tests", f"{stub}\n{task.tests}", (), places, memory_bytes)

    def program(self, solution: str, head: str, places: Places, memory_bytes: int) -> Recipe:
        """Run without compiling."""
        return self._recipe("program", solution, (signature_of("javascript", head).name,), places, memory_bytes)

    def reason(self, output: str) -> Reason | None:
        """Tell full heaps from other errors."""
        return first_match(output, (("memory", "JavaScript heap out of memory"),))

    def _recipe(self, part: str, text: str, more: Sequence[str], places: Places, memory_bytes: int) -> Recipe:
        heap = f"--max-old-space-size={memory_bytes * 3 // 4 // MEBIBYTE}"
        running = ["node", heap, f"{places.prepared}/{part}.js", f"{places.sources}/source.js", *more]
        return Recipe({"source.js": text}, (), running)


@dataclass(frozen=True, slots=True)
class Php:
    """PHP's command line; the files of tests and program are included."""

    language: str = "php"
    silent: bool = False
    readable: Sequence[str] = ("/etc/php",)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def probe(self) -> tuple[str, Task]:
        """Return a program that passes."""
        head = "<?php\nfunction one() {"
        return f"{head} return 1; }}\n", Task(head, "if (one() !== 1) { throw new Exception(); }")

    def prepare(self, prepared: Path) -> None:
        """Copy the harness."""
        copy_harness("php", prepared)

    def tests(self, task: Task, places: Places, memory_bytes: int) -> Recipe:
        """Run the tests with a function that calls the program in place of the declared one."""
        stub = with_body("php", task.head, "{ return call_program(func_get_args()); }")
        return self._recipe("tests", f"{stub}\n{task.tests}", (), places, memory_bytes)

    def program(self, solution: str, head: str, places: Places, memory_bytes: int) -> Recipe:
        """Run without compiling."""
        return self._recipe("program", solution, (signature_of("php", head).name,), places, memory_bytes)

    def reason(self, output: str) -> Reason | None:
        """Tell full memory and functions that are not there from other errors."""
        signs: tuple[tuple[Reason, str], ...] = (
            ("memory", "Allowed memory size of"),
            ("missing", "Call to undefined function"),
        )
        return first_match(output, signs)

    def _recipe(self, part: str, text: str, more: Sequence[str], places: Places, memory_bytes: int) -> Recipe:
        settings = {"memory_limit": str(memory_bytes), "display_errors": "stderr", "ffi.enable": "0"}
        running = ["php", *(piece for item in settings.items() for piece in ("-d", "=".join(item)))]
        running += ["-f", f"{places.prepared}/{part}.php", f"{places.sources}/source.php", *more]
        return Recipe({"source.php": text}, (), running)
