"""With some requests spoiled on their way, each row has the same outcome as without."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config.sections import InferenceSection, SummarizeSection
from inverse_instruct.inference.connect import connect
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.records import Snippet
from inverse_instruct.stages.questions import Asked
from inverse_instruct.stages.score import SCORE
from inverse_instruct.stages.summarize import SUMMARIZE
from inverse_instruct.store.files import file_digest
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.rows import read_rows
from tests.faults import faulty_proxy
from tests.faults.bad_server import BadServer, good
from tests.faults.faulty_proxy import FAULTS, FaultyProxy
from tests.playing import play_asking, room_of

SNIPPETS = [
    Snippet(
        f"s{number}",
        f"def scale_{number}(values):\n    return [value * {number} for value in values]",
        "python",
        "",
        "",
        "",
        1,
    )
    for number in range(30)
]


async def generate(urls: list[str], model: Path, folder: Path) -> list[Manifest]:
    inference = InferenceSection(endpoints=urls, concurrency=16)
    async with connect(inference, []) as client:
        options: dict[str, Any] = {
            "asked": Asked(client, PromptFormatter(model, "chat"), client.model, 1024),
            "inference": inference,
            "summarize": SummarizeSection(candidates=4, max_new_tokens=24, temperature=0.6, stop=["\n"]),
        }
        return await play_asking(
            room_of(SUMMARIZE, folder / "summarize", {"snippets": SNIPPETS}, **options),
            room_of(SCORE, folder / "score", **options),
        )


@pytest.mark.usefixtures("quick")
def test_every_row_gets_its_own_reply(bad_server: Callable[..., BadServer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faulty_proxy, "DELAY_SECONDS", 0.05)
    upstream = bad_server(good)

    async def main() -> FaultyProxy:
        async with (
            FaultyProxy(upstream.url, share=0.1, seed=1) as proxy,
            connect(InferenceSection(endpoints=[proxy.url], concurrency=16), []) as client,
        ):
            replies = await asyncio.gather(*(client.complete([number], Sampling(5)) for number in range(400)))
            assert [reply.text for reply in replies] == [f" of {number}" for number in range(400)]
            scores = await asyncio.gather(*(client.label_logprobs([[1], [2]], [5, 6]) for _ in range(100)))
            assert scores == [[[-6.0, -7.0]] * 2] * 100
            return proxy

    proxy = asyncio.run(main())
    assert set(proxy.injected) == set(FAULTS) and proxy.injected.total() > 30


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_rows_are_the_same(smollm: Path, tmp_path: Path) -> None:
    server = VllmServer(smollm, InferenceSection(dtype="float32"), max_model_len=1024, log=tmp_path / "vllm.log")
    server.start()

    async def main() -> tuple[list[Manifest], list[Manifest], FaultyProxy]:
        await server.wait_ready()
        async with FaultyProxy(server.url, share=0.05, seed=1) as proxy:
            return (
                await generate([server.url], smollm, tmp_path / "clean"),
                await generate([proxy.url], smollm, tmp_path / "faulty"),
                proxy,
            )

    try:
        clean, faulty, proxy = asyncio.run(main())
    finally:
        server.stop()
    print(f"{proxy.requests} requests, {proxy.injected.total()} spoiled: {dict(proxy.injected)}")
    assert proxy.injected.total() >= 5 and set(proxy.injected) <= set(FAULTS)
    assert [manifest.rejected for manifest in clean] == [manifest.rejected for manifest in faulty]
    name = "summarize/candidates.parquet"
    assert file_digest(tmp_path / "clean" / name) == file_digest(tmp_path / "faulty" / name)
    scores = [
        {row["candidate_id"]: row["lm_score"] for row in read_rows(tmp_path / folder / "score/scores.parquet")}
        for folder in ("clean", "faulty")
    ]
    assert scores[1] == pytest.approx(scores[0], abs=1e-4), "batches differ, and with them the last digits"
