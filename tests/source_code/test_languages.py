"""Extensions, grammars and the detection of code among prose."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import PurePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inverse_instruct.source_code.foreign_marks import foreign_language
from inverse_instruct.source_code.language_detection import detect_language, likely_languages
from inverse_instruct.source_code.languages import LANGUAGES, language_of_file, parses
from inverse_instruct.system.root import ROOT

SAMPLES = {
    "bash": '#!/bin/bash\nfor f in *.txt; do\n  echo "$f"\ndone',
    "c": '#include <stdio.h>\nint main(void) {\n  printf("hi");\n  return 0;\n}',
    "cpp": "#include <iostream>\nint main() {\n  std::cout << 1;\n}",
    "csharp": "using System;\nclass A {\n  static void Main() { Console.WriteLine(1); }\n}",
    "go": "package main\n\nfunc add(a, b int) int {\n\treturn a + b\n}",
    "java": "public class A {\n  public static void main(String[] args) { System.out.println(1); }\n}",
    "javascript": "const add = (a, b) => a + b;\nconsole.log(add(1, 2));",
    "php": "<?php\n$x = 1;\necho $x;",
    "python": "def add(a, b):\n    return a + b",
    "ruby": "def add(a, b)\n  a + b\nend\nputs add(1, 2)",
    "rust": "fn add(a: i32, b: i32) -> i32 {\n    a + b\n}",
    "swift": "func add(_ a: Int, _ b: Int) -> Int {\n    return a + b\n}",
    "typescript": "interface P { x: number }\nfunction f(p: P): number { return p.x; }",
}


def test_there_is_a_sample_of_every_language() -> None:
    assert set(SAMPLES) == set(LANGUAGES)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_sample_parses_is_detected_and_breaks_when_broken(language: str) -> None:
    assert parses(SAMPLES[language], language)
    assert detect_language(SAMPLES[language]) == language
    assert not parses(SAMPLES[language] + "\n)]} ((", language)


def test_files() -> None:
    assert language_of_file(PurePath("a/b.RS")) == "rust"
    assert language_of_file(PurePath("Makefile")) is None


@pytest.mark.parametrize(
    "text",
    [
        "Hello",
        "Hello world",
        "The answer is 5.",
        "Output: 5",
        "Yes, True",
        "[1, 2, 3]",
        '{"a": 1}',
        "O(n)",
        "x = 1",
        "y = mx + b",
        "print the result",
        "find the largest number in a list",
        "return the sum of the numbers",
        "- one\n- two",
        "It costs $5 to do",
        "You can run:\ngit commit -m hello",
        "No, it is not possible",
        "SELECT name\nFROM employees\nWHERE age > 5;",
        "<html><body>Hi</body></html>",
        "h1 { color: red; }",
        "<html><script>function f() { console.log(1); }</script></html>",
        "apple: red\nbanana: yellow",
        "^[a-z]+@[a-z]+$",
        "1. First\n2. Second",
        "Use a loop, then print the result.",
        "",
    ],
)
def test_prose_data_and_markup_are_not_code(text: str) -> None:
    assert detect_language(text) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("x = 1\nprint(x)", "python"),
        ("print(sum(range(10)))", "python"),
        ("names = [n for n in people]", "python"),
        ("int add(int a, int b) { return a + b; }", "c"),
        ("function f(a) { return a; }", "javascript"),
        ("git commit -m 'first'", "bash"),
        ("$total = 3;\necho $total;", "php"),
        ("<p><?php echo $x; ?></p>", "php"),
        ("class A {\n  name: string;\n}", "typescript"),
        ("let mut x = vec![1];\nx.push(2);", "rust"),
    ],
)
def test_short_code_is_code(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_code_with_prose_around_it_is_not_code_as_a_whole() -> None:
    assert detect_language("Here it is:\ndef f(x):\n    return x\nThat is all.") is None


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_looked_at(text: str) -> None:
    assert detect_language(text) in {None, *likely_languages(text)}


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a ",
        "let a ",
        "(",
        "a.",
        "$",
        "'",
        '"',
        "a:",
        "[",
        "-> ",
        "| ",
        "= ",
        ": ",
        "print(",
        "a(",
        "1 ",
        ".",
        "@",
        "a b = ",
        "def a(",
        "fn a -> ",
        "<",
        "%",
        "a, ",
        "this.",
    ],
)
def test_repetitive_text_takes_no_longer(piece: str) -> None:
    started = time.monotonic()
    foreign_language(piece * (20_000 // len(piece)), "ruby")
    foreign_language((piece * 100 + "\n") * (20_000 // len(piece * 100)), "go")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("shebang", "language"),
    [
        ("/bin/sh", "bash"),
        ("/usr/bin/env python3", "python"),
        ("/usr/bin/env -S node", "javascript"),
        ("/usr/bin/perl -w", None),
        ("/usr/bin/env Rscript", None),
    ],
)
def test_a_shebang_decides(shebang: str, language: str | None) -> None:
    assert detect_language(f"#!{shebang}\nx = 5\nprint(x)\n" if language != "bash" else f"#!{shebang}\nls") == language


def test_importing_the_table_loads_no_grammar() -> None:
    code = (
        "import sys, inverse_instruct.source_code.languages\n"
        "print([m for m in sys.modules if m.startswith('tree_sitter')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


SWEEP = """
from inverse_instruct.source_code.languages import LANGUAGES, parse
for code in filter(lambda code: not 0xD800 <= code < 0xE000, range(0x100, 0x110000, 797)):
    for language in LANGUAGES:
        parse("{" + chr(code) + "=5 $(ls)" + chr(code), language)
"""


def test_no_letter_crashes_a_scanner() -> None:
    """Bash's looked letters beyond Latin-1 up in a table of 256."""
    assert subprocess.run([sys.executable, "-c", SWEEP], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("letter", "é€漢😀\ud800")
def test_letters_of_any_script_are_words_of_a_shell(letter: str) -> None:
    assert parses(f'greet() {{\n  echo "{letter}" {letter}\n}}\n{letter}=5; echo {{{letter},b}}\n', "bash")
    assert not parses(f"if {letter}; then\n", "bash")
