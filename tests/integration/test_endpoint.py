"""A server whose tokenizer is not here is asked by chat; what it said once is not asked again."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.system.root import ROOT

pytestmark = pytest.mark.integration


@pytest.mark.timeout(600)
def test_a_suite_is_asked_of_an_endpoint(tiny_model: Path, tmp_path: Path) -> None:
    server = VllmServer(tiny_model, InferenceSection(dtype="float32"), max_model_len=1024, log=tmp_path / "vllm.log")
    server.start()

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

    try:
        asyncio.run(server.wait_ready())
        sampled = command("evaluate", tmp_path / "sampled", "-n", "2", "--temperature", "1.0")
        report = sampled["metrics"]["suites"]["mini"]
        assert (report["problems"], report["samples"], report["pass_at_k"]["1"]["base"]["rate"]) == (3, 6, 0.0)
        assert sampled["tokens"]["completion"] > 0
        replies = [json.loads(line) for line in (tmp_path / "sampled/mini/replies.jsonl").read_text().splitlines()]
        assert len({reply["text"] for reply in replies}) == 6, "each sample has a seed of its own"
        again = command("evaluate", tmp_path / "sampled", "-n", "2", "--temperature", "1.0")
        assert again["tokens"]["completion"] == 0
        assert again["metrics"]["suites"] == sampled["metrics"]["suites"]

        consistency = command("self-consistency", tmp_path / "consistency")["metrics"]["suites"]["mini"]
        measured = consistency["self_consistency"]
        assert measured["problems"] + sum(measured["removed"].values()) == 3
        rows = (tmp_path / "consistency/mini/self_consistency.jsonl").read_text().splitlines()
        assert len(rows) == 3 and all(json.loads(row)["instruction"] is not None for row in rows)
    finally:
        server.stop()
