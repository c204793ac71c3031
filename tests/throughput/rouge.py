"""How long ROUGE-L of many instructions against all before them takes, against `rouge_score` in a loop.

Enters: optionally files of rows with an `instruction` field; what is missing to the count is made by replacing words.
Leaves, on standard output: the seconds of the index for all; the seconds of `rouge_score` for a sample of them against
all before these, and what its loop over all pairs would take at that rate; whether the decisions on the sample agree.

    pip install rouge_score
    python -m tests.throughput.rouge --count 20000 --sample 20 rows.json.gz

Not guaranteed: the package's own time for all pairs, which would be hours; it is worked out from the sample.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

from inverse_instruct.corpus.rouge import RougeIndex
from inverse_instruct.corpus.row_files import read_records

THRESHOLD = 0.7


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--sample", type=int, default=20)
    arguments = parser.parse_args()
    texts = instructions(arguments.files, arguments.count)
    started = time.perf_counter()
    index, found = RougeIndex(THRESHOLD), {}
    for number, text in enumerate(texts):
        found[number] = index.find(text)
        index.add(str(number), text)  # all of them, whatever they repeat: that is the most work
    ours = time.perf_counter() - started
    repeats = sum(place is not None for place in found.values())
    print(f"index: {len(texts)} instructions against all before them: {ours:.1f} s, {repeats} near duplicates")
    compare(texts, found, arguments.sample, ours)


def instructions(files: list[Path], count: int) -> list[str]:
    """Return so many instructions: those of the files, then the same with some of their words replaced by others'."""
    rows = (record.fields for path in files for record in read_records(path))
    texts = [row["instruction"] for row in rows if row and isinstance(row.get("instruction"), str)]
    texts = list(dict.fromkeys(text for text in texts if text.strip())) or ["Add a function that sorts the given list."]
    draw = random.Random(0)
    words = [word for text in texts for word in text.split()]
    draw.shuffle(texts)
    known = len(texts)
    while len(texts) < count:
        changed = texts[draw.randrange(known)].split()
        for _ in range(1 + len(changed) // 2):
            changed[draw.randrange(len(changed))] = draw.choice(words)
        texts.append(" ".join(changed))
    print(f"{min(known, count)} instructions of the files, {max(0, count - known)} made of them")
    return texts[:count]


def compare(texts: list[str], found: dict[int, str | None], sample: int, ours: float) -> None:
    """Time `rouge_score` on a sample, and compare the decisions."""
    from rouge_score.rouge_scorer import RougeScorer  # type: ignore[import-not-found,unused-ignore]

    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    chosen = sorted(random.Random(1).sample(range(len(texts)), sample))
    pairs = sum(chosen)
    started = time.perf_counter()
    decisions = {
        number: next(
            (
                str(earlier)
                for earlier, score in enumerate([scorer.score(texts[number], text) for text in texts[:number]])
                if score["rougeL"].fmeasure > THRESHOLD
            ),
            None,
        )
        for number in chosen
    }
    seconds = time.perf_counter() - started
    whole = seconds / pairs * len(texts) * (len(texts) - 1) / 2
    equal = sum(decisions[number] == found[number] for number in chosen)
    print(
        f"rouge_score: {pairs} pairs in {seconds:.1f} s; all pairs at that rate: {whole:.0f} s ({whole / ours:.0f} x)"
    )
    print(f"equal decisions, to the first text that is repeated: {equal} of {sample} ({pairs} pairs)")


if __name__ == "__main__":
    main()
