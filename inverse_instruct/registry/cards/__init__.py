"""The cards of an export: Markdown with YAML front matter, as the Hugging Face hub reads it."""

from inverse_instruct.registry.cards.dataset import dataset_card
from inverse_instruct.registry.cards.model import model_card

__all__ = ["dataset_card", "model_card"]
