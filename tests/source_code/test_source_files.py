"""Definitions in files of source code."""

from __future__ import annotations

from pathlib import Path

import pytest

from inverse_instruct.source_code.languages import LANGUAGES, parses
from inverse_instruct.source_code.source_files import Definition, definitions, source_paths

PYTHON = '''"""Module."""
import os
import os.path as path, sys
from math import sqrt, pi as PI
import unused

LIMIT = 3


# the root
# of x
@cache
def root(x):
    """Return it."""
    return sqrt(x) * PI


# far away

class Folder:
    def list(self):
        return path.join(os.sep)
'''

ONE_OF_EACH = {
    "bash": "# greet\ngreet() {\n  echo hi\n}\n",
    "c": "/* add */\nint add(int a, int b) { return a + b; }\nstruct later;\nstruct P { int x; };\n",
    "cpp": "namespace n {\n  // add\n  int add(int a) { return a; }\n}\ntemplate <class T> T f(T x) { return x; }\n",
    "csharp": "namespace N {\n  // a\n  class A { int x; }\n}\n",
    "go": "package p\n\n// Add adds.\nfunc Add(a int) int { return a }\n\ntype T struct{}\n",
    "java": "package p;\n/** A. */\nclass A { int f() { return 1; } }\n",
    "javascript": "// f\nfunction f() { return 1; }\nexport const g = (x) => x;\nconst limit = 3;\n",
    "php": "<?php\n// f\nfunction f($x) { return $x; }\n",
    "python": PYTHON,
    "ruby": "# f\ndef f\n  1\nend\n",
    "rust": "/// f\n#[inline]\nfn f() -> i32 { 1 }\nstruct S;\n",
    "swift": "/// f\nfunc f() -> Int { return 1 }\n",
    "typescript": "// f\nexport function f(): number { return 1; }\ninterface P { x: number }\n",
}


def test_python_imports_and_comments_come_along() -> None:
    assert definitions(PYTHON, "python") == [
        Definition(
            "from math import sqrt, pi as PI\n\n\n# the root\n# of x\n@cache\ndef root(x):\n"
            '    """Return it."""\n    return sqrt(x) * PI',
            10,
        ),
        Definition(
            "import os\nimport os.path as path, sys\n\n\nclass Folder:\n    def list(self):\n"
            "        return path.join(os.sep)",
            20,
        ),
    ]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_has_definitions_that_parse(language: str) -> None:
    found = definitions(ONE_OF_EACH[language], language)
    assert found and all(parses(definition.code, language) for definition in found)
    assert any(definition.code.lstrip().startswith(("#", "/", "from")) for definition in found)


def test_each_kind_counts_once() -> None:
    assert [d.line for d in definitions(ONE_OF_EACH["c"], "c")] == [1, 4]
    assert [d.line for d in definitions(ONE_OF_EACH["cpp"], "cpp")] == [2, 5]
    assert [d.line for d in definitions(ONE_OF_EACH["javascript"], "javascript")] == [1, 3]
    assert definitions(ONE_OF_EACH["cpp"], "cpp")[0].code == "// add\nint add(int a) { return a; }"


def test_a_broken_definition_is_left_out() -> None:
    assert [d.line for d in definitions("def f(:\n    return 1\n\n\ndef g():\n    return 1\n", "python")] in ([5], [])
    assert definitions("", "python") == []


def test_folders_of_others_are_skipped(tmp_path: Path) -> None:
    for name in ("b.py", "a/x.go", "a/n.ipynb", "node_modules/n.js", ".git/h.py", "readme.md", "a/deep/y.rs"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "link.py").symlink_to(tmp_path / "b.py")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = [path.relative_to(tmp_path).as_posix() for path in source_paths(tmp_path)]
    assert found == ["a/deep/y.rs", "a/n.ipynb", "a/x.go", "b.py"]


@pytest.mark.parametrize("letter", "é€漢😀")
def test_a_definition_of_a_shell_keeps_its_letters(letter: str) -> None:
    code = f"# {letter} says hi {letter}\ngreet() {{\n  echo {letter} hi\n}}"
    assert definitions(f"echo {letter}\n{code}\n", "bash") == [Definition(code, 2)]
