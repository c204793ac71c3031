"""What both cards say: the funnel of rows, and what was kept out of the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.recipes.recipe import stages_of
from inverse_instruct.recipes.table import recipe_of
from inverse_instruct.registry.cards.markdown import TEMPLATES
from inverse_instruct.registry.lineage import History, Lineage


@dataclass(frozen=True)
class Method:
    """How the rows of a run were made: the words of its recipe, or what its stages say of themselves."""

    recipe: str
    paper: str  # URL, or ""
    steps: tuple[str, ...]

    @property
    def template(self) -> str:
        """The folder of the recipe's own words, if it has any."""
        return self.recipe if (TEMPLATES / self.recipe).is_dir() else "other"


def method(config: RunConfig) -> Method:
    """Return how the rows of a run were made."""
    recipe = recipe_of(config)
    steps = stages_of((*recipe.corpus, *recipe.data))
    return Method(recipe.name, recipe.paper, tuple(f"{stage.verb}: {stage.does}" for stage in steps))


@dataclass(frozen=True)
class FunnelRow:
    """What became of the rows of a stage."""

    label: str
    rows_in: int
    rows_out: int
    rejected: str


def funnel(history: History, rounds: list[int]) -> list[FunnelRow]:
    """Return a row per data stage that led to the rows of some rounds: rows in, rows out, rejections by reason."""
    return [
        FunnelRow(
            f"{stage}, round {number}: {manifest.unit}s" if number else f"{stage}: corpus",
            manifest.rows_in,
            manifest.rows_out,
            counts(manifest.rejected),
        )
        for (number, stage), manifest in history.manifests.items()
        if number in {0, *rounds} and manifest.unit and not manifest.measures.phases
    ]


def counts(by_reason: dict[str, int]) -> str:
    """Return rejections in words, the most frequent reason first."""
    ordered = sorted(by_reason.items(), key=lambda item: -item[1])
    return ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in ordered) or "none"


def decontamination(config: RunConfig) -> str:
    """Return what was done so that benchmarks are not in the data."""
    if not config.kept_out:
        return "Nothing was done to keep benchmarks out of the data."
    names = ", ".join(
        benchmark.name if benchmark.is_suite else Path(benchmark.name).name for benchmark in config.kept_out
    )
    return (
        f"Rows that hold a text or solution of these benchmarks, or share {config.preprocess.ngram} words in a row "
        f"with one, were rejected as contaminated: {names}."
    )


def card_title(history: History, lineage: Lineage) -> str:
    """Return what a checkpoint is called in its cards."""
    return history.config.card.title or f"{history.config.name} {lineage.name}"


def corpus_names(config: RunConfig) -> list[str]:
    """Return the sources of the corpus: their names on the hub, or the last parts of their paths."""
    return [public_name(source.path) for source in config.corpus]


def public_name(name: str) -> str:
    """Return a name that is fit for publishing: of a path on this machine only its last part."""
    return Path(name).name if Path(name).is_absolute() or Path(name).exists() else name
