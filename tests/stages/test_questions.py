"""Each question is asked once and known by its words: what is known makes no tokens, and what differs is asked anew."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from inverse_instruct.errors import RequestError
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Candidate, Reason, Snippet
from inverse_instruct.stages.questions import Ask, Asked, Question, Questions, Reply
from inverse_instruct.stages.room import Source
from inverse_instruct.stages.score import SCORE
from inverse_instruct.stages.summarize import SUMMARIZE
from inverse_instruct.store.journal import Journal
from inverse_instruct.store.rows import iterate_rows, read_rows
from tests.playing import play_asking, room_of
from tests.stages.spelled import UNSPEAKABLE, NotingClient, SpellingFormatter, model_of

SAMPLING = Sampling(10)
SNIPPETS = [Snippet(f"s{n}", f"def f{n}(x):\n    return x + {n}\n", "python", "", "r", "f", n) for n in range(3)]


class Speechless(SpellingFormatter):
    """A tokenizer that must not be needed."""

    def encode(self, text: str) -> NoReturn:
        raise AssertionError("tokens of what is known")

    def response_prompts(self, asks: Sequence[tuple[str, str]]) -> NoReturn:
        raise AssertionError("tokens of what is known")

    def training_ids(self, instruction: str, response: str) -> NoReturn:
        raise AssertionError("tokens of what is known")


def speechless(asked: Asked) -> Asked:
    return replace(asked, formatter=Speechless())


def replies(folder: Path, asked: Asked, *asks: Ask) -> list[str]:
    """Return the texts, or the reasons why there are none."""

    async def ask() -> list[Reply | RequestError]:
        return await Questions(asked, Journal(folder / "journal.jsonl"), Counter()).replies(asks)

    return [found.text if isinstance(found, Reply) else f"{found.reason}: {found}" for found in asyncio.run(ask())]


def ask(*requests: str, beginning: str = "", seed: int = 0, **about: int) -> Ask:
    return Ask(Question(requests, beginning), SAMPLING, seed, about)


def test_finished_stages_are_gone_on_with_without_a_token(tmp_path: Path) -> None:
    def summarize(asked: Asked) -> list[Candidate]:
        room = room_of(SUMMARIZE, tmp_path / "s", {"snippets": SNIPPETS}, asked=asked, summarize={"candidates": 4})
        asyncio.run(play_asking(room))
        return list(iterate_rows(tmp_path / "s/candidates.parquet", Candidate))

    def score(candidates: list[Candidate], asked: Asked, method: str) -> list[dict[str, Any]]:
        inputs: dict[str, Source] = {"snippets": SNIPPETS, "candidates": candidates}
        room = room_of(SCORE, tmp_path / method, inputs, asked=asked, score={"method": method})
        asyncio.run(play_asking(room))
        return read_rows(tmp_path / method / "scores.parquet")

    client = NotingClient(lambda prompt, seed: f" function number {seed} that adds.", lambda prompt: [-0.1, -3.0])
    asked = model_of(client, 4000)
    candidates = summarize(asked)
    assert len(candidates) == 12 and len(client.asked) == 12
    assert summarize(speechless(asked)) == candidates and len(client.asked) == 12
    for method in ("logits", "verdict", "perplexity"):
        scores = score(candidates, asked, method)
        made = len(client.asked), len(client.judged), len(client.measured)
        assert score(candidates, speechless(asked), method) == scores
        assert (len(client.asked), len(client.judged), len(client.measured)) == made


def test_whatever_a_reply_depends_on_has_it_asked_anew(tmp_path: Path) -> None:
    client = NotingClient(lambda prompt, seed: f"{len(client.asked)}")
    asked = model_of(client)
    assert replies(tmp_path, asked, ask("a", k=0)) == ["1"]
    assert replies(tmp_path, asked, ask("a", k=0)) == ["1"]
    others = [ask("a", k=1), ask("a", seed=1, k=0), ask("b", k=0), ask("a", beginning="x", k=0), ask("a", "b", k=0)]
    assert replies(tmp_path, asked, *others) == ["2", "3", "4", "5", "6"]
    warmer = replace(ask("a", k=0), sampling=Sampling(10, temperature=0.5))
    assert replies(tmp_path, asked, warmer) == ["7"]
    formatters = [SpellingFormatter(), SpellingFormatter()]
    formatters[0].prompt_format, formatters[1].day = "chat", "2026-01-02"
    voices = [replace(asked, formatter=formatter) for formatter in formatters]
    voices += [replace(asked, digest="another"), replace(asked, max_model_len=1999)]
    assert [replies(tmp_path, voice, ask("a", k=0)) for voice in voices] == [["8"], ["9"], ["10"], ["11"]]


def test_the_first_request_that_leaves_room_is_sent(tmp_path: Path) -> None:
    client = NotingClient(lambda prompt, seed: "done")
    long, short = "x" * 100, "y" * 20
    found = replies(
        tmp_path,
        model_of(client, max_model_len=60),
        ask(long, short, k=0),
        ask(short, long, k=1),
        ask(long, k=2),
        ask(UNSPEAKABLE, k=3),
        ask("z" * 49, k=4),  # one more for the line end, ten for the reply
        ask("z" * 50, k=5),
    )
    assert [prompt.strip() for prompt, _ in client.asked] == [short, short, "z" * 49]
    assert found[:2] == ["done", "done"] and found[4] == "done"
    assert (
        found[2] == f"{Reason.TOO_LONG}: 101 tokens of prompt" and found[5] == f"{Reason.TOO_LONG}: 51 tokens of prompt"
    )
    assert found[3] == f"{Reason.PARSER_FAILED}: the tokenizer cannot take a text"


def test_of_scores_too_one_question_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    client = NotingClient()

    async def judge() -> dict[str, list[float] | RequestError]:
        questions = {name: Question((name,)) for name in ("good", UNSPEAKABLE, "x" * 60)}
        found = Questions(model_of(client, 50), Journal(tmp_path / "j.jsonl"), Counter())
        return await found.logprobs(questions, [1, 2])

    found = asyncio.run(judge())
    assert found["good"] == [-1.0, -2.0]
    refused = [found[name] for name in (UNSPEAKABLE, "x" * 60)]
    assert [one.reason for one in refused if isinstance(one, RequestError)] == [Reason.PARSER_FAILED, Reason.TOO_LONG]
    assert client.judged == [(["good\n"], [1, 2])]


def test_a_single_question_raises_why_it_has_no_reply(tmp_path: Path) -> None:
    questions = Questions(model_of(NotingClient(), 20), Journal(tmp_path / "j.jsonl"), Counter())
    with pytest.raises(RequestError, match="tokens of prompt") as caught:
        asyncio.run(questions.reply(Question(("x" * 30,)), SAMPLING, 0, id="a"))
    assert caught.value.reason == Reason.TOO_LONG
    with pytest.raises(RequestError, match="tokens of prompt"):
        asyncio.run(questions.mean_logprob("x" * 10, "y" * 10, id="a"))
