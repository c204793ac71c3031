"""Functions of installed or unpacked packages as a corpus for `configs/studies/rounds.yaml`.

Enters: Python files, whose functions with doctests are wanted, each once, and how many. Leaves: rows of code without
docstrings and annotations, each with its doctests as `usage`, in an order that follows from the code. Only functions
that need nothing but themselves are taken. Not guaranteed: that a doctest passes; `verify` sees to that.

    pip download --no-deps algorithms==1.0.1 more-itertools==11.2.1 boltons==26.2.0 toolz==1.2.0
    for wheel in *.whl; do python -m zipfile -e $wheel packages; done
    python -m tests.studies.pool $(find packages -name '*.py') > pool.jsonl
"""

from __future__ import annotations

import argparse
import ast
import json
from pathlib import Path

from inverse_instruct.records import digest
from tests.throughput.verifier import documented


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--most", type=int, help="rows; all without it")
    arguments = parser.parse_args()
    rows = {ast.unparse(function.tree): function.doctests for function in documented(sorted(arguments.files))}
    for code in sorted(rows, key=digest)[: arguments.most]:
        print(json.dumps({"code": code, "language": "python", "usage": rows[code]}))


if __name__ == "__main__":
    main()
