"""What an engine refuses, in words that a client understands and an operator can act on."""

from __future__ import annotations

import json

import pytest

from inverse_instruct.gateway.refusals import in_our_words

SAID = {  # by vLLM
    '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set': "serve.tool_call_parser",
    'tool_choice="required" requires --tool-call-parser to be set': "serve.tool_call_parser",
    'tool_choice=function "f" requires --tool-call-parser to be set': "serve.tool_call_parser",
    "Chat template is passed with request, but --trust-request-chat-template is not set. Refused request with "
    "untrusted chat template.": "leave out chat_template",
    "You must set `--enable-prompt-embeds` to input `prompt_embeds`.": "inference.extra_arguments",
    "thinking_token_budget is set but reasoning_config is not configured. Please set --reasoning-parser and/or "
    "--reasoning-config to use thinking_token_budget.": "serve.reasoning_parser",
}


@pytest.mark.parametrize("message", SAID)
def test_options_of_the_engine_become_keys_of_the_config(message: str) -> None:
    told = json.loads(in_our_words(json.dumps({"error": {"message": message, "code": 400}}).encode()))["error"]
    assert SAID[message] in told["message"] and told["code"] == 400


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"error": "no"}',
        b'{"error": {"message": 7}}',
        b"{}",
        b'{"error": {"message": "max_tokens is too large -- by 7"}}',
    ],
)
def test_what_names_none_is_passed_on_as_it_is(content: bytes) -> None:
    assert in_our_words(content) == content
