"""What is trained as the end of a response is what every server stops at: transformers, vLLM, and our own clients."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.inference.models import read_settings
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.inference.stop_tokens import Ending, name_end
from tests.inference.tokenization.made_tokenizers import CHATML, SHAPES

VLLM = """
import json, sys
from vllm.transformers_utils.config import try_get_generation_config
for folder in sys.argv[1:]:
    ids = try_get_generation_config(folder, trust_remote_code=False).to_diff_dict().get("eos_token_id")
    print(json.dumps([ids] if isinstance(ids, int) else ids))
"""


def set_in(path: Path, **values: Any) -> None:
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | values))


def token_id(folder: Path, name: str) -> int:
    from tokenizers import Tokenizer

    found = Tokenizer.from_file(str(folder / "tokenizer.json")).token_to_id(name)
    assert found is not None, name
    return found


def _eos_list(folder: Path) -> None:
    set_in(folder / "generation_config.json", eos_token_id=[token_id(folder, "<|endoftext|>"), 7], top_k=20)


def _only_config(folder: Path) -> None:
    set_in(folder / "config.json", eos_token_id=token_id(folder, "<|endoftext|>"))


def _map_of_special_tokens(folder: Path) -> None:
    set_in(folder / "special_tokens_map.json", eos_token="<|endoftext|>")


def _eos_elsewhere(folder: Path) -> None:
    set_in(folder / "tokenizer_config.json", chat_template="{{ eos_token }}" + CHATML)


def _no_end(folder: Path) -> None:
    template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    set_in(folder / "tokenizer_config.json", chat_template=template)


def nothing(folder: Path) -> None:
    pass


CASES: dict[str, tuple[str, str, Callable[[Path], None], str, str]] = {
    # shape, format, what else its folder says, the end, the tokenizer's EOS afterwards
    "qwen, a base model": ("qwen", "chat", nothing, "<|im_end|>", "<|im_end|>"),
    "a list of ends": ("qwen", "chat", _eos_list, "<|im_end|>", "<|im_end|>"),
    "an end in config.json": ("qwen", "chat", _only_config, "<|im_end|>", "<|im_end|>"),
    "special_tokens_map.json": ("qwen", "chat", _map_of_special_tokens, "<|im_end|>", "<|im_end|>"),
    "a template that writes the EOS elsewhere": ("qwen", "chat", _eos_elsewhere, "<|im_end|>", "<|endoftext|>"),
    "a template without an end": ("qwen", "chat", _no_end, "<|endoftext|>", "<|endoftext|>"),
    "llama-3": ("llama-3", "chat", nothing, "<|eot_id|>", "<|eot_id|>"),
    "an end that is not flagged": ("deepseek", "chat", nothing, "<|EOT|>", "<|EOT|>"),
    "phi-3": ("phi-3", "chat", nothing, "<|end|>", "<|end|>"),
    "gemma": ("gemma", "chat", nothing, "<end_of_turn>", "<end_of_turn>"),
    "the end is the EOS": ("mistral", "chat", nothing, "</s>", "</s>"),
    "magicoder": ("qwen", "magicoder", nothing, "<|endoftext|>", "<|endoftext|>"),
    "completion": ("llama-3", "completion", nothing, "<|end_of_text|>", "<|end_of_text|>"),
    "only tokenizer.json and config.json": ("tokenizer.json only", "chat", nothing, "<|im_end|>", ""),
}


def exported(base: Path, prompt_format: str) -> tuple[Path, Ending]:
    """Return a copy of a folder that names the end, as an export does, and that end."""
    ending = PromptFormatter(base, prompt_format).ending
    folder = Path(shutil.copytree(base, base.with_name("export")))
    name_end(folder, ending)
    return folder, ending


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str, str, str]:
    shape, prompt_format, prepare, end, eos = CASES[request.param]
    base = SHAPES[shape](tmp_path / "base")
    prepare(base)
    return base, prompt_format, end, eos


def test_the_files_name_the_end_and_keep_the_earlier_ones(case: tuple[Path, str, str, str]) -> None:
    base, prompt_format, end, eos = case
    before = PromptFormatter(base, prompt_format)
    earlier = [*before.ending.stops, *([7] if "top_k" in read_settings(base / "generation_config.json") else [])]
    folder, ending = exported(base, prompt_format)
    assert ending.end == token_id(base, end) == before.end_of_response[0]
    for name in ("generation_config.json", "config.json"):
        ids = read_settings(folder / name)["eos_token_id"]
        ids = [ids] if isinstance(ids, int) else ids
        assert ids[0] == ending.end and set(earlier) <= set(ids)
    kept = read_settings(base / "generation_config.json") | {"eos_token_id": None}
    assert kept.items() <= (read_settings(folder / "generation_config.json") | {"eos_token_id": None}).items()
    after = PromptFormatter(folder, prompt_format)
    assert after.training_ids("Add.", "x") == before.training_ids("Add.", "x"), "nothing else has changed"
    assert set(after.ending.stops) == set(ids)
    assert eos == str(read_settings(folder / "tokenizer_config.json").get("eos_token", "")), "where it may"


def test_transformers_stops_there(case: tuple[Path, str, str, str]) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    base, prompt_format, end, _ = case
    eos = read_settings(base / "config.json").get("eos_token_id")
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=1100,
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            bos_token_id=None,
            eos_token_id=eos,
        )
    )
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    torch.nn.init.ones_(model.model.embed_tokens.weight)
    torch.nn.init.ones_(model.model.norm.weight)
    torch.nn.init.ones_(model.lm_head.weight[token_id(base, end)])  # whatever it is asked, it says the end
    generation = base / "generation_config.json"
    saved = generation.read_text() if generation.exists() else None
    model.save_pretrained(base)
    generation.unlink(missing_ok=True)
    if saved:
        generation.write_text(saved)
    folder, ending = exported(base, prompt_format)
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    written = loaded.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=12, do_sample=False, pad_token_id=0)
    assert written[0, 3:].tolist() == [ending.end]
    assert AutoTokenizer.from_pretrained(folder)


@pytest.mark.slow
def test_vllm_reads_it(tmp_path: Path) -> None:
    folders, ends = [], []
    for number, (shape, prompt_format, prepare, _, _) in enumerate(CASES.values()):
        base = SHAPES[shape](tmp_path / str(number) / "base")
        prepare(base)
        folder, ending = exported(base, prompt_format)
        folders.append(str(folder))
        ends.append(ending.end)
    result = subprocess.run([sys.executable, "-c", VLLM, *folders], capture_output=True, text=True, check=True)
    found = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("[")]
    assert len(found) == len(ends) and all(end in ids for end, ids in zip(ends, found, strict=True))
