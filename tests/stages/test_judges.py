"""The selectors beside the LM-Score: what they ask, and that the score follows from the two columns in the same way."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.inference.attempts import AttemptFailed
from inverse_instruct.inference.lm_score import lm_score
from inverse_instruct.inference.replies import read_prompt_logprobs
from inverse_instruct.records import Candidate, Reason, Snippet
from inverse_instruct.stages.room import Source
from inverse_instruct.stages.score import SCORE
from inverse_instruct.store.rows import read_rows
from tests.playing import play_asking, room_of
from tests.stages.spelled import UNSPEAKABLE, NotingClient, model_of

SNIPPET = Snippet("s", "abc", "python", "", "r", "f", 1)


def score(folder: Path, client: NotingClient, method: str, instructions: list[str]) -> dict[str, dict[str, Any]]:
    candidates = [Candidate(f"c{k}", "s", k, "", text, 0, "", "", 0, 0) for k, text in enumerate(instructions)]
    inputs: dict[str, Source] = {"snippets": [SNIPPET], "candidates": candidates}
    asyncio.run(play_asking(room_of(SCORE, folder, inputs, asked=model_of(client, 400), score={"method": method})))
    rows = read_rows(folder / "scores.parquet")
    for row in rows:
        assert row["lm_score"] == pytest.approx(lm_score(row["yes_logprob"], row["no_logprob"]))
    return {row["candidate_id"]: row for row in rows} | {
        row["row_id"]: row for row in read_rows(folder / "rejections.parquet")
    }


@pytest.mark.parametrize(
    ("reply", "expected"),
    [("Yes", 1.0), (" yes, it does.", 1.0), ("**No**, the code", 0.0), ("NO", 0.0), ("Maybe", None), ("", None)],
)
def test_a_verdict_is_the_first_word_of_the_greedy_reply(tmp_path: Path, reply: str, expected: float | None) -> None:
    client = NotingClient(reply=lambda prompt, seed: reply)
    found = score(tmp_path, client, "verdict", ["add numbers"])["c0"]
    assert len(client.asked) == 1 and "add numbers" in client.asked[0][0] and "abc" in client.asked[0][0]
    if expected is None:
        assert found["reason"] == Reason.BAD_REPLY
    else:
        assert found["lm_score"] == expected


def test_perplexity_is_that_of_the_code_after_the_instruction(tmp_path: Path) -> None:
    client = NotingClient()
    found = score(tmp_path, client, "perplexity", ["add numbers", f"bad{UNSPEAKABLE}", "x" * 500])
    response = "```python\nabc\n```"
    assert client.measured == [(f"add numbers\n{response}", len("add numbers\n"))]
    mean = -0.5 * sum(range(1, len(response) + 1)) / len(response)
    assert found["c0"]["yes_logprob"] == pytest.approx(mean)
    assert found["c0"]["lm_score"] == pytest.approx(math.exp(mean)), "1 / perplexity"
    assert found["c1"]["reason"] == Reason.PARSER_FAILED and found["c2"]["reason"] == Reason.TOO_LONG
    again = NotingClient()
    score(tmp_path, again, "perplexity", ["add numbers"])
    assert not again.measured, "what the journal holds is not asked again"


def test_log_probabilities_of_a_prompt_are_read_strictly() -> None:
    def reply(*found: Any) -> dict[str, Any]:
        return {"choices": [{"index": 0, "prompt_logprobs": list(found)}]}

    one, two = {"7": {"logprob": -0.5, "rank": 1}}, {"9": {"logprob": -2, "rank": 8}, "4": {"logprob": -1}}
    assert read_prompt_logprobs(reply(None, one, two), [5, 7, 9], 1) == [-0.5, -2.0]
    assert read_prompt_logprobs(reply(None, one, two), [5, 7, 9], 2) == [-2.0]
    bad: dict[str, Any]
    for bad in (
        reply(None, one), reply(None, one, None), reply(None, one, {"9": None}), reply(None, one, {"9": {}}),
        reply(None, one, {"9": {"logprob": "x"}}), reply(None, one, {"9": {"logprob": math.nan}}),
        {"choices": [{"index": 0}]}, {"choices": []},
    ):  # fmt: skip
        with pytest.raises(AttemptFailed):
            read_prompt_logprobs(bad, [5, 7, 9], 1)
