"""What is read off a chat template: all that transformers' environment gives, and a reply that is not a thought."""

from __future__ import annotations

import json
import logging
from datetime import date
from pathlib import Path

import pytest

from inverse_instruct.errors import ModelError
from inverse_instruct.inference.prompts import PromptFormatter
from tests.inference.tokenization.made_tokenizers import CHATML, SHAPES

TURNS = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
ENVIRONMENT = {
    "generation tag": "{% for m in messages %}<|im_start|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
    "{% endgeneration %}{% else %}{{ m.content }}{% endif %}<|im_end|>{% endfor %}",
    "break and continue": "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}"
    "{% if i > 3 %}{% break %}{% endif %}{{ i }}{% endfor %}" + TURNS,
    "tojson": "{{ {'b': '<é>', 'a': 1} | tojson(indent=2) }}{{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }}"
    "{{ 'é' | tojson(ensure_ascii=true) }}{{ [1] | tojson(separators=(',', ':')) }}" + TURNS,
    "absent variables": "{{ tools is none }} {{ documents is none }} {{ tools is defined }} {{ bos_token is defined }} "
    "{{ frobnicate is defined }}" + TURNS,
    "special tokens": "{{ eos_token }}{{ pad_token }}{{ bos_token }}" + TURNS,
    "trimmed blocks": "  {% if true %}\n  x\n  {% endif %}\n" + TURNS,
    "unused raise_exception": "{% if not messages %}{{ raise_exception('no') }}{% endif %}" + TURNS,
    "namespace": "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}"
    "{{ ns.n }}" + TURNS,
    "a system text": "<|im_start|>system\nYou help.<|im_end|>\n" + TURNS,
    "no generation prompt": TURNS,
    "white space is trimmed": "{% for m in messages %}{{ m.content | trim }}<|im_end|>{% endfor %}",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return SHAPES["qwen"](tmp_path / "model")


def with_template(folder: Path, template: str) -> PromptFormatter:
    (folder / "chat_template.jinja").write_text(template)
    return PromptFormatter(folder, "chat", date(2020, 1, 2))


def words(folder: Path, ids: list[int]) -> str:
    from tokenizers import Tokenizer

    return str(Tokenizer.from_file(str(folder / "tokenizer.json")).decode(ids, skip_special_tokens=False))


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_templates_render_as_transformers_renders_them(folder: Path, name: str) -> None:
    from transformers import AutoTokenizer

    formatter = with_template(folder, ENVIRONMENT[name])
    expected = AutoTokenizer.from_pretrained(folder).apply_chat_template(
        [{"role": "user", "content": "Do it."}], add_generation_prompt=True, return_dict=False
    )
    assert formatter.training_ids("Do it.", "x")[0] == expected


@pytest.mark.parametrize(
    "template",
    [
        "{{ strftime_now('%d %b %Y') }}",
        "{% if strftime_now is defined %}{% set d = strftime_now('%d %b %Y') %}{% endif %}{{ d }}",
        "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
        "{{ date_string }}",
    ],
)
def test_a_template_is_told_the_date_of_the_run(folder: Path, template: str) -> None:
    formatter = with_template(folder, template + TURNS)
    assert words(folder, formatter.response_prompt("x")).startswith("02 Jan 2020<|im_start|>")
    today = PromptFormatter(folder, "chat")
    assert words(folder, today.response_prompt("x")).startswith(date.today().strftime("%d %b %Y"))


def test_of_several_templates_the_default_one_is_taken(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(
        json.dumps(
            json.loads(path.read_text())
            | {"chat_template": [{"name": "tool_use", "template": "no"}, {"name": "default", "template": CHATML}]}
        )
    )
    assert words(folder, PromptFormatter(folder, "chat").response_prompt("x")).startswith("<|im_start|>user\nx<")


def test_a_template_that_wants_parts_gets_parts(folder: Path) -> None:
    formatter = with_template(
        folder,
        "{% for m in messages %}<|im_start|>{% for part in m.content %}{{ part.text }}"
        "{% endfor %}<|im_end|>{% endfor %}",
    )
    assert words(folder, formatter.training_ids("Do it.", "x")[0]) == "<|im_start|>Do it.<|im_end|>"
    assert formatter.training_ids("Do it.", "x")[1][-1:] == formatter.end_of_response


REPLY = "{% if add_generation_prompt %}<|im_start|>assistant\n"
EMPTY = "<think>\n\n</think>\n\n"
OFF = "{% if enable_thinking is defined and enable_thinking is false %}"
THOUGHTS = {
    "opened": (TURNS + REPLY + "<think>\n{% endif %}", EMPTY),
    "opened without a line": (TURNS + REPLY + "<think>{% endif %}", "<think></think>"),
    "begun": (TURNS + REPLY + "<think>\nOkay, {% endif %}", "<think>\nOkay, \n</think>\n\n"),
    "in brackets": (TURNS + REPLY + "[THINK]{% endif %}", "[THINK][/THINK]"),
    "reasoning": (TURNS + REPLY + "<reasoning>\n{% endif %}", "<reasoning>\n\n</reasoning>\n\n"),
    "with a name space": (TURNS + REPLY + "<seed:think>{% endif %}", "<seed:think></seed:think>"),
    "begin and end": (
        "{# <|end_of_thought|> #}" + TURNS + REPLY + "<|begin_of_thought|>{% endif %}",
        "<|begin_of_thought|><|end_of_thought|>",
    ),
    "start and end": (
        "{# <|END_THINKING|> #}" + TURNS + REPLY + "<|START_THINKING|>{% endif %}",
        "<|START_THINKING|><|END_THINKING|>",
    ),
    "another name, with its end": ("{# </plan> #}" + TURNS + REPLY + "<plan>\n{% endif %}", "<plan>\n\n</plan>\n\n"),
    "closed already": (TURNS + REPLY + EMPTY + "{% endif %}", EMPTY),
    "only closed": (TURNS + REPLY + "</think>{% endif %}", "</think>"),
    "a switch that is on": (TURNS + REPLY + OFF + EMPTY + "{% else %}<think>\n{% endif %}{% endif %}", EMPTY),
    "a switch that is off": (TURNS + REPLY + OFF + EMPTY + "{% endif %}{% endif %}", EMPTY),
    "another switch": (
        TURNS + REPLY + "{% if thinking is defined and not thinking %}</think>{% else %}<think>{% endif %}{% endif %}",
        "</think>",
    ),
    "an empty thought before answers": (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}" + EMPTY + "{% endif %}"
        "{{ m.content }}<|im_end|>\n{% endfor %}" + REPLY + "{% endif %}",
        EMPTY,
    ),
    "a channel before answers": (
        "{% for m in messages %}<|im_start|>{{ m.role }}"
        "{% if m.role == 'assistant' %}<|channel|>final<|message|>{% else %}\n{% endif %}{{ m.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant{% endif %}",
        "<|channel|>final<|message|>",
    ),
    "thoughts are cut out of answers": (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content.split('</think>')[-1] }}<|im_end|>\n{% endfor %}"
        + REPLY
        + "<think>\n{% endif %}",
        EMPTY,
    ),
}


@pytest.mark.parametrize("name", THOUGHTS)
def test_a_reply_is_no_thought(folder: Path, name: str) -> None:
    template, begun = THOUGHTS[name]
    formatter = with_template(folder, template)
    asked = words(folder, formatter.response_prompt("Do it."))
    assert asked.endswith(begun), "scores and instructions come after the thought"
    assert words(folder, formatter.response_prompt("Do it.", "Write a")) == asked + "Write a"
    prompt, response = formatter.training_ids("Do it.", "code")
    assert words(folder, prompt + response) == asked + "code<|im_end|>", "rows say what is asked for"
    assert formatter.single_token("Yes") == formatter.encode("Yes")[0]


@pytest.mark.parametrize(
    "template",
    [
        TURNS + REPLY + "<|thinking|>{% endif %}",  # nothing says how that ends
        TURNS + REPLY + "<plan>\n{% endif %}",
        TURNS + REPLY + "[DRAFT]{% endif %}",
    ],
)
def test_what_cannot_be_ended_is_refused(folder: Path, template: str) -> None:
    with pytest.raises(ModelError, match="begins the reply with .* set model.prompt_format"):
        with_template(folder, template)


def test_a_switch_that_changes_the_prompt_is_told_to_servers(folder: Path) -> None:
    formatter = with_template(folder, OFF + "/no_think{% endif %}" + TURNS + REPLY + "{% endif %}")
    assert words(folder, formatter.response_prompt("x")).startswith("/no_think")
    assert formatter.variables == {"enable_thinking": False, "thinking": False}
    assert with_template(folder, CHATML).variables == {}


def test_the_space_before_an_answer_belongs_to_its_first_word(tmp_path: Path) -> None:
    formatter = PromptFormatter(SHAPES["llama-2"](tmp_path), "chat")
    assert formatter.response_prompt("x") == formatter.training_ids("x", "y")[0]
    prompt = formatter.response_prompt("x")
    assert formatter.response_prompt("x", "Yes")[len(prompt) :] == [formatter.single_token("Yes")]


def test_a_tokenizer_that_transformers_breaks_is_used_as_it_stands(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = SHAPES["deepseek"](tmp_path)
    right = PromptFormatter(folder, "chat").training_ids("Add.", "def f(x):\n    return x")
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tokenizer_class": "LlamaTokenizerFast"}))
    with caplog.at_level(logging.WARNING):
        assert PromptFormatter(folder, "chat").training_ids("Add.", "def f(x):\n    return x") == right
    assert "loses parts of code; the file is used as it stands" in caplog.text


def test_a_bos_that_the_tokenizer_does_not_name_is_missed_aloud(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"bos_token_id": 441}))
    with caplog.at_level(logging.WARNING):
        with_template(folder, "{{ bos_token }}" + CHATML)
    assert "names no bos_token" in caplog.text
