"""Tokenizers of the shapes that real models have, small, made here: what they learn from is this project's own text."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = [
    "def add(a, b):\n    return a + b\n",
    "Write a Python function that adds two numbers. Yes No\n",
    "Yes",
    "No",
    "You are an exceptionally intelligent coding assistant @@ Instruction @@ Response Question: Answer:\n",
    " Yes",
    "for i in range(10):\n\tprint(i, 'é', \"ü\")\n\n\n",
    "```python\nclass A:\n        x = {1: 2}\n```",
    "user assistant system model You are a helpful assistant. think final analysis header",
    "<h1>title</h1>",
] * 20
GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHATML = """\
{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""
LLAMA2 = """\
{% for m in messages %}{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + m['content'].strip() + ' [/INST]' }}\
{% else %}{{ ' ' + m['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""
LLAMA3 = """\
{% for m in messages %}\
{% set content = '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + m['content'] | trim + '<|eot_id|>' %}\
{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"""
GEMMA = """\
{{ bos_token }}{% for m in messages %}{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}\
{{ '<start_of_turn>' + role + '\\n' + m['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"""
MISTRAL = """\
{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + '[/INST]' }}\
{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}"""
DEEPSEEK = """\
{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '### Instruction:\\n' + m['content'] + '\\n' }}\
{% else %}{{ '### Response:\\n' + m['content'] + '\\n<|EOT|>\\n' }}{% endif %}{% endfor %}\
{% if add_generation_prompt %}{{ '### Response:' }}{% endif %}"""
PHI3 = """\
{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m['content'] + '<|end|>\\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"""


@cache
def byte_level(split: str | None = None) -> str:
    """Return a byte-level BPE as JSON, without added tokens."""
    tokenizer = Tokenizer(models.BPE())
    parts: list[pre_tokenizers.PreTokenizer] = [pre_tokenizers.Split(Regex(split), "isolated")] if split else []
    parts.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not split))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
    )
    return tokenizer.to_str()


@cache
def sentence_piece() -> str:
    """Return a BPE with byte fallback and `▁` for spaces as JSON, without added tokens; ids 0 to 2 are theirs."""
    names = ["<unk>", "<s>", "</s>", *(f"<0x{number:02X}>" for number in range(256))]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.train_from_iterator(
        [" " + text for text in CORPUS], trainers.BpeTrainer(vocab_size=900, special_tokens=names, show_progress=False)
    )
    tree = json.loads(tokenizer.to_str())
    tree["model"] |= {"byte_fallback": True, "fuse_unk": True}
    tree["added_tokens"] = []
    return json.dumps(tree)


@cache
def unigram() -> str:
    """Return a Unigram model as JSON, whose control tokens are pieces as well."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.UnigramTrainer(
            vocab_size=250, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
        ),
    )
    return tokenizer.to_str()


def word_level() -> str:
    """Return a vocabulary of words as JSON; its control tokens are words like others."""
    words = ["<unk>", "<s>", "</s>", "<|sep|>", *sorted({word for text in CORPUS for word in text.split()})]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer.to_str()


def token(name: str, **flags: bool) -> dict[str, Any]:
    """Return an added token: special, unless it is told otherwise."""
    return {
        "content": name,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    } | flags


def save(
    folder: Path,
    model: str,
    added: list[dict[str, Any]],
    *,
    bos: str = "",
    post: bool = False,
    files: dict[str, Any],
    changes: dict[str, Any] | None = None,
) -> Path:
    """Write a model folder.

    Args:
        folder: where.
        model: a tokenizer as JSON.
        added: tokens to add.
        bos: the token that the post-processor puts in front, if `post`.
        post: whether there is a post-processor that does.
        files: name -> settings, or text.
        changes: to the JSON, after the tokens were added.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tree = json.loads(model)
    number = len(tree["model"]["vocab"])
    known = (
        tree["model"]["vocab"]
        if isinstance(tree["model"]["vocab"], dict)
        else {piece: place for place, (piece, _) in enumerate(tree["model"]["vocab"])}
    )
    for one in added:
        tree["added_tokens"] = [old for old in tree["added_tokens"] if old["content"] != one["content"]]
        if one["content"] not in known:
            known = known | {one["content"]: number}
            number += 1
        tree["added_tokens"].append({"id": known[one["content"]], **one})
    tree["added_tokens"].sort(key=lambda one: int(one["id"]))
    tree |= changes or {}
    tokenizer = Tokenizer.from_str(json.dumps(tree))
    if post:
        template = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, known[bos])]
        )
        tokenizer.post_processor = template
    tokenizer.save(str(folder / "tokenizer.json"))
    for name, content in files.items():
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    config = {"model_type": "llama", "vocab_size": tokenizer.get_vocab_size() + 8}
    if "config.json" not in files:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


SP = [token("<unk>"), token("<s>"), token("</s>")]
SP_DECODER = {
    "type": "Sequence",
    "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ],
}
PREPEND = {
    "normalizer": {
        "type": "Sequence",
        "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        ],
    },
    "decoder": SP_DECODER,
}
FIRST = {
    "normalizer": None,
    "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False},
    "decoder": SP_DECODER,
}
NEVER = {
    "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
    "decoder": {"type": "Sequence", "decoders": SP_DECODER["decoders"][:3]},
}
LLAMA = {"tokenizer_class": "LlamaTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def _llama2(folder: Path) -> Path:
    return save(
        folder,
        sentence_piece(),
        SP,
        bos="<s>",
        post=True,
        changes=PREPEND,
        files={"tokenizer_config.json": LLAMA | {"legacy": True, "add_bos_token": True, "chat_template": LLAMA2}},
    )


def _llama2_new(folder: Path) -> Path:
    return save(
        folder,
        sentence_piece(),
        SP,
        bos="<s>",
        post=True,
        changes=FIRST,
        files={"tokenizer_config.json": LLAMA | {"legacy": False, "chat_template": LLAMA2}},
    )


def _llama3(folder: Path) -> Path:
    names = [
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
        "<|python_tag|>",
    ]
    tree = json.loads(byte_level(GPT4))
    tree["model"]["ignore_merges"] = True
    return save(
        folder,
        json.dumps(tree),
        [token(name) for name in names],
        bos="<|begin_of_text|>",
        post=True,
        files={
            "tokenizer_config.json": {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "bos_token": "<|begin_of_text|>",
                "eos_token": "<|end_of_text|>",
            },
            "chat_template.jinja": LLAMA3,
        },
    )


def _gpt2(folder: Path) -> Path:
    end = "<|endoftext|>"
    return save(
        folder,
        byte_level(),
        [token(end, normalized=True)],
        files={
            "config.json": {"model_type": "gpt2", "vocab_size": 700},
            "tokenizer_config.json": {
                "tokenizer_class": "GPT2Tokenizer",
                "bos_token": end,
                "eos_token": end,
                "unk_token": end,
                "add_prefix_space": False,
                "chat_template": CHATML,
            },
        },
    )


def _qwen(folder: Path) -> Path:
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    added = [token(name) for name in names] + [token(name, special=False) for name in ("<tool_call>", "<|fim_prefix|>")]
    return save(
        folder,
        byte_level(GPT4),
        added,
        changes={"normalizer": {"type": "NFC"}},
        files={
            "config.json": {"model_type": "qwen2", "vocab_size": 700},
            "tokenizer_config.json": {
                "tokenizer_class": "Qwen2Tokenizer",
                "eos_token": "<|endoftext|>",
                "bos_token": None,
                "pad_token": "<|endoftext|>",
                "chat_template": CHATML,
            },
        },
    )


def _deepseek(folder: Path) -> Path:
    bos, eos = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
    added = [token(bos, normalized=True), token(eos, normalized=True), token("<|EOT|>", special=False, normalized=True)]
    return save(
        folder,
        byte_level(r"[\r\n]|\s?\p{L}+|\s?\p{P}+|\s+"),
        added,
        bos=bos,
        post=True,
        files={
            "tokenizer_config.json": {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "bos_token": bos,
                "eos_token": eos,
                "chat_template": DEEPSEEK,
            }
        },
    )


def _gemma(folder: Path) -> Path:
    added = [token(name) for name in ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>")]
    added += [token(name, special=False) for name in ("\n\n", "▁▁▁▁", "<h1>", "</h1>")]
    return save(
        folder,
        sentence_piece(),
        [token("<unk>"), *added],
        bos="<bos>",
        post=True,
        changes=NEVER,
        files={
            "config.json": {"model_type": "gemma", "vocab_size": 1000},
            "tokenizer_config.json": {
                "tokenizer_class": "GemmaTokenizerFast",
                "bos_token": "<bos>",
                "eos_token": "<eos>",
                "unk_token": "<unk>",
                "pad_token": "<pad>",
                "chat_template": GEMMA,
            },
        },
    )


def _mistral(folder: Path) -> Path:
    added = [token(name) for name in ("[INST]", "[/INST]", "[TOOL_CALLS]")]
    return save(
        folder,
        sentence_piece(),
        SP + added,
        bos="<s>",
        post=True,
        changes=FIRST,
        files={
            "config.json": {"model_type": "mistral", "vocab_size": 1000},
            "tokenizer_config.json": LLAMA | {"legacy": False, "chat_template": MISTRAL},
        },
    )


def _starcoder(folder: Path) -> Path:
    names = ["<|endoftext|>", "<fim_prefix>", "<reponame>", "<filename>"]
    return save(
        folder,
        byte_level(),
        [token(name) for name in names],
        files={
            "config.json": {"model_type": "gpt_bigcode", "vocab_size": 700},
            "tokenizer_config.json": {
                "tokenizer_class": "GPT2TokenizerFast",
                "bos_token": "<|endoftext|>",
                "eos_token": "<|endoftext|>",
                "add_prefix_space": False,
                "chat_template": CHATML,
            },
        },
    )


def _code_llama(folder: Path) -> Path:
    added = [token(name) for name in ("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>")]
    return save(
        folder,
        sentence_piece(),
        SP + added,
        bos="<s>",
        post=True,
        changes=PREPEND,
        files={"tokenizer_config.json": LLAMA | {"tokenizer_class": "CodeLlamaTokenizer", "chat_template": LLAMA2}},
    )


def _phi2(folder: Path) -> Path:
    added = [token("<|endoftext|>"), *(token(" " * width, special=False, normalized=True) for width in (8, 4, 2))]
    return save(
        folder,
        byte_level(),
        added,
        files={
            "config.json": {"model_type": "phi", "vocab_size": 700},
            "tokenizer_config.json": {
                "tokenizer_class": "CodeGenTokenizer",
                "bos_token": "<|endoftext|>",
                "eos_token": "<|endoftext|>",
                "add_prefix_space": False,
                "chat_template": CHATML,
            },
        },
    )


def _phi3(folder: Path) -> Path:
    added = [token(name, rstrip=True) for name in ("<|assistant|>", "<|user|>", "<|system|>", "<|end|>")]
    return save(
        folder,
        sentence_piece(),
        [*SP, token("<|endoftext|>"), *added],
        changes=PREPEND,
        files={
            "config.json": {"model_type": "phi3", "vocab_size": 1000},
            "tokenizer_config.json": LLAMA
            | {"eos_token": "<|endoftext|>", "chat_template": PHI3, "add_bos_token": False},
        },
    )


def _words(folder: Path) -> Path:
    added = [token(name) for name in ("<unk>", "<s>", "</s>", "<|sep|>")] + [token("<|user|>", special=False)]
    return save(
        folder,
        word_level(),
        added,
        bos="<s>",
        post=True,
        files={
            "tokenizer_config.json": {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "bos_token": "<s>",
                "eos_token": "</s>",
                "unk_token": "<unk>",
                "chat_template": MISTRAL,
            }
        },
    )


def _pieces(folder: Path) -> Path:
    return save(
        folder,
        unigram(),
        [token("</s>"), token("<unk>"), token("<|im_start|>"), token("<|im_end|>")],
        files={
            "tokenizer_config.json": {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "eos_token": "</s>",
                "unk_token": "<unk>",
                "chat_template": CHATML,
            }
        },
    )


def _only_json(folder: Path) -> Path:
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    return save(
        folder,
        byte_level(),
        [token(name) for name in names],
        files={
            "chat_template.jinja": CHATML,
            "config.json": {"model_type": "llama", "vocab_size": 700, "eos_token_id": 0},
        },
    )


def _special_map(folder: Path) -> Path:
    return save(
        folder,
        sentence_piece(),
        SP,
        bos="<s>",
        post=True,
        changes=PREPEND,
        files={
            "special_tokens_map.json": {
                "bos_token": {
                    "content": "<s>",
                    "lstrip": False,
                    "normalized": False,
                    "rstrip": False,
                    "single_word": False,
                },
                "eos_token": "</s>",
                "unk_token": "<unk>",
            },
            "chat_template.jinja": LLAMA2,
        },
    )


def _generation_config(folder: Path) -> Path:
    return save(
        folder,
        byte_level(),
        [token("<a>"), token("<b>"), token("<|im_start|>"), token("<|im_end|>")],
        files={
            "generation_config.json": {"bos_token_id": 600, "eos_token_id": [601]},
            "config.json": {"model_type": "gpt2"},
            "chat_template.jinja": "{{ bos_token }}" + CHATML,
        },
    )


SHAPES: dict[str, Callable[[Path], Path]] = {
    "llama-2": _llama2,
    "llama-2 not legacy": _llama2_new,
    "llama-3": _llama3,
    "gpt-2": _gpt2,
    "qwen": _qwen,
    "deepseek": _deepseek,
    "gemma": _gemma,
    "mistral": _mistral,
    "starcoder": _starcoder,
    "code llama": _code_llama,
    "phi-2": _phi2,
    "phi-3": _phi3,
    "words": _words,
    "pieces": _pieces,
    "tokenizer.json only": _only_json,
    "special_tokens_map.json": _special_map,
    "generation_config.json": _generation_config,
}
"""Name -> writes a model folder."""
