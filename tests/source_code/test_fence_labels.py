"""What fences and corpora call our languages, and what they call others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inverse_instruct.corpus.extraction import Code, extract
from inverse_instruct.source_code.fence_labels import fence_language, language_of_name
from inverse_instruct.source_code.languages import LANGUAGES

LABELS = {
    "bash": "bash sh Shell zsh ksh shellscript shell-script | shell script | bash 5.2 | lang-bash | deploy.sh | BASH",
    "c": "c C99 c11 c89 c17 c2x gnu11 gnu99 ansi-c | C 99 | ANSI C | GNU C11 | lang-c | text/x-c | main.c | util.h",
    "cpp": "cpp c++ C++17 c++20 c++0x c++1z c++2a c++-14 gnu++20 gnu++17 cpp17 g++ cxx c/c++ c-plus-plus | C++ 17 "
    "| GNU C++17 | language-cpp | c++ (gcc 12) | lib.hpp",
    "csharp": "c# C# cs csharp C#8 c#10.0 c-sharp csharp-script | csharp 8 | C# 8.0 | c sharp | Program.cs | c♯",
    "go": "go Go1.21 golang go-lang | golang 1.21 | go 1.22 | cmd/main.go | lang-golang",
    "java": "java Java8 java-17 java11 | java 21 | lang-java | text/x-java | Main.java | Java, 1.8",
    "javascript": "js javascript node node.js NodeJS node18 es6 ES2015 jsx mjs cjs react.js javascript-code | Node JS "
    "| node.js 18 | language-js | js{1,3} | js:app.js | javascript (es6) | application/javascript "
    "| src/index.jsx | javascriptreact | java script",
    "php": "php php7 PHP8.1 php-8 html+php | php 8 | lang-php | index.php",
    "python": "python py py3 Python2 python3.10 python3.x python= python=101 python=+ python3 ipython pypy3 cpython "
    "py38 python-3.10 python>=3.8 python==3.8 python,editable python; python: python:app.py python{1,3-5} "
    "lang-python language-python highlight-source-python text/x-python [python] %python .py python-code "
    '| python title="x" | python 3 | {.python .numberLines} | {.numberLines .python} | { .python }'
    '| {python} | {python, echo=FALSE} | {#listing .python startFrom="100"} | {code-block} python '
    '| {code-cell} ipython3 | brush: python | lang=python | language: python | title="a b.py" '
    '| src/app.py | 12:15:src/app.py | code python | "python" | python "in C++" | PyPy 3-64',
    "ruby": "ruby Ruby3.2 rb ruby-3.3 | ruby 3 | lang-rb | app.rb",
    "rust": "rust rs rust,ignore rust,no_run rust2021 | Rust 2021 | rust should_panic | lang-rust | src/lib.rs",
    "swift": "swift swift5 Swift5.9 | swift 5 | lang-swift | App.swift",
    "typescript": "ts typescript tsx TypeScript5 typescriptreact mts js/ts | typescript 5.2 | type script "
    "| language-ts | 1:20:app/Todo.tsx | ts twoslash",
}
OTHERS = {
    "sql": 'sql SQL sql= lang-sql | sql title="q"',
    "console": "console Console",
    "objective-c": "objective-c Objective-C",
    "r": "r R {r} | {r, echo=FALSE}",
    "text": "text",
    "output": "output",
    "c--": "c--",
    "f#": "f#",
    "f90": "f90",
    "kotlin": "kotlin Kotlin",
    "perl6": "perl6",
    "json": "json",
    "shell-session": "shell-session | shell session",
    "python-repl": "python-repl | python repl",
    "bash-session": "bash-session | bash session",
    "python-traceback": "python-traceback | python traceback",
    "sh-session": "sh-session",
    "package.json": "package.json",
    "asp.net": "asp.net",
    "objective": "| objective c",
    "diff-python": "diff-python",
    "mermaid": "{mermaid}",
    "go-template": "go-template",
    "javadoc": "javadoc",
}
UNNAMED = (
    "",
    " ",
    "code",
    "snippet",
    "{}",
    "1",
    "{1,3}",
    'title="An example"',
    "{.numberLines}",
    "{",
    ":",
    "=",
    ",;",
    "#",
)


def labels(line: str) -> list[str]:
    short, *long = line.split("|")
    return [*short.split(), *(label.strip() for label in long)]


def expected(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(label, language) for language, line in table.items() for label in labels(line)]


def test_every_language_has_labels() -> None:
    assert LABELS.keys() == LANGUAGES.keys()
    for language, names in LANGUAGES.items():
        assert {fence_language(name) for name in names} == {language}


@pytest.mark.parametrize(("label", "language"), expected(LABELS) + expected(OTHERS))
def test_a_label_names_its_language(label: str, language: str) -> None:
    assert fence_language(label) == language
    assert fence_language(f"  {label.upper()} ") == language if label.isascii() else True
    assert language_of_name(label) == (language if language in LANGUAGES else None)


@pytest.mark.parametrize("info", UNNAMED)
def test_what_names_nothing_is_unnamed(info: str) -> None:
    assert fence_language(info) == ""


@pytest.mark.parametrize("info", ["python3.10", "python=", "{.python .numberLines}", "py3 title='x'", "lang-python"])
def test_a_labelled_block_is_a_snippet(info: str) -> None:
    assert extract(f"Here:\n```{info}\nx = [1]\nprint(x)\n```", LANGUAGES, 1000) == Code("x = [1]\nprint(x)", "python")


def test_a_row_may_name_no_language_or_none_of_ours() -> None:
    assert language_of_name(" JS ") == "javascript"
    assert language_of_name("klingon") is None and language_of_name(None) is None


@given(st.text(max_size=300))
def test_no_label_is_too_odd(info: str) -> None:
    assert isinstance(fence_language(info), str)
