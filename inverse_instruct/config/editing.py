"""Sections of the config for InstructCoder: edits of code from repositories, and more like them from a model."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from inverse_instruct.config.addresses import check_urls
from inverse_instruct.config.identity import HOW
from inverse_instruct.config.outside import Outside, Text
from inverse_instruct.config.section import Address, File, Section
from inverse_instruct.source_code.languages import LANGUAGES

Repository = Annotated[str, Outside("file", is_repository=True)]

INTENTS = [
    "complete the code",
    "improve its time or space complexity",
    "fix bugs",
    "add comments and docstrings",
    "add unit tests",
    "refactor it",
    "make it more readable",
    "handle errors",
    "make it faster",
    "update what it depends on",
    "make it accessible",
    "follow coding standards",
    "make it more secure",
    "split it into modules",
    "migrate it to another framework",
    "log and monitor",
    "mend what a linter complains about",
    "prepare it for several languages and regions",
    "remove dead code",
    "cache results",
    "use a design pattern",
    "stop it from leaking memory",
    "use several threads",
    "remove duplication",
    "call the API of a service",
    "add a feature",
]
"""Why code is edited: the 26 intents of the InstructCoder paper."""
KEEP_BEHAVIOR = [
    "improve its time or space complexity",
    "add comments and docstrings",
    "refactor it",
    "make it more readable",
    "make it faster",
    "follow coding standards",
    "mend what a linter complains about",
    "remove dead code",
    "cache results",
    "remove duplication",
]
LICENSES = ["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "MIT-0"]
LICENSES += ["PSF-2.0", "Unlicense", "Zlib"]


class WriterSection(Section):
    """Who writes instructions, scenarios and edits, where that is not the promoted model, which still judges them."""

    endpoint: Address | None = None
    """Base URL of an OpenAI-compatible server that is asked by chat; null: the promoted model writes. A key goes into
    INVERSE_INSTRUCT_WRITER_API_KEY."""
    model: Text | None = None
    """Name by which the model is asked for there; null: the first that it lists."""
    concurrency: Annotated[int, HOW] = Field(16, ge=1)
    """Requests in flight at it."""

    @field_validator("endpoint")
    @classmethod
    def _is_a_url(cls, url: str | None) -> str | None:
        return None if url is None else check_urls([url])[0]


class SeedsSection(Section):
    """Edits that people made: commits of git repositories, and files."""

    repositories: list[Repository] = []
    """Folders of git repositories, bare or not; what leads to their heads is read."""
    files: list[File] = []
    """Files of edits with `instruction`, `input`, `output`, and if known `scenario`, `intent` and `language`."""
    languages: list[Text] = ["python"]
    """Languages to keep."""
    licenses: list[Text] = LICENSES
    """Licenses, by their SPDX identifiers, that a commit's files must have; others and unknown ones are left out."""
    max_commits: int = Field(10_000, ge=1)
    """Of each repository only the newest so many commits are looked at."""
    max_seconds: float = Field(600, gt=0)
    """How long git may take for one repository; what it has told by then is kept."""
    max_file_bytes: int = Field(200_000, ge=1)
    """A commit of a larger file is left out."""
    min_message_words: int = Field(3, ge=1)
    """A commit whose message has fewer words in its first line says too little."""
    near_duplicate_threshold: float = Field(0.75, gt=0, le=1)
    """Estimated Jaccard similarity from which two seeds are near duplicates, in the input or in the output."""

    @model_validator(mode="after")
    def _languages_are_known(self) -> SeedsSection:
        unknown = [language for language in self.languages if language not in LANGUAGES]
        if unknown:
            raise ValueError(f"no grammar for {', '.join(unknown)}; known: {', '.join(sorted(LANGUAGES))}")
        return self


class EditsSection(Section):
    """What counts as an edit to learn from, whoever made it."""

    min_changed_lines: int = Field(1, ge=1)
    """Lines that only one of the two sides has (`n_diff` of the paper)."""
    min_edit_ratio: float = Field(0.0, ge=0, le=1)
    """Share that these have of all lines of both sides (`r_diff`): less is too little of a change."""
    max_edit_ratio: float = Field(0.95, ge=0, le=1)
    """More is no edit, but other code."""
    max_lines: int = Field(120, ge=1)
    """Lines of each side."""
    max_characters: int = Field(8000, ge=1)
    """Characters of each side."""

    @model_validator(mode="after")
    def _some_ratio_is_within(self) -> EditsSection:
        if self.min_edit_ratio > self.max_edit_ratio:
            raise ValueError(
                f"no edit ratio is at least {self.min_edit_ratio} and at most {self.max_edit_ratio}; lower the first"
            )
        return self


class Written(Section):
    """How the replies of a model are sampled."""

    temperature: float = Field(0.7, ge=0)
    """Sampling temperature; 0 is greedy."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus sampling mass."""
    presence_penalty: float = Field(1.5, ge=-2, le=2)
    """Penalty on tokens that the reply has already."""
    max_new_tokens: int = Field(1024, ge=1)
    """Longest reply, in tokens."""


class ClarifySection(Written):
    """Messages of commits to precise instructions."""

    enabled: bool = True
    """Have the model say what the commit changes; else its message is the instruction."""
    temperature: float = Field(0.0, ge=0)
    """Sampling temperature; 0 is greedy."""
    presence_penalty: float = Field(0.0, ge=-2, le=2)
    """Penalty on tokens that the reply has already."""
    max_new_tokens: int = Field(128, ge=1)
    """Longest instruction, in tokens."""


class BootstrapSection(Written):
    """Seeds to new instructions (InstructCoder section 3.2)."""

    instructions: int = Field(1000, ge=1)
    """Instructions to accept; the wave that reaches this is the last."""
    prompts: int = Field(1000, ge=1)
    """Questions to ask at most, however few instructions were accepted."""
    wave: int = Field(32, ge=1)
    """Questions that are made from the same pool of instructions; smaller waves learn sooner from one another."""
    seeds: int = Field(7, ge=1)
    """Instructions of seeds to show in a question."""
    generated: int = Field(1, ge=0)
    """Instructions that were accepted before to show beside them, as far as there are any."""
    intents: list[Text] = Field(INTENTS, min_length=1)
    """Why code is to be edited, one for each question, in turn."""
    rouge: float = Field(0.7, gt=0, le=1)
    """An instruction whose ROUGE-L with a seed or an accepted one is higher is a near duplicate."""
    top_p: float = Field(0.5, gt=0, le=1)
    """Nucleus sampling mass."""
    max_new_tokens: int = Field(2048, ge=1)
    """Longest reply, in tokens."""


class ScenariosSection(Written):
    """Instructions to the situations in which they are given."""

    scenarios: int = Field(10, ge=1)
    """Scenarios to ask for, of which one is drawn."""
    shots: int = Field(2, ge=0)
    """Seeds with a scenario to show; fewer where the context is too short for them."""
    max_new_tokens: int = Field(1300, ge=1)
    """Longest reply, in tokens."""


class InstancesSection(Written):
    """Instructions to code before and after the edit."""

    samples: int = Field(1, ge=1)
    """Instances to write for each instruction; the LM-Score tells which is the best. Several need a temperature."""
    shots: int = Field(4, ge=0)
    """Seeds to show; fewer where the context is too short for them."""
    temperature: float = Field(0.0, ge=0)
    """Sampling temperature; 0 is greedy."""
    near_duplicate_threshold: float = Field(0.75, gt=0, le=1)
    """Estimated Jaccard similarity from which two edits are near duplicates, in the input or in the output."""
    keep_behavior: list[Text] = KEEP_BEHAVIOR
    """Intents for which self-contained Python functions must return the same before and after, where they can run."""
    checks: int = Field(12, ge=1)
    """Calls with generated arguments that they are compared on."""

    @model_validator(mode="after")
    def _can_be_sampled(self) -> InstancesSection:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(f"{self.samples} samples at temperature 0 are all the same; raise the temperature")
        return self
