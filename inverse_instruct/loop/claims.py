"""What a study was to show, and what came of it.

Enters: the claims of a study, which were written before it was played, and its runs. Leaves: for each claim both
values, the difference and a verdict. The tests are paired and two-sided: exact McNemar on verdicts, which on losses is
the exact sign test. A claim that something is better needs it at the level, corrected for all claims (Holm); one that
it is not worse falls at the level without a correction, which would make it easier to uphold. Not guaranteed: that what
is not shown to be worse is as good; on few problems only a clear difference can be told from luck.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from evaluation import compare_paired, holm
from inverse_instruct.benchmarks.results import read_agreements, read_pass_rates, read_solution_losses
from inverse_instruct.config.study_file import Claim, Study
from inverse_instruct.errors import RunDirError
from inverse_instruct.recipes.table import recipe_of
from inverse_instruct.store.manifest import read_manifest
from inverse_instruct.store.run_dir import RunDir

LEVEL = 0.05


@dataclass(frozen=True)
class ClaimResult:
    """One claim; what there is not, or not yet, is None."""

    claim: str
    candidate: str  # VARIANT@ROUND
    baseline: str
    measure: str
    holds_if: str
    problems: int | None = None  # that both were measured on
    before: float | None = None  # of the baseline: a rate, or a loss in nats per token
    after: float | None = None  # of the candidate
    low: float | None = None  # of the difference, 95 % interval, paired bootstrap over problems
    high: float | None = None
    improved: int | None = None  # problems
    worsened: int | None = None
    p: float | None = None  # two-sided
    p_holm: float | None = None  # corrected for the number of claims
    holds: bool | None = None


def read_claims(study: Study, folder: Path) -> list[ClaimResult]:
    """Decide the claims of a study, as far as their checkpoints are measured."""
    found = [_compared(study, folder, words, claim) for words, claim in study.claims.items()]
    corrected = iter(holm([result.p for result in found if result.p is not None]))
    return [_decided(result, next(corrected)) if result.p is not None else result for result in found]


def _compared(study: Study, folder: Path, words: str, claim: Claim) -> ClaimResult:
    result = ClaimResult(words, claim.candidate, claim.baseline, claim.measure, claim.holds_if)
    before, after = (_measured(study, folder, name, claim.measure) for name in (claim.baseline, claim.candidate))
    shared = [problem for problem in before if problem in after]
    if not shared:
        return result
    sign = -1 if claim.measure == "solution_loss" else 1
    paired = compare_paired(
        {problem: sign * before[problem] for problem in shared}, {problem: sign * after[problem] for problem in shared}
    )
    ends = sorted((sign * paired.difference.low, sign * paired.difference.high))
    return replace(
        result,
        problems=len(shared),
        before=fmean(before[problem] for problem in shared),
        after=fmean(after[problem] for problem in shared),
        low=ends[0],
        high=ends[1],
        improved=len(paired.gained),
        worsened=len(paired.lost),
        p=paired.p_two_sided,
    )


def _decided(result: ClaimResult, p_holm: float) -> ClaimResult:
    assert result.p is not None and result.improved is not None and result.worsened is not None
    if result.holds_if == "better":
        holds = p_holm < LEVEL and result.improved > result.worsened
    else:
        holds = not (result.p < LEVEL and result.worsened > result.improved)
    return replace(result, p_holm=p_holm, holds=holds)


def _measured(study: Study, folder: Path, checkpoint: str, measure: str) -> Mapping[str, float]:
    """Return a measure of a checkpoint by problem; nothing where there is none, or not yet."""
    variant, _, number = checkpoint.rpartition("@")
    stage = recipe_of(study.variants[variant]).evaluate.name
    evaluated = RunDir(folder / variant).stage(int(number), stage)
    if read_manifest(evaluated) is None:
        return {}
    read = {"pass_at_1": read_pass_rates, "self_consistency": read_agreements, "solution_loss": read_solution_losses}
    try:
        return read[measure](evaluated)
    except RunDirError:  # nothing of the kind was measured
        return {}
