"""A small engine for quick fault tests: a real forward pass of a tiny Llama in numpy, up in a second.

With the folder above `vllm` on PYTHONPATH it is what `python -m vllm.entrypoints.openai.api_server` starts, so a run
starts, asks, changes and loses engines as it does with vLLM, which takes half a minute to start. What the engine says
follows from the checkpoint's weights and the request alone. Slow fault tests use vLLM itself.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # sums in one order

import argparse  # noqa: E402
import json  # noqa: E402
import threading  # noqa: E402
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

Array = NDArray[np.floating]


class Llama:
    """The forward pass, without a key-value cache."""

    def __init__(self, folder: Path) -> None:
        self.config = json.loads((folder / "config.json").read_text())
        self.weights: dict[str, Array] = load_file(folder / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.head = self.weights.get("lm_head.weight", self.weights["model.embed_tokens.weight"])

    def logprobs(self, ids: list[int]) -> Array:
        """Return the natural logarithms of the next token's probabilities."""
        hidden = self.weights["model.embed_tokens.weight"][ids]
        for layer in range(self.config["num_hidden_layers"]):
            name = f"model.layers.{layer}."
            hidden = hidden + self._attend(name + "self_attn.", self._norm(name + "input_layernorm", hidden))
            hidden = hidden + self._feed(name + "mlp.", self._norm(name + "post_attention_layernorm", hidden))
        logits = self.head @ self._norm("model.norm", hidden[-1:])[0]
        logits = logits.astype(np.float64) - logits.max()
        logprobs: Array = logits - np.log(np.exp(logits).sum())
        return logprobs

    def _norm(self, name: str, x: Array) -> Array:
        scale = np.sqrt((x * x).mean(-1, keepdims=True) + self.config["rms_norm_eps"])
        normed: Array = x / scale * self.weights[f"{name}.weight"]
        return normed

    def _feed(self, name: str, x: Array) -> Array:
        gate, up = (x @ self.weights[f"{name}{part}_proj.weight"].T for part in ("gate", "up"))
        fed: Array = (gate / (1 + np.exp(-gate)) * up) @ self.weights[f"{name}down_proj.weight"].T
        return fed

    def _attend(self, name: str, x: Array) -> Array:
        heads, length = self.config["num_attention_heads"], len(x)
        size = self.config["head_dim"]
        q, k, v = (
            np.transpose((x @ self.weights[f"{name}{part}_proj.weight"].T).reshape(length, -1, size), (1, 0, 2))
            for part in "qkv"
        )
        k, v = (np.repeat(part, heads // len(part), axis=0) for part in (k, v))
        scores = self._rotate(q) @ self._rotate(k).transpose(0, 2, 1) / np.sqrt(size)
        scores = np.where(np.tri(length, dtype=bool), scores, -np.inf)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (shares / shares.sum(-1, keepdims=True)) @ v
        mixed = mixed.transpose(1, 0, 2).reshape(length, -1).astype(np.float32)
        attended: Array = mixed @ self.weights[f"{name}o_proj.weight"].T
        return attended

    def _rotate(self, x: Array) -> Array:
        half = x.shape[-1] // 2
        theta = (self.config.get("rope_parameters") or self.config).get("rope_theta", 10000.0)
        angles = np.outer(np.arange(x.shape[1]), theta ** (-np.arange(half) / half))
        cos, sin = np.cos(angles), np.sin(angles)
        first, second = x[..., :half], x[..., half:]
        return np.concatenate([first * cos - second * sin, second * cos + first * sin], -1)


class Engine:
    """Answers completion requests one after the other."""

    def __init__(self, folder: Path, name: str) -> None:
        self.llama, self.name = Llama(folder), name
        self._lock = threading.Lock()

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            many = isinstance(body["prompt"][0], list)
            choices = self._label_choices(body) if many else [self._choice(body)]
        tokens = sum(map(len, body["prompt"])) if many else len(body["prompt"])
        return {
            "model": self.name,
            "choices": choices,
            "usage": {"prompt_tokens": tokens, "completion_tokens": sum(choice.pop("tokens", 1) for choice in choices)},
        }

    def _label_choices(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        choices = []
        for index, prompt in enumerate(body["prompt"]):
            row = self.llama.logprobs(prompt)
            found = {f"token_id:{label}": float(row[label]) for label in body["logprob_token_ids"]}
            choices.append(
                {"index": index, "text": "", "finish_reason": "length", "logprobs": {"top_logprobs": [found]}}
            )
        return choices

    def _choice(self, body: dict[str, Any]) -> dict[str, Any]:
        generator = np.random.default_rng(body["seed"])
        new: list[int] = []
        text, reason = "", "length"
        for _ in range(body["max_tokens"]):
            row = self.llama.logprobs(body["prompt"] + new)
            if body["temperature"]:
                chances = np.exp((row - row.max()) / body["temperature"])
                token = int(generator.choice(len(row), p=chances / chances.sum()))
            else:
                token = int(row.argmax())
            if token in body["stop_token_ids"]:
                reason = "stop"
                break
            new.append(token)
            text = self.llama.tokenizer.decode(new)
            ends = [text.index(stop) for stop in body["stop"] if stop in text]
            if ends:
                text, reason = text[: min(ends)], "stop"
                break
        return {"index": 0, "text": text, "finish_reason": reason, "tokens": len(new)}


def handler(engine: Engine) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply({"data": [{"id": engine.name}]} if self.path == "/v1/models" else {})

        def do_POST(self) -> None:
            self._reply(engine.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

        def log_message(self, *_: Any) -> None:
            """Say nothing: the disk of the log may be full."""

        def _reply(self, value: dict[str, Any]) -> None:
            content = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path)
    parser.add_argument("--served-model-name")
    parser.add_argument("--port", type=int)
    arguments, _ = parser.parse_known_args()
    engine = Engine(arguments.model, arguments.served_model_name)
    server = ThreadingHTTPServer(("127.0.0.1", arguments.port), handler(engine))
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
