"""Whatever a model folder holds, it is refused in bounded time with the folder and a remedy, or it works."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.errors import ModelError, TextError
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.inference.tokenization import process
from tests.inference.tokenization.made_tokenizers import SHAPES

ECHO = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
TEMPLATES = {
    "division by zero": "{{ 1 / 0 }}",
    "endless": "{% for i in range(99999) %}{% for j in range(99999) %}{% for k in range(99999) %}{% endfor %}"
    "{% endfor %}{% endfor %}",
    "one endless operation": "{{ (10 ** 10 ** 8) % 7 }}",
    "memory": "{{ 'a' * 10 ** 11 }}",
    "memory bit by bit": "{% set n = namespace(x='a' * 1000) %}{% for i in range(60) %}{% set n.x = n.x + n.x %}"
    "{% endfor %}",
    "much text": "{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}",
    "huge range": "{% for i in range(10 ** 9) %}{% endfor %}",
    "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}{{ os }}",
    "extends": "{% extends 'base' %}",
    "escape": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "environment": "{{ self.__init__.__globals__ }}",
    "changes what it is given": "{% set _ = messages.append(1) %}" + ECHO,
    "syntax": "{% if %}",
    "unknown tag": "{% frobnicate %}",
    "unknown filter": "{{ messages | frobnicate }}",
    "nesting": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "undefined attribute": "{{ missing.attribute }}",
    "format": "{{ '%s%s' % 1 }}",
    "padding": "{{ '%099999999999d' % 1 }}",
    "drops the message": "hello",
    "changes the message": "{{ messages[0]['content'] | upper }}",
    "repeats the message": "{{ messages[0]['content'] }} {{ messages[0]['content'] }}",
    "refuses": "{{ raise_exception('no system role') }}",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return SHAPES["llama-3"](tmp_path / "model")


@pytest.fixture(autouse=True)
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CPU_SECONDS", 5.0)


def refused(folder: Path, prompt_format: str = "chat") -> str:
    started = time.monotonic()
    with pytest.raises(ModelError) as caught:
        PromptFormatter(folder, prompt_format).response_prompt("x")
    assert time.monotonic() - started < 120
    assert str(folder) in str(caught.value)
    return str(caught.value)


def set_in(path: Path, **values: Any) -> None:
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | values))


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_that_does_harm_or_nonsense(folder: Path, name: str) -> None:
    (folder / "chat_template.jinja").write_text(TEMPLATES[name])
    assert "set model.prompt_format" in refused(folder)
    assert PromptFormatter(folder, "magicoder").response_prompt("x"), "the other formats do not look at it"


@pytest.mark.parametrize("template", [7, [1], {"a": 1}, ["x"], [{"name": "other", "template": "x"}], True])
def test_a_template_that_is_no_text(folder: Path, template: Any) -> None:
    (folder / "chat_template.jinja").unlink()
    set_in(folder / "tokenizer_config.json", chat_template=template)
    refused(folder)


def change(**values: Any) -> Callable[[Path], None]:
    return lambda folder: set_in(folder / "tokenizer.json", **values)


def write(name: str, content: str | bytes) -> Callable[[Path], None]:
    return lambda folder: (
        None if (folder / name).write_bytes(content.encode() if isinstance(content, str) else content) else None
    )


def nested(depth: int) -> dict[str, Any]:
    tree: dict[str, Any] = {"type": "Lowercase"}
    for _ in range(depth):
        tree = {"type": "Sequence", "normalizers": [tree]}
    return tree


TOKENIZERS: dict[str, Callable[[Path], None]] = {
    "no JSON": write("tokenizer.json", "{"),
    "no tokenizer": write("tokenizer.json", "[]"),
    "null": write("tokenizer.json", "null"),
    "not UTF-8": write("tokenizer.json", b"\xff\xfe{"),
    "deep": write("tokenizer.json", "[" * 100_000),
    "empty": write("tokenizer.json", ""),
    "deep normalizer": change(normalizer=nested(300)),
    "a panic while it is loaded": change(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
    "a panic in the merges": change(
        model={"type": "BPE", "vocab": {"a": 0, "aa": 1}, "merges": [["a", "a"]], "continuing_subword_prefix": "####"}
    ),
    "a panic at every text": change(normalizer={"type": "Replace", "pattern": {"String": ""}, "content": "x"}),
    "a text without end": change(
        normalizer={
            "type": "Sequence",
            "normalizers": [
                {"type": "Replace", "pattern": {"String": letter}, "content": "x" * 10_000}
                for letter in ("e", "x", "x")
            ],
        }
    ),
    "ids beyond reason": change(
        model={
            "type": "BPE",
            "merges": [],
            "vocab": {letter: 2**32 - 1 - place for place, letter in enumerate("abcdefghijklmnopqrstuvwxyz")},
        }
    ),
    "no vocabulary": change(model={"type": "WordLevel", "vocab": {}, "unk_token": "<unk>"}),
    "an unknown model": change(model={"type": "Frobnicate"}),
    "a config that is a list": write("config.json", "[]"),
    "a config that is no JSON": write("config.json", "{'a': 1}"),
    "a vocabulary that is too small": lambda folder: set_in(folder / "config.json", vocab_size=10),
    "settings that are a list": write("tokenizer_config.json", "[]"),
    "settings that are no JSON": write("tokenizer_config.json", "{"),
    "an end that is a dict": lambda folder: set_in(folder / "config.json", eos_token_id={"a": 1}),
    "an end that is a text": lambda folder: set_in(folder / "generation_config.json", eos_token_id="</s>"),
    "ends that are truth values": lambda folder: set_in(folder / "generation_config.json", eos_token_id=[True]),
    "a generation config that is no object": write("generation_config.json", "7"),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_files_that_cannot_be_used(folder: Path, name: str) -> None:
    TOKENIZERS[name](folder)
    refused(folder)


def test_what_is_wrong_in_a_config_but_not_for_words_is_no_matter_for_them(folder: Path) -> None:
    set_in(folder / "config.json", vocab_size="many", hidden_size=[], model_type={"a": 1})
    assert PromptFormatter(folder, "chat").response_prompt("x")


@pytest.mark.parametrize("name", ["tokenizer.json", "chat_template.jinja", "LICENSE"])
def test_a_link_out_of_the_folder(folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("password")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(tmp_path / "secret")
    assert "is a link out of the model's folder" in refused(folder)


def test_links_that_model_folders_have(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "models--a--b"
    linked, hub = tmp_path / "linked", cache / "snapshots" / "123"
    for place in (linked, hub, cache / "blobs"):
        place.mkdir(parents=True)
    for path in folder.iterdir():
        (linked / path.name).symlink_to(path)
        (cache / "blobs" / f"hash-of-{path.name}").write_bytes(path.read_bytes())
        (hub / path.name).symlink_to(Path("../../blobs") / f"hash-of-{path.name}")
    expected = PromptFormatter(folder, "chat").response_prompt("x")
    assert PromptFormatter(linked, "chat").response_prompt("x") == expected
    assert PromptFormatter(hub, "chat").response_prompt("x") == expected


@pytest.mark.parametrize("name", ["tokenizer_config.json", "config.json", "generation_config.json", "merges.txt"])
def test_what_would_be_waited_for_without_end(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    try:
        PromptFormatter(folder, "chat")  # what is no file is none of the model's
    except ModelError as error:
        assert str(folder) in str(error)


def test_code_that_comes_with_a_model_is_not_run(folder: Path) -> None:
    (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    theirs = {"AutoConfig": "evil.C", "AutoTokenizer": ["evil.T", "evil.T"]}
    set_in(folder / "config.json", model_type="frobnicate", auto_map=theirs)
    set_in(folder / "tokenizer_config.json", auto_map=theirs, tokenizer_class="T")
    assert PromptFormatter(folder, "chat").response_prompt("x")
    assert not (folder / "ran").exists()


def test_one_text_that_breaks_a_tokenizer_costs_that_text_alone(folder: Path) -> None:
    set_in(
        folder / "tokenizer.json",
        pre_tokenizer={
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": "(x+x+)+y"}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True, "trim_offsets": True},
            ],
        },
    )
    formatter = PromptFormatter(folder, "chat")
    with pytest.raises(TextError, match="retry-limit"):
        formatter.training_rows([("good", "good"), ("bad", "x" * 60)])
    assert formatter.training_rows([("good", "good")])
    for _ in range(process.MAX_FAILED_TEXTS):
        with pytest.raises(TextError):
            formatter.encode("x" * 60)
    with pytest.raises(ModelError, match="10 texts in a row") as caught:
        formatter.encode("x" * 60)
    assert not isinstance(caught.value, TextError)


def test_left_over_truncation_and_padding_change_nothing(folder: Path) -> None:
    expected = PromptFormatter(folder, "chat").response_prompt("x" * 50)
    set_in(
        folder / "tokenizer.json",
        truncation={"direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 0},
        padding={
            "strategy": {"Fixed": 10**12},
            "direction": "Right",
            "pad_to_multiple_of": 0,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "x",
        },
    )
    assert PromptFormatter(folder, "chat").response_prompt("x" * 50) == expected


def test_a_word_that_serves_as_padding_is_still_a_word(folder: Path) -> None:
    expected = PromptFormatter(folder, "chat").response_prompt("not !")
    set_in(folder / "tokenizer_config.json", pad_token="!")
    assert PromptFormatter(folder, "chat").response_prompt("not !") == expected


def test_files_that_change_are_another_model(folder: Path) -> None:
    before = PromptFormatter(folder, "chat").response_prompt("x")
    text = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").write_text("<|python_tag|>" + text)
    assert PromptFormatter(folder, "chat").response_prompt("x")[1:] == before
