"""How far a start of an engine has come, by what vLLM has written into its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.inference.server import VllmServer

LOG = (
    "(EngineCore pid=1) INFO Initializing a V1 LLM engine (v0.32.0) with config: ...\n",
    "(EngineCore pid=1) INFO Starting to load model /tmp/tiny...\n",
    "(EngineCore pid=1) INFO Loading weights took 0.02 seconds\n",
    "(APIServer pid=2) INFO Starting vLLM server on http://127.0.0.1:42701\n",
)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (0, "starts"),
        (1, "is being set up"),
        (2, "loads the weights"),
        (3, "has its weights"),
        (4, "is about to answer"),
    ],
)
def test_a_person_is_told_what_goes_on(tiny_model: Path, tmp_path: Path, lines: int, told: str) -> None:
    log = tmp_path / "vllm.log"
    server = VllmServer(tiny_model, InferenceSection(), max_model_len=64, log=log)
    assert server._phase() == "starts", "before there is a log"
    log.write_text("".join(LOG[:lines]))
    assert server._phase().startswith(told)
    log.write_text("".join([*LOG, *LOG[:2]]))
    assert server._phase() == "loads the weights", "started again"
