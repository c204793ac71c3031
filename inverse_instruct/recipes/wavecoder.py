"""WaveCoder: a coreset of snippets, rows of four tasks from a generator and a discriminator, and training on them."""

from __future__ import annotations

from inverse_instruct.recipes.recipe import Recipe
from inverse_instruct.stages.coreset import CORESET
from inverse_instruct.stages.decide import DECIDE
from inverse_instruct.stages.evaluate import EVALUATE
from inverse_instruct.stages.generate import GENERATE
from inverse_instruct.stages.leakage import LEAKAGE
from inverse_instruct.stages.preprocess import PREPROCESS
from inverse_instruct.stages.select_drafts import selection_of
from inverse_instruct.stages.train import TRAIN

SELECT_TASKS = selection_of("leakage", "select-tasks", "make training rows of drafts of four tasks", snippets=True)

WAVE_CODER = Recipe(
    "wavecoder",
    (PREPROCESS, CORESET),
    (GENERATE, LEAKAGE, SELECT_TASKS),
    TRAIN,
    EVALUATE,
    DECIDE,
    paper="https://arxiv.org/abs/2312.14187",
)
