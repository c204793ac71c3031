"""Time the preprocess stage on many small rows, and take its peak memory.

Enters: a number of rows, the share of them that is broken, and a seed; the rows are made from these. Leaves: rows a
second, the peak resident memory of `inverse-instruct preprocess` and of the parser that it starts, and the accounting,
as one JSON object on standard output; exit code 1 if a row is missing in it. The rows are short Python functions in
Alpaca form, hardly two of them alike, so that nearly all are kept: the worst case for memory, not for speed. Not
guaranteed: figures that mean anything on a busy machine.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_BROKEN: list[Callable[[str], str]] = [
    lambda line: line[: len(line) // 2],  # cut off
    lambda line: line.replace("```python", "```python\\n(((", 1),  # does not parse
    lambda line: line.replace('"output"', '"outputs"'),  # a field is missing
    lambda line: line.replace("\\n```\\n", "\\n", 1),  # the fence is never closed
    lambda line: json.dumps({"instruction": "Say it", "output": None}),
    lambda line: json.dumps({"instruction": "Say it", "output": "I do not know."}),
    lambda line: json.dumps({"instruction": "Say \ud800", "output": "x"}),
]


def make_rows(path: Path, count: int, broken_share: float, seed: int) -> int:
    """Write so many rows; return how many of them are broken."""
    rng = random.Random(seed)
    broken = 0
    with path.open("w", encoding="utf-8") as stream:
        for number in range(count):
            line = json.dumps({"instruction": f"Write function {number}", "output": _answer(rng)})
            if rng.random() < broken_share:
                line = rng.choice(_BROKEN)(line)
                broken += 1
            stream.write(line + "\n")
    return broken


def _answer(rng: random.Random) -> str:
    a, b, c, d, e = ("".join(rng.choices(_LETTERS, k=6)) for _ in range(5))
    return (
        f"Here:\n```python\ndef {a}_{b}({c}, {d}):\n    {e} = [{c} * {rng.randrange(1000)} + {a} for {a} in {d}]\n"
        f"    if {e} and {c} > {rng.randrange(1000)}:\n        return {b}({e}, {d})\n    return {a}.{e}\n```\nBye."
    )


def measure(corpus: Path, output: Path) -> tuple[float, int, dict[str, Any]]:
    """Preprocess in a child process; return its seconds, its peak resident bytes and its manifest."""
    command = [sys.executable, "-m", "inverse_instruct.cli", "preprocess", "--input", str(corpus)]
    started = time.monotonic()
    child = subprocess.Popen([*command, "--output", str(output), "--json"], stdout=subprocess.PIPE)
    assert child.stdout
    printed = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - started
    if status:
        raise SystemExit(f"preprocess ended with {os.waitstatus_to_exitcode(status)}")
    return seconds, usage.ru_maxrss << 10, json.loads(printed)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Time the preprocess stage on many small rows.")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--broken", type=float, default=0.0, help="share of broken rows")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "corpus.jsonl")
        broken = make_rows(corpus, arguments.rows, arguments.broken, arguments.seed)
        seconds, peak, manifest = measure(corpus, Path(folder, "out"))
    accounted = manifest["rows_out"] + sum(manifest["rejected"].values())
    report = {
        "rows": arguments.rows,
        "broken": broken,
        "kept": manifest["rows_out"],
        "rejected": manifest["rejected"],
        "rows_per_second": round(arguments.rows / seconds, 1),
        "seconds": round(seconds, 1),
        "peak_mib": peak >> 20,
    }
    print(json.dumps(report, indent=2))
    sys.exit(manifest["rows_in"] != arguments.rows or accounted != arguments.rows)


if __name__ == "__main__":
    main()
