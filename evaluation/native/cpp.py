"""How C++ is compiled and run: g++ with C++17, without optimization.

The tests and a program become a shared library each, in a translation unit, a process and a sandbox of its own. In the
one of the tests the declared function only sends its arguments and takes the reply; the standard library, `assert` and
the helpers of the declaration are compiled there from trusted text. So macros, own operators, constructors that run
early, signal handlers, `longjmp` and stray pointers of a program reach its own process alone.

As in the official harnesses, arguments are handed over as temporaries. What a function returns must convert to what it
was declared to return. A union of a prompt, whose members nobody can tell apart, becomes a class that knows which of
them it holds; MultiPL-E's HumanEval/137, whose union has a value for a type, compiles with no program, as upstream.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.errors import BenchmarkError
from evaluation.native.signatures import Signature, signature_of, with_body
from evaluation.native.sources import edit, name_of, parse, text_of
from evaluation.native.toolchain import Places, Recipe, Task, copy_harness, first_match, run_trusted
from evaluation.programs import Reason

RUN_TESTS, ANSWER_CALLS = "run_all_the_tests", "answer_calls"
"""What the loader calls in the library of the tests, and in that of a program."""

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
class Cpp:
    """g++; HumanEvalPack and MultiPL-E."""

    language: str = "cpp"
    silent: bool = False
    readable: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)

    _options = ("-std=c++17", "-O0", "-fPIC", "-w")

    @property
    def probe(self) -> tuple[str, Task]:
        """Return a program that passes."""
        return "int one() { return 1; }", Task("int one() {", "int main() { assert(one() == 1); }")

    def prepare(self, prepared: Path) -> None:
        """Build the loader, and the standard library's headers and the wire's as a precompiled one."""
        build_loader(prepared)
        header = prepared / "standard.h"
        header.write_text('#include <bits/stdc++.h>\n#include "wire.h"\n')
        run_trusted(["g++", *self._options, "-x", "c++-header", str(header)], prepared)

    def tests(self, task: Task, places: Places, memory_bytes: int) -> Recipe:
        """Compile the tests with a function that calls the program in place of the declared one."""
        signature = signature_of("cpp", task.head)
        names = ", ".join(parameter.name for parameter in signature.parameters)
        stub = with_body("cpp", task.head, f"{{ return ::harness::call<{signature.result}>({names}); }}")
        text = f'#line 1 "declaration"\n{_told_apart(stub)}\n#line 1 "tests"\n{_with_entry(task.tests)}'
        return self._recipe(text, "boost/any.hpp" in task.head, RUN_TESTS, places)

    def program(self, solution: str, head: str, places: Places, memory_bytes: int) -> Recipe:
        """Compile the solution with a function that answers calls of the declared one."""
        text = f'#line 1 "program"\n{_told_apart(solution)}\n#line 1 "calls"\n{_answering(signature_of("cpp", head))}'
        return self._recipe(text, "boost/any.hpp" in head, ANSWER_CALLS, places)

    def reason(self, output: str) -> Reason | None:
        """Tell full memory from other errors."""
        return first_match(output, (("memory", "std::bad_alloc"),))

    def _recipe(self, text: str, has_boost_any: bool, function: str, places: Places) -> Recipe:
        before = '#include "boost_any.h"\n' if has_boost_any else ""
        compiling = ["g++", *self._options, f"-I{places.prepared}", "-fmax-errors=3", "-shared"]
        if _C_STRING_FUNCTION.search(text):
            before = "".join(f"#include <{name}>\n" for name in _WITHOUT_C_STRINGS) + '#include "wire.h"\n' + before
        else:
            compiling += ["-include", f"{places.prepared}/standard.h"]
        library = f"{places.build}/library.so"
        compiling += ["-o", library, f"{places.sources}/source.cpp"]
        if "openssl/" in text:
            compiling += ["-lcrypto"]
        return Recipe({"source.cpp": before + text}, [compiling], [f"{places.prepared}/loaded", library, function])


def build_loader(prepared: Path) -> None:
    """Build what loads the shared libraries of C++ and Rust, and copy the headers beside it."""
    copy_harness("cpp", prepared)
    run_trusted(["gcc", "-O1", "-o", str(prepared / "loaded"), str(prepared / "loaded.c"), "-ldl"], prepared)


def _answering(signature: Signature) -> str:
    """Return the function that answers calls, in names that no macro of a program is likely to have."""
    types = ", ".join(f"::harness::Plain<{parameter.type}>" for parameter in signature.parameters)
    taken = ", ".join(f"harness_in.take<::harness::Plain<{parameter.type}>>()" for parameter in signature.parameters)
    count = len(signature.parameters)
    passed = ", ".join(f"::std::get<{number}>(::std::move(harness_arguments))" for number in range(count))
    return f"""\
extern "C" int {ANSWER_CALLS}(int harness_joint) {{
    ::harness::serve(harness_joint, {count}, [](::harness::Reader &harness_in, ::harness::Writer &harness_out) {{
        ::std::tuple<{types}> harness_arguments{{{taken}}};
        harness_in.done();
        ::harness::put_result<{signature.result}>(harness_out, {signature.name}({passed}));
    }});
    return 0;
}}
"""


def _with_entry(tests: str) -> str:
    """Rename `main`, so that the loader can call it, and let it know the descriptor of the program."""
    for node in parse("cpp", tests).children:
        declarator = node.child_by_field_name("declarator")
        body = node.child_by_field_name("body")
        if node.type == "function_definition" and body and text_of(declarator).startswith("main"):
            head = f'extern "C" int {RUN_TESTS}(int descriptor) '
            first, last = body.start_byte + 1, body.end_byte - 1
            knows = (first, first, " ::harness::to_program = descriptor; ")
            return edit(tests, [(node.start_byte, body.start_byte, head), knows, (last, last, "; return 0; ")])
    raise BenchmarkError("the C++ tests have no main function")


def _told_apart(text: str) -> str:
    """Return the text with a class that knows which type it holds in place of each union that has constructors."""
    edits = []
    for node in parse("cpp", text).children:
        body = node.child_by_field_name("body") if node.type == "union_specifier" else None
        if body is None or not any(child.type == "function_definition" for child in body.children):
            continue
        fields = [child for child in body.children if child.type == "field_declaration"]
        types = ", ".join(text_of(child.child_by_field_name("type")) for child in fields)
        edits.append((node.start_byte, node.end_byte, f"using {name_of(node)} = ::harness::OneOf<{types}>"))
    return edit(text, edits)
