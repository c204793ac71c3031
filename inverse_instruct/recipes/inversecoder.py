"""InverseCoder: a model writes instructions for code, judges them, and is trained on the best."""

from __future__ import annotations

from inverse_instruct.recipes.recipe import Recipe
from inverse_instruct.stages.decide import DECIDE
from inverse_instruct.stages.evaluate import EVALUATE
from inverse_instruct.stages.preprocess import PREPROCESS
from inverse_instruct.stages.score import SCORE
from inverse_instruct.stages.select import SELECT
from inverse_instruct.stages.stage import Together
from inverse_instruct.stages.summarize import SUMMARIZE
from inverse_instruct.stages.train import TRAIN

INVERSE_CODER = Recipe(
    "inversecoder",
    (PREPROCESS,),
    (Together(SUMMARIZE, SCORE), SELECT),
    TRAIN,
    EVALUATE,
    DECIDE,
    paper="https://arxiv.org/abs/2407.05700",
)
