"""How programs of JavaScript and PHP are run: the harness loads the program's file, then the tests.

Enters, leaves, not guaranteed: see `toolchain`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.native.toolchain import HARNESSES, MEBIBYTE, Places, Recipe, first_match
from evaluation.programs import Reason
from evaluation.toolchains import NODE_FOLDERS


@dataclass(frozen=True, slots=True)
class JavaScript:
    """Node; the program and its tests are two scripts of one global scope."""

    silent: bool
    """Whether a program that prints anything has failed, as in HumanEvalPack."""
    language: str = "javascript"
    readable: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=lambda: {"NODE_PATH": ":".join(NODE_FOLDERS)})

    @property
    def probe(self) -> tuple[str, str]:
        """Return a program that passes."""
        return "const one = 1", "console.assert(one === 1)"

    def prepare(self, prepared: Path) -> None:
        """Copy the harness."""
        _copy("harness.js", prepared)

    def recipe(self, solution: str, tests: str, places: Places, memory_bytes: int) -> Recipe:
        """Run without compiling."""
        heap = f"--max-old-space-size={memory_bytes * 3 // 4 // MEBIBYTE}"
        running = ["node", heap, f"{places.prepared}/harness.js", f"{places.sources}/program.js"]
        return Recipe({"program.js": solution}, (), running, tests, self.silent)

    def reason(self, output: str) -> Reason | None:
        """Tell failed assertions and full heaps from other errors."""
        return first_match(
            output,
            (("assertion", r"^Assertion failed|AssertionError \["), ("memory", "JavaScript heap out of memory")),
        )


@dataclass(frozen=True, slots=True)
class Php:
    """PHP's command line; the program's file is included, its tests are evaluated after it."""

    language: str = "php"
    readable: Sequence[str] = ("/etc/php",)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def probe(self) -> tuple[str, str]:
        """Return a program that passes."""
        return "<?php\nfunction one() { return 1; }\n", "one();"

    def prepare(self, prepared: Path) -> None:
        """Copy the harness."""
        _copy("harness.php", prepared)

    def recipe(self, solution: str, tests: str, places: Places, memory_bytes: int) -> Recipe:
        """Run without compiling."""
        settings = {"memory_limit": str(memory_bytes), "display_errors": "stderr", "ffi.enable": "0"}
        running = ["php", *(part for item in settings.items() for part in ("-d", "=".join(item)))]
        running += ["-f", f"{places.prepared}/harness.php", f"{places.sources}/program.php"]
        return Recipe({"program.php": solution}, (), running, tests)

    def reason(self, output: str) -> Reason | None:
        """Tell failed tests and full memory from other errors."""
        return first_match(
            output,
            (
                ("assertion", "Uncaught Exception: Test failed!"),
                ("memory", "Allowed memory size of"),
                ("missing", "Call to undefined function"),
            ),
        )


def _copy(name: str, prepared: Path) -> None:
    (prepared / name).write_text((HARNESSES / name).read_text())
