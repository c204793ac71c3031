"""What is computed on the device outside of a training: `python -m tests.gpu.on_device TASK ARGUMENTS_AS_JSON`.

A process of its own each time, as pytest must hold no GPU memory while it measures who does. Prints one line of JSON.
On a CPU the same runs in float32 at sizes of no meaning, with null for bytes.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
DTYPE = torch.bfloat16 if CUDA else torch.float32


def describe() -> dict[str, Any]:
    """Name the device and its memory."""
    versions = {name: version(name) for name in ("torch", "transformers", "peft", "accelerate")}
    if not CUDA:
        return {"device": "cpu", "free_bytes": None, "memory_bytes": None, **versions}
    free, whole = torch.cuda.mem_get_info()
    return {"device": torch.cuda.get_device_name(), "free_bytes": free, "memory_bytes": whole, **versions}


def measure_peak(size: int) -> dict[str, float]:
    """Multiply random square matrices, and copy memory within the device; the medians are the ceilings."""
    a, b = (torch.randn(size, size, device=DEVICE, dtype=DTYPE) for _ in range(2))
    big = torch.randn(size * size * 8, device=DEVICE)
    target = torch.empty_like(big)
    product, copy = median_seconds(lambda: a @ b, 30), median_seconds(lambda: target.copy_(big), 30)
    return {"matmul_tflops": 2 * size**3 / product / 1e12, "copy_tb_per_second": 2 * 4 * big.numel() / copy / 1e12}


def write_file(path: str, size: int) -> dict[str, float]:
    """Write a file of random bytes and wait until they are on the disk."""
    block = os.urandom(2**24)
    started = time.monotonic()
    with open(path, "wb") as stream:
        for _ in range(size // len(block)):
            stream.write(block)
        stream.flush()
        os.fsync(stream.fileno())
    return {"seconds": time.monotonic() - started}


def save_model(folder: str, shape: dict[str, int]) -> dict[str, Any]:
    """Save a Llama of a shape with random weights, in the type to be trained in, and a byte-level tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.gpu.shapes import Shape
    from tests.training.conftest import save_tokenizer

    started = time.monotonic()
    Path(folder).mkdir(parents=True)
    vocabulary = save_tokenizer(Path(folder))
    torch.manual_seed(1)
    config = LlamaConfig(
        **Shape(**shape).config(), bos_token_id=None, eos_token_id=vocabulary - 1, pad_token_id=vocabulary - 3
    )
    torch.set_default_dtype(DTYPE)
    with torch.device(DEVICE):
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    return {"parameters": sum(weights.numel() for weights in model.parameters()), "seconds": time.monotonic() - started}


def plain_loss(model: str, sequences: str, rows: list[int]) -> dict[str, float]:
    """Return the mean loss of some rows, each alone through the model, as transformers computes it."""
    from transformers import AutoModelForCausalLM

    from inverse_instruct.training.sequences import Sequences

    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=DTYPE).to(DEVICE)
    data = Sequences.load(Path(sequences))
    total, labeled = 0.0, 0
    for row in rows:
        ids, labels = (torch.from_numpy(part)[None].to(DEVICE) for part in (data.tokens(row), data.labels(row)))
        with torch.no_grad():
            count = int(data.response_lengths[row])
            total += float(loaded(input_ids=ids, labels=labels).loss) * count
            labeled += count
    return {"loss": total / labeled}


def cross_entropy_memory(vocabulary: int, hidden: int, tokens: list[int]) -> list[dict[str, Any]]:
    """Measure a forward and backward pass of a model that is little more than its head, with two cross entropies."""
    from inverse_instruct.training.loss import response_loss

    model = head_of(vocabulary, hidden)
    results = []
    for count in tokens:
        ids = torch.randint(0, vocabulary, (count // 256, 256), device=DEVICE)
        labels = ids.clone()
        labels[:, 0] = -100
        batch = {"input_ids": ids, "labels": labels}
        for name, loss in (
            ("chunked", partial(response_loss, model, batch, skip_prompt_logits=True)),
            ("plain", partial(_plain_cross_entropy, model, batch)),
        ):
            results.append({"tokens": count, "cross_entropy": name, **_measure_backward(model, loss)})
    return results


def head_of(vocabulary: int, hidden: int) -> Any:
    """Return a Llama of one thin layer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=128,
        num_hidden_layers=1,
        num_attention_heads=hidden // 64,
        num_key_value_heads=1,
    )
    torch.set_default_dtype(DTYPE)
    with torch.device(DEVICE):
        return LlamaForCausalLM(config)


def _plain_cross_entropy(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Compute what `response_loss` did before it went through the tokens in chunks."""
    logits = model(input_ids=batch["input_ids"], use_cache=False).logits[:, :-1]
    targets = batch["labels"][:, 1:]
    labeled = targets != -100
    return torch.nn.functional.cross_entropy(logits[labeled].float(), targets[labeled], reduction="sum")


def _measure_backward(model: Any, loss: Callable[[], torch.Tensor]) -> dict[str, Any]:
    model.zero_grad(set_to_none=False)  # so that the gradients of the weights, the same for both, are there before
    loss().backward()
    model.zero_grad(set_to_none=False)
    before = start_counting()
    total = loss()
    total.backward()
    peak = peak_bytes(before)
    gradient = float(model.model.layers[0].mlp.up_proj.weight.grad.double().norm())
    seconds = median_seconds(lambda: loss().backward(), 3)
    return {"loss": float(total), "gradient_norm": gradient, "peak_bytes": peak, "seconds": seconds}


def optimizer_steps(elements: int) -> list[dict[str, Any]]:
    """Measure a step of each optimizer on one flat float32 shard, as ZeRO hands it: seconds, and bytes for a while."""
    from transformers.optimization import Adafactor

    weights = torch.nn.Parameter(torch.randn(elements, device=DEVICE))
    weights.grad = torch.randn(elements, device=DEVICE)
    results = []
    makers: dict[str, Callable[[], Any]] = {
        "adafactor": lambda: Adafactor([weights], lr=1e-3, scale_parameter=False, relative_step=False),
        "adamw": lambda: torch.optim.AdamW([weights], lr=1e-3),
        "adamw fused": lambda: torch.optim.AdamW([weights], lr=1e-3, fused=True),
    }
    for name, make in makers.items():
        optimizer = make()
        optimizer.step()
        before = start_counting()
        optimizer.step()
        peak = peak_bytes(before)
        results.append(
            {
                "optimizer": name,
                "temporary_bytes_per_weight": None if peak is None else peak / elements,
                "seconds": median_seconds(optimizer.step, 5),
            }
        )
    return results


def attention_with_and_without_mask(shape: dict[str, int], rows: int, length: int) -> list[dict[str, Any]]:
    """Time the layers of a shape forward and backward on padded rows, with the mask that says so and without."""
    from transformers import LlamaConfig, LlamaModel

    from tests.gpu.shapes import Shape

    torch.set_default_dtype(DTYPE)
    with torch.device(DEVICE):
        model = LlamaModel(LlamaConfig(**(Shape(**shape).config() | {"num_hidden_layers": 4})))
    ids = torch.randint(0, shape["vocabulary"], (rows, length), device=DEVICE)
    mask = torch.ones_like(ids)
    mask[1:, -length // 8 :] = 0
    results = []
    for name, given in (("mask", mask), ("none", None)):

        def step(given: torch.Tensor | None = given) -> None:
            model(input_ids=ids, attention_mask=given, use_cache=False).last_hidden_state.sum().backward()

        step()
        before = start_counting()
        step()
        results.append({"attention": name, "peak_bytes": peak_bytes(before), "seconds": median_seconds(step, 5)})
    return results


def median_seconds(work: Callable[[], Any], times: int) -> float:
    """Return the median time of some runs after a first one, until the device is done."""
    seconds = []
    for _ in range(times + 1):
        wait()
        started = time.perf_counter()
        work()
        wait()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def wait() -> None:
    if CUDA:
        torch.cuda.synchronize()


def start_counting() -> int:
    """Return the bytes in use now, from which a peak is counted."""
    if not CUDA:
        return 0
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return int(torch.cuda.memory_allocated())


def peak_bytes(before: int) -> int | None:
    """Return the most bytes that were in use at once since, beyond those before; None where nobody counts."""
    return torch.cuda.max_memory_allocated() - before if CUDA else None


TASKS: dict[str, Callable[..., Any]] = {
    task.__name__: task
    for task in (
        describe,
        measure_peak,
        save_model,
        plain_loss,
        cross_entropy_memory,
        optimizer_steps,
        attention_with_and_without_mask,
        write_file,
    )
}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](**json.loads(sys.argv[2]))))
