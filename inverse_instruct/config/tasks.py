"""Sections of the config for WaveCoder: a coreset of snippets, and rows of four tasks that are made from them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from inverse_instruct.config.identity import HOW
from inverse_instruct.config.outside import Text
from inverse_instruct.config.section import File, Model, Section
from inverse_instruct.source_code.languages import LANGUAGES


class CoresetSection(Section):
    """Snippets to a choice that covers them (WaveCoder)."""

    size: int = Field(20_000, ge=1)
    """Snippets to choose; all, where there are no more."""
    embedding: Annotated[Model | None, HOW] = None
    """Folder of sentence-transformers, or its name on the HF hub; null: TF-IDF, which needs no model."""
    dimensions: int = Field(384, ge=8)
    """Dimensions of the vectors that TF-IDF makes."""


class LeakageSection(Section):
    """Drafts that come too near to a benchmark's solution (WaveCoder)."""

    nearest: int = Field(3, ge=0)
    """Drafts nearest to each piece of code of a benchmark to look at; 0: none."""
    min_similarity: float = Field(0.9, ge=-1, le=1)
    """Cosine of the embeddings from which one of these is left out."""


class SharesSection(Section):
    """How many of the rows are of which task, as parts of their sum; by default as in the paper."""

    generation: float = Field(57.1, ge=0)
    """Code for a description."""
    summarization: float = Field(15.9, ge=0)
    """A description of code."""
    repair: float = Field(15.8, ge=0)
    """Code that is right for code that is not."""
    translation: float = Field(11.2, ge=0)
    """The same code in another language."""

    @model_validator(mode="after")
    def _one_is_positive(self) -> SharesSection:
        if not any(self.model_dump().values()):
            raise ValueError("all shares are 0; give at least one task a share")
        return self


class GenerateSection(Section):
    """Snippets to rows of four tasks, written and judged (WaveCoder)."""

    shares: SharesSection = SharesSection()
    """How many rows are of which task."""
    targets: list[Text] = ["python", "javascript", "java", "cpp", "go"]
    """Languages to translate into; the one is drawn that the snippet is not written in."""
    attempts: int = Field(1, ge=1)
    """How often a row is written anew, and judged again, before its snippet is given up."""
    reply: Literal["block", "frame"] = "block"
    """`block`: the model writes all keys itself; `frame`: the keys are given, and it fills in one after the other."""
    examples: int = Field(1, ge=0)
    """Good cases to show, and as many bad ones, as far as there are any of the task."""
    database: int = Field(100, ge=1)
    """Good cases of a task to keep to draw from, and as many bad ones: a fair sample of all that there were."""
    wave: int = Field(128, ge=1)
    """Rows that are written from the same cases; smaller waves learn sooner from one another."""
    temperature: float = Field(1.0, ge=0)
    """Sampling temperature of the generator; 0 is greedy. The discriminator is always greedy."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus sampling mass of the generator."""
    repetition_penalty: float = Field(1.0, gt=0)
    """Penalty on tokens already seen, of both."""
    max_new_tokens: int = Field(512, ge=1)
    """Longest reply, in tokens, of both; in a frame that of one key. What reaches it is rejected as cut off."""
    max_snippet_tokens: int = Field(1024, ge=1)
    """Longer snippets are rejected before anything is sent."""
    execute: bool = True
    """Run the rows that can be run: repairs must fail before and pass after, translations must agree."""
    template: File | None = None
    """Jinja file to use in place of `generate.jinja`, or in a frame of `generate-key.jinja`."""
    judge_template: File | None = None
    """Jinja file to use in place of `discriminate.jinja`, or in a frame of `discriminate-step.jinja`."""

    @model_validator(mode="after")
    def _makes_sense(self) -> GenerateSection:
        unknown = [language for language in self.targets if language not in LANGUAGES]
        if unknown:
            raise ValueError(f"targets: no grammar for {', '.join(unknown)}; known: {', '.join(sorted(LANGUAGES))}")
        if self.shares.translation and len(set(self.targets)) < 2:
            raise ValueError("targets: name two languages at least, since a snippet may be written in one of them")
        if self.attempts > 1 and self.temperature == 0:
            raise ValueError(f"{self.attempts} attempts at temperature 0 are all the same; raise the temperature")
        return self
