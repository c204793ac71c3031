"""What single parts of a training step take: the cross entropy of large vocabularies, optimizers, attention."""

from __future__ import annotations

import pytest

from tests.gpu.conftest import Figures
from tests.gpu.harness import GIB, on_device
from tests.gpu.shapes import CODER_1_3B, ON_CPU

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(200)]
VOCABULARY = 2000 if ON_CPU else 152064
TOKENS = [512, 2048] if ON_CPU else [4096, 8192, 16384]


def in_gib(count: int | None) -> float | None:
    return count and round(count / GIB, 2)


def test_the_cross_entropy_of_a_large_vocabulary_in_chunks(figures: Figures) -> None:
    found = on_device("cross_entropy_memory", vocabulary=VOCABULARY, hidden=128 if ON_CPU else 3584, tokens=TOKENS)
    for entry in found:
        figures(vocabulary=VOCABULARY, **entry, peak_gib=in_gib(entry["peak_bytes"]))
    for chunked, plain in zip(found[::2], found[1::2], strict=True):
        assert chunked["loss"] == pytest.approx(plain["loss"], rel=1e-5)
        assert chunked["gradient_norm"] == pytest.approx(plain["gradient_norm"], rel=1e-5 if ON_CPU else 1e-2)
        assert ON_CPU or chunked["peak_bytes"] < plain["peak_bytes"]
    assert ON_CPU or chunked["peak_bytes"] < plain["peak_bytes"] / 2, "at the largest size, where the logits are most"


def test_a_step_of_each_optimizer_on_a_flat_shard(figures: Figures) -> None:
    for entry in on_device("optimizer_steps", elements=10**5 if ON_CPU else CODER_1_3B.parameters):
        figures(**entry)
        assert entry["seconds"] > 0


def test_attention_on_padded_rows_with_and_without_a_mask(figures: Figures) -> None:
    masked, plain = on_device(
        "attention_with_and_without_mask", shape=CODER_1_3B.as_dict(), rows=8, length=128 if ON_CPU else 1024
    )
    for entry in (masked, plain):
        figures(**entry, peak_gib=in_gib(entry["peak_bytes"]))
    assert ON_CPU or plain["seconds"] < 1.1 * masked["seconds"]
