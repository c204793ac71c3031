"""A real vLLM server of somebody else's takes the weights of each model that is asked, started as the docs say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from inverse_instruct.config.sections import InferenceSection, RunConfig
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.loop.engines import Engines
from tests.gateway.runs import perturb

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
UNTIED = ["--hf-overrides", '{"tie_word_embeddings": false}']


@pytest.fixture
def given(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VllmServer]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    section = InferenceSection(dtype="float32", extra_arguments=UNTIED)
    log = tmp_path / "given.log"
    server = VllmServer(tiny_model, section, max_model_len=512, log=log, environment={"VLLM_SERVER_DEV_MODE": "1"})
    server.start()
    try:
        asyncio.run(server.wait_ready())
        yield server
    finally:
        server.stop()


def engines(folder: Path, **inference: object) -> Engines:
    section = InferenceSection(dtype="float32", **inference)
    config = RunConfig(name="x", model={"base": "b", "max_model_len": 512}, corpus=[{"path": "c"}], inference=section)
    return Engines(config, folder, None, lambda event: None)


def answers(of: Engines, model: Path) -> list[list[float]]:
    """Return what a model thinks of two words after some questions: exact, so other weights show."""
    formatter = PromptFormatter(model, "chat")
    prompts = [formatter.response_prompt(f"Is {number} even?") for number in range(8)]
    labels = [formatter.single_token("Yes"), formatter.single_token("No")]

    async def ask(client: InferenceClient) -> list[list[float]]:
        await client.complete(prompts[0], Sampling(4))
        return await client.label_logprobs(prompts, labels)

    return of.ask(model, ask)


def test_each_model_answers_as_in_an_engine_of_its_own(given: VllmServer, tiny_model: Path, tmp_path: Path) -> None:
    perturb(tiny_model, tmp_path / "trained", 1)
    models = [tmp_path / "trained", tiny_model, tmp_path / "trained"]
    lent = engines(tmp_path, endpoints=[given.url], reload_endpoints=True)
    found = [answers(lent, model) for model in models]
    own = engines(tmp_path)
    try:
        expected = [answers(own, model) for model in models[:2]]
    finally:
        own.stop()

    flat = [[number for row in rows for number in row] for rows in found]
    for got, rows in zip(flat, [*expected, expected[0]], strict=True):
        assert got == pytest.approx([number for row in rows for number in row], abs=1e-4)
    assert flat[0] != pytest.approx(flat[1], abs=1e-2)
