"""Programs are found in real, messy replies: what stays is the entry point with what it needs, and it parses."""

import pytest

from evaluation.native.definitions import defined_names, entry_of
from evaluation.native.extraction import extract_program
from evaluation.native.sources import edit, open_braces, parse

HEADS = {
    "javascript": "const addOne = (x) => {\n",
    "java": "import java.util.*;\n\nclass Solution {\n    public int addOne(int x) {\n",
    "go": 'import (\n    "strings"\n)\n\nfunc AddOne(x int) int {\n',
    "cpp": "#include<vector>\nusing namespace std;\nint helper(int x){\n    return x;\n}\n\nint add_one(int x){\n",
    "rust": "use std::{cmp::max, collections::HashMap};\nuse rand::Rng;\n\nfn add_one(x: i32) -> i32 {\n",
    "php": "<?php\n// Add one.\nfunction add_one($x) {\n",
    "swift": "\n/// Add one.\nfunc add_one(x: Int) -> Int {\n",
}
BODIES = {
    "javascript": "  return x + 1;\n}\n",
    "java": "        return x + 1;\n    }\n}\n",
    "go": "    return x + 1\n}\n",
    "cpp": "    return x + 1;\n}\n",
    "rust": "    x + 1\n}\n",
    "php": "    return $x + 1;\n}\n",
    "swift": "    return x + 1\n}\n",
}
ENTRIES = {"javascript": "addOne", "java": "addOne", "go": "AddOne"}
LANGUAGES = sorted(HEADS)


def entry(language: str) -> str:
    return ENTRIES.get(language, "add_one")


def extracted(language: str, reply: str) -> str:
    """Extract, and check what holds for every language."""
    program = extract_program(language, reply, entry(language), HEADS[language])
    assert not parse(language, program).has_error, program
    assert open_braces(language, program) == 0, program
    assert program.count("x + 1") == 1, program
    assert entry(language) in defined_names(language, program) or language == "java", program
    return program


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_entry_point_is_what_the_head_ends_in(language: str) -> None:
    assert entry_of(language, HEADS[language]) == entry(language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "form",
    [
        "{head}{body}",
        "```{name}\n{head}{body}```",
        "```{name}\n{head}{body}",
        "Sure! Here is it:\n\n```{name}\n{head}{body}```\n\nIt adds `1`.\n\n```bash\nmake run\n```\n",
        "```\n{head}{body}```\nIt prints:\n```text\n{{ 2\n```",
        "{body}",
        "```{name}\n{body}```",
        "The body is\n\n```{name}\n{body}\n```\nand that is all.",
        "```{name}\n{head}{body}\n{head}{body}```",
        "```{name}\n{head}{body}```\nAn alternative:\n```{name}\n{head}{body}```",
        "```{name}\r\n{head}{body}```",
    ],
)
def test_the_function_is_found(language: str, form: str) -> None:
    name = "c++" if language == "cpp" else language
    extracted(language, form.format(head=HEADS[language], body=BODIES[language], name=name))


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_several_blocks_the_last_that_defines_the_function_counts(language: str) -> None:
    right = HEADS[language] + BODIES[language]
    draft = right.replace("x + 1", "x + 2")
    after = "// usage\n"
    reply = f"```{language}\n{draft}```\nThat is wrong.\n```{language}\n{right}```\nUse it:\n```{language}\n{after}```"
    assert "x + 2" not in extracted(language, reply)


def test_a_helper_of_a_draft_stays() -> None:
    head = "int add_one(int x){\n"
    draft = "int one(){\n    return 1;\n}\nint add_one(int x){\n    return one();\n}\n"
    final = "int add_one(int x){\n    return x + one();\n}\n"
    program = extract_program("cpp", f"```cpp\n{draft}```\nNo:\n```cpp\n{final}```", "add_one", head)
    assert "int one(){" in program and "return x + one();" in program and "return one();" not in program


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_completion_without_the_last_brace_is_closed(language: str) -> None:
    cut = BODIES[language].rstrip().removesuffix("}").rstrip().removesuffix("}")
    extracted(language, cut)
    extracted(language, f"```{language}\n{HEADS[language]}{cut}")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "reply", ["", "I cannot help with that.", "```\n```", "}}}}", "\x00\ud800", "```" * 99, "((" * 999, "a<" * 200_000]
)
def test_nothing_a_model_says_raises(language: str, reply: str) -> None:
    assert isinstance(extract_program(language, reply, entry(language), HEADS[language]), str)


def test_helpers_stay_and_tests_and_main_go() -> None:
    reply = """```cpp
#include <iostream>
#define STEP 1
int step() { return STEP; }
int unused() { return 9; }
int add_one(int x) { return step(), x + 1; }
void test_add_one() { if (add_one(1) != 2) std::cout << "bad"; }
int main() {
    test_add_one();
    return 0;
}
```"""
    program = extracted("cpp", reply)
    assert "int step()" in program and "#define STEP 1" in program and "#include<vector>" in program
    assert "main" not in program and "test_add_one" not in program and "unused" not in program
    assert "helper" in program, "the head's own function stays"


def test_what_the_reply_repeats_of_the_head_is_there_once() -> None:
    reply = "```cpp\n#include<vector>\nint helper(int x) { return x; }\nint add_one(int x) { return x + 1; }\n```"
    program = extracted("cpp", reply)
    assert program.count("helper(int x)") == 1 and program.count("#include<vector>") == 1


def test_overloads_and_prototypes_stay() -> None:
    reply = (
        "int f(int a);\nint f(int a) { return a; }\nint f(int a, int b) { return b; }\n"
        "int add_one(int x) { return f(f(0), x + 1); }\n"
    )
    program = extracted("cpp", reply)
    assert program.count("int f(int a)") == 2 and "int f(int a, int b)" in program


def test_examples_that_call_the_function_go() -> None:
    reply = (
        "const step = 1;\nfunction addOne(x) {\n  const result = x + 1;\n  return result;\n}\n"
        "const result = addOne(2);\nconsole.log(result);\nmodule.exports = { addOne };\n"
    )
    program = extracted("javascript", reply)
    assert "addOne(2)" not in program and "console" not in program and "module" not in program


def test_exported_functions_are_taken_without_the_export() -> None:
    assert "export" not in extracted("javascript", "```js\nexport const addOne = (x) => x + 1;\n```")


def test_java_methods_keep_their_class_and_lose_its_main() -> None:
    reply = """```java
import java.util.List;

public class AddOne {
    private static final int STEP = 1;

    public AddOne() {}

    static int addOne(int x) {
        return helper(x + 1);
    }

    private static int helper(int x) {
        return x;
    }

    public static void main(String[] args) {
        System.out.println(addOne(1));
    }
}

class Pair {
    int a;
}
```"""
    program = extracted("java", reply)
    assert program.startswith("import java.util.*;\nimport java.util.List;\nclass Solution {")
    assert "helper(int x)" in program and "STEP = 1" in program and "class Pair" in program
    assert "main" not in program and "AddOne()" not in program


def test_a_bare_java_method_gets_the_class_around_it() -> None:
    assert "class Solution {" in extracted("java", "```java\npublic int addOne(int x) {\n    return x + 1;\n}\n```")


def test_rust_imports_that_the_reply_repeats_do_not_collide() -> None:
    program = extracted(
        "rust", "```rust\nuse std::collections::HashMap;\n\nfn add_one(x: i32) -> i32 {\n    x + 1\n}\n```"
    )
    assert "use given::*;" in program and "pub use std::{" in program
    assert "given" not in extracted("rust", "fn add_one(x: i32) -> i32 { x + 1 }")


def test_rust_attributes_stay_with_what_they_belong_to() -> None:
    reply = "#[derive(Clone)]\nstruct Step(i32);\nfn add_one(x: i32) -> i32 { Step(0).clone(); x + 1 }\n"
    reply += "#[test]\nfn test() {}\n"
    program = extracted("rust", reply)
    assert "#[derive(Clone)]\nstruct Step" in program and "#[test]" not in program


def test_go_keeps_methods_and_imports_and_drops_the_package() -> None:
    reply = (
        '```go\npackage main\n\nimport "fmt"\n\ntype step struct{}\n\nfunc (s step) up(x int) int { return x }\n\n'
        "func AddOne(x int) int {\n\treturn step{}.up(x + 1)\n}\n\nfunc main() {\n\tfmt.Println(AddOne(1))\n}\n```"
    )
    program = extracted("go", reply)
    assert "func (s step) up" in program and 'import "fmt"' in program
    assert "package" not in program and "func main" not in program


def test_prose_around_bare_code_does_not_hide_it() -> None:
    extracted("javascript", "Here you go:\n\nfunction addOne(x) {\n  return x + 1;\n}\n\nThis adds one, doesn't it?")


def test_edits_count_bytes() -> None:
    assert edit("ä = 1; b", [(0, 2, "a"), (8, 9, "cc")]) == "a = 1; cc"
