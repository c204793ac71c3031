"""What a set of instruction data is like (InverseCoder, data analysis; InstructCoder, edit ratios).

Enters: pairs. Leaves: lengths, first verbs and their objects, near-duplicate rates, similarity to benchmarks, and edit
ratios, as plain figures. Tokens are words and signs, so that sets are compared by the same measure whatever model they
are for. An object is the word after the verb that is no article, pronoun or name of a language: a rule, no parser.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray

from evaluation.texts import TaskTexts
from inverse_instruct.analysis.pairs import Pair
from inverse_instruct.corpus.deduplication import NearDuplicates
from inverse_instruct.corpus.edits import edit_ratio

BIN_TOKENS = 20  # of the paper's length distributions
BINS = 30  # the last one has all that is longer
THRESHOLDS = (0.6, 0.7, 0.8)  # of the paper's near-duplicate rates
DIMENSIONS = 512
BLOCK_ROWS = 1024
SHOWN = 20
PREFIXES = 7  # as many as the paper's
CATEGORIES = (
    "algorithms and data structures",
    "mathematics and computation",
    "databases and SQL",
    "system design and architecture",
    "security and cryptography",
    "performance optimization",
    "web",
    "domain-specific",
    "user interfaces and applications",
    "data science and machine learning",
)  # the ten of Magicoder and InverseCoder
Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to vectors of length 1."""
_TOKEN = re.compile(r"\w+|[^\w\s]")
_WORD = re.compile(r"[a-z][a-z+#-]*")
_BEGINNING = re.compile(r"\s*((?:[A-Za-z]\w*\s+){1,3}an?)\s")
_PASSED_OVER = set(
    "a an the this that these those me us it its your my our some any all each one new simple given following python "
    "java javascript typescript c c++ c# go rust ruby php swift bash to of for with in on as i you we".split()
)


@dataclass(frozen=True)
class Lengths:
    """How many tokens one side of the rows has."""

    mean: float
    median: float
    longest: int
    histogram: tuple[int, ...]  # rows by bins of BIN_TOKENS


@dataclass(frozen=True)
class Near:
    """A row beside the benchmark task that it is most like."""

    task: str
    similarity: float  # cosine of TF-IDF vectors, at most 1
    instruction: str


@dataclass(frozen=True)
class Similarity:
    """How near the rows come to a benchmark: of each row, the largest similarity to any of its tasks."""

    mean: float
    percentile_99: float
    largest: float
    histogram: tuple[int, ...]  # rows by twentieths of the similarity from 0 on; the first has what is below, too
    nearest: tuple[Near, ...]


@dataclass(frozen=True)
class Edits:
    """How much the rows with code before and after change of it (over lines that are not empty)."""

    rows: int
    mean_lines: float  # n_diff
    mean_ratio: float  # r_diff
    histogram: tuple[int, ...]  # rows by tenths of r_diff


@dataclass(frozen=True)
class SetMeasures:
    """What one set is like."""

    name: str
    rows: int
    unreadable: dict[str, int]  # reason -> rows that were left out
    instruction: Lengths
    response: Lengths
    verbs: tuple[tuple[str, int], ...]  # the most frequent first words
    verbs_with_objects: tuple[tuple[str, int], ...]
    beginnings: tuple[tuple[str, int], ...]  # a word and its article, fit for `summarize.prefixes`
    near_duplicates: dict[str, float]  # Jaccard similarity -> share of rows that nearly repeat an earlier one
    similarity: dict[str, Similarity]  # by benchmark
    edits: Edits | None
    tasks: tuple[tuple[str, int], ...]  # intents of edits, or tasks, where rows have one; the most frequent first
    categories: tuple[tuple[str, int], ...]  # by embedding, where a model was given
    embedded_similarity: dict[str, Similarity]  # as `similarity`, of the vectors of the model, where one was given


def lengths(texts: Iterable[str]) -> Lengths:
    """Return how many tokens texts have, of which there is at least one."""
    counts = [len(_TOKEN.findall(text)) for text in texts]
    bins = Counter(min(count // BIN_TOKENS, BINS - 1) for count in counts)
    return Lengths(fmean(counts), float(median(counts)), max(counts), tuple(bins[place] for place in range(BINS)))


def verb_and_object(instruction: str) -> tuple[str, str] | None:
    """Return the first word of an instruction and the first after it that may be its object, in lower case."""
    words = _WORD.findall(instruction.lower()[:400])
    if not words:
        return None
    return words[0], next((word for word in words[1:] if word not in _PASSED_OVER), "")


def verbs(instructions: Iterable[str]) -> tuple[Counter[str], Counter[str]]:
    """Return how often instructions begin with a word, and with a word and its object."""
    first: Counter[str] = Counter()
    both: Counter[str] = Counter()
    for found in map(verb_and_object, instructions):
        if found:
            first[found[0]] += 1
            both[" ".join(found).strip()] += 1
    return first, both


def beginnings(instructions: Iterable[str]) -> Counter[str]:
    """Return how often instructions begin with words that end in their first article, such as `Write a`.

    InverseCoder's forced beginnings are the most frequent ones of its corpus (section 3.2); an article is among the
    first four words.
    """
    found = (_BEGINNING.match(instruction) for instruction in instructions)
    words = (" ".join(one[1].split()) for one in found if one)
    return Counter(f"{text[0].upper()}{text[1:]}" for text in words)


def near_duplicate_share(texts: Iterable[str], threshold: float) -> float:
    """Return the share of texts that are near duplicates of an earlier one, by the Jaccard similarity of 5-shingles."""
    known, repeated, rows = NearDuplicates(threshold), 0, 0
    for rows, text in enumerate(texts, 1):  # noqa: B007
        repeated += known.find_or_add("", text) is not None
    return repeated / rows if rows else 0.0


def similarity(pairs: Iterable[Pair], tasks: Sequence[TaskTexts], embed: Embed) -> Similarity:
    """Return how near pairs come to tasks: prompt and solution of a task against all that a row says."""
    wanted = embed(["\n".join((*task.prose, *task.code)) for task in tasks])
    found: list[NDArray[np.float32]] = []
    nearest: list[tuple[float, str, str]] = []
    for block in _blocks(pairs):
        cosines = embed([pair.text for pair in block]) @ wanted.T
        best = cosines.max(axis=1)
        found.append(best)
        which = cosines.argmax(axis=1).tolist()
        rows = [(float(best[n]), tasks[which[n]].task, pair.instruction) for n, pair in enumerate(block)]
        nearest = sorted(nearest + rows, reverse=True)[:SHOWN]
    values = np.concatenate(found)
    bins = np.bincount(np.clip(values * 20, 0, 19).astype(int), minlength=20)
    return Similarity(
        float(values.mean()),
        float(np.percentile(values, 99)),
        float(values.max()),
        tuple(bins.tolist()),
        tuple(Near(task, value, instruction[:200]) for value, task, instruction in nearest),
    )


def categories(pairs: Iterable[Pair], embed: Embed) -> Counter[str]:
    """Return how many rows there are of each of `CATEGORIES`: that whose name is nearest to the instruction."""
    names = embed([f"{name} problems" for name in CATEGORIES])
    found: Counter[str] = Counter(dict.fromkeys(CATEGORIES, 0))
    for block in _blocks(pairs):
        nearest = (embed([pair.instruction for pair in block]) @ names.T).argmax(axis=1)
        found.update(CATEGORIES[place] for place in nearest.tolist())
    return found


def edits(pairs: Iterable[Pair]) -> Edits | None:
    """Return how much pairs change of their input; None if none has one."""
    found = [edit_ratio(pair.input, pair.response) for pair in pairs if pair.input]
    if not found:
        return None
    bins = Counter(min(int(ratio * 10), 9) for _, ratio in found)
    return Edits(
        len(found),
        fmean(lines for lines, _ in found),
        fmean(ratio for _, ratio in found),
        tuple(bins[place] for place in range(10)),
    )


def _blocks(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    rows = iter(pairs)
    while block := list(islice(rows, BLOCK_ROWS)):
        yield block
