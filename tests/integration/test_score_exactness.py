"""LM-Scores from the server against logits computed with transformers in float32, likely and unlikely labels alike."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.lm_score import lm_score
from inverse_instruct.inference.prompts import PromptFormatter, PromptTemplate
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.records import Candidate, Snippet
from inverse_instruct.stages.room import Asked, Source
from inverse_instruct.stages.score import SCORE
from inverse_instruct.store.rows import read_rows
from tests.playing import play_asking, room_of

pytestmark = pytest.mark.integration
# after this one the model's next word is French, so that YES and NO are far down its list
UNLIKELY = "Translate to French: {{ instruction }} {{ code }}"


def pairs(count: int) -> list[tuple[Snippet, list[Candidate]]]:
    groups = []
    for number in range(count // 2):
        code = f"def scale_{number}(values):\n    return [value * {number} for value in values]"
        snippet = Snippet(f"s{number}", code, "python", "", "", "", 1)
        texts = [f"Write a function that multiplies every value of a list by {number}.", "Sort a list of names."]
        groups.append(
            (
                snippet,
                [Candidate(f"c{number}-{k}", snippet.id, k, "", text, 0, "", "", 0, 0) for k, text in enumerate(texts)],
            )
        )
    return groups


@pytest.mark.timeout(600)
def test_scores_equal_those_of_transformers(smollm: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    formatter = PromptFormatter(smollm, "chat")
    labels = [formatter.single_token("Yes"), formatter.single_token("No")]
    unlikely = tmp_path / "unlikely.jinja"
    unlikely.write_text(UNLIKELY)
    batches = {"likely": (None, pairs(30)), "unlikely": (str(unlikely), pairs(20))}
    server = VllmServer(smollm, InferenceSection(dtype="float32"), max_model_len=1024, log=tmp_path / "vllm.log")
    server.start()

    async def score() -> None:
        await server.wait_ready()
        async with InferenceClient([server.url], server.name, concurrency=16, timeout_seconds=300) as client:
            for name, (template, groups) in batches.items():
                inputs: dict[str, Source] = {
                    "snippets": [snippet for snippet, _ in groups],
                    "candidates": [candidate for _, group in groups for candidate in group],
                }
                await play_asking(
                    room_of(
                        SCORE,
                        tmp_path / name,
                        inputs,
                        score={"template": template},
                        asked=Asked(client, formatter, server.name, 1024),
                    )
                )

    try:
        asyncio.run(score())
    finally:
        server.stop()

    model = AutoModelForCausalLM.from_pretrained(smollm, dtype=torch.float32)
    far_outside = 0
    for name, (template, groups) in batches.items():
        rows = {row["candidate_id"]: row for row in read_rows(tmp_path / name / "scores.parquet")}
        for snippet, candidates in groups:
            for candidate in candidates:
                text = PromptTemplate("score", template).render(
                    language="python", code=snippet.code, instruction=candidate.instruction, yes="Yes", no="No"
                )
                with torch.no_grad():
                    logits = model(torch.tensor([formatter.response_prompt(text)])).logits[0, -1]
                yes, no = (float(logits[label]) for label in labels)
                ranks = [int((logits > logits[label]).sum()) for label in labels]
                far_outside += max(ranks) >= 100
                row = rows[candidate.id]
                assert abs(row["lm_score"] - lm_score(yes, no)) < 1e-3
                logprobs = torch.log_softmax(logits, 0)
                assert abs(row["yes_logprob"] - float(logprobs[labels[0]])) < 1e-2
                assert abs(row["no_logprob"] - float(logprobs[labels[1]])) < 1e-2
    assert far_outside >= 15, "the pairs must reach far outside the top 20"
