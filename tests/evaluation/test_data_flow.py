"""What statements bind, use and change is told, and what is kept of a program does what the program does."""

import random
from collections.abc import Callable

import pytest

from evaluation.sanitize import extract_code
from evaluation.top_level import find_statements


@pytest.mark.parametrize(
    ("text", "field", "names"),
    [
        ("import a.b, c as d", "binds", {"a", "d"}),
        ("import a.b, c as d", "modules", {"a", "c"}),
        ("x: int = y", "binds", {"x"}),
        ("x: int", "binds", set()),
        ("for i, (j, k) in m: n = i", "binds", {"i", "j", "k", "n"}),
        ("with a as b, c: pass", "binds", {"b"}),
        ("try: pass\nexcept E as e: f = 1", "binds", {"e", "f"}),
        ("[y := x for x in z]", "binds", {"y"}),
        ("match a:\n    case [b, {'k': c, **d}]: pass", "binds", {"b", "c", "d"}),
        ("def f(a: A = b) -> C:\n    global d\n    d = e", "binds", {"f"}),
        ("def f(a: A = b) -> C:\n    global d\n    d = e", "runs", {"A", "b", "C"}),
        ("def f(a: A = b) -> C:\n    global d\n    d = e", "uses", {"A", "b", "C", "d", "e"}),
        ("def f():\n    global d\n    d = 1\n    e.append(1)\n    g = []\n    g.append(h)", "later", {"d", "e", "h"}),
        ("x += 1", "runs", {"x"}),
        ("a.b[0].c = d", "stores", {"a"}),
        ("a[0], b.c = d", "stores", {"a", "b"}),
        ("del a[0]", "stores", {"a"}),
        ("setattr(a, 'x', b)", "stores", {"a"}),
        ("a.b.append(c)", "touches", {"a", "c"}),
        ("len(a)", "touches", set()),
        ("list(map(a.append, b))", "touches", {"a"}),
        ("f(a, *b, k=c)", "touches", {"a", "b", "c"}),
        ("[x.append(1) for x in a]", "touches", {"a"}),
        ("@a.b\ndef f(): pass", "touches", {"a"}),
        ("print(a.pop())", "mentions", {"print"}),
        ("a.n = b.c(d)", "mentions", {"d"}),
        ("row = a[0]", "copies", {"a"}),
        ("for k, v in a.items(): pass", "copies", {"a"}),
        ("x = f(a, b=c)", "copies", {"a", "c"}),
        ("x = f(a)", "results", {"f"}),
        ("x = len(a)", "results", set()),
        ("def f(b): return a[b]", "gives", {"a"}),
        ("class A(B): pass", "touches", {"B"}),
        ("with a: pass", "touches", {"a"}),
        ("for b in a: c = b", "touches", {"a"}),
        ("a << b", "touches", {"a", "b"}),
    ],
)
def test_names_of_a_statement(text: str, field: str, names: set[str]) -> None:
    [statement] = find_statements(text)
    assert getattr(statement, field) == names


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("if __name__ == '__main__': pass", "guard"),
        ("if '__main__' == __name__: pass", "guard"),
        ("if __name__ != '__main__': pass", "other"),
        ("'text'", "remark"),
        ("del x", "deletion"),
        ("async def f(): pass", "definition"),
    ],
)
def test_kinds(text: str, kind: str) -> None:
    [statement] = find_statements(text)
    assert statement.kind == kind


NAMES = [f"v{number}" for number in range(6)]
CHANGES: list[tuple[str, str]] = [  # what LIST, DICT or NUMBER stand for is given, and what comes to stand for it
    ("NEW = [1, 2, N]", "list"), ("NEW = {'a': N}", "dict"), ("NEW = N", "number"), ("LIST.append(N)", ""),
    ("DICT['k'] = N", ""), ("NUMBER += N", ""), ("for x in LIST:\n    DICT[str(x)] = 1", ""), ("NEW = LIST", "list"),
    ("NEW = list(LIST) + [0]", "list"), ("NEW = len(LIST)", "number"), ("NEW, *rest = LIST or [0]", "number"),
    ("def g():\n    LIST.append(len(LIST))\n    return 1\ng()", ""), ("def g(t):\n    t.append(7)\ng(LIST)", ""),
    ("def g():\n    global NUMBER\n    NUMBER = 5\ndef h():\n    g()\nNEW = h()", "number"),
    ("if DICT:\n    DICT.update(z=N)\nelse:\n    DICT['e'] = 1", ""), ("[LIST.append(i) for i in range(2)]", ""),
    ("try:\n    LIST[0] = N\nexcept IndexError:\n    pass", ""), ("LIST.reverse(); LIST.insert(0, 3)", ""),
    ("del LIST[:1]", ""), ("DICT.setdefault('l', []).append(4)", ""), ("NEW = DICT.setdefault('l', [])", "list"),
    ("while len(LIST) < 4:\n    LIST.append(NUMBER)", ""), ("LIST += [N]", ""), ("LIST.sort(key=str)", ""),
    ("class C:\n    rows = LIST\nC.rows.append(N)", ""), ("NEW = [LIST, LIST][0]", "list"), ("print(LIST)", ""),
]  # fmt: skip
ASIDE = ["print(f(1))", "assert f(2) == 3", "result = f(3)", "if __name__ == '__main__':\n    input()", "f.n = 0",
         "def test():\n    assert f(1) == 2", "def wrap(g):\n    return lambda x: [0, g(x)]\nf = wrap(f)"]  # fmt: skip


def program(chance: random.Random) -> tuple[str, str]:
    """A program that changes lists and numbers in one way after another, and the same with tests and prints."""
    kinds: dict[str, str] = {}

    def change() -> str:
        form, kind = chance.choice(CHANGES)
        new = chance.choice(NAMES)
        for word in ("LIST", "DICT", "NUMBER"):
            names = [name for name, known in kinds.items() if known == word.lower()]
            if word in form and not names:
                return "pass"
            form = form.replace(word, chance.choice(names)) if word in form else form
        if kind:
            kinds[new] = kind
        return form.replace("NEW", new).replace("N", str(chance.randrange(9)))

    before = [change() for _ in range(chance.randrange(3, 16))]
    shown = ", ".join(f"repr({name})" for name in chance.sample(sorted(kinds), min(len(kinds), 3)))
    after = [change() for _ in range(chance.randrange(6))]
    bare = [*before, f"def f(x):\n    return [x, {shown}]", *after]
    aside = chance.sample(ASIDE, chance.randrange(5))
    kept = [line for line in aside if line.startswith(("f.n", "def wrap"))]
    return "\n".join([*bare, *kept]) + "\n", "\n".join([*bare, *aside]) + "\n"


def outcome(code: str) -> object:
    """What f returns; the programs are of this file's own making."""
    names: dict[str, Callable[[int], object]] = {}
    try:
        exec(code, names)
        return names["f"](1)
    except (NameError, TypeError, ValueError, AttributeError) as error:
        return type(error)


def test_what_is_kept_does_what_the_program_does(capsys: pytest.CaptureFixture[str]) -> None:
    compared = 0
    for seed in range(400):
        bare, whole = program(random.Random(seed))
        expected = outcome(bare)
        if isinstance(expected, list):
            code = extract_code(f"```python\n{whole}```", "f", "")
            assert outcome(code) == expected, f"seed {seed}:\n{whole}\n--- kept:\n{code}"
            assert "assert" not in code and "input" not in code
            compared += 1
    assert compared > 200
