"""What is hidden in texts for persons: secrets of the environment in every encoding, and what looks like one."""

from __future__ import annotations

import html
import json
import logging
import shlex
import time
from base64 import b64encode, encodebytes, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from inverse_instruct.errors import ConfigError, RequestError, RunDirError
from inverse_instruct.redaction import HIDDEN, RedactingFormatter, redact
from inverse_instruct.store.ledger import Ledger

SECRETS = {
    "http://me:s3cret-word@host:8000/v1 does not answer": "http://***@host:8000/v1 does not answer",
    "hf_abcdefghijklmnopqrst is no token": "*** is no token",
    "Authorization: Bearer abcdefgh12": "Authorization: Bearer ***",
    "it said sk-abcdefghijklmnop1234": "it said ***",
    "the value is very-secret-value.": "the value is ***.",
    "me@example.org wrote to http://host:1/a@b": "me@example.org wrote to http://host:1/a@b",
    "https://me:pa@ss@host/x": "https://***@host/x",
    "https://me:pa/ss?w#o@host/x": "https://***@host/x",
    "postgres://me:123456/7@db:5432/x?y=z": "postgres://***@db:5432/x?y=z",
    "redis://:word@host": "redis://***@host",
    "https%3A%2F%2Fme%3Aword%40host": "https%3A%2F%2F***%40host",
    "http://[::1]:80/a@b and http://host/c@d?e=f@g": "http://[::1]:80/a@b and http://host/c@d?e=f@g",
    "GET /v1?api_key=abc1&x=1": "GET /v1?api_key=***&x=1",
    "GET /v1?x=1&key=abc1#y": "GET /v1?x=1&key=***#y",
    "%3Faccess_token%3Dabc1%26x": "%3Faccess_token%3D***%26x",
    "x-api-key: abcd1234, accept: *": "x-api-key: ***, accept: *",
    "{'X-Api-Key': 'abcd1234'}": "{'X-Api-Key': '***'}",
    "authorization: basic dXNlcjpwYXNz": "authorization: basic ***",
    "it sent Basic dXNlcjpwYXNz": "it sent Basic ***",
    "Basic training is over": "Basic training is over",
    "Cookie: session=abc; other=def": "Cookie: ***",
    "ghp_abcdefghijklmnop1234 and gho_abcdefghijklmnop1234": "*** and ***",
    "%3Dghp_abcdefghijklmnop1234": "%3D***",
    "github_pat_11ABCDEFG0123456789_abc": "***",
    "glpat-abcdefghijklmnop1234 AKIAIOSFODNN7EXAMPLE": "*** ***",
    "eyJhbGciOiJIUzI1.eyJzdWIiOiIx.abcdef": "***",
    '{\\"password\\": \\"abcd\\", \\"n\\": 1}': '{\\"password\\": \\"***\\", \\"n\\": 1}',
    "OTHER_ACCESS_KEY=abc --api-key=def": "OTHER_ACCESS_KEY=*** --api-key=***",
    "password: hunter22; api_key: 'abc123def'": "password: ***; api_key: '***'",
    "AccountKey=abc/def;x=y": "AccountKey=***;x=y",
    "['vllm', '--hf-token', 'ghi']": "['vllm', '--hf-token', '***']",
    "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY----- x": "*** x",
} | {
    harmless: harmless
    for harmless in (
        "set INVERSE_INSTRUCT_API_KEY, as `Authorization: Bearer KEY`",
        "model.yes_token: 'Yes' is 2 tokens; max_tokens=2",
        "serve.api_keys: /x cannot be read; --api-key cannot be given",
        "sent as a bearer token, with basic authentication",
        "see http://host\nme@example.org, api_key=\nword",
        "the password: leave it out, the secret: 12 of 20",
    )
}


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_reach_neither_errors_nor_logs_nor_the_ledger(
    text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "very-secret-value")
    expected = SECRETS[text]
    assert redact(text) == str(RunDirError(text)) == str(RequestError(text)) == str(ConfigError([text])) == expected
    assert ConfigError([text]).problems == (expected,)
    record = logging.LogRecord("x", logging.INFO, "", 0, "%s", (text,), None)
    assert RedactingFormatter("%(message)s").format(record) == expected
    with Ledger(tmp_path / "ledger.db", create=True) as ledger:
        ledger.add_event(text)
        assert ledger.events()[0].message == expected


def test_hf_tokens_of_the_environment_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "a-token-of-any-form")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false-as-ever")
    assert redact("a-token-of-any-form false-as-ever") == "*** false-as-ever"


VALUES = [
    "very-secret-value",
    "s3cret/+\"<&'key\\\\ of=mine%!",
    "p\u00e4ssw\u00f6rd-\u00fcber",
    "a" * 8,
    "x1y2z3w4" * 12,
    "line of a key\nand another line",
]
ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "URL": lambda value: quote(value, safe=""),
    "path": quote,
    "form": quote_plus,
    "URL in lower case": lambda value: "".join(f"%{byte:02x}" for byte in value.encode()),
    "URL twice": lambda value: quote(quote(value, safe=""), safe=""),
    "JSON": lambda value: json.dumps(value)[1:-1],
    "JSON in JSON": lambda value: json.dumps(json.dumps(value))[3:-3],
    "JSON with slashes": lambda value: json.dumps(value)[1:-1].replace("/", "\\/"),
    "JSON in an URL": lambda value: quote(json.dumps(value))[3:-3],
    "code points": lambda value: "".join(f"\\u{ord(char):04X}" for char in value),
    "repr": lambda value: repr(value)[1:-1],
    "repr of bytes": lambda value: repr(value.encode())[2:-1],
    "shell": lambda value: shlex.quote(value).strip("'"),
    "octal": lambda value: "".join(f"\\{byte:03o}" for byte in value.encode()),
    "code points in braces": lambda value: "".join(f"\\u{{{ord(char):x}}}" for char in value),
    "HTML": html.escape,
    "HTML by number": lambda value: "".join(f"&#{ord(char)};" for char in value),
    "HTML in hex": lambda value: "".join(f"&#x{ord(char):x};" for char in value),
    "repr in HTML": lambda value: html.escape(repr(value)[1:-1]),
    "hex": lambda value: value.encode().hex(),
    "hex in upper case": lambda value: value.encode().hex().upper(),
    "hex with colons": lambda value: value.encode().hex(":"),
    "base64": lambda value: b64encode(value.encode()).decode(),
    "base64 of user and password": lambda value: b64encode(b"u:" + value.encode()).decode(),
    "base64 in the middle": lambda value: b64encode(b"u" + value.encode() + b"more").decode(),
    "base64 for URLs": lambda value: urlsafe_b64encode(b"me:" + value.encode()).decode(),
    "base64 in an URL": lambda value: quote(b64encode(value.encode()).decode(), safe=""),
    "base64 in lines": lambda value: encodebytes(b"q" * 51 + value.encode()).decode()[68:].strip(),
    "wrapped": lambda value: value[:5] + "\n    " + value[5:],
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("value", VALUES)
def test_the_value_of_a_secret_is_found_in_every_encoding(
    value: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", value)
    shown = redact(f"before {ENCODINGS[encoding](value)} after")
    assert shown.startswith("before ") and shown.endswith(" after") and HIDDEN in shown
    rest = shown.removeprefix("before ").removesuffix(" after").replace(HIDDEN, "")
    assert len(rest) <= 12, "of base64, characters that hold bits of what is beside it"


def test_a_secret_that_is_cut_is_found_and_short_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "abcdefghijklmnopqrstuvwxyz0123456789")
    assert redact("it said abcdefghijklmnopqrs") == "it said ***"
    assert redact("ghijklmnopqrstuvwxyz0123456789 it said") == "*** it said"
    monkeypatch.setenv("SOME_TOKEN", "1234567")
    assert redact("1234567") == "1234567"


@pytest.mark.parametrize(
    "name",
    [
        "A_TOKEN",
        "a_secret",
        "DB_PASSWORD",
        "OPENAI_API_KEY",
        "KEY_APIKEY",
        "API_KEY_2",
        "AWS_SECRET_ACCESS_KEY",
        "DJANGO_SECRET_KEY",
        "X_CREDENTIALS",
        "SSH_PASSPHRASE",
    ],
)
def test_variables_that_are_named_like_secrets(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "quite-ordinary-words")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "harmless-value")
    assert redact("quite-ordinary-words harmless-value") == "*** harmless-value"


def test_a_long_text_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "abcdefghijklmnopqrstuvwxyz0123456789")
    hostile = [
        "%25" * 20_000,
        "\\" * 60_000,
        "&amp;" * 12_000,
        "://" * 20_000,
        "@" * 60_000,
        "sk-" * 20_000,
        "Authorization: " * 4000,
        "-----BEGIN PRIVATE KEY-----" * 2000,
        "abcdefghijklmnop" * 4000,
        "x-" * 30_000,
        "eyJ" + "a" * 60_000,
        "\n" * 60_000,
        "a=" * 30_000,
        "A_" * 30_000,
        "http://" + "a:" * 30_000,
        "-eyJabcdefgh" * 5000,
        " " * 60_000 + "x\n",
        "eyJabcdefgh." * 5000,
        "x-key" + " " * 60_000,
    ]
    for text in hostile:
        started = time.process_time()
        redact(text)
        assert time.process_time() - started < 1, text[:20]
