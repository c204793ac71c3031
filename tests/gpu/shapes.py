"""The models of these checks: real shapes with random weights; on a CPU small ones in their place, for a dry run."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

ON_CPU = os.environ.get("INVERSE_INSTRUCT_GPU_TESTS_ON_CPU") == "1"


@dataclass(frozen=True)
class Shape:
    """A Llama without tied embeddings or grouped queries, as DeepSeek-Coder is."""

    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int

    @property
    def parameters(self) -> int:
        layer = 4 * self.hidden**2 + 3 * self.hidden * self.intermediate + 2 * self.hidden
        return 2 * self.vocabulary * self.hidden + self.layers * layer + self.hidden

    def training_flops(self, tokens: int, length: float, *, all_weights: bool) -> float:
        """Return the operations of training on so many tokens, in sequences of a mean length, nothing computed twice.

        A weight takes part in two for each token forward, two for the gradient of its input and, where it is trained,
        two for its own gradient. Adapters are not counted.
        """
        weights = self.parameters - self.vocabulary * self.hidden  # looking up an embedding multiplies nothing
        attention = 6 * self.layers * self.hidden * length  # forward and backward, half of the square being masked
        return tokens * ((6 if all_weights else 4) * weights + attention)

    def config(self) -> dict[str, Any]:
        """Return what `LlamaConfig` takes."""
        return {
            "vocab_size": self.vocabulary,
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.heads,
            "max_position_embeddings": 2048,
            "tie_word_embeddings": False,
        }

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


TINY = Shape(512, 64, 128, 2, 4) if ON_CPU else Shape(512, 256, 512, 4, 4)
CODER_1_3B = Shape(32256, 64, 128, 2, 4) if ON_CPU else Shape(32256, 2048, 5504, 24, 16)
CODER_6_7B = TINY if ON_CPU else Shape(32256, 4096, 11008, 32, 32)
