"""One real engine, asked in every way: exact scores, sampling by the config alone, a suite, and killed under load.

The model's folder says how to sample, and the server is told to go by it, so that whatever the requests leave open
would be seen.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.errors import ServerError
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.lm_score import lm_score
from inverse_instruct.inference.prompts import PromptFormatter, PromptTemplate
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.records import Candidate, Snippet
from inverse_instruct.stages.questions import Asked
from inverse_instruct.stages.room import Source
from inverse_instruct.stages.score import SCORE
from inverse_instruct.store.files import link_or_copy
from inverse_instruct.store.rows import read_rows
from inverse_instruct.system.root import ROOT
from inverse_instruct.system.supervisor import descendants
from tests.playing import play_asking, room_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
MISLEADING = {
    "do_sample": True, "temperature": 0.1, "top_k": 1, "min_p": 0.9, "repetition_penalty": 1.5, "eos_token_id": 2
}  # fmt: skip
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


@pytest.fixture(scope="module")
def server(smollm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    folder = tmp_path_factory.mktemp("engine")
    model = shutil.copytree(smollm, folder / "model", copy_function=link_or_copy)
    (model / "generation_config.json").unlink(missing_ok=True)
    (model / "generation_config.json").write_text(json.dumps(MISLEADING))
    section = InferenceSection(
        dtype="float32", max_restarts=1, extra_arguments=["--generation-config", "auto"], concurrency=16
    )
    server = VllmServer(model, section, max_model_len=1024, log=folder / "vllm.log")
    server.start()
    try:
        asyncio.run(server.wait_ready())
        yield server
    finally:
        server.stop()


def open_client(server: VllmServer, *, concurrency: int = 16) -> InferenceClient:
    return InferenceClient({server.url: server}, server.name, concurrency=concurrency, timeout_seconds=300)


def test_a_generation_config_decides_nothing(server: VllmServer) -> None:
    async def main() -> set[str]:
        async with open_client(server) as client:
            sampled = Sampling(8, temperature=1.0, stop=tuple(f"end {n}" for n in range(9)))  # more than it takes
            return {(await client.complete([5, 6, 7], sampled, seed)).text for seed in range(6)}

    assert len(asyncio.run(main())) == 6, "with a top_k of 1 they would all be the same"


def test_scores_equal_those_of_transformers(server: VllmServer, smollm: Path, tmp_path: Path) -> None:
    """Likely and unlikely labels alike, against logits in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    formatter = PromptFormatter(smollm, "chat")
    labels = [formatter.single_token("Yes"), formatter.single_token("No")]
    unlikely = tmp_path / "unlikely.jinja"
    unlikely.write_text(UNLIKELY)
    batches = {"likely": (None, pairs(8)), "unlikely": (str(unlikely), pairs(12))}

    async def score() -> None:
        async with open_client(server) as client:
            for name, (template, groups) in batches.items():
                inputs: dict[str, Source] = {
                    "snippets": [snippet for snippet, _ in groups],
                    "candidates": [candidate for _, group in groups for candidate in group],
                }
                asked = Asked(client, formatter, server.name, 1024)
                room = room_of(SCORE, tmp_path / name, inputs, score={"template": template}, asked=asked)
                await play_asking(room)

    asyncio.run(score())
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
    assert far_outside >= 10, "the pairs must reach far outside the top 20"


def test_a_suite_is_asked_of_an_endpoint(server: VllmServer, tmp_path: Path) -> None:
    """A server whose tokenizer is not here is asked by chat; what it said once is not asked again."""

    def command(name: str, output: Path, *options: str) -> dict[str, Any]:
        shown = subprocess.run(
            [
                sys.executable,
                "-m",
                "inverse_instruct.cli",
                name,
                "--endpoint",
                server.url,
                "--limit",
                "3",
                "--output",
                str(output),
                "--set",
                "evaluate.suites.0.max_new_tokens=24",
                "--set",
                "summarize.max_new_tokens=24",
                "--json",
                *options,
            ],
            cwd=ROOT,
            env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
            text=True,
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
        return dict(json.loads(shown))

    sampled = command("evaluate", tmp_path / "sampled", "-n", "2", "--temperature", "2.0")
    report = sampled["metrics"]["suites"]["mini"]
    assert (report["problems"], report["samples"]) == (3, 6)
    assert sampled["tokens"]["completion"] > 0
    replies = [json.loads(line) for line in (tmp_path / "sampled/mini/replies.jsonl").read_text().splitlines()]
    assert len({reply["text"] for reply in replies}) == 6, "each sample has a seed of its own"
    again = command("evaluate", tmp_path / "sampled", "-n", "2", "--temperature", "2.0")
    assert again["tokens"]["completion"] == 0
    assert again["metrics"]["suites"] == sampled["metrics"]["suites"]

    consistency = command("self-consistency", tmp_path / "consistency")["metrics"]["suites"]["mini"]
    measured = consistency["self_consistency"]
    assert measured["problems"] + sum(measured["removed"].values()) == 3
    rows = (tmp_path / "consistency/mini/self_consistency.jsonl").read_text().splitlines()
    assert len(rows) == 3 and all(json.loads(row)["instruction"] is not None for row in rows)


@pytest.mark.slow
def test_killed_under_load_every_request_is_answered(server: VllmServer) -> None:
    """The last one, as it uses up the server's restarts."""
    events: list[str] = []
    server.on_event = events.append

    async def main() -> list[str]:
        async with open_client(server) as client:

            async def ask(number: int) -> str:
                reply = await client.complete([number + 10] * 8, Sampling(32, temperature=1.0), seed=number)
                if number == 10:
                    for pid in descendants(os.getpid()):
                        if b"vllm" in Path(f"/proc/{pid}/cmdline").read_bytes().lower():
                            os.kill(pid, signal.SIGKILL)
                return reply.text

            first = await asyncio.gather(*(ask(number) for number in range(24)))
            again = await asyncio.gather(*(ask(number) for number in range(5)))
            assert first[:5] == again, "the same seeds must give the same text after the restart"
            return first

    assert all(asyncio.run(main()))
    assert events == ["the server died and is started again (1)"]
    server.stop()
    with pytest.raises(ServerError, match="died 2 times"):
        asyncio.run(server.revive())


def test_a_server_that_cannot_start_shows_its_log(smollm: Path, tmp_path: Path) -> None:
    section = InferenceSection(extra_arguments=["--no-such-argument"])
    broken = VllmServer(smollm, section, max_model_len=512, log=tmp_path / "vllm.log")
    broken.start()
    with pytest.raises(ServerError, match="(?s)ended while starting.*no-such-argument"):
        asyncio.run(broken.wait_ready())
