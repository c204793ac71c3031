"""Seconds and memory to go on with candidates that are done: summarize and score, then both again from their journals.

Enters: how many snippets. Leaves, on standard output: of the first time and of the second, seconds, and the largest
memory of this process so far. The model is a stand-in in this process, whose tokens are letters: what is measured is
the orchestrator and its journals.

    python -m tests.throughput.resuming --snippets 10000

Not guaranteed: memory of the process in which real tokenizers run; it holds one question at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from inverse_instruct.records import Snippet, digest, to_dict
from inverse_instruct.stages.score import SCORE
from inverse_instruct.stages.summarize import SUMMARIZE
from inverse_instruct.store.rows import write_rows
from tests.playing import play_asking, room_of
from tests.stages.spelled import NotingClient, model_of

CODE = "def total_{0}(items, tax):\n    subtotal = sum(item.price for item in items)\n    return subtotal * tax + {0}\n"


class Forgetful(list[Any]):
    """Notes nothing."""

    def append(self, noted: Any) -> None:
        """Forget it."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--snippets", type=int, default=10_000)
    parser.add_argument("--candidates", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        snippets = folder / "snippets.parquet"
        write_rows(snippets, map(to_dict, map(snippet, range(arguments.snippets))), Snippet)
        for time_ in ("first", "again"):
            began, spent = time.monotonic(), time.process_time()
            kept = play(folder, snippets, arguments.candidates)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            print(
                f"{time_}: {kept:,} pairs in {time.monotonic() - began:.1f} s ({time.process_time() - spent:.1f} s of "
                f"CPU), {memory:.2f} GiB at most",
                flush=True,
            )


def snippet(number: int) -> Snippet:
    """Return one of many snippets."""
    code = CODE.format(number)
    return Snippet(digest("python", code), code, "python", "", str(number), "corpus.jsonl", number)


def play(folder: Path, snippets: Path, candidates: int) -> int:
    """Play both stages one behind the other, as the loop does; return how many pairs there are."""
    client = NotingClient(lambda prompt, seed: f" function that adds up the prices of items and a tax of {seed}.")
    client.asked, client.judged = Forgetful(), Forgetful()
    asked = model_of(client, 4000)
    inputs = {"snippets": [snippets]}
    rooms = [
        room_of(SUMMARIZE, folder / "summarize", inputs, asked=asked, summarize={"candidates": candidates}),
        room_of(SCORE, folder / "score", inputs, asked=asked),
    ]
    return asyncio.run(play_asking(*rooms))[-1].rows_out


if __name__ == "__main__":
    main()
