"""How programs of C++, Java, Rust and Swift are compiled and run; Go has a file of its own.

Enters, leaves, not guaranteed: see `toolchain`. Programs of C++ and Rust become shared libraries that the harness
loads, so that nothing of them runs before it has taken the token.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tree_sitter import Node

from evaluation.errors import BenchmarkError
from evaluation.native.sources import edit, name_of, parse, text_of, walk
from evaluation.native.toolchain import HARNESSES, MEBIBYTE, Places, Recipe, first_match, run_trusted
from evaluation.programs import Reason

_ENTRY = "run_all_the_tests"

_C_STRING_FUNCTION = re.compile(
    r"^[\w:<>&* ]+\b(?:mem(?:chr|cmp|cpy|move|set)|str(?:cat|chr|cmp|cpy|len|str))\(", re.MULTILINE
)
"""A definition named like a function of C. In C++ the one of C is the better match for a string in quotes, so tests
would call it instead, unless its header is left out."""
_WITHOUT_C_STRINGS = (
    *("algorithm", "cassert", "climits", "cmath", "cstdio", "cstdlib", "deque", "fstream", "iostream", "list", "map"),
    *("numeric", "optional", "queue", "set", "sstream", "stack", "string", "vector"),
)


@dataclass(frozen=True, slots=True)
class Java:
    """The JDK; one file, assertions on, the main class's `main` is the test."""

    main_class: str
    language: str = "java"
    readable: Sequence[str] = ("/etc/java-*-openjdk",)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def probe(self) -> tuple[str, str]:
        """Return a program that passes."""
        return "", f"class {self.main_class} {{ public static void main(String[] a) {{ assert true; }} }}"

    def prepare(self, prepared: Path) -> None:
        """Compile the harness."""
        run_trusted(["javac", "-d", str(prepared), str(HARNESSES / "Harness.java")], prepared)

    def recipe(self, solution: str, tests: str, places: Places, memory_bytes: int) -> Recipe:
        """Compile with the default options, run with assertions."""
        machine = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:-UsePerfData"]
        library = "/usr/share/java/javatuples.jar"
        name = f"{self.main_class}.java"
        compiling = ["javac", *(f"-J{option}" for option in machine), "-encoding", "UTF8", "-proc:none", "-nowarn"]
        compiling += ["-cp", library, "-d", places.build, f"{places.sources}/{name}"]
        heap = f"-Xmx{memory_bytes * 3 // 4 // MEBIBYTE}m"
        running = ["java", *machine, heap, "-XX:-OmitStackTraceInFastThrow", "-ea", "-cp"]
        running += [f"{places.build}:{places.prepared}:{library}", "Harness", self.main_class]
        return Recipe({name: f"{solution}\n{tests}"}, [compiling], running)

    def reason(self, output: str) -> Reason | None:
        """Tell failed assertions and full heaps from other errors."""
        return first_match(
            output, (("assertion", r"java\.lang\.AssertionError"), ("memory", r"java\.lang\.OutOfMemoryError"))
        )


@dataclass(frozen=True, slots=True)
class Cpp:
    """g++ with C++17, without optimization; the program and its tests become a shared library."""

    language: str = "cpp"
    readable: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def probe(self) -> tuple[str, str]:
        """Return a program that passes."""
        return "int one() { return 1; }", "int main() { assert(one() == 1); }"

    def prepare(self, prepared: Path) -> None:
        """Build the harness, and the standard library's headers as a precompiled one."""
        _build_loader(prepared)
        header = prepared / "standard.h"
        header.write_text("#include <bits/stdc++.h>\n")
        run_trusted(["g++", *self._options, "-x", "c++-header", str(header)], prepared)

    _options = ("-std=c++17", "-O0", "-fPIC", "-w")

    def recipe(self, solution: str, tests: str, places: Places, memory_bytes: int) -> Recipe:
        """Compile after the standard headers, with an assert that nothing in the program can replace."""
        text = f'#line 1 "program"\n{solution}\n#line 1 "tests"\n{_with_cpp_entry(tests)}'
        library = f"{places.build}/program.so"
        compiling = ["g++", *self._options, "-fmax-errors=3", "-shared"]
        if _C_STRING_FUNCTION.search(solution):
            text = "".join(f"#include <{name}>\n" for name in _WITHOUT_C_STRINGS) + text
        else:
            compiling += ["-include", f"{places.prepared}/standard.h"]
        compiling += ["-o", library, f"{places.sources}/program.cpp"]
        if "openssl/" in solution:
            compiling += ["-lcrypto"]
        return Recipe({"program.cpp": text}, [compiling], [f"{places.prepared}/loaded", library])

    def reason(self, output: str) -> Reason | None:
        """Tell failed assertions and full memory from other errors."""
        return first_match(output, (("assertion", "^Assertion failed: "), ("memory", "std::bad_alloc")))


@dataclass(frozen=True, slots=True)
class Rust:
    """rustc without optimization, so that arithmetic overflow is an error; the program becomes a shared library."""

    edition: str
    crates: tuple[str, ...]
    """From the folder of crates that Debian installs."""
    language: str = "rust"
    readable: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def probe(self) -> tuple[str, str]:
        """Return a program that passes."""
        return "".join(f"use {crate};\n" for crate in self.crates), "fn main() { assert_eq!(1, 1); }"

    def prepare(self, prepared: Path) -> None:
        """Build the harness and the crates."""
        _build_loader(prepared)
        if self.crates:
            _build_crates(self.crates, self.edition, prepared)

    def recipe(self, solution: str, tests: str, places: Places, memory_bytes: int) -> Recipe:
        """Compile the program with its tests as a library that the harness loads."""
        library = f"{places.build}/libprogram.so"
        compiling = ["rustc", "--crate-type", "cdylib", "--crate-name", "program", "--edition", self.edition]
        compiling += ["--cap-lints", "allow", "-C", "linker=gcc", "-C", "debuginfo=0", "-o", library]
        dependencies = f"{places.prepared}/crates/target/debug/deps"
        if self.crates:
            compiling += ["-L", f"dependency={dependencies}"]
            for crate in self.crates:
                compiling += ["--extern", f"{crate}={dependencies}/lib{crate}.rlib"]
        text = f"{solution}\n{_with_rust_entry(tests)}"
        if "rand" in self.crates:
            text = _with_ranges(text)
        compiling += [f"{places.sources}/program.rs"]
        return Recipe({"program.rs": text}, [compiling], [f"{places.prepared}/loaded", library])

    def reason(self, output: str) -> Reason | None:
        """Tell failed assertions and full memory from other errors."""
        return first_match(output, (("assertion", "assertion failed"), ("memory", "memory allocation of")))


@dataclass(frozen=True, slots=True)
class Swift:
    """swiftc; the tests are statements at the end of the file.

    Nothing is loaded by a harness here: the program takes the token itself, before everything else, into a variable of
    a random name. Written without a Swift compiler at hand: it has never run.
    """

    language: str = "swift"
    readable: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def probe(self) -> tuple[str, str]:
        """Return a program that passes."""
        return "let one = 1", "assert(one == 1)"

    def prepare(self, prepared: Path) -> None:
        """Nothing is shared."""

    def recipe(self, solution: str, tests: str, places: Places, memory_bytes: int) -> Recipe:
        """Compile without optimization, which would remove the asserts."""
        token = f"harness{secrets.token_hex(8)}"
        before = f"import Foundation\nlet {token} = FileHandle.standardInput.readDataToEndOfFile()\n"
        after = f"\nFileHandle.standardInput.write({token})\n"
        binary = f"{places.build}/program"
        compiling = ["swiftc", "-o", binary, f"{places.sources}/main.swift"]
        return Recipe({"main.swift": f"{before}{solution}\n{tests}{after}"}, [compiling], [binary])

    def reason(self, output: str) -> Reason | None:
        """Tell failed assertions from other errors."""
        return first_match(output, (("assertion", "Assertion failed"),))


def _with_cpp_entry(tests: str) -> str:
    """Rename `main`, so that the harness can call it, and put an assert of our own before it."""
    for node in parse("cpp", tests).children:
        declarator = node.child_by_field_name("declarator")
        body = node.child_by_field_name("body")
        if node.type == "function_definition" and body and text_of(declarator).startswith("main"):
            assertion = (
                "\n#undef assert\n#define assert(...) (static_cast<bool>(__VA_ARGS__) ? void(0) : (std::fputs("
                '"Assertion failed: " #__VA_ARGS__ "\\n", stderr), __builtin_trap()))\n'
            )
            head = f'{assertion}extern "C" int {_ENTRY}() '
            last = body.end_byte - 1
            return edit(tests, [(node.start_byte, body.start_byte, head), (last, last, "; return 0; ")])
    raise BenchmarkError("the C++ tests have no main function")


def _with_rust_entry(tests: str) -> str:
    """Make the one test function, or `main`, callable from the crate's root, and call it from there."""
    root = parse("rust", tests)
    edits: list[tuple[int, int, str]] = []
    path = "main" if any(_is_main(node) for node in root.children) else ""
    for node in walk(root):
        if node.type == "attribute_item" and text_of(node) in ("#[cfg(test)]", "#[test]"):
            edits.append((node.start_byte, node.end_byte, ""))
            target = node.next_named_sibling
            while target is not None and target.type in ("line_comment", "block_comment", "attribute_item"):
                target = target.next_named_sibling
            if target is not None and target.type == "function_item":
                path = f"{path}{name_of(target)}"
                edits.append((target.start_byte, target.start_byte, "pub "))
            elif target is not None:
                path = f"{name_of(target)}::"
    if not path or path.endswith("::"):
        raise BenchmarkError("the Rust tests have neither a test function nor a main function")
    entry = f'\n#[no_mangle]\npub extern "C" fn {_ENTRY}() {{ {path}(); }}\n'
    return edit(tests, edits) + entry


def _is_main(node: Node) -> bool:
    return node.type == "function_item" and name_of(node) == "main"


def _with_ranges(text: str) -> str:
    """Turn `gen_range(low, high)` of older versions of rand, as tests have it, into `gen_range(low..high)`."""
    edits: list[tuple[int, int, str]] = []
    for node in walk(parse("rust", text)):
        called = node.child_by_field_name("function") if node.type == "call_expression" else None
        arguments = node.child_by_field_name("arguments")
        if arguments is not None and text_of(called).endswith(".gen_range") and arguments.named_child_count == 2:
            comma = arguments.named_children[0].next_sibling
            if comma is not None:
                edits.append((comma.start_byte, comma.end_byte, ".."))
    return edit(text, edits)


def _build_loader(prepared: Path) -> None:
    run_trusted(["gcc", "-O1", "-o", str(prepared / "loaded"), str(HARNESSES / "loaded.c"), "-ldl"], prepared)


def _build_crates(crates: Sequence[str], edition: str, prepared: Path) -> None:
    """Build the crates that Debian installs as sources, without a network, and give each library a plain name."""
    project = prepared / "crates"
    (project / "src").mkdir(parents=True)
    (project / ".cargo").mkdir()
    (project / "src" / "lib.rs").write_text("")
    (project / ".cargo" / "config.toml").write_text(
        '[source.crates-io]\nreplace-with = "system"\n[source.system]\ndirectory = "/usr/share/cargo/registry"\n'
    )
    wanted = "".join(f'{crate} = "*"\n' for crate in crates)
    (project / "Cargo.toml").write_text(
        f'[package]\nname = "shared"\nversion = "0.1.0"\nedition = "{edition}"\n[dependencies]\n{wanted}'
    )
    run_trusted(["cargo", "build", "--offline", "--quiet"], project)
    libraries = project / "target" / "debug" / "deps"
    for crate in crates:
        [built] = libraries.glob(f"lib{crate}-*.rlib")
        (libraries / f"lib{crate}.rlib").symlink_to(built.name)
