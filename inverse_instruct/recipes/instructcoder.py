"""InstructCoder: edits that people made, and more like them, written by the model that is then trained on them."""

from __future__ import annotations

from dataclasses import replace

from inverse_instruct.recipes.recipe import Recipe
from inverse_instruct.records import TrainingRow
from inverse_instruct.stages.bootstrap import BOOTSTRAP
from inverse_instruct.stages.clarify import CLARIFY
from inverse_instruct.stages.decide import DECIDE
from inverse_instruct.stages.evaluate import EVALUATE
from inverse_instruct.stages.instances import INSTANCES
from inverse_instruct.stages.scenarios import SCENARIOS
from inverse_instruct.stages.seeds import SEEDS
from inverse_instruct.stages.select_drafts import selection_of
from inverse_instruct.stages.stage import Input, Rows, When
from inverse_instruct.stages.train import TRAIN

SELECT_EDITS = selection_of("instances", "select-edits", "choose the best edit of each instruction as training rows")
TRAIN_ON_EDITS = replace(
    TRAIN, reads={**TRAIN.reads, "original": Input("seeds", Rows("original.parquet", TrainingRow), When.ONCE)}
)
INSTRUCT_CODER = Recipe(
    "instructcoder",
    (SEEDS,),
    (CLARIFY, BOOTSTRAP, SCENARIOS, INSTANCES, SELECT_EDITS),
    TRAIN_ON_EDITS,
    EVALUATE,
    DECIDE,
    paper="https://arxiv.org/abs/2310.20329",
)
