"""The config alone decides how is sampled, whatever a model's folder says: with a real server, ours and a given one."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.inference.server import VllmServer

pytestmark = pytest.mark.integration


@pytest.mark.timeout(600)
@pytest.mark.parametrize("arguments", [[], ["--generation-config", "auto"]], ids=["ours", "given"])
def test_a_generation_config_decides_nothing(tiny_model: Path, tmp_path: Path, arguments: list[str]) -> None:
    model = shutil.copytree(tiny_model, tmp_path / "model")
    (model / "generation_config.json").write_text(
        json.dumps(
            {
                "do_sample": True,
                "temperature": 0.1,
                "top_k": 1,
                "min_p": 0.9,
                "repetition_penalty": 1.5,
                "eos_token_id": 2,
            }
        )
    )
    server = VllmServer(
        model,
        InferenceSection(dtype="float32", extra_arguments=arguments),
        max_model_len=256,
        log=tmp_path / "vllm.log",
    )
    server.start()

    async def main() -> set[str]:
        await server.wait_ready()
        async with InferenceClient([server.url], server.name, concurrency=8, timeout_seconds=120) as client:
            sampled = Sampling(8, temperature=1.0)
            return {(await client.complete([5, 6, 7], sampled, seed)).text for seed in range(6)}

    try:
        assert len(asyncio.run(main())) == 6, "with a top_k of 1 they would all be the same"
    finally:
        server.stop()
