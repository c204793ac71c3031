"""Ways to write one and the same right program, and ways to say it: each gives a reply that passes as it stands.

A program form takes a program that defines `f` and returns one that defines it otherwise, at the mercy of something at
its top level. A reply form takes a whole program and returns a reply around it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable

Form = Callable[[str, str], str]


def renamed(program: str, f: str) -> str:
    """The program with its entry point called `f_impl`."""
    return re.sub(rf"\b{re.escape(f)}\b", f"{f}_impl", program).rstrip() + "\n\n\n"


def _around(before: str, body: str, after: str = "") -> Form:
    """A form in which F calls IMPL; `before` and `after` stand around it at the top level."""

    def form(program: str, f: str) -> str:
        text = f"{before}\ndef F(*args):\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n{after}"
        return renamed(program, f) + re.sub(r"\bF\b", f, text.replace("IMPL", f"{f}_impl"))

    return form


def _instead(text: str) -> Form:
    """A form that makes F of IMPL at the top level."""

    def form(program: str, f: str) -> str:
        return renamed(program, f) + re.sub(r"\bF\b", f, text.replace("IMPL", f"{f}_impl"))

    return form


def _moved(opening: str, closing: str = "") -> Form:
    """A form in which the whole program stands under a compound statement."""

    def form(program: str, f: str) -> str:
        code = re.sub(r'"""(?:.|\n)*?"""', '"""Doc."""', program)  # its lines are not to be indented
        return f"{opening}\n{textwrap.indent(code.strip(), '    ')}\n{closing}\n"

    return form


CALL = "return IMPL(*args)"
NEEDS_TABLE = "if TABLE[3] != 9: raise ValueError(TABLE)\nreturn IMPL(*args)"
DEEP = "def down(n): return n and 1 + down(n - 1)\nif down(3000) != 3000: raise ValueError\nreturn IMPL(*args)"
WRAP = "def wrap(g):\n    def inner(*args):\n        return g(*args)\n    return inner\n"

PROGRAM_FORMS: dict[str, Form] = {
    "as it is": lambda program, f: program,
    "imports and constants on one line": _around(
        "import math; import re; A = 1; B = 2",
        "if math.floor(2.5) != 2 or not re.match('a', 'a') or A + B != 3: raise ValueError\nreturn IMPL(*args)"),
    "one line after another with ;": _around("A = 1; B = A + 1; C = [A, B]", "if C != [1, 2]: raise ValueError\n" + CALL),
    "an attribute of the function": _around("", "F.n += 1\n" + CALL, "F.n = 0\n"),
    "an annotated attribute": _around("", "F.n += 1\n" + CALL, "F.n: int = 0\n"),
    "two attributes at once": _around("", "if F.n + F.m != 3: raise ValueError\n" + CALL, "F.n, F.m = 1, 2\n"),
    "an item of an attribute": _around("", "if F.memo[0] != 1: raise ValueError\n" + CALL, "F.memo = {}\nF.memo[0] = 1\n"),
    "an attribute's method": _around("", "if F.memo != [1]: raise ValueError\n" + CALL, "F.memo = []\nF.memo.append(1)\n"),
    "setattr": _around("", "if F.n: raise ValueError\n" + CALL, "setattr(F, 'n', 0)\n"),
    "setattr in a loop": _around(
        "", "if F.a or F.b: raise ValueError\n" + CALL, "for name in ('a', 'b'):\n    setattr(F, name, 0)\n"),
    "an attribute by another name": _around("", "if F.n != 1: raise ValueError\n" + CALL, "g = F\ng.n = 1\n"),
    "__defaults__": _instead("def F(*args, extra):\n    return IMPL(*args)\n\nF.__kwdefaults__ = {'extra': 1}\n"),
    "an attribute that is a name too": _around("", "if table is not F.table: raise ValueError\n" + CALL,
                                                "table = F.table = {}\n"),
    "bound again": _instead(WRAP + "def F(*args):\n    return IMPL(*args)\n\nF = wrap(F)\n"),
    "bound again twice": _instead(WRAP + "F = IMPL\nF = wrap(F)\nF = wrap(F)\n"),
    "bound again with functools.cache": _instead(
        "import functools\nF = IMPL\nF = functools.wraps(IMPL)(lambda *args: IMPL(*args))\n"),
    "decorated": _instead(WRAP + "@wrap\ndef F(*args):\n    return IMPL(*args)\n"),
    "decorated over several lines": _instead(WRAP + "@(\n    wrap\n)\n# a comment\n@wrap\ndef F(*args):\n    return IMPL(*args)\n"),
    "decorated by a method": _instead(
        "class Registry:\n    def __init__(self): self.all = {}\n    def add(self, g):\n        self.all[0] = g\n"
        "        return g\n\nregistry = Registry()\n\n@registry.add\ndef part(*args):\n    return IMPL(*args)\n\n"
        "def F(*args):\n    return registry.all[0](*args)\n"),
    "a table of functions": _instead(
        "RULES = {}\n\ndef rule(name):\n    def keep(g):\n        RULES[name] = g\n        return g\n    return keep\n\n"
        "@rule('it')\ndef _(*args):\n    return IMPL(*args)\n\ndef F(*args):\n    return RULES['it'](*args)\n"),
    "classes that register themselves": _instead(
        "KNOWN = []\n\nclass Base:\n    def __init_subclass__(cls):\n        KNOWN.append(cls)\n\nclass One(Base):\n"
        "    def run(self, *args):\n        return IMPL(*args)\n\ndef F(*args):\n    return KNOWN[0]().run(*args)\n"),
    "single dispatch": _instead(
        "from functools import singledispatch\n\n@singledispatch\ndef go(x, *args):\n    raise TypeError\n\n"
        "@go.register\ndef _(x: object, *args):\n    return IMPL(*args)\n\n"
        "go.register(int, lambda x, *args: IMPL(*args))\n\ndef F(*args):\n    return go(1, *args)\n"),
    "functools.partial": _instead("from functools import partial\n\ndef go(k, *args):\n    return IMPL(*args)\n\nF = partial(go, 1)\n"),
    "a lambda": _instead("F = lambda *args: IMPL(*args)\n"),
    "an annotated lambda": _instead("from typing import Callable\nF: Callable = lambda *args: IMPL(*args)\n"),
    "another name": _instead("F = IMPL\n"),
    "of a tuple": _instead("F, other = IMPL, None\n"),
    "of a starred tuple": _instead("first, *F, last = 1, IMPL, 2\n[F] = F\n"),
    "a chain of assignments": _instead("F = again = IMPL\n"),
    "a walrus": _instead("(F := lambda *args: IMPL(*args))\n"),
    "an instance": _instead("class Go:\n    def __call__(self, *args):\n        return IMPL(*args)\n\nF = Go()\n"),
    "a bound method": _instead("class Go:\n    def go(self, *args):\n        return IMPL(*args)\n\nF = Go().go\n"),
    "a static method": _instead("class Go:\n    @staticmethod\n    def go(*args):\n        return IMPL(*args)\n\nF = Go.go\n"),
    "a closure": _instead("def make():\n    n = 0\n    def inner(*args):\n        nonlocal n\n        n += 1\n"
                           "        return IMPL(*args)\n    return inner\n\nF = make()\n"),
    "by exec": _instead("exec('def part(*args):\\n    return IMPL(*args)')\n\ndef F(*args):\n    return part(*args)\n"),
    "by globals": _instead("globals()['part'] = IMPL\n\ndef F(*args):\n    return part(*args)\n"),
    "looked up by name": _instead("def go_one(*args):\n    return IMPL(*args)\n\ndef F(*args):\n    return globals()['go_' + 'one'](*args)\n"),
    "under try": _moved("try:", "except ImportError:\n    pass"),
    "under if": _moved("import sys\nif sys.version_info >= (3, 8):", "else:\n    raise SystemExit"),
    "under with": _moved("import contextlib\nwith contextlib.suppress(ValueError):"),
    "under for": _moved("for _ in range(1):"),
    "under while": _moved("while True:", "    break"),
    "under match": _moved("match 1:\n  case 1:".replace("\n  ", "\n ")),
    "one of two": _instead("if 1 + 1 == 2:\n    def F(*args):\n        return IMPL(*args)\nelse:\n    def F(*args):\n        return None\n"),
    "a fallback": _instead("try:\n    from nowhere_to_be_found import F\nexcept ImportError:\n    def F(*args):\n        return IMPL(*args)\n"),
    "None at first": _instead("F = None\ntry:\n    F = IMPL\nfinally:\n    pass\n"),
    "a fallback for a module": _around(
        "try:\n    import nowhere_to_be_found as m\nexcept ImportError:\n    import math as m",
        "if m.floor(1.5) != 1: raise ValueError\n" + CALL),
    "a deep recursion": _around("import sys\nsys.setrecursionlimit(10_000)", DEEP),
    "a deep recursion, on one line": _around("import sys; sys.setrecursionlimit(10_000)", DEEP),
    "a deep recursion, imported by name": _around("from sys import setrecursionlimit\nsetrecursionlimit(10_000)", DEEP),
    "a deep recursion, by another name": _around("import sys as system\nsystem.setrecursionlimit(max(10_000, 1))", DEEP),
    "a deep recursion, under try": _around(
        "try:\n    import sys\n    sys.setrecursionlimit(10_000)\nexcept Exception:\n    pass", DEEP),
    "a deep recursion, set at the end": _around("import sys", DEEP, "sys.setrecursionlimit(10_000)\n"),
    "decimal's precision": _around(
        "from decimal import Decimal, getcontext\ngetcontext().prec = 4",
        "if str(Decimal(1) / 3) != '0.3333': raise ValueError\n" + CALL),
    "a seed": _around(
        "import random\nrandom.seed(1)\nFIRST = random.random()\nrandom.seed(1)",
        "if random.random() != FIRST: raise ValueError\nrandom.seed(1)\n" + CALL),
    "a table filled by a loop": _around("TABLE = {}\nfor i in range(5):\n    TABLE[i] = i * i", NEEDS_TABLE),
    "a table filled by a nested loop": _around(
        "TABLE = [[0] * 4 for _ in range(4)]\nfor row in range(4):\n    for column in range(4):\n"
        "        TABLE[row][column] = row * column", "if TABLE[3][3] != 9: raise ValueError\n" + CALL),
    "a table whose rows are filled": _around(
        "TABLE = [[0] for _ in range(4)]\nfor row in TABLE:\n    row[0] = 9", "if TABLE[3] != [9]: raise ValueError\n" + CALL),
    "a table filled by while": _around("TABLE = []\ni = 0\nwhile i < 5:\n    TABLE.append(i * i)\n    i += 1", NEEDS_TABLE),
    "a table filled by a comprehension": _around("TABLE = []\n[TABLE.append(i * i) for i in range(5)]", NEEDS_TABLE),
    "a table filled by a discarded comprehension": _around("TABLE = []\n_ = [TABLE.append(i * i) for i in range(5)]", NEEDS_TABLE),
    "a table filled by map": _around("TABLE = []\nlist(map(TABLE.append, (0, 1, 4, 9)))", NEEDS_TABLE),
    "a table filled by a function": _around(
        "TABLE = {}\ndef fill(table):\n    for i in range(5):\n        table[i] = i * i\nfill(TABLE)", NEEDS_TABLE),
    "a table filled by a function that knows it": _around(
        "TABLE = {}\ndef fill():\n    for i in range(5):\n        TABLE[i] = i * i\nfill()", NEEDS_TABLE),
    "a table made by a function that calls another": _around(
        "TABLE = None\ndef fill():\n    global TABLE\n    TABLE = [i * i for i in range(5)]\ndef start():\n    fill()\nstart()", NEEDS_TABLE),
    "a table filled after the function": _around("TABLE = {}", NEEDS_TABLE, "for i in range(5):\n    TABLE[i] = i * i\n"),
    "a table made after the function": _around("", NEEDS_TABLE, "TABLE = [0, 1, 4, 9]\n"),
    "a table made in two steps": _around("TABLE = [0, 1]\nTABLE += [4, 9]", NEEDS_TABLE),
    "a table with a part taken out": _around("TABLE = [0, 1, 2, 4, 9]\ndel TABLE[2]", NEEDS_TABLE),
    "a table that is sorted": _around("TABLE = [9, 4, 1, 0]\nTABLE.sort()", NEEDS_TABLE),
    "a table that is a heap": _around(
        "import heapq\nHEAP = [9, 4, 1, 0]\nheapq.heapify(HEAP)", "if HEAP[0] != 0: raise ValueError\n" + CALL),
    "a table filled under with": _around(
        "import threading\nTABLE = {}\nwith threading.Lock():\n    TABLE.update({i: i * i for i in range(5)})", NEEDS_TABLE),
    "a table filled under if": _around("TABLE = {}\nif not TABLE:\n    TABLE[3] = 9", NEEDS_TABLE),
    "a table made on one line": _around("TABLE = {}; TABLE[3] = 9; TABLE[4] = 16", NEEDS_TABLE),
    "a table of a class": _around(
        "class Table:\n    squares = {}\nTable.squares[3] = 9\nTable.more = 1",
        "if Table.squares[3] != 9 or Table.more != 1: raise ValueError\n" + CALL),
    "a method added to a class": _instead(
        "class Go:\n    pass\n\ndef method(self, *args):\n    return IMPL(*args)\n\nGo.run = method\n\n"
        "def F(*args):\n    return Go().run(*args)\n"),
    "a class made by type": _instead("Go = type('Go', (), {'run': lambda self, *args: IMPL(*args)})\ndef F(*args):\n    return Go().run(*args)\n"),
    "a class body that computes": _around(
        "BASE = 3\nclass Table:\n    squares = [i * i for i in range(BASE + 2)]\n    third = squares[BASE]",
        "if Table.third != 9: raise ValueError\n" + CALL),
    "a metaclass": _around(
        "class Meta(type):\n    def __getitem__(cls, i):\n        return i * i\nclass TABLE(metaclass=Meta):\n    pass", NEEDS_TABLE),
    "a data class": _around(
        "from dataclasses import dataclass, field\n\n@dataclass(order=True)\nclass P:\n    x: int\n    y: list = field(default_factory=list)\n",
        "if P(1) != P(1): raise ValueError\n" + CALL),
    "an enum": _around("from enum import Enum\n\nclass Color(Enum):\n    RED = 1\n", "if Color(1) is not Color.RED: raise ValueError\n" + CALL),
    "mutual recursion": _around(
        "def even(n):\n    return True if n == 0 else odd(n - 1)\n\ndef odd(n):\n    return False if n == 0 else even(n - 1)\n",
        "if not even(10): raise ValueError\n" + CALL),
    "mutual recursion with the entry point": _instead(
        "def F(*args):\n    return back(args)\n\ndef back(args):\n    return IMPL(*args) if args is not None else F()\n"),
    "a helper after it": _around("", "if square(3) != 9: raise ValueError\n" + CALL, "\ndef square(n):\n    return n * n\n"),
    "a helper defined twice": _around(
        "def square(n):\n    return None\n\ndef square(n):\n    return n * n\n", "if square(3) != 9: raise ValueError\n" + CALL),
    "names in defaults": _instead("LIMIT = 5\n\ndef F(*args, limit=LIMIT):\n    return IMPL(*args)\n"),
    "names in annotations": _instead("from typing import Any, List\nRow = List[int]\n\ndef F(*args: Row) -> Any:\n    return IMPL(*args)\n"),
    "names in decorators": _instead("import functools\nSIZE = None\n\n@functools.wraps(print, assigned=())\ndef F(*args):\n    return IMPL(*args)\n"),
    "names in a class's bases": _around("BASES = (object,)\nclass A(*BASES):\n    pass", "A()\n" + CALL),
    "a star import": _around("from math import *", "if floor(2.5) != 2: raise ValueError\n" + CALL),
    "a submodule": _around("import os.path\nimport collections.abc as abc", "if not os.path.join('a') or not abc.Set: raise ValueError\n" + CALL),
    "imports over several lines": _around("from math import (\n    floor,\n    ceil as up,\n)", "if up(floor(2.5)) != 2: raise ValueError\n" + CALL),
    "a future import": lambda program, f: f'"""A module."""\nfrom __future__ import annotations\n{program}',
    "__all__": lambda program, f: f"__all__ = ['{f}']\n__author__ = 'me'\n{program}",
    "a built-in name that is another's": _around("print = lambda *args: None\nold = divmod\ndef divmod(x, y): return old(x, y)[0]",
                                                 "print(1)\nif divmod(5, 2) != 2: raise ValueError\n" + CALL),
    "a counter": _around("COUNT = 0", "global COUNT\nCOUNT += 1\n" + CALL),
    "a text that looks like code": _around('TEXT = """\nimport nothing\ndef F(): pass\n```\nprint(\n"""', "if 'import' not in TEXT: raise ValueError\n" + CALL),
    "a table of more than fifty lines": _around("TABLE = {\n" + "".join(f"{i}: {i * i},\n" for i in range(90)) + "}", NEEDS_TABLE),
    "a text of more than fifty lines": _around('TEXT = """' + "a\n" * 90 + '"""', "if len(TEXT) != 180: raise ValueError\n" + CALL),
    "a hundred helpers": _around(
        "".join(f"def h{i}(n):\n    return h{i - 1}(n) + 1\n\n" if i else "def h0(n):\n    return n\n\n" for i in range(100)),
        "if h99(0) != 99: raise ValueError\n" + CALL),
    "a long if": _around("N = 3\nif N == -1:\n    TABLE = None\n" + "".join(f"elif N == {i}:\n    TABLE = [0, 1, 4, {i * i}]\n" for i in range(80)), NEEDS_TABLE),
    "names in other scripts": _around("größe = 3\nπ = 3.14\n名 = [größe]", "if 名[0] != 3 or π < 3: raise ValueError\n" + CALL),
    "an async helper": _around("import asyncio\n\nasync def wait():\n    return 9\n", "if asyncio.get_event_loop_policy() is None: raise ValueError\nwait().close()\n" + CALL),
    "a match in it": _around("", "match args:\n    case [first, *rest]:\n        pass\n    case _:\n        pass\n" + CALL),
    "a helper with a global declared at the top": _around("global TABLE\nTABLE = [0, 1, 4, 9]", NEEDS_TABLE),
    "a line that goes on": _around("TABLE = [0, 1, \\\n4, \\\n9]", NEEDS_TABLE),
    "a table unpacked": _around("(A, B), *TABLE = (1, 2), 0, 1, 4, 9", NEEDS_TABLE),
    "a conditional table": _around("import sys\nTABLE = [0, 1, 4, 9] if sys.maxsize else None", NEEDS_TABLE),
    "a generator": _around("def numbers():\n    yield from (0, 1, 4, 9)\nTABLE = list(numbers())", NEEDS_TABLE),
    "an iterator that was begun": _around("IT = iter([1, 9])\nnext(IT)\nTABLE = {3: next(IT)}", NEEDS_TABLE),
    "an assertion that binds": _around("assert (TABLE := [0, 1, 4, 9])", NEEDS_TABLE),
    "a name deleted": _around("TABLE = [0, 1, 4, 9]\nTABLE2 = TABLE\ndel TABLE2", NEEDS_TABLE),
    "an environment variable": _around("import os\nos.environ['LEVEL'] = '1'", "if os.environ['LEVEL'] != '1': raise ValueError\n" + CALL),
    "a module's attribute": _around("import math\nmath.tau2 = 9", "if math.tau2 != 9: raise ValueError\n" + CALL),
    "an object's method": _around(
        "class Box:\n    def __init__(self): self.items = []\n    def put(self, x): self.items.append(x)\nbox = Box()\nbox.put(9)",
        "if box.items != [9]: raise ValueError\n" + CALL),
    "a copied row": _around("GRID = [[1], [2]]\nfirst = GRID[0]\nfirst.append(9)", "if GRID[0] != [1, 9]: raise ValueError\n" + CALL),
    "defined under main only": _around("", NEEDS_TABLE, "if __name__ == '__main__':\n    TABLE = [0, 1, 4, 9]\nelse:\n    TABLE = [0, 1, 4, 9]\n"),
}

TESTS = "\n\nprint('is it right?', F)\nassert F is None, 'a test that is wrong'\n"
GUARD = "\n\nif __name__ == '__main__':\n    n = int(input())\n    print(F(n))\n    assert False\n"
DRAFT = "def F(*args):\n    return 'a draft'\n"


def _said(template: str) -> Form:
    """A reply with CODE in it, and F for the entry point."""

    def form(program: str, f: str) -> str:
        before, after = re.sub(r"\bF\b", f, template).split("CODE")
        return before + program.strip("\n") + after

    return form


def _indented(template: str, indent: str) -> Form:
    def form(program: str, f: str) -> str:
        return template.replace("CODE", textwrap.indent(program.strip("\n"), indent))

    return form


REPLY_FORMS: dict[str, Form] = {
    "bare": lambda program, f: program,
    "fenced": _said("```python\nCODE\n```"),
    "fenced without a name": _said("```\nCODE\n```\n"),
    "fenced with tildes": _said("~~~python\nCODE\n~~~\n"),
    "fenced with four": _said("````python\nCODE\n````\n"),
    "fenced, with a title": _said("```python title=\"a.py\" {1,2}\nCODE\n```\n"),
    "fenced amid prose": _said("Sure! Here's how (I think) it's done:\n\n```python\nCODE\n```\n\nIt isn't hard: import it, and call `F`.\n"),
    "prose without a fence": _said("Here's how I'd do it:\n\nCODE\n\nNote that it's linear (or so I think.\nimport this, if you like.\n"),
    "prose that looks like assignments": _said("Result: the value\nn = size of the list\n\nCODE\n\nTime = O(n)\nSpace: O(1)\n"),
    "headings": _said("## Solution\n\n```python\nCODE\n```\n\n## Complexity\n\n- Time: O(n)\n"),
    "fence never closed": _said("Here:\n```python\nCODE\n"),
    "fence opened after text": _said("The code is: ```python\nCODE\n```\nDone."),
    "fence closed after code": _said("```python\nCODE```\nThat's it, isn't it?"),
    "only the closing fence": _said("CODE\n```\n\nThat is all, isn't it?"),
    "end token after the fence": _said("```python\nCODE\n```<|im_end|>\n"),
    "tags": _said("[PYTHON]\nCODE\n[/PYTHON]\n"),
    "answer tags": _said("<answer>\n```python\nCODE\n```\n</answer>"),
    "in a list": _indented("1. The code:\n\n   ```python\nCODE\n   ```\n2. Done.\n", "   "),
    "indented block": _indented("Here it is:\n\nCODE\n\nThat is all, isn't it?\n", "    "),
    "all indented": _indented("CODE\n", "  "),
    "windows line ends": lambda program, f: f"```python\r\n{program.strip()}\r\n```\r\n".replace("\r\n", "\n").replace("\n", "\r\n"),
    "old line ends": lambda program, f: program.replace("\n", "\r"),
    "byte order mark": lambda program, f: "\ufeff" + program,
    "a script's first lines": _said("#!/usr/bin/env python3\n# -*- coding: utf-8 -*-\nCODE\n"),
    "tests after it": _said(f"```python\nCODE\n{GUARD}\n```"),
    "a wrong test after it, unfenced": _said(f"CODE\n{TESTS}"),
    "tests in a second block": _said(f"```python\nCODE\n```\nand test it:\n```python\nimport unittest\n{TESTS}\nunittest.main()\n```"),
    "usage and output": _said("```bash\npip install nothing\n```\n```python\nCODE\n```\nUsage:\n```python\nprint(F())\n```\nOutput:\n```\nF = 3\n```\n"),
    "cut off in the next function": _said("```python\nCODE\n\n\ndef test():\n    assert F([1, 2"),
    "a draft block first": _said(f"```python\n{DRAFT}```\nThat is wrong. Better:\n```python\nCODE\n```\n"),
    "two draft blocks first": _said(f"```python\n{DRAFT}```\nOr\n```python\n{DRAFT}\nF = None\n```\nNo:\n```python\nCODE\n```\n"),
    "a stub first": _said("```python\ndef F(*args):\n    \"\"\"Do it.\"\"\"\n    ...\n```\n```python\nCODE\n```\n"),
    "a stub after it": _said("```python\nCODE\n```\nIn short:\n```python\ndef F(*args):\n    ...\n```\n"),
    "a draft in a thought": _said(f"<think>\nMaybe\n```python\n{DRAFT}```\nHm.\n</think>\n\n```python\nCODE\n```"),
    "a draft after which the fence is not closed": _said(f"<think>\n```python\n{DRAFT}\n</think>\n```python\nCODE\n```"),
    "an unfenced draft in a thought": _said(f"<thinking>\n{DRAFT}\n</thinking>\nCODE\n"),
    "a draft in reasoning": _said(f"<reasoning>\n```\n{DRAFT}```\n</reasoning>\n```\nCODE\n```"),
    "a draft in brackets": _said(f"[THINK]\n```\n{DRAFT}```\n[/THINK]\n```\nCODE\n```"),
    "a thought within a thought": _said(f"<think>a <think>b</think>\n{DRAFT}</think>\nCODE\n"),
    "two thoughts": _said(f"<think>one\n{DRAFT}</think>\nNow,\n<think>two\n{DRAFT}</think>\n```\nCODE\n```"),
    "an empty thought": _said("<think>\n\n</think>\n\n```python\nCODE\n```"),
    "a thought that the prompt opened": _said(f"Maybe\n```python\n{DRAFT}```\nno.\n</think>\n\n```python\nCODE\n```"),
    "a thought that never ends, with an answer": _said(f"<think>\nMaybe\n```python\n{DRAFT}```\nBetter:\n```python\nCODE\n```\n"),
    "channels": _said(f"<|channel|>analysis<|message|>\n{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>\n```\nCODE\n```"),
}
