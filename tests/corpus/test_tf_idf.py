"""Vectors of texts by their words: near for texts with the same rare words, whatever the vocabulary."""

from __future__ import annotations

import numpy as np

from inverse_instruct.corpus.tf_idf import TfIdf

TEXTS = [
    "def parse_invoice(path): return load(path)",
    "def parseInvoice(path): return load(path)",
    "def sort_numbers(values): return sorted(values)",
    "def multiply_matrix(a, b): return a @ b",
    "",
    "!!! ???",
    "größe = länge * 2",
]


def embedded(dimensions: int = 384) -> np.ndarray:
    return TfIdf(TEXTS, dimensions)(TEXTS)


def test_vectors_have_length_one_or_nothing() -> None:
    vectors = embedded()
    assert vectors.shape == (7, 384) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 1, 0, 0, 1])


def test_names_are_their_words() -> None:
    vectors = embedded()
    assert np.allclose(vectors[0], vectors[1]), "snake case and camel case say the same"
    assert vectors[0] @ vectors[2] < 0.5
    assert abs(vectors[0] @ vectors[6]) < 0.3


def test_words_that_all_texts_have_count_less() -> None:
    texts = [f"return value {word}" for word in "alpha beta gamma delta epsilon zeta eta theta".split()]
    vectors = TfIdf(texts, 384)(texts)
    same = TfIdf(["return value"] * 3, 384)(["return value"] * 2)
    assert same[0] @ same[1] > 0.99
    assert np.mean([vectors[i] @ vectors[j] for i in range(8) for j in range(i)]) < 0.5


def test_products_are_about_the_cosines_of_the_whole_vectors() -> None:
    generator = np.random.default_rng(0)
    words = [f"w{number}x" for number in range(400)]
    texts = [" ".join(generator.choice(words, 60)) for _ in range(60)]
    narrow, wide = TfIdf(texts, 384)(texts), TfIdf(texts, 1 << 15)(texts)
    difference = np.abs(narrow @ narrow.T - wide @ wide.T)
    assert difference.mean() < 0.05 and difference.max() < 0.3


def test_a_text_has_the_same_vector_alone_and_among_others_whatever_their_order() -> None:
    whole = TfIdf(TEXTS, 64)
    assert np.array_equal(whole(TEXTS)[2:3], whole(TEXTS[2:3]))
    assert np.array_equal(whole(TEXTS), TfIdf(TEXTS[::-1], 64)(TEXTS))
    assert whole([]).shape == (0, 64)
