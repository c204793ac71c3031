"""Measures to a decision: a checkpoint becomes the next M unless a paired test says that it is worse.

Enters: the per-problem results of the candidate and of the promoted checkpoint. Leaves: `decision.json` with the
problems gained and lost. Not guaranteed: that a promoted checkpoint is better; on a small benchmark only a clear loss
can be told from luck, and the decision says how clear it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

from evaluation import compare_paired
from inverse_instruct.benchmarks.results import read_comparable, read_pass_rates
from inverse_instruct.config.sections import PromoteSection
from inverse_instruct.errors import StageError
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Input, Stage, When
from inverse_instruct.store.files import write_json
from inverse_instruct.store.measures import Decision

DECISION = "decision.json"


def decide(section: PromoteSection, candidate: Mapping[str, float], promoted: Mapping[str, float] | None) -> Decision:
    """Compare two checkpoints problem by problem (exact McNemar, one-sided).

    Args:
        section: the level of the test.
        candidate: problem -> share of its samples that pass all tests.
        promoted: the same for the promoted checkpoint; None: there is none yet.

    Raises:
        StageError: the two were not measured on the same problems.
    """
    if promoted is None:
        return Decision(True, "the first checkpoint")
    if promoted.keys() != candidate.keys():
        other = sorted(promoted.keys() ^ candidate.keys())
        raise StageError(
            f"promote: the checkpoints were not measured on the same problems ({len(other)} are in one "
            f"only, such as {other[0]}); evaluate on a machine with the same toolchains"
        )
    paired = compare_paired(promoted, candidate)
    worse = paired.p_worse < section.alpha
    verdict = "worse" if worse else "not shown to be worse"
    reason = (
        f"{verdict} than the promoted checkpoint: {len(paired.gained)} gained, {len(paired.lost)} lost, "
        f"p {'< 0.001' if paired.p_worse < 0.001 else f'= {paired.p_worse:.3f}'}"
    )
    return Decision(not worse, reason, paired.gained, paired.lost, paired.p_worse)


def judge_checkpoint(room: Room) -> None:
    """Decide on the round's checkpoint."""
    section: PromoteSection = room.section()
    [candidate] = room.files("candidate")
    promoted = room.files("promoted")
    if promoted:
        *rates, left_out = read_comparable(candidate, promoted[0])
        decision = decide(section, *rates)
        if left_out:
            decision = replace(
                decision,
                reason=f"{decision.reason}; {len(left_out)} problems do not count, as one of "
                "the two left them unanswered",
            )
    else:
        decision = decide(section, read_pass_rates(candidate), None)
    write_json(room.place.folder / DECISION, asdict(decision))
    room.outputs.append(DECISION)
    room.account(1, {})
    room.metrics |= asdict(decision)


DECIDE = Stage(
    "promote",
    "promote a checkpoint unless a paired test says that it is worse",
    judge_checkpoint,
    unit="checkpoint",
    is_data=False,
    reads={"candidate": Input("evaluate"), "promoted": Input("evaluate", when=When.PROMOTED)},
)
