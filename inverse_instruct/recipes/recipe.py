"""A recipe: the stages of a run, in order, and which of them trains, measures and decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from inverse_instruct.stages.review import REVIEW
from inverse_instruct.stages.stage import Stage, Together

Step = Stage | Together


@dataclass(frozen=True)
class Recipe:
    """What a run plays.

    Attributes:
        name: as a config names it.
        corpus: played once, in round 0.
        data: what makes training rows with the promoted model, in every later round.
        train: what makes a checkpoint, in every round.
        evaluate: what measures it.
        decide: what promotes it or does not; the metrics of its manifest are a `Decision`.
        paper: where it is described, as a URL; "" where it is not.
    """

    name: str
    corpus: tuple[Step, ...]
    data: tuple[Step, ...]
    train: Stage
    evaluate: Stage
    decide: Stage
    paper: str = ""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages in the order of a round."""
        return tuple(stages_of((*self.corpus, *self.data, self.train, self.evaluate, self.decide)))

    @property
    def corpus_leaves_devices(self) -> bool:
        """Whether an engine may load while the corpus is read."""
        return not any(stage.all_devices for stage in stages_of(self.corpus))

    def of_round(self, number: int) -> tuple[Stage, ...]:
        """Return the stages of a round, in order."""
        return tuple(stages_of((*(self.data if number else self.corpus), self.train, self.evaluate, self.decide)))


def reviewed(recipe: Recipe) -> Recipe:
    """Return a recipe in which each round waits, before it trains, for what a person decides about its rows."""
    selected = replace(recipe.train.reads["selected"], stage=REVIEW.name)
    train = replace(recipe.train, reads={**recipe.train.reads, "selected": selected})
    return replace(recipe, data=(*recipe.data, REVIEW), train=train)


def stages_of(steps: tuple[Step, ...]) -> Iterator[Stage]:
    """Yield the stages of some steps, one by one."""
    for step in steps:
        yield from (step.first, step.second) if isinstance(step, Together) else (step,)
