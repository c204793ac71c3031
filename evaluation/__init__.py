"""The examiner: judges generated code, and knows nothing of what generated it.

Enters: benchmark files and generated text. Leaves: verdicts, rates and comparisons. Imports nothing of the package
whose models it examines.
"""

from evaluation.diversity import Diversity, diversity, normalized
from evaluation.errors import BenchmarkError, SandboxUnavailable
from evaluation.execution import Sandbox, open_sandbox, run_program
from evaluation.judging import judge_samples
from evaluation.pass_at_k import PassRate, pass_at_k, pass_rate
from evaluation.problems import MINI_PATH, Problem, read_problems
from evaluation.programs import Outcome, Program, ProgramResult, Reason, ResourceLimits
from evaluation.reference import Reference, References
from evaluation.rows import Row, Rows, read_file
from evaluation.samples import choose_tasks, read_samples
from evaluation.sanitize import extract_code
from evaluation.self_consistency import Agreement, SelfConsistency, judge_agreement, self_consistency
from evaluation.statistics import (
    Estimate,
    PairedComparison,
    bootstrap_estimate,
    compare_paired,
    holm,
    minimum_detectable_effect,
    wilson_estimate,
)
from evaluation.suite import CompletionSuite, Examiner, Execution, Prompt, Sample, Suite, Verdict, dates_of
from evaluation.suites.evalplus import EvalPlusSuite

__all__ = [
    "MINI_PATH",
    "Agreement",
    "BenchmarkError",
    "CompletionSuite",
    "Diversity",
    "Estimate",
    "EvalPlusSuite",
    "Examiner",
    "Execution",
    "Outcome",
    "PairedComparison",
    "PassRate",
    "Problem",
    "Program",
    "ProgramResult",
    "Prompt",
    "Reason",
    "Reference",
    "References",
    "ResourceLimits",
    "Row",
    "Rows",
    "Sample",
    "Sandbox",
    "SandboxUnavailable",
    "SelfConsistency",
    "Suite",
    "Verdict",
    "bootstrap_estimate",
    "choose_tasks",
    "compare_paired",
    "dates_of",
    "diversity",
    "extract_code",
    "holm",
    "judge_agreement",
    "judge_samples",
    "minimum_detectable_effect",
    "normalized",
    "open_sandbox",
    "pass_at_k",
    "pass_rate",
    "read_file",
    "read_problems",
    "read_samples",
    "run_program",
    "self_consistency",
    "wilson_estimate",
]
