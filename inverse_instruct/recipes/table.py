"""All recipes by name, and all of their stages by command."""

from __future__ import annotations

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.recipes.instructcoder import INSTRUCT_CODER
from inverse_instruct.recipes.inversecoder import CLEANED, INVERSE_CODER, RESPONSES, VERIFIED
from inverse_instruct.recipes.recipe import Recipe, reviewed
from inverse_instruct.recipes.wavecoder import WAVE_CODER
from inverse_instruct.stages.stage import Stage

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe for recipe in (INVERSE_CODER, VERIFIED, CLEANED, RESPONSES, INSTRUCT_CODER, WAVE_CODER)
}


def recipe_of(config: RunConfig) -> Recipe:
    """Return what a config plays."""
    recipe = RECIPES[config.recipe]
    return reviewed(recipe) if config.selection.review == "wait" else recipe


def stages_by_command() -> dict[str, Stage]:
    """Return every stage of every recipe, by its name on the command line; of equal names the first one."""
    stages: dict[str, Stage] = {}
    for recipe in RECIPES.values():
        for stage in recipe.stages:
            stages.setdefault(stage.verb, stage)
    return stages
