"""Measures of stages that a test has furnished; what is not said is as usual."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from evaluation import Estimate, SelfConsistency
from inverse_instruct.store.measures import Phase, Rates, SuiteReport


def phase(number: int, data: str, rows: int, losses: list[float], tokens: int = 900) -> dict[str, Any]:
    """Return a phase of training as it stands in a manifest."""
    measured = Phase(
        phase=f"phase-{number}-{data}",
        data=data,
        rows=rows,
        rejected={},
        truncated=0,
        steps=len(losses),
        tokens=tokens,
        response_tokens=tokens // 2,
        loss_first=losses[0],
        loss_last=losses[-1],
        seconds=2.0,
        tokens_per_second=tokens / 2,
        peak_memory_bytes=None,
    )
    return asdict(measured) | {"losses": losses}


def report(rate: float, problems: int = 32, **options: Any) -> dict[str, Any]:
    """Return the report of a suite as it stands in a manifest."""
    estimate = Estimate(rate, rate - 0.1, rate + 0.1)
    measured = SuiteReport(
        suite="mini",
        version="mini 1",
        problems=problems,
        samples=problems,
        pass_at_k={"1": Rates(estimate, estimate)},
        reasons={},
        diversity=None,
        minimum_detectable_effect=None,
        self_consistency=SelfConsistency(estimate, estimate, problems - 2, {}),
        not_measured={},
        sandboxed=True,
    )
    return asdict(measured) | options
