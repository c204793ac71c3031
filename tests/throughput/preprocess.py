"""Time the preprocess stage on many small rows, in one process, several, and by Ray, and take its peak memory.

Enters: a number of rows, the share of them that is broken, and a seed; the rows are made from these. Leaves: for each
mode, as one line of JSON, rows a second, the most resident memory of all its processes at once, the accounting, and
digests of the rows; exit code 1 if a row is missing, or the modes differ in a row. `usual` is a loop of datasketch and
tree-sitter as people write it, which finds near duplicates alone. The rows are short Python functions in Alpaca form,
hardly two of them alike, so that nearly all are kept: the worst case for memory, not for speed.

    python -m tests.throughput.preprocess --rows 1000000 --modes 1 2 ray usual

Not guaranteed: figures that mean anything on a busy machine.
"""

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

SAMPLE_SECONDS = 0.2  # between looks at the memory
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


def measure(command: list[str]) -> tuple[float, int, str]:
    """Run a command; return its seconds, the most resident bytes of it and its children at once, and its output."""
    started, most = time.monotonic(), 0
    with tempfile.TemporaryFile("w+") as printed:
        child = psutil.Popen([sys.executable, *command], stdout=printed)
        while child.poll() is None:
            most = max(most, sum(map(_resident, [child, *_children(child)])))
            time.sleep(SAMPLE_SECONDS)
        if child.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
        printed.seek(0)
        return time.monotonic() - started, most, printed.read()


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def ours(corpus: Path, output: Path, mode: str) -> dict[str, Any]:
    """Preprocess, in so many processes or by Ray; return the figures and a digest of all rows."""
    command = ["-m", "inverse_instruct.cli", "preprocess", "--input", str(corpus), "--output", str(output), "--json"]
    command += ["--executor", "ray"] if mode == "ray" else ["--set", f"preprocess.processes={mode}"]
    seconds, most, printed = measure(command)
    manifest = json.loads(printed)
    assert manifest["rows_in"] == manifest["rows_out"] + sum(manifest["rejected"].values())
    return {
        "rows_in": manifest["rows_in"],
        "kept": manifest["rows_out"],
        "rejected": manifest["rejected"],
        "seconds": seconds,
        "peak_mib": most >> 20,
        "rows": {name: value[:16] for name, value in manifest["outputs"].items()},
    }


def usual(corpus: Path) -> dict[str, Any]:
    """Do it in a loop of datasketch and tree-sitter, as people write it, in a process of its own."""
    seconds, most, printed = measure(["-m", "tests.throughput.preprocess", "--loop", str(corpus)])
    return {"kept": int(printed), "seconds": seconds, "peak_mib": most >> 20}


def loop(corpus: Path) -> int:
    """Return how many rows are kept: fenced Python that parses and is near to none before."""
    import tree_sitter_python
    from datasketch import MinHash, MinHashLSH
    from tree_sitter import Language, Parser

    parser, lsh, kept = Parser(Language(tree_sitter_python.language())), MinHashLSH(threshold=0.75, num_perm=128), 0
    for number, line in enumerate(corpus.open(encoding="utf-8")):
        try:
            found = re.search(r"```python\n(.*?)```", json.loads(line)["output"], re.DOTALL)
        except (ValueError, KeyError, TypeError):
            continue
        if not found or parser.parse(found[1].encode()).root_node.has_error:
            continue
        words, sketch = re.findall(r"\w+|[^\w\s]", found[1]), MinHash(num_perm=128)
        for start in range(len(words) - 4):
            sketch.update(" ".join(words[start : start + 5]).encode())
        if not lsh.query(sketch):
            lsh.insert(str(number), sketch)
            kept += 1
    return kept


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Time the preprocess stage on many small rows.")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--broken", type=float, default=0.0, help="share of broken rows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--modes", nargs="+", default=["1", "2"], help="numbers of processes, ray, or usual")
    parser.add_argument("--loop", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.loop:
        print(loop(arguments.loop))
        return
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "corpus.jsonl")
        broken = make_rows(corpus, arguments.rows, arguments.broken, arguments.seed)
        print(json.dumps({"rows": arguments.rows, "broken": broken, "bytes": corpus.stat().st_size}), flush=True)
        found = {}
        for mode in arguments.modes:
            found[mode] = usual(corpus) if mode == "usual" else ours(corpus, Path(folder, mode), mode)
            rate = round(arguments.rows / found[mode]["seconds"], 1)
            print(json.dumps({"mode": mode, "rows_per_second": rate} | found[mode]), flush=True)
    ran = [about for mode, about in found.items() if mode != "usual"]
    lost = any(about["rows_in"] != arguments.rows for about in ran)
    sys.exit(lost or any(about["rows"] != ran[0]["rows"] for about in ran))


if __name__ == "__main__":
    main()
