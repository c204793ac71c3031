"""InverseCoder: a model writes instructions for code, judges them, and is trained on the best; and its ablations."""

from __future__ import annotations

from inverse_instruct.recipes.recipe import Recipe
from inverse_instruct.stages.decide import DECIDE
from inverse_instruct.stages.discern import DISCERN
from inverse_instruct.stages.evaluate import EVALUATE
from inverse_instruct.stages.pair import PAIR
from inverse_instruct.stages.preprocess import PREPROCESS
from inverse_instruct.stages.respond import RESPOND
from inverse_instruct.stages.score import SCORE
from inverse_instruct.stages.select import SELECT, SELECT_VERIFIED
from inverse_instruct.stages.select_drafts import selection_of
from inverse_instruct.stages.stage import Together
from inverse_instruct.stages.summarize import SUMMARIZE
from inverse_instruct.stages.train import TRAIN
from inverse_instruct.stages.verify import VERIFY

PAPER = "https://arxiv.org/abs/2407.05700"
MEASURED = (TRAIN, EVALUATE, DECIDE)

INVERSE_CODER = Recipe(
    "inversecoder", (PREPROCESS,), (Together(SUMMARIZE, SCORE), DISCERN, SELECT), *MEASURED, paper=PAPER
)
VERIFIED = Recipe(
    "inversecoder-verified",
    (PREPROCESS,),
    (Together(SUMMARIZE, SCORE), DISCERN, VERIFY, SELECT_VERIFIED),
    *MEASURED,
    paper=PAPER,
)
CLEANED = Recipe("inversecoder-cleaned", (PREPROCESS,), (PAIR,), *MEASURED, paper=PAPER)
SELECT_RESPONSES = selection_of(
    "respond", "select-responses", "choose the best response to each instruction", snippets=True
)
RESPONSES = Recipe("inversecoder-responses", (PREPROCESS,), (RESPOND, SELECT_RESPONSES), *MEASURED, paper=PAPER)
