"""How Rust is compiled and run: rustc without optimization, so that arithmetic overflow is an error.

The tests and a program become a shared library each, of a crate, a process and a sandbox of its own. In the one of the
tests the declared function only sends its arguments and takes the reply; `assert_eq!`, the standard library and the
helpers of the declaration are compiled there from trusted text. So macros and items of a program, also those that it
re-exports as `assert_eq`, its panic hooks, and symbols that it gives the names of libc's functions reach its own
process alone.

What a function returns by reference is copied. Enums and structs that a declaration leaves to the solution (as
HumanEvalPack's Rust/137 does) are written by the definition that each side has.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tree_sitter import Node

from evaluation.errors import BenchmarkError
from evaluation.native.cpp import ANSWER_CALLS, RUN_TESTS, build_loader
from evaluation.native.rust_types import codecs
from evaluation.native.signatures import Parameter, Signature, signature_of, with_body
from evaluation.native.sources import edit, name_of, parse, text_of, walk
from evaluation.native.toolchain import Places, Recipe, Task, copy_harness, first_match, run_trusted
from evaluation.programs import Reason

_LIFETIME = re.compile(r"'(?!static\b)\w+\s*")
_REFERENCE = re.compile(r"&\s*(mut\b)?\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rust:
    """rustc, with crates from the folder that Debian installs."""

    edition: str
    crates: tuple[str, ...]
    language: str = "rust"
    silent: bool = False
    readable: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def probe(self) -> tuple[str, Task]:
        """Return a program that passes."""
        imports = "".join(f"use {crate};\n" for crate in self.crates)
        head = f"{imports}fn one() -> i32 {{"
        return f"{head} 1 }}", Task(head, "fn main() { assert_eq!(1, one()); }")

    def prepare(self, prepared: Path) -> None:
        """Build the loader, the wire and the crates."""
        build_loader(prepared)
        copy_harness("rust", prepared)
        compiling = ["rustc", "--crate-type", "rlib", "--crate-name", "harness_wire", "--edition", "2021", "wire.rs"]
        run_trusted(compiling, prepared)
        if self.crates:
            _build_crates(self.crates, self.edition, prepared)

    def tests(self, task: Task, places: Places, memory_bytes: int) -> Recipe:
        """Compile the tests with a function that calls the program in place of the declared one."""
        signature = signature_of("rust", task.head)
        names = ", ".join(f"&{_plain_name(parameter)}" for parameter in signature.parameters)
        stub = with_body("rust", task.head, f"{{ ::harness_wire::call(&[{names}]) }}")
        own = codecs(task.types or task.head, signature)
        return self._recipe(f"{stub}\n{task.types}\n{own}\n{_with_entry(task.tests)}", RUN_TESTS, places)

    def program(self, solution: str, head: str, places: Places, memory_bytes: int) -> Recipe:
        """Compile the solution with a function that answers calls of the declared one."""
        signature = signature_of("rust", head)
        text = f"{solution}\n{codecs(solution, signature)}\n{_answering(signature)}"
        return self._recipe(text, ANSWER_CALLS, places)

    def reason(self, output: str) -> Reason | None:
        """Tell full memory from other errors."""
        return first_match(output, (("memory", "memory allocation of"),))

    def _recipe(self, text: str, function: str, places: Places) -> Recipe:
        library = f"{places.build}/liblibrary.so"
        compiling = ["rustc", "--crate-type", "cdylib", "--crate-name", "library", "--edition", self.edition]
        compiling += ["--cap-lints", "allow", "-C", "linker=gcc", "-C", "debuginfo=0", "-o", library]
        compiling += ["--extern", f"harness_wire={places.prepared}/libharness_wire.rlib"]
        dependencies = f"{places.prepared}/crates/target/debug/deps"
        if self.crates:
            compiling += ["-L", f"dependency={dependencies}"]
            for crate in self.crates:
                compiling += ["--extern", f"{crate}={dependencies}/lib{crate}.rlib"]
        text = f"{text}\nextern crate harness_wire;\n"
        if "rand" in self.crates:
            text = _with_ranges(text)
        compiling += [f"{places.sources}/source.rs"]
        return Recipe({"source.rs": text}, [compiling], [f"{places.prepared}/loaded", library, function])


def _plain_name(parameter: Parameter) -> str:
    return parameter.name.removeprefix("mut ").strip()


def _answering(signature: Signature) -> str:
    """Return the function that answers calls."""
    taken, passed = [], []
    for number, parameter in enumerate(signature.parameters):
        kind, how = _owned(_LIFETIME.sub("", parameter.type))
        taken.append(f"let mut argument{number}: {kind} = ::harness_wire::Take::take(input);")
        passed.append(f"{how}argument{number}")
    return f"""\
#[no_mangle]
pub extern "C" fn {ANSWER_CALLS}(descriptor: i32) -> i32 {{
    ::harness_wire::serve(descriptor, {len(passed)}, |input, out| {{
        {" ".join(taken)}
        input.done();
        ::harness_wire::Put::put(&{signature.name}({", ".join(passed)}), out);
    }})
}}
"""


def _owned(kind: str) -> tuple[str, str]:
    """Return the type of a variable whose value can be handed over as `kind`, and what comes before its name then."""
    reference = _REFERENCE.fullmatch(kind.strip())
    if reference is None:
        return kind, ""
    target = reference[2].strip()
    if target == "str":
        return "String", "&"
    if target.startswith("dyn "):
        return f"Box<{target}>", "&*"
    if target.startswith("[") and ";" not in target:
        return f"Vec<{target[1:-1]}>", f"&{'mut ' if reference[1] else ''}"
    return target, f"&{'mut ' if reference[1] else ''}"


def _with_entry(tests: str) -> str:
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
    return f"""\
{edit(tests, edits)}
#[no_mangle]
pub extern "C" fn {RUN_TESTS}(descriptor: i32) -> i32 {{
    ::harness_wire::connect(descriptor);
    {path}();
    0
}}
"""


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
