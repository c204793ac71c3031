"""Padding, and waiting for the slowest rank, of micro batches by a budget of tokens against those by a count of rows.

Enters: a model folder, for its tokenizer, and files of instruction rows. Leaves, on standard output, for each file and
way: computed tokens over real ones; tokens of the slowest rank over the mean, summed over forward passes; the most
forward passes of a rank in a step.

    python -m tests.throughput.batches MODEL ROWS... --ranks 8 --tokens 16384

Not guaranteed: that time is proportional to tokens, as attention is not.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inverse_instruct.corpus.row_files import read_records
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.training.batches import BatchPlan


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--ranks", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=16_384)
    parser.add_argument("--global-batch-size", type=int, default=512)
    parser.add_argument("--longest", type=int, default=2048, help="tokens; longer rows are cut there")
    arguments = parser.parse_args()
    formatter = PromptFormatter(arguments.model, "magicoder")
    for path in arguments.files:
        lengths = lengths_of(formatter, path, arguments.longest)
        ways = {f"{arguments.tokens} tokens": (1, arguments.tokens), "4 rows": (4, None), "16 rows": (16, None)}
        for name, (rows, tokens) in ways.items():
            plan = BatchPlan(
                lengths,
                global_batch_size=arguments.global_batch_size,
                micro_batch_size=rows,
                micro_batch_tokens=tokens,
                ranks=arguments.ranks,
                epochs=1,
                seed=0,
            )
            print(f"{path.name:28} {len(lengths):6} rows, {name:13}: {told(plan)}")


def lengths_of(formatter: PromptFormatter, path: Path, longest: int) -> NDArray[np.int64]:
    """Return the tokens of each row, prompt and response."""
    pairs = []
    for record in read_records(path):
        row = record.fields or {}
        asked = row.get("instruction") or row.get("prompt") or ""
        answered = row.get("response") or row.get("output") or row.get("completion") or ""
        if asked and answered:
            pairs.append((f"{asked}\n{row.get('input') or ''}", str(answered)))
    rows = formatter.training_rows(pairs)
    return np.array([min(longest, len(prompt) + len(response)) for prompt, response in rows], np.int64)


def told(plan: BatchPlan) -> str:
    """Return the figures of a plan in words."""
    padded = waited = 0
    for step in range(plan.steps):
        shares = [plan.micro_batches(step, rank) for rank in range(plan.ranks)]
        for pieces in zip(*shares, strict=True):
            work = [sum(len(rows) * int(plan.lengths[rows].max(initial=0)) for rows in strips) for strips in pieces]
            padded, waited = padded + sum(work), waited + plan.ranks * max(work)
    return (
        f"padding {padded / plan.lengths.sum():.3f}, waiting {waited / padded:.3f}, "
        f"{plan.accumulation_steps} passes a step"
    )


if __name__ == "__main__":
    main()
