"""What scoring asks, of which labels, and what becomes of each answer; the model is one of this test."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.errors import ModelError, RequestError
from inverse_instruct.inference.lm_score import lm_score
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.records import Candidate, Reason, Snippet
from inverse_instruct.stages.judges import Judge
from inverse_instruct.stages.room import Source
from inverse_instruct.stages.score import SCORE
from inverse_instruct.stages.stage import Outcome
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.rows import read_rows
from tests.playing import play_asking, room_of
from tests.stages.spelled import UNSPEAKABLE, NotingClient, label_of, model_of, spell

SNIPPETS = [Snippet(f"s{n}", f"code of s{n}", "python", "", "r", "f", n) for n in (1, 2, 3)]


def candidate(snippet: str, k: int, instruction: str) -> Candidate:
    return Candidate(f"{snippet}-{k}", snippet, k, "", instruction, 0, "writer", "", 0, 0)


CANDIDATES = [candidate("s1", 0, "add"), candidate("s1", 1, "sort"), candidate("s3", 0, "join")]


def score(
    folder: Path,
    client: NotingClient,
    candidates: list[Candidate] = CANDIDATES,
    *,
    max_model_len: int = 2000,
    **say: Any,
) -> tuple[Manifest, dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Return the manifest, and the scores and the rejections by candidate."""
    inputs: dict[str, Source] = {"snippets": SNIPPETS, "candidates": candidates}
    [manifest] = asyncio.run(play_asking(room_of(SCORE, folder, inputs, asked=model_of(client, max_model_len), **say)))
    scores = {row["candidate_id"]: row for row in read_rows(folder / "scores.parquet")}
    return manifest, scores, {row["row_id"]: row for row in read_rows(folder / "rejections.parquet")}


# -- the formula -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("yes", "no", "expected"),
    [
        (math.log(0.6), math.log(0.2), 0.75),
        (math.log(0.2), math.log(0.6), 0.25),
        (-3.0, -3.0, 0.5),
        (-900.0, -900.0 + math.log(3), 0.25),  # far below what exp of either can hold
        (0.0, -1000.0, 1.0),
        (-1000.0, 0.0, 0.0),
        (-math.inf, -1.0, 0.0),
        (-1.0, -math.inf, 1.0),
    ],
)
def test_the_score_is_the_share_of_yes(yes: float, no: float, expected: float) -> None:
    assert lm_score(yes, no) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("yes", "no"), [(-math.inf, -math.inf), (math.nan, -1.0), (-1.0, math.nan)])
def test_no_number_is_no_score(yes: float, no: float) -> None:
    assert math.isnan(lm_score(yes, no))


# -- what is asked ---------------------------------------------------------------------------------------------------


def test_the_first_label_is_yes_and_a_score_is_written_with_all_that_made_it(tmp_path: Path) -> None:
    client = NotingClient(logprobs=lambda prompt: [math.log(0.6), math.log(0.2)])
    manifest, scores, rejections = score(tmp_path, client)
    assert [labels for _, labels in client.judged] == [[label_of("Yes"), label_of("No")]] * 2
    assert scores.keys() == {"s1-0", "s1-1", "s3-0"} and not rejections
    assert scores["s3-0"] == {
        "candidate_id": "s3-0",
        "snippet_id": "s3",
        "yes_logprob": math.log(0.6),
        "no_logprob": math.log(0.2),
        "lm_score": pytest.approx(0.75),
        "model": "digest-of-the-model",
        "prompt": PromptTemplate("score").digest,
    }
    assert (manifest.rows_in, manifest.rows_out) == (3, 3)


def test_the_words_of_the_config_are_asked_for_and_looked_up(tmp_path: Path) -> None:
    client = NotingClient()
    score(tmp_path, client, model={"base": "b", "yes_token": "Ja", "no_token": "Nee"})
    prompts, labels = client.judged[0]
    assert labels == [label_of("Ja"), label_of("Nee")]
    assert all("Reply with Ja or Nee only." in prompt for prompt in prompts)


@pytest.mark.parametrize("word", ["yes_token", "no_token"])
def test_a_word_of_several_tokens_is_refused_before_anything_is_asked(tmp_path: Path, word: str) -> None:
    client = NotingClient()
    with pytest.raises(ModelError, match="'Certainly' is 9 tokens"):
        score(tmp_path, client, model={"base": "b", word: "Certainly"})
    assert client.judged == []


def test_a_snippets_candidates_travel_as_one_request_and_share_their_beginning(tmp_path: Path) -> None:
    client = NotingClient()
    score(tmp_path, client)
    assert [len(prompts) for prompts, _ in client.judged] == [2, 1], "one request for each snippet with candidates"
    first, second = client.judged[0][0]
    shared, _, _ = first.partition("add")
    assert "code of s1" in shared and second.startswith(shared) and "sort" in second
    assert "code of s3" in client.judged[1][0][0], "each with its own snippet's code"


def test_a_template_of_ones_own_is_filled_with_what_it_may_use(tmp_path: Path) -> None:
    (tmp_path / "own.jinja").write_text("{{ language }}|{{ code }}|{{ instruction }}|{{ yes }}|{{ no }}")
    client = NotingClient()
    template = str(tmp_path / "own.jinja")
    _, scores, _ = score(tmp_path, client, CANDIDATES[:1], score={"template": template})
    assert client.judged[0][0] == ["python|code of s1|add|Yes|No\n"]
    assert scores["s1-0"]["prompt"] == PromptTemplate("score", template).digest != PromptTemplate("score").digest


def test_nothing_is_asked_twice_of_the_same_model(tmp_path: Path) -> None:
    score(tmp_path, NotingClient())
    again = NotingClient()
    _, scores, _ = score(tmp_path, again, [*CANDIDATES, candidate("s3", 1, "split")])
    assert [[prompt.count("split") for prompt in prompts] for prompts, _ in again.judged] == [[1]]
    assert len(scores) == 4
    labels = NotingClient()
    score(tmp_path, labels, CANDIDATES[:1], model={"base": "b", "yes_token": "Ja"})
    assert len(labels.judged) == 1, "other labels are another question"


def test_a_snippet_without_candidates_is_nothing_to_ask(tmp_path: Path) -> None:
    client = NotingClient()
    room = room_of(SCORE, tmp_path, {}, asked=model_of(client))
    assert asyncio.run(Judge(room)((SNIPPETS[0], []))) == Outcome()
    assert client.judged == []


# -- what has no score -----------------------------------------------------------------------------------------------


def test_a_prompt_that_fills_the_model_is_too_long(tmp_path: Path) -> None:
    client = NotingClient()
    score(tmp_path / "first", client)
    shortest = min(len(spell(prompt)) for prompt in client.judged[0][0])  # "add" is one letter shorter than "sort"
    client = NotingClient()
    manifest, scores, rejections = score(tmp_path / "second", client, CANDIDATES[:2], max_model_len=shortest + 1)
    assert [len(prompts) for prompts, _ in client.judged] == [1], "the other has no room for the token of the reply"
    assert scores.keys() == {"s1-0"} and rejections.keys() == {"s1-1"}
    assert (rejections["s1-1"]["stage"], rejections["s1-1"]["reason"]) == ("score", Reason.TOO_LONG)
    assert rejections["s1-1"]["detail"] == f"{shortest + 1} tokens of prompt"
    assert (manifest.rows_in, manifest.rows_out, manifest.rejected) == (2, 1, {"too_long": 1})


def test_one_text_that_the_tokenizer_cannot_take_stays_alone(tmp_path: Path) -> None:
    bad = candidate("s1", 1, f"sort {UNSPEAKABLE}")
    _, scores, rejections = score(tmp_path, NotingClient(), [CANDIDATES[0], bad, candidate("s1", 2, "join")])
    assert scores.keys() == {"s1-0", "s1-2"}
    assert rejections["s1-1"]["reason"] == Reason.PARSER_FAILED
    assert rejections["s1-1"]["detail"] == "the tokenizer cannot take a text"


def test_one_prompt_that_the_server_refuses_stays_alone(tmp_path: Path) -> None:
    def refuse(prompt: str) -> list[float]:
        if "sort" in prompt:
            raise RequestError("no such luck", Reason.KILLS_ENGINE)
        return [-1.0, -2.0]

    client = NotingClient(logprobs=refuse)
    _, scores, rejections = score(tmp_path, client)
    assert scores.keys() == {"s1-0", "s3-0"} and rejections.keys() == {"s1-1"}
    assert (rejections["s1-1"]["reason"], rejections["s1-1"]["detail"]) == (Reason.KILLS_ENGINE, "no such luck")


def test_log_probabilities_that_give_no_number_are_a_bad_score(tmp_path: Path) -> None:
    client = NotingClient(logprobs=lambda prompt: [-math.inf, -math.inf] if "sort" in prompt else [-math.inf, -1.0])
    _, scores, rejections = score(tmp_path, client)
    assert rejections["s1-1"]["reason"] == Reason.BAD_SCORE
    assert rejections["s1-1"]["detail"] == "log-probabilities -inf and -inf"
    assert scores["s1-0"]["lm_score"] == 0.0, "of NO alone there is one"
