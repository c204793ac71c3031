"""Measures to a decision: a checkpoint becomes the next M by a paired test.

Enters: the per-problem results of the candidate and of all checkpoints that were promoted before. Leaves:
`decision.json` with the problems gained and lost. The rival is the promoted checkpoint; by the rule `not_worse` the
best so far is one too, for a chain of losses, each too small to be told from luck, would pass otherwise. That one was
picked for its rate, so the level is divided by how many it was picked of. Not guaranteed: that a promoted checkpoint is
better, unless the rule is `better`; on a small benchmark only a clear difference can be told from luck, and the
decision says how clear it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from statistics import fmean

from evaluation import PairedComparison, compare_paired
from inverse_instruct.benchmarks.results import read_comparable, read_pass_rates
from inverse_instruct.config.examining import PromoteSection, SuiteSection
from inverse_instruct.errors import StageError
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Input, Stage, When
from inverse_instruct.store.files import write_json
from inverse_instruct.store.measures import Decision

DECISION = "decision.json"
Rates = Mapping[str, float]
"""Problem -> share of its samples that pass all tests."""


def decide(section: PromoteSection, candidate: Rates, promoted: Rates | None, round_number: int = 1) -> Decision:
    """Compare a candidate with the promoted checkpoint, problem by problem (exact McNemar, one-sided).

    Args:
        section: the rule and the level of the test.
        candidate: of the candidate.
        promoted: of the promoted checkpoint; None: there is none yet.
        round_number: of the candidate; of `better`, each round has its share of the level.

    Raises:
        StageError: the two were not measured on the same problems.
    """
    if promoted is None:
        return Decision(True, "the first checkpoint")
    paired = _compare(promoted, candidate)
    if section.rule == "better":
        p, level = compare_paired(candidate, promoted).p_worse, section.alpha / (round_number * (round_number + 1))
        good = p < level
        share = f"at the level of round {round_number}, {level:.2g},"
        return _decision(good, f"{'better' if good else 'not shown to be better'} {share}", paired, p)
    worse = paired.p_worse < section.alpha
    return _decision(not worse, "worse" if worse else "not shown to be worse", paired, paired.p_worse)


def decide_against_best(section: PromoteSection, candidate: Rates, best: Rates, of: int) -> Decision:
    """Compare a candidate that would be promoted with the best so far; arguments and errors as of `decide`.

    Args:
        section: the level of the test.
        candidate: of the candidate.
        best: of the checkpoint with the highest rate.
        of: how many checkpoints it was picked of.
    """
    paired = _compare(best, candidate)
    worse = paired.p_worse < section.alpha / of
    return _decision(not worse, "worse" if worse else "not shown to be worse", paired, paired.p_worse, "best so far")


def judge_checkpoint(room: Room) -> None:
    """Decide on the round's checkpoint."""
    section: PromoteSection = room.section()
    suites: list[SuiteSection] = room.section("evaluate.suites")
    but = {suite.name for suite in suites if not suite.decides}
    [candidate] = room.files("candidate")
    earlier = room.files("promoted")
    rates = [fmean(read_pass_rates(path, but).values()) for path in earlier]
    if earlier:
        own, other, left_out = read_comparable(candidate, earlier[-1], but)
        decision = decide(section, own, other, room.place.round)
        best = max(range(len(rates)), key=lambda number: (rates[number], number))
        if decision.promoted and section.rule == "not_worse" and best < len(rates) - 1:
            own, other, also_left_out = read_comparable(candidate, earlier[best], but)
            against_best = decide_against_best(section, own, other, len(rates))
            if not against_best.promoted:
                decision, left_out = against_best, also_left_out
        if left_out:
            decision = replace(
                decision,
                reason=f"{decision.reason}; {len(left_out)} problems do not count, as one of "
                "the two left them unanswered",
            )
    else:
        decision = decide(section, read_pass_rates(candidate, but), None)
    rate = fmean(read_pass_rates(candidate, but).values())
    decision = replace(decision, rate=rate, best_rate=max(rates, default=None))
    write_json(room.place.folder / DECISION, asdict(decision))
    room.outputs.append(DECISION)
    room.account(1, {})
    room.metrics |= asdict(decision)


def _compare(one: Rates, candidate: Rates) -> PairedComparison:
    if one.keys() != candidate.keys():
        other = sorted(one.keys() ^ candidate.keys())
        raise StageError(
            f"promote: the checkpoints were not measured on the same problems ({len(other)} are in one "
            f"only, such as {other[0]}); evaluate on a machine with the same toolchains"
        )
    return compare_paired(one, candidate)


def _decision(
    promoted: bool, verdict: str, paired: PairedComparison, p: float, rival: str = "promoted checkpoint"
) -> Decision:
    reason = (
        f"{verdict} than the {rival}: {len(paired.gained)} gained, {len(paired.lost)} lost, "
        f"p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}"
    )
    return Decision(promoted, reason, paired.gained, paired.lost, paired.p_worse)


DECIDE = Stage(
    "promote",
    "promote a checkpoint unless a paired test says that it is worse",
    judge_checkpoint,
    unit="checkpoint",
    is_data=False,
    reads={"candidate": Input("evaluate"), "promoted": Input("evaluate", when=When.PROMOTED)},
    sections=("evaluate.suites",),
)
