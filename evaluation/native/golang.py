"""How Go is compiled and run, without a `go` command in the sandbox: compiler, vet and linker alone.

The tests and a program become an executable each, in a process and a sandbox of its own. In the one of the tests the
declared function only sends its arguments and takes the reply; testify and the helpers of the declaration are compiled
there from trusted text. So `init`, `unsafe`, goroutines and `os.Exit` of a program reach its own process alone.
A value crosses with the name of its type, since testify tells types apart; of a type that a solution defines nothing
but a stranger arrives, which is equal to nothing.

As `go test` does, vet's few sure checks come before a program is run, and a complaint of theirs is a failure. Imports
are those of the declaration and of the tests that are used, and those of a few common packages where a solution forgot
them, as in the official harness; what is imported but not used is dropped rather than refused.
Not guaranteed: that a local variable named like a package is told from the package.
"""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tree_sitter import Node

from evaluation.errors import BenchmarkError
from evaluation.native.signatures import signature_of, with_body
from evaluation.native.sources import edit, name_of, parse, text_of, walk
from evaluation.native.toolchain import Places, Recipe, Task, copy_harness, first_match, run_trusted
from evaluation.programs import Reason

_TESTIFY = "github.com/stretchr/testify/assert"
_COMMON_PACKAGES = (
    "bytes",
    "crypto/md5",
    "fmt",
    "math",
    "math/rand",
    "regexp",
    "sort",
    "strconv",
    "strings",
    "time",
)
_VET_CHECKS = ("-atomic", "-bool", "-buildtags", "-errorsas", "-ifaceassert", "-nilfunc", "-printf", "-stringintconv")
_TESTING = """\
package main

import (
	"harness"
	"program"
	"testing"
)

func main() {
	harness.Connect()
	testing.Main(
		func(string, string) (bool, error) { return true, nil },
		[]testing.InternalTest{{Name: "%(test)s", F: func(t *testing.T) {
			program.%(test)s(t)
			if !t.Failed() {
				harness.HandBack()
			}
		}}},
		nil,
		nil,
	)
}
"""
_ANSWERING = """\
package main

import (
	"harness"
	"program"
)

func main() {
	harness.Serve(program.HarnessFunction())
}
"""


@dataclass(frozen=True, slots=True)
class Go:
    """Go with testify."""

    language: str = "go"
    silent: bool = False
    readable: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)
    _packages: dict[str, str] = field(default_factory=dict)
    """Import path -> compiled package; filled by `prepare`, `{prepared}` stands for its folder."""

    @property
    def probe(self) -> tuple[str, Task]:
        """Return a program that passes."""
        tests = f'import "testing"\nimport "{_TESTIFY}"\nfunc TestOne(t *testing.T) {{ assert.Equal(t, 1, One()) }}'
        return "func One() int { return 1 }", Task("func One() int {", tests)

    def prepare(self, prepared: Path) -> None:
        """Compile the standard library, testify and the wire."""
        environment = {
            "GO111MODULE": "off",
            "GOPATH": "/usr/share/gocode",
            "GOCACHE": str(prepared / "cache"),
        }
        form = "{{if .Export}}{{.ImportPath}}={{.Export}}{{end}}"
        listing = ["go", "list", "-export", "-deps", "-f", form, "std", _TESTIFY]
        for line in run_trusted(listing, prepared, environment).split():
            path, _, file = line.partition("=")
            self._packages[path] = file.replace(str(prepared), "{prepared}")
        [tools] = run_trusted(["go", "env", "GOTOOLDIR"], prepared, environment).split()
        (prepared / "tools").symlink_to(tools)
        (prepared / "importcfg").write_text(self._configuration(str(prepared)))
        copy_harness("go", prepared)
        compiling = [f"{tools}/compile", "-p", "harness", "-pack", "-importcfg", "importcfg", "-o", "harness.a"]
        run_trusted([*compiling, "wire.go", "read.go"], prepared)
        self._packages["harness"] = "{prepared}/harness.a"

    def tests(self, task: Task, places: Places, memory_bytes: int) -> Recipe:
        """Compile the tests and a function that calls the program as one package, and link it with a main function."""
        signature = signature_of("go", task.head)
        names = ", ".join(["&result", *(parameter.name for parameter in signature.parameters)])
        body = f"{{\n\tvar result {signature.result}\n\tharness.Call({names})\n\treturn result\n}}"
        package = _one_package(with_body("go", task.head, body), task.tests)
        return self._recipe(package, _TESTING % {"test": _test_name(task.tests)}, places, vetted=False)

    def program(self, solution: str, head: str, places: Places, memory_bytes: int) -> Recipe:
        """Compile the solution as one package, vet it, and link it with a main function that answers calls."""
        function = f"func HarnessFunction() interface{{}} {{ return {signature_of('go', head).name} }}"
        return self._recipe(_one_package(solution, function), _ANSWERING, places, vetted=True)

    def reason(self, output: str) -> Reason | None:
        """Tell full memory from other errors."""
        return first_match(output, (("memory", "out of memory"),))

    def _recipe(self, package: str, main: str, places: Places, *, vetted: bool) -> Recipe:
        files = {
            "program.go": package,
            "main.go": main,
            "vet.cfg": self._vet_configuration(places),
            "importcfg": self._configuration(places.prepared) + f"packagefile program={places.build}/program.a\n",
        }
        tools, sources, build = f"{places.prepared}/tools", places.sources, places.build
        configured = ["-importcfg", f"{sources}/importcfg"]
        compiling = [
            [f"{tools}/compile", "-p", "program", "-complete", "-pack", *configured]
            + ["-o", f"{build}/program.a", f"{sources}/program.go"],
            [f"{tools}/compile", "-p", "main", "-complete", "-pack", *configured]
            + ["-o", f"{build}/main.a", f"{sources}/main.go"],
            [f"{tools}/link", "-s", "-w", *configured, "-o", f"{build}/program", f"{build}/main.a"],
        ]
        if vetted:
            compiling.insert(1, [f"{tools}/vet", *_VET_CHECKS, f"{sources}/vet.cfg"])
        return Recipe(files, compiling, [f"{build}/program"])

    def _configuration(self, prepared: str) -> str:
        return "".join(
            f"packagefile {path}={file.format(prepared=prepared)}\n" for path, file in self._packages.items()
        )

    def _vet_configuration(self, places: Places) -> str:
        files = {path: file.format(prepared=places.prepared) for path, file in self._packages.items()}
        return json.dumps(
            {
                "ID": "program",
                "Compiler": "gc",
                "Dir": places.sources,
                "ImportPath": "program",
                "GoFiles": [f"{places.sources}/program.go"],
                "ImportMap": {path: path for path in (*files, "unsafe")},
                "PackageFile": files,
                "VetxOutput": f"{places.build}/vet.out",
            }
        )


def _one_package(solution: str, tests: str) -> str:
    """Return one file of two texts, with the imports that they use."""
    imports: dict[str, str] = {path.rpartition("/")[2]: f'"{path}"' for path in (*_COMMON_PACKAGES, "harness")}
    parts: list[str] = []
    used: set[str] = set()
    for text in (tests, solution):
        root = parse("go", text)
        removed: list[tuple[int, int, str]] = []
        for node in walk(root):
            if node.type == "import_spec":
                name, line = _import_of(node)
                imports[name] = line
            elif node.type in ("import_declaration", "package_clause"):
                removed.append((node.start_byte, node.end_byte, ""))
            elif node.type in ("selector_expression", "qualified_type"):
                used.add(text_of(node.child_by_field_name("operand") or node.child_by_field_name("package")))
        parts.insert(0, edit(text, removed))
    wanted = sorted({line for name, line in imports.items() if name in used or name in ("_", ".")})
    lines = "".join(f"import {line}\n" for line in wanted)
    return f"package program\n\n{lines}\n{os.linesep.join(parts)}"


def _import_of(node: Node) -> tuple[str, str]:
    path = text_of(node.child_by_field_name("path"))
    alias = name_of(node)
    last = path.strip('"`').rpartition("/")
    name = last[0].rpartition("/")[2] if re.fullmatch(r"v\d+", last[2]) else last[2]
    return alias or name, f"{alias} {path}".strip()


def _test_name(tests: str) -> str:
    names = [name_of(node) for node in parse("go", tests).children if node.type == "function_declaration"]
    found = [name for name in names if name.startswith("Test")]
    if len(found) != 1:
        raise BenchmarkError(f"the Go tests have {len(found)} test functions, not one")
    return found[0]
