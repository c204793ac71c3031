"""What came of a study: each variant's last checkpoint, and how it compares with the baseline's; and the claims.

Enters: the runs of a study. Leaves: tables. Every comparison is paired, problem by problem; as several are looked at,
the p-values are also given as Holm corrects them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from evaluation import holm
from inverse_instruct.benchmarks.compare import compare
from inverse_instruct.config.study_file import Study
from inverse_instruct.errors import RunDirError
from inverse_instruct.loop.claims import ClaimResult, read_claims
from inverse_instruct.recipes.recipe import stages_of
from inverse_instruct.recipes.table import recipe_of
from inverse_instruct.store.manifest import read_manifest
from inverse_instruct.store.measures import SuiteReport
from inverse_instruct.store.run_dir import RunDir


@dataclass(frozen=True)
class Against:
    """A variant against the baseline, problem by problem."""

    difference: float  # of the pass rates, in [-1, 1]
    low: float  # 95 % interval, paired bootstrap over problems
    high: float
    gained: int  # problems
    lost: int
    p: float  # exact McNemar, two-sided
    p_holm: float  # corrected for the number of variants


@dataclass(frozen=True)
class VariantResult:
    """One variant; what there is not, or not yet, is None."""

    variant: str
    changes: dict[str, Any]  # key -> value
    failure: str | None
    rows: int | None  # selected in the last round
    suites: dict[str, SuiteReport]
    against: Against | None  # None for the baseline itself


@dataclass(frozen=True)
class StudyResults:
    """What came of a study."""

    study: str
    baseline: str
    variants: tuple[VariantResult, ...]
    claims: tuple[ClaimResult, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def read_results(study: Study, folder: Path, failures: Mapping[str, str]) -> StudyResults:
    """Read what there is of a study by now."""
    rows = [_variant(study, folder, name, failures.get(name)) for name in study.variants]
    corrected = iter(holm([row.against.p for row in rows if row.against]))
    rows = [replace(row, against=replace(row.against, p_holm=next(corrected))) if row.against else row for row in rows]
    return StudyResults(study.name, study.baseline, tuple(rows), tuple(read_claims(study, folder)))


def _variant(study: Study, folder: Path, name: str, failure: str | None) -> VariantResult:
    selected, evaluated = (read_manifest(part) for part in _folders(study, folder, name))
    return VariantResult(
        variant=name,
        changes=study.changes[name],
        failure=failure,
        rows=selected.rows_out if selected else None,
        suites=evaluated.measures.suites if evaluated else {},
        against=_against(study, folder, name) if evaluated and name != study.baseline else None,
    )


def _folders(study: Study, folder: Path, name: str) -> tuple[Path, Path]:
    """Return where the last round has its training rows, and its measures."""
    config, run_dir = study.variants[name], RunDir(folder / name)
    recipe = recipe_of(config)
    *_, selects = stages_of(recipe.data)
    return run_dir.stage(config.rounds, selects.name), run_dir.stage(config.rounds, recipe.evaluate.name)


def _against(study: Study, folder: Path, name: str) -> Against | None:
    baseline, candidate = (_folders(study, folder, variant)[1] for variant in (study.baseline, name))
    try:
        found = compare(baseline, candidate)
    except RunDirError:  # the baseline has not been measured yet, or failed
        return None
    difference, p = found.difference, found.p_two_sided
    return Against(difference.rate, difference.low, difference.high, len(found.gained), len(found.lost), p, p)
