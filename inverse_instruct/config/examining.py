"""What the config says of measuring a checkpoint, and of what follows: the sections `evaluate` and `promote`."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from evaluation.suites import SUITES
from inverse_instruct.config.identity import HOW
from inverse_instruct.config.outside import COMMAND, Text
from inverse_instruct.config.section import File, Program, Section


class SuiteSection(Section):
    """One benchmark suite, and how it is asked."""

    suite: Text = "mini"
    """Name of the suite; `inverse-instruct suites` lists them. `mini` ships with the program."""
    data: File | None = None
    """Its file, or a folder that holds it; null: the Hugging Face hub, where the suite is there."""
    tasks: Text | None = None
    """Ids, numbers and ranges of tasks, such as `HumanEval/0-9,HumanEval/12`, or, of `livecodebench`, a span of contest
    dates, such as `2024-08-01..2025-01-31` (one end may be left out); null: all."""
    limit: int | None = Field(None, ge=1)
    """Only the first so many of these; null: all."""
    samples: int = Field(1, ge=1)
    """Samples per task; several need a temperature."""
    temperature: float = Field(0.0, ge=0)
    """Sampling temperature; 0 is greedy."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus sampling mass."""
    max_new_tokens: int = Field(512, ge=1)
    """Longest completion, in tokens."""
    self_consistency: bool = True
    """Measure self-consistency too, where the suite has inputs (InverseCoder equation 2) and is asked as trained."""
    solution_loss: bool = False
    """Measure how likely the model finds the canonical solutions too, where the suite has some and is asked as trained:
    a cheap look that sees differences far below those of pass@1. It is all there is of `held_out`, where it is on."""
    decides: bool = True
    """Whether promotion looks at it; one that does not stays a fair measure after many rounds."""
    frame: Literal["trained", "bare"] = "trained"
    """`trained`: as a request in `model.prompt_format`; `bare`: the task's text alone, to go on from, as a base model
    does best. A suite may be named once with each."""

    @property
    def name(self) -> str:
        """What tells it from the other suites of a run."""
        return self.suite if self.frame == "trained" else f"{self.suite}-bare"

    @model_validator(mode="before")
    @classmethod
    def _without_tests_there_is_the_loss(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("suite") == "held_out":
            return {"solution_loss": True, **given}
        return given

    @model_validator(mode="after")
    def _is_a_suite_and_can_be_sampled(self) -> SuiteSection:
        if self.suite not in SUITES:
            close = difflib.get_close_matches(self.suite, SUITES, n=1)
            remedy = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(SUITES)}"
            raise ValueError(f"there is no suite {self.suite!r}; {remedy}")
        if self.suite == "held_out" and not (self.solution_loss and self.frame == "trained"):
            raise ValueError("held_out has no tests; leave its solution_loss true and its frame as trained")
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(f"{self.samples} samples at temperature 0 are all the same; raise the temperature")
        return self


class EvaluateSection(Section):
    """The examination of each round's checkpoint."""

    suites: list[SuiteSection] = Field([SuiteSection()], min_length=1, max_length=100)
    """What is measured, each suite once; promotion is decided on all problems of those that decide, together."""
    workers: Annotated[int, HOW] = Field(2, ge=1)
    """Programs that are run at once."""
    memory_mib: int = Field(4096, ge=64)
    """Memory limit of one executed program, in MiB."""
    python: Program | None = None
    """Interpreter of an environment with libraries: that of DS-1000, made by `launch/ds1000_environment.sh`, or one of
    your own for BigCodeBench."""
    unsandboxed: Annotated[bool, COMMAND] = False
    """Run generated code without a sandbox: only where you would run it by hand. The report says so."""

    @model_validator(mode="after")
    def _each_suite_once(self) -> EvaluateSection:
        names = [section.name for section in self.suites]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"suites: {', '.join(twice)} is named twice; name each suite once for each frame")
        if not any(section.decides for section in self.suites):
            raise ValueError("suites: none has decides: true, so no checkpoint could be told from another")
        return self


class PromoteSection(Section):
    """When a checkpoint becomes the next M."""

    alpha: float = Field(0.05, gt=0, lt=1)
    """Level of the one-sided paired tests."""
    rule: Literal["not_worse", "better"] = "not_worse"
    """`not_worse`: promoted unless a test says that it is worse than the promoted checkpoint, or than the best so far;
    `better`: only if a test says that it is better than the promoted one, round n at the level alpha / (n (n + 1))."""
    patience: Annotated[int | None, HOW] = Field(None, ge=1)
    """The run ends after so many rounds in a row that pass no more than the best before them; null: it never does."""
