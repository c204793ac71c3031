"""Summarize and score through the loop, against vLLM itself with the same prompts.

Enters: a model folder, and files of code, whose functions are the snippets. Leaves, on standard output: seconds and
tokens a second of both, and their ratio, 1 being the speed of vLLM alone; and the time of scoring with the question's
parts in either order. An engine is started for each; that takes no part in the time.

    python -m tests.throughput.against_vllm MODEL FILES... --snippets 60 --candidates 4

Not guaranteed: figures that mean anything beside other work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inverse_instruct.commands.asking import ask
from inverse_instruct.config.config_file import parse_config
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.inference.replies import Completion
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Candidate, Snippet
from inverse_instruct.stages.play import work
from inverse_instruct.stages.questions import Asked
from inverse_instruct.stages.room import Place, Room
from inverse_instruct.stages.score import SCORE
from inverse_instruct.stages.summarize import SUMMARIZE
from inverse_instruct.store.rows import iterate_rows
from tests.throughput.orchestrator import functions

INSTRUCTION_FIRST = """Here is a programming task:

{{ instruction }}

And here is a piece of {{ language }} code:

```{{ language }}
{{ code }}
```

Is the code a correct and complete answer to the task? Reply with {{ yes }} or {{ no }} only.
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--snippets", type=int, default=60)
    parser.add_argument("--candidates", type=int, default=4)
    parser.add_argument("--raw", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.raw:
        print(json.dumps(raw(arguments.model, json.loads(arguments.raw.read_text()))))
        return
    snippets = list(functions(arguments.files))[: arguments.snippets]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        template = folder / "instruction-first.jinja"
        template.write_text(INSTRUCTION_FIRST)
        config = config_of(arguments.model, arguments.candidates)
        found, asked = through_the_loop(config, arguments.model, folder, snippets, template)
        (folder / "asked.json").write_text(json.dumps(asked))
        command = [sys.executable, "-m", "tests.throughput.against_vllm", str(arguments.model)]
        environment = os.environ | {
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0))),
            "VLLM_CPU_KVCACHE_SPACE": str(config.inference.cpu_kv_cache_gib),
        }
        printed = subprocess.run(
            [*command, "--raw", str(folder / "asked.json")], env=environment, stdout=subprocess.PIPE, check=True
        ).stdout
        alone = json.loads(printed.splitlines()[-1])
    tokens = sum(len(prompt) for prompt, *_ in asked["replies"]) + sum(map(len, asked["scores"]))
    for who, about in (("the loop", found), ("vLLM alone", alone)):
        whole = about["tokens"] + tokens
        print(f"{who}: {about['seconds']:.1f} s, {whole / about['seconds']:.0f} tokens/s ({about['tokens']} written)")
    rates = [(about["tokens"] + tokens) / about["seconds"] for about in (found, alone)]
    print(f"ratio: {rates[0] / rates[1]:.3f}")
    print(f"scoring, code first: {found['code_first']:.1f} s; instruction first: {found['instruction_first']:.1f} s")


def config_of(model: Path, candidates: int) -> RunConfig:
    """Return the quickstart's way of asking."""
    tree = {
        "name": "x",
        "model": {"base": str(model), "max_model_len": 1024},
        "corpus": [{"path": "none"}],
        "inference": {"dtype": "float32"},
        "summarize": {
            "candidates": candidates,
            "temperature": 0.6,
            "repetition_penalty": 1.05,
            "max_new_tokens": 80,
            "max_snippet_tokens": 700,
            "stop": ["```", "\n\n"],
        },
    }
    return parse_config(tree, [])


def through_the_loop(
    config: RunConfig, model: Path, folder: Path, snippets: Sequence[Snippet], template: Path
) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the figures, and all that the engine was asked."""
    found: dict[str, float] = {"tokens": 0}
    asked: dict[str, Any] = {"replies": [], "scores": [], "labels": []}

    async def measure(model_: Asked) -> None:
        note(model_, asked, found)
        rooms = [room(stage, config, folder / stage.name, snippets, model_) for stage in (SUMMARIZE, SCORE)]
        began = time.monotonic()
        await work(rooms)
        found["seconds"] = time.monotonic() - began
        for each in rooms:
            each.finish()
        candidates = list(iterate_rows(folder / "summarize/candidates.parquet", Candidate))
        noted = len(asked["scores"])
        for order, override in (("code_first", None), ("instruction_first", str(template))):
            again = config.model_copy(update={"score": config.score.model_copy(update={"template": override})})
            judge = room(SCORE, again, folder / order, snippets, model_, candidates)
            began = time.monotonic()
            await work([judge])
            found[order] = time.monotonic() - began
            judge.finish()
        del asked["scores"][noted:]

    ask(config, model, folder, measure)
    return found, asked


def room(
    stage: Any,
    config: RunConfig,
    folder: Path,
    snippets: Sequence[Snippet],
    asked: Asked,
    candidates: Sequence[Candidate] = (),
) -> Room:
    """Return a room with its inputs at hand."""
    return Room(
        stage,
        config,
        Place(folder, 1, 0, folder),
        {"snippets": snippets, "candidates": candidates, "earlier": []},
        asked,
    )


def note(model: Asked, asked: dict[str, Any], found: dict[str, float]) -> None:
    """Have the client write down what it is asked."""
    client: Any = model.client
    complete, label_logprobs = client.complete, client.label_logprobs

    async def noted_complete(prompt: list[int], sampling: Sampling, seed: int | None = None) -> Completion:
        asked["replies"].append((prompt, sampling.fields(), seed))
        reply: Completion = await complete(prompt, sampling, seed)
        found["tokens"] += reply.completion_tokens
        return reply

    async def noted_logprobs(prompts: list[list[int]], labels: Sequence[int]) -> list[list[float]]:
        asked["scores"] += prompts
        asked["labels"] = list(labels)
        rows: list[list[float]] = await label_logprobs(prompts, labels)
        return rows

    client.complete, client.label_logprobs = noted_complete, noted_logprobs


def raw(model: Path, asked: dict[str, Any]) -> dict[str, float]:
    """Return the figures of vLLM alone, which is given all prompts at once."""
    from vllm import LLM, SamplingParams

    engine = LLM(
        str(model),
        dtype="float32",
        max_model_len=1024,
        enable_prefix_caching=True,
        block_size=32,
        enforce_eager=True,
        enable_chunked_prefill=False,
        max_num_batched_tokens=4096,
        generation_config="vllm",
    )
    params = [SamplingParams(**fields, seed=seed) for _, fields, seed in asked["replies"]]
    wanted = asked["labels"]
    labels = SamplingParams(max_tokens=1, temperature=0.0, logprobs=len(wanted), logprob_token_ids=wanted)
    began = time.monotonic()
    written = engine.generate([{"prompt_token_ids": prompt} for prompt, *_ in asked["replies"]], params, use_tqdm=False)
    engine.generate([{"prompt_token_ids": prompt} for prompt in asked["scores"]], labels, use_tqdm=False)
    seconds = time.monotonic() - began
    return {"seconds": seconds, "tokens": sum(len(each.outputs[0].token_ids) for each in written)}


if __name__ == "__main__":
    main()
