"""Warnings where a measure hides what another shows; none where they agree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluation import Diversity, Estimate, SelfConsistency
from inverse_instruct.store.measures import Rates, SuiteReport
from inverse_instruct.store.narrowing import narrowing


def report(pass_1: float, pass_10: float | None, distinct: float | None, agrees: float | None) -> SuiteReport:
    def rates(value: float) -> Rates:
        return Rates(Estimate(1.0, 0, 1), Estimate(value, 0, 1))

    return SuiteReport(
        suite="mini",
        version="v",
        problems=10,
        samples=100,
        pass_at_k={"1": rates(pass_1)} | ({"10": rates(pass_10)} if pass_10 is not None else {}),
        reasons={},
        diversity=Diversity(100, 50, distinct),
        minimum_detectable_effect=None,
        self_consistency=None if agrees is None else SelfConsistency(Estimate(agrees, 0, 1), None, 10, {}),
        not_measured={},
        sandboxed=True,
    )


BEFORE = report(0.4, 0.6, 0.5, 0.2)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (report(0.5, 0.55, 0.5, 0.2), ["mini: pass@1 rose from 40.0 to 50.0 while pass@10 fell from 60.0 to 55.0"]),
        (report(0.5, 0.6, 0.4, 0.2), ["while a task's samples became less different, 50.0 to 40.0% distinct"]),
        (report(0.3, 0.5, 0.5, 0.3), ["pass@1 fell from 40.0 to 30.0 while self-consistency rose from 20.0 to 30.0"]),
        (report(0.5, 0.5, 0.4, 0.3), ["while pass@10", "less different"]),
        (report(0.5, 0.7, 0.6, 0.1), []),
        (report(0.3, 0.5, 0.4, 0.1), []),
        (report(0.4, 0.5, 0.4, 0.3), []),
        (report(0.5, None, None, None), []),
        (replace(BEFORE, pass_at_k={}), []),
    ],
)
def test_what_is_warned_of(after: SuiteReport, words: list[str]) -> None:
    found = narrowing({"mini": BEFORE, "other": BEFORE}, {"mini": after})
    assert len(found) == len(words)
    for warning, said in zip(found, words, strict=True):
        assert said in warning
    assert not narrowing({}, {"mini": after})
