"""The examiner: judges generated code, and knows nothing of what generated it.

Enters: benchmark files and generated text. Leaves: verdicts, rates and comparisons. Imports nothing of the package
whose models it examines.
"""

from evaluation.errors import BenchmarkError, SandboxUnavailable
from evaluation.execution import Sandbox, run_program
from evaluation.pass_at_k import PassRate, judge, judge_codes, pass_at_k, pass_rate
from evaluation.problems import MINI_PATH, Problem, benchmark_digest, load_problems
from evaluation.programs import Outcome, Program, ProgramResult, Reason, ResourceLimits
from evaluation.reference import Reference, compute_references
from evaluation.sanitize import extract_code
from evaluation.self_consistency import OwnOutputs, SelfConsistency, own_outputs, self_consistency
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
    "BenchmarkError",
    "Estimate",
    "Examiner",
    "Execution",
    "Outcome",
    "OwnOutputs",
    "PairedComparison",
    "PassRate",
    "Problem",
    "Program",
    "Prompt",
    "ProgramResult",
    "Reason",
    "Reference",
    "ResourceLimits",
    "Sample",
    "Sandbox",
    "SandboxUnavailable",
    "SelfConsistency",
    "Suite",
    "Verdict",
    "benchmark_digest",
    "bootstrap_estimate",
    "compare_paired",
    "compute_references",
    "extract_code",
    "judge",
    "judge_codes",
    "load_problems",
    "minimum_detectable_effect",
    "own_outputs",
    "pass_at_k",
    "pass_rate",
    "run_program",
    "self_consistency",
    "wilson_estimate",
]
