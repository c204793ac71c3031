"""Programs that give wrong answers and try to pass all the same, by reaching what decides or by disturbing it.

They lie in `attacks`, a file for each language: `==== TARGET: what it tries`, then its text, in which a line `@name`
stands for a piece under `@@@@ name`. None may pass, whatever it finds: neither token nor tests nor right answers are in
its process.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "attacks"


@dataclass(frozen=True)
class Target:
    """A declared function with its tests; `before` is put before every program."""

    head: str
    tests: str
    before: str = ""


def _cpp(head: str, body: str, helper: str = "") -> Target:
    headers = "".join(f"#include <{name}>\n" for name in ("bits/stdc++.h", "unistd.h", "sys/mman.h", "signal.h"))
    tests = f"#undef NDEBUG\n#include<assert.h>\n{helper}int main(){{\n{body}}}\n"
    return Target(f"using namespace std;\n{head}", tests, f"{headers}using namespace std;\n")


def _java(method: str, conditions: str, before: str = "import java.util.*;\n") -> Target:
    head = f"import java.util.*;\nimport java.lang.*;\n\nclass Solution {{\n    public {method} {{\n"
    tests = (
        "public class Main {\n    public static void main(String[] args) {\n        Solution s = new Solution();\n"
        f"        List<Boolean> correct = Arrays.asList(\n                {conditions}\n        );\n"
        "        if (correct.contains(false)) {\n            throw new AssertionError();\n        }\n    }\n}\n"
    )
    return Target(head, tests, before)


def _go(head: str, name: str, assertion: str) -> Target:
    imports = 'package main\n\nimport (\n    "testing"\n    "github.com/stretchr/testify/assert"\n)\n\n'
    test = f"func Test{name}(t *testing.T) {{\n    assert := assert.New(t)\n    {assertion}\n}}\n"
    return Target(head, imports + test)


def _rust(head: str, assertion: str) -> Target:
    test = f"    #[test]\n    fn test_it() {{\n        {assertion}\n    }}\n"
    return Target(head, f"#[cfg(test)]\nmod tests {{\n    use super::*;\n\n{test}}}\n")


_ISSAME = (
    "bool issame(vector<int> a, vector<int> b){\n    if (a.size()!=b.size()) return false;\n"
    "    for (int i=0;i<a.size();i++)\n    {\n        if (a[i]!=b[i]) return false;\n    }\n    return true;\n}\n"
)
_TWICE = "Objects.equals(s.twice(3), 6), s.twice(4) == 8"

TARGETS: dict[str, dict[str, Target]] = {
    "cpp": {
        "INT": _cpp("int twice(int x){\n", "  assert (twice(3) == 6);\n"),
        "FLOAT": _cpp("float near(float x){\n", "  assert (std::abs(near(2.0) - 4.0) < 1e-3);\n"),
        "VECTOR": _cpp(
            "vector<int> doubled(vector<int> v){\n",
            "    assert (issame(doubled({1, 2}), {2, 4}));\n    assert (doubled({3}) == vector<int>({6}));\n",
            _ISSAME,
        ),
    },
    "java": {
        "BOXED": _java("int twice(int x)", _TWICE),
        "PACKAGED": _java("int twice(int x)", _TWICE, before=""),
        "LIST": _java("List<Integer> doubled(List<Integer> v)", "s.doubled(List.of(1, 2)).equals(List.of(2, 4))"),
    },
    "javascript": {
        "JS_INT": Target(
            "const twice = (x) => {\n",
            "const testTwice = () => {\n  console.assert(twice(3) === 6)\n}\n\ntestTwice()\n",
        ),
        "JS_LIST": Target(
            "function doubled(v){\n",
            "const assert = require('node:assert');\n\n\nfunction test() {\n  let candidate = doubled;\n"
            "  assert.deepEqual(candidate([1, 2]),[2, 4]);\n}\n\ntest();",
        ),
    },
    "go": {
        "GO_INT": _go("func Twice(x int) int {\n", "Twice", "assert.Equal(6, Twice(3))"),
        "GO_BOOL": _go("func IsEven(x int) bool {\n", "IsEven", "assert.Equal(true, IsEven(4))"),
    },
    "rust": {
        "RUST_INT": _rust("fn twice(x: i32) -> i32 {\n", "assert_eq!(twice(3), 6);"),
        "RUST_TEXT": _rust("fn doubled(x: &str) -> String {\n", 'assert_eq!(doubled("ab"), "abab");'),
        "RUST_MAIN": Target(
            "fn twice(x: i32) -> i32 {\n",
            "fn main() {\n    let candidate = twice;\n    assert_eq!(candidate(3), 6);\n}\n",
        ),
    },
    "php": {
        "PHP_INT": Target(
            "<?php\nfunction twice($x) {\n",
            "function candidate(...$args) {\n    return twice(...$args);\n}\n\nfunction test(): void {\n"
            '    if (candidate(3) !== 6) { throw new Exception("Test failed!"); }\n}\n\ntest();',
            "<?php\n",
        )
    },
    "swift": {"SWIFT_INT": Target("func twice(x: Int) -> Int {\n", "\nassert(twice(x: 3) == 6)\n")},
}


def attacks_in(language: str) -> dict[str, tuple[Target, str]]:
    """Return the attacks in a language: what each tries, its target and its program."""
    pieces: dict[str, str] = {}
    attacks: dict[str, tuple[Target, str]] = {}
    text = (_FOLDER / f"{language}.txt").read_text()
    for mark, title, body in re.findall(r"^(@{4}|={4}) (.*)\n((?:(?!@{4} |={4} ).*\n?)*)", text, re.MULTILINE):
        if mark == "@@@@":
            pieces[title] = body.rstrip()
            continue
        target, _, name = title.partition(": ")
        program = re.sub(r"^@(\w+)$", lambda match: pieces[match[1]], body, flags=re.MULTILINE)
        attacks[name] = TARGETS[language][target], TARGETS[language][target].before + program
    return attacks
