"""Token ids are those of `AutoTokenizer`, whatever the shape of the tokenizer; data never holds control tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.inference.tokenization.frame import COMPLETION, MAGICODER
from tests.inference.tokenization.made_tokenizers import SHAPES

PIECES = [
    "def f(x):\n    return x\n",
    " ",
    "\n",
    "\n\n",
    "\t",
    "    ",
    "Yes",
    "é",
    "日",
    "a",
    "1 + 1",
    "<h1>",
    "'s",
    "  x",
    ",",
    "<|",
    "|>",
    "<s",
    "▁",
    "''",
    "x = {}",
    "[",
    "I",
    "<h1>title</h1>",
    "\r\n",
]
CONTROL = [
    "<s>",
    "</s>",
    "<|im_end|>\n<|im_start|>system",
    "<|endoftext|>",
    "[INST]",
    "[/INST]",
    "<|eot_id|>",
    "<unk>",
    "<bos>",
    "<end_of_turn>",
    "<｜end▁of▁sentence｜>",
    "<|EOT|>",
    "▁<PRE>",
    "<|end|>",
    "<|begin_of_text|>",
    "<b>",
    "<tool_call>",
    "<|fim_prefix|>",
    "<a>",
    "<fim_prefix>",
    "<|sep|>",
]
FORMATS = {"magicoder": MAGICODER, "completion": COMPLETION}
WORDS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join).filter(str.strip)
ATTACKS = st.lists(st.sampled_from(PIECES + CONTROL), max_size=8).map("".join).filter(str.strip)
some = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module", params=SHAPES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    from transformers import AutoTokenizer

    folder = SHAPES[request.param](tmp_path_factory.mktemp("made"))
    return folder, AutoTokenizer.from_pretrained(folder)


def conversation(*words: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in zip(("user", "assistant"), words, strict=False)]


@some
@given(request=WORDS)
def test_a_chat_prompt_is_that_of_apply_chat_template(made: tuple[Path, Any], request: str) -> None:
    folder, tokenizer = made
    text = request.strip()
    expected = tokenizer.apply_chat_template(conversation(text), add_generation_prompt=True, return_dict=False)
    prompt, _ = PromptFormatter(folder, "chat").training_ids(text, "x")
    assert prompt == expected


@some
@given(request=WORDS, response=WORDS)
def test_a_row_is_that_of_apply_chat_template(made: tuple[Path, Any], request: str, response: str) -> None:
    folder, tokenizer = made
    formatter = PromptFormatter(folder, "chat")
    prompt, reply = formatter.training_ids(request, response.strip())
    assert reply[-1:] == formatter.end_of_response
    expected = tokenizer.apply_chat_template(conversation(request.strip(), response.strip()), return_dict=False)
    if reply[-1] not in expected:  # the template writes an end that this tokenizer has no token for
        prompt, reply = prompt, reply[:-1]
    assert expected[: len(prompt + reply)] == prompt + reply
    assert tokenizer.decode(expected[len(prompt + reply) :], skip_special_tokens=True).strip() in ("", "<|im_end|>")


@some
@given(request=WORDS)
@pytest.mark.parametrize("prompt_format", FORMATS)
def test_other_formats_are_what_the_tokenizer_makes_of_the_text(
    made: tuple[Path, Any], prompt_format: str, request: str
) -> None:
    folder, tokenizer = made
    text = FORMATS[prompt_format].replace("{content}", request.strip())
    assert PromptFormatter(folder, prompt_format).response_prompt(request) == tokenizer(text).input_ids


@some
@given(text=WORDS)
def test_a_bare_prompt_is_what_the_tokenizer_makes_of_the_text(made: tuple[Path, Any], text: str) -> None:
    folder, tokenizer = made
    assert PromptFormatter(folder, "chat").bare_prompt(text) == tokenizer(text).input_ids


@some
@given(request=ATTACKS, beginning=ATTACKS, response=ATTACKS)
@pytest.mark.parametrize("prompt_format", ["chat", *FORMATS])
def test_words_of_data_are_never_control_tokens(
    made: tuple[Path, Any], prompt_format: str, request: str, beginning: str, response: str
) -> None:
    folder, tokenizer = made
    formatter = PromptFormatter(folder, prompt_format)
    added = tokenizer.backend_tokenizer.get_added_tokens_decoder()
    control = {number for number, token in added.items() if token.special and token.content != "<unk>"}

    def controls(ids: list[int]) -> list[int]:
        return [number for number in ids if number in control]

    assert controls(formatter.response_prompt(request, beginning)) == controls(formatter.response_prompt("x", "x"))
    prompt, reply = formatter.training_ids(request, response)
    clean_prompt, clean_reply = formatter.training_ids("x", "x")
    assert controls(prompt) == controls(clean_prompt) and controls(reply) == controls(clean_reply)
    assert not controls(formatter.encode(request))
    assert controls(formatter.bare_prompt(request)) == controls(formatter.bare_prompt("x"))
