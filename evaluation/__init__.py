"""The examiner: judges generated code, and knows nothing of what generated it.

Enters: benchmark files and generated text. Leaves: verdicts, rates and comparisons. Imports nothing of the package
whose models it examines.
"""

from evaluation.errors import BenchmarkError, SandboxUnavailable
from evaluation.execution import Sandbox, run_program
from evaluation.judging import judge_samples
from evaluation.pass_at_k import PassRate, pass_at_k, pass_rate
from evaluation.problems import MINI_PATH, Problem, benchmark_digest, read_problems
from evaluation.programs import Outcome, Program, ProgramResult, Reason, ResourceLimits
from evaluation.reference import Reference, References
from evaluation.rows import Row, Rows, read_file
from evaluation.sanitize import extract_code
from evaluation.self_consistency import Agreement, SelfConsistency, judge_agreement, self_consistency
from evaluation.statistics import (
    Estimate,
    PairedComparison,
    bootstrap_estimate,
    compare_paired,
    minimum_detectable_effect,
    wilson_estimate,
)
from evaluation.suite import Examiner, Execution, Prompt, Sample, Suite, Verdict

__all__ = [
    "MINI_PATH",
    "Agreement",
    "BenchmarkError",
    "Estimate",
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
    "benchmark_digest",
    "bootstrap_estimate",
    "compare_paired",
    "extract_code",
    "judge_agreement",
    "judge_samples",
    "minimum_detectable_effect",
    "pass_at_k",
    "pass_rate",
    "read_file",
    "read_problems",
    "run_program",
    "self_consistency",
    "wilson_estimate",
]
