"""Instructions told right from wrong by running what is written from them; selection by these verdicts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.records import Candidate, Reason, ScoredPair, Snippet, Verdict
from inverse_instruct.stages.select import SELECT_VERIFIED, by_verdict
from inverse_instruct.stages.verify import NEEDLESS, VERIFY
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.rows import read_rows
from tests.playing import play_asking, play_stage, room_of
from tests.stages.spelled import NotingClient, model_of

CODE = "def middle(values):\n    return sorted(values)[len(values) // 2]"
RIGHT = "def solution(values):\n    ordered = sorted(values)\n    return ordered[len(ordered) // 2]\n"
MEAN = "def solution(values):\n    return sum(values) / len(values)\n"
INSTRUCTIONS = {
    "right": "Write a Python function that returns the median of a list.",
    "planted": "Write a Python function that returns the mean of a list.",
    "unclear": "Write a Python function that returns a value of a list.",
}
DATE = "def solution(when):\n    day, month = map(int, when.split('/'))\n    return day + 31 * month\n"
SNIPPETS = {
    "median": Snippet("median", CODE, "python", "", "r1", "f", 1, usage=">>> middle([3, 1, 1])\n1\n"),
    "rust": Snippet("rust", "fn f(x: i32) -> i32 { x }", "rust", "", "r2", "f", 2),
    "constant": Snippet("constant", "def f(x):\n    return 1", "python", "", "r3", "f", 3),
    "date": Snippet(
        "date",
        "def f(when):\n    day, month = when.split('/')\n    return int(day) + 31 * int(month)",
        "python",
        "",
        "r5",
        "f",
        5,
    ),
    "broken": Snippet("broken", CODE, "python", "", "r4", "f", 4, usage=">>> middle([3, 1, 2])\n7\n"),
}


def candidate(name: str, snippet: str) -> Candidate:
    return Candidate(f"{snippet}-{name}", snippet, 0, "", INSTRUCTIONS[name], 0, "m", "p", 1, 1)


def pair(name: str, snippet: str, score: float) -> ScoredPair:
    return ScoredPair(f"{snippet}-{name}", snippet, -0.1, -2.0, score, "m", "p")


def answer(prompt: str, seed: int) -> str:
    """Return the program that the instruction in a prompt asks for, or no call of the function in it."""
    if "calls of" in prompt:
        return "what is this?\n```"
    return f"{RIGHT if 'median' in prompt else MEAN}```"


def verify(
    folder: Path,
    scored: list[tuple[str, str, float]],
    reply: Callable[[str, int], str] = answer,
    earlier: list[Verdict] | None = None,
    **section: Any,
) -> tuple[Manifest, dict[str, dict[str, Any]], dict[str, dict[str, Any]], NotingClient]:
    """Return the manifest, the verdicts, the rejections, and whom was asked."""
    client = NotingClient(reply=reply)
    names = list(dict.fromkeys(snippet for _, snippet, _ in scored))
    inputs: dict[str, Any] = {
        "snippets": [SNIPPETS[name] for name in names],
        "candidates": [candidate(name, snippet) for name, snippet, _ in scored],
        "scores": [pair(*each) for each in scored],
        "earlier": earlier or [],
    }
    room = room_of(VERIFY, folder, inputs, asked=model_of(client), verify={"max_new_tokens": 64, **section})
    [manifest] = asyncio.run(play_asking(room))
    verdicts = {row["candidate_id"]: row for row in read_rows(folder / "verdicts.parquet")}
    rejected = {row["row_id"]: row for row in read_rows(folder / "rejections.parquet")}
    assert manifest.rows_in == len(scored) == len(verdicts) + len(rejected)
    return manifest, verdicts, rejected, client


def test_a_planted_wrong_instruction_with_a_high_score_is_refuted_and_not_trained_on(tmp_path: Path) -> None:
    scored = [("planted", "median", 0.99), ("right", "median", 0.6), ("unclear", "median", 0.5)]
    manifest, verdicts, rejected, client = verify(tmp_path / "verify", scored)
    assert {name: row["state"] for name, row in verdicts.items()} == {
        "median-planted": "refuted", "median-right": "verified",
    }  # fmt: skip
    assert "expected" in verdicts["median-planted"]["detail"] and verdicts["median-planted"]["program"] == MEAN
    assert rejected["median-unclear"]["detail"] == "place 3 by its score, and another one is verified"
    assert manifest.measures.verdicts == {"verified": 1, "refuted": 1, "unverified": 0}
    assert len(client.asked) == 3, "what comes after a verified one is not asked; the last one is without instruction"
    assert "median" not in client.asked[-1][0] and "mean" not in client.asked[-1][0]
    assert all("`def solution(values):`" in prompt and prompt.endswith("```python\n") for prompt, _ in client.asked)
    folder = tmp_path / "selection"
    play_stage(
        SELECT_VERIFIED,
        folder,
        {
            "snippets": list(SNIPPETS.values()),
            "candidates": [candidate(name, snippet) for name, snippet, _ in scored],
            "scores": [pair(*each) for each in scored],
            "verdicts": [Verdict(**row) for row in verdicts.values()],
        },
    )
    [row] = read_rows(folder / "selected.parquet")
    assert row["candidate_id"] == "median-right"
    reasons = {row["row_id"]: row["reason"] for row in read_rows(folder / "rejections.parquet")}
    assert reasons == {"median-planted": Reason.REFUTED, "median-unclear": Reason.NOT_SELECTED}


@pytest.mark.parametrize(
    ("snippet", "state", "detail"),
    [
        ("rust", "unverified", "rust code is not run"),
        ("constant", "unverified", "no function returns different things"),
        ("broken", "refuted", "its own example"),
    ],
)
def test_what_cannot_be_told_is_counted_as_such(tmp_path: Path, snippet: str, state: str, detail: str) -> None:
    manifest, verdicts, _, client = verify(tmp_path, [("right", snippet, 0.9), ("planted", snippet, 0.8)])
    assert [row["state"] for row in verdicts.values()] == [state, state]
    assert all(detail in row["detail"] for row in verdicts.values())
    assert manifest.measures.verdicts[state] == 2 and all("calls of `f`" in prompt for prompt, _ in client.asked)
    assert len(client.asked) == (snippet == "constant")


def test_only_so_many_are_tried(tmp_path: Path) -> None:
    scored = [("planted", "median", 0.9), ("unclear", "median", 0.8), ("right", "median", 0.7)]
    _, verdicts, rejected, _ = verify(tmp_path, scored, tries=2)
    assert {row["state"] for row in verdicts.values()} == {"refuted"} and len(verdicts) == 2
    assert rejected["median-right"]["detail"] == "place 3 by its score, and verify.tries is 2"


def test_one_of_several_programs_is_enough(tmp_path: Path) -> None:
    def sometimes(prompt: str, seed: int) -> str:
        return f"{RIGHT if seed % 3 == 0 else MEAN}```"

    states = set()
    for number in range(6):
        scored = [("unclear", "median", 0.9)]
        _, verdicts, _, client = verify(tmp_path / str(number), scored, sometimes, samples=4, temperature=1.0)
        asked = [seed for prompt, seed in client.asked if "list" in prompt]
        assert len(set(asked)) == 4
        is_right = any(seed % 3 == 0 for seed in asked)
        is_needless = any(seed % 3 == 0 for prompt, seed in client.asked if "list" not in prompt)
        [row] = verdicts.values()
        assert row["state"] == ("refuted" if not is_right else "unverified" if is_needless else "verified")
        states.add(row["state"])
    assert states


def test_what_an_earlier_round_verified_is_not_asked_again(tmp_path: Path) -> None:
    known = Verdict("median-right", "median", "verified", "as it was", RIGHT, "old")
    refuted = Verdict("median-planted", "median", "refuted", "as it was", MEAN, "old")
    scored = [("planted", "median", 0.9), ("right", "median", 0.8)]
    _, verdicts, _, client = verify(tmp_path, scored, earlier=[known, refuted])
    assert verdicts["median-right"]["model"] == "old" and verdicts["median-right"]["detail"] == "as it was"
    assert len(client.asked) == 1, "a better model may do what an earlier one could not"


def test_an_instruction_that_is_too_long_is_not_refuted(tmp_path: Path) -> None:
    _, verdicts, _, _ = verify(tmp_path, [("right", "median", 0.9)], max_new_tokens=4090)
    [row] = verdicts.values()
    assert row["state"] == "unverified" and "tokens of prompt" in row["detail"]


def test_what_is_written_right_without_an_instruction_verifies_none(tmp_path: Path) -> None:
    scored = [("planted", "median", 0.9), ("right", "median", 0.8), ("unclear", "median", 0.7)]

    def knows(prompt: str, seed: int) -> str:
        return f"{MEAN if 'mean' in prompt else RIGHT}```"

    manifest, verdicts, rejected, client = verify(tmp_path, scored, knows)
    assert {name: row["state"] for name, row in verdicts.items()} == {
        "median-planted": "refuted", "median-right": "unverified",
    }  # fmt: skip
    assert verdicts["median-right"]["detail"] == NEEDLESS in rejected["median-unclear"]["detail"]
    assert manifest.measures.verdicts == {"verified": 0, "refuted": 1, "unverified": 1} and len(client.asked) == 3


CALLS = {
    "calls": ("'1/2')\nf('3/4')\nf('5/6')\n", "verified"),
    "cut off": ("'1/2')\nf('3/4')\nf('5/6')\nf('5/", "verified"),
    "with results": ("'1/2')  # 63\nf('3/4')  # 127\nf('5/6') == 191\n", "verified"),
    "no texts": ("day, month)\nf(today)\n", "unverified"),
    "not literal": ("__import__('os').getcwd())\nf(open('/etc/passwd').read())\nf(f)\n", "unverified"),
    "too few": ("'1/2')\nf('1/2')\n", "unverified"),
    "another function": ("'1/2')\ng('3/4')\ng('5/6')\n", "unverified"),
}


@pytest.mark.parametrize("case", CALLS)
def test_calls_are_written_where_none_is_found(tmp_path: Path, case: str) -> None:
    calls, state = CALLS[case]

    def writes(prompt: str, seed: int) -> str:
        if "calls of `f`" in prompt:
            return f"{calls}```"
        return f"{DATE if 'list' in prompt else MEAN}```"

    manifest, verdicts, _, _ = verify(tmp_path, [("unclear", "date", 0.9)], writes)
    assert manifest.measures.verdicts[state] == 1, verdicts


@pytest.mark.parametrize("lives", range(5))
def test_a_kill_loses_nothing_and_nothing_is_run_twice(tmp_path: Path, lives: int) -> None:
    scored = [("planted", "median", 0.9), ("unclear", "median", 0.8), ("right", "median", 0.7)]
    whole = verify(tmp_path / "whole", scored)[1]

    class Killed(BaseException):
        pass

    left = [lives]

    def dies(prompt: str, seed: int) -> str:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return answer(prompt, seed)

    if lives < 4:
        with pytest.raises(BaseException):  # noqa: B017, PT011  # a group of tasks may wrap it
            verify(tmp_path / "killed", scored, dies)
    *_, client = verify(tmp_path / "killed", scored)
    assert len(client.asked) == 4 - min(lives, 4) or lives == 4
    assert {row["candidate_id"]: row for row in read_rows(tmp_path / "killed/verdicts.parquet")} == whole


def test_verified_rows_leave_no_room_for_others() -> None:
    pairs = [pair("right", "median", 0.5), pair("unclear", "median", 0.9), pair("right", "rust", 0.4)]
    verdicts = {
        each.candidate_id: Verdict(each.candidate_id, each.snippet_id, state, "why", "", "m")
        for each, state in zip(pairs, ("verified", "unverified", "unverified"), strict=True)
    }
    left, rejections = by_verdict(pairs, verdicts, required=False)
    assert [each.candidate_id for each in left] == ["median-right", "rust-right"]
    left, rejections = by_verdict(pairs, verdicts, required=True)
    assert [each.candidate_id for each in left] == ["median-right"]
    assert {each.reason for each in rejections} == {Reason.NOT_VERIFIED}
