"""Random input at every door for data: rows or rejections come out, or one clear error, and nothing else.

The `slow` profile (`-m slow`) tries ten times as many examples, other ones each time.
"""

from __future__ import annotations

import gzip
import json
import os
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inverse_instruct.commands.stage_inputs import read_pairs, read_snippets
from inverse_instruct.config.config_file import load_config
from inverse_instruct.config.corpus_source import CorpusSource
from inverse_instruct.corpus.extraction import Code, NotCode, extract, extract_plain
from inverse_instruct.corpus.json_rows import MAX_ROW_BYTES
from inverse_instruct.corpus.layouts import Chats, detect_layout, read_parts
from inverse_instruct.corpus.readers import read_source
from inverse_instruct.errors import ConfigError, CorpusError
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.records import Rejection, SourceRow
from inverse_instruct.source_code.languages import LANGUAGES, parses
from inverse_instruct.source_code.parser_process import ParserFailed
from inverse_instruct.system.root import ROOT
from tests.faults.awkward import code, row
from tests.faults.awkward_rows import MARKERS

LAYOUTS = ["alpaca", "instruction_response", "sharegpt", "messages", "code"]
DIFFICULTY = [pytest.param(1, id="quick"), pytest.param(10, id="thorough", marks=pytest.mark.slow)]


def fuzz(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return settings(
        max_examples=examples, deadline=None, derandomize=examples <= 200, suppress_health_check=list(HealthCheck)
    )


NAMES = st.sampled_from(
    [
        "instruction",
        "input",
        "output",
        "response",
        "prompt",
        "completion",
        "conversations",
        "messages",
        "from",
        "role",
        "value",
        "content",
        "code",
        "language",
        "instances",
        "lang",
        "x",
    ]
)
SPEAKERS = st.sampled_from(["human", "gpt", "user", "assistant", "system"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | SPEAKERS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
RECORDS = st.dictionaries(NAMES, VALUES, max_size=6)


@st.composite
def mutated(draw: st.DrawFn, text: bytes) -> bytes:
    """Return good bytes with a few of them changed, cut out or put in."""
    data = bytearray(text)
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 9))] = draw(st.binary(max_size=6))
    return bytes(data)


GOOD_LINES = "".join(json.dumps(row(number)) + "\n" for number in range(3)).encode()
GOOD_ARRAY = json.dumps([row(number) for number in range(3)], indent=1).encode()
BYTES = {
    "c.jsonl": st.binary(max_size=200)
    | mutated(GOOD_LINES)
    | st.lists(RECORDS).map(lambda rows: "\n".join(map(json.dumps, rows)).encode()),
    "c.json": st.binary(max_size=200)
    | mutated(GOOD_ARRAY)
    | st.lists(VALUES).map(lambda rows: json.dumps(rows).encode()),
    "c.jsonl.gz": mutated(gzip.compress(GOOD_LINES, mtime=0)),
}


def read_all(path: Path, layout: str) -> None:
    try:
        rows = list(read_source(CorpusSource(path=str(path), format=layout)))
    except CorpusError as error:
        assert str(path) in str(error)
        return
    assert all(isinstance(found, SourceRow | Rejection) for found in rows)
    assert len({found.id if isinstance(found, SourceRow) else found.row_id for found in rows}) == len(rows)


@pytest.mark.parametrize("times", DIFFICULTY)
@pytest.mark.parametrize("name", BYTES)
def test_readers_of_rows(tmp_path: Path, name: str, times: int) -> None:
    @fuzz(100 * times)
    @given(BYTES[name], st.sampled_from(["auto", *LAYOUTS]))
    def check(data: bytes, layout: str) -> None:
        (tmp_path / name).write_bytes(data)
        read_all(tmp_path / name, layout)

    check()


@pytest.mark.parametrize("times", DIFFICULTY)
def test_reader_of_parquet(tmp_path: Path, times: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "c.parquet"
    pq.write_table(pa.Table.from_pylist([row(number) for number in range(20)]), path)
    good = path.read_bytes()

    @fuzz(60 * times)
    @given(st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)), min_size=1, max_size=6))
    def check(changes: list[tuple[int, int]]) -> None:
        data = bytearray(good)
        for place, value in changes:
            data[place] = value
        path.write_bytes(data)
        read_all(path, "auto")

    check()


@pytest.mark.parametrize("times", DIFFICULTY)
def test_array_is_read_like_the_json_module_reads_it(tmp_path: Path, times: int) -> None:
    path = tmp_path / "c.json"

    @fuzz(60 * times)
    @given(st.lists(RECORDS, min_size=1, max_size=20), st.sampled_from([None, 1]), st.integers(0, 70_000))
    def check(rows: list[dict[str, Any]], indent: int | None, padding: int) -> None:
        path.write_text("[" + " " * padding + json.dumps(rows, indent=indent)[1:])
        from inverse_instruct.corpus.row_files import read_records

        assert json.dumps([found.fields for found in read_records(path)]) == json.dumps(rows)

    check()


@pytest.mark.parametrize("times", DIFFICULTY)
def test_layouts(times: int) -> None:
    @fuzz(200 * times)
    @given(RECORDS, st.sampled_from(LAYOUTS), st.booleans(), st.booleans())
    def check(fields: dict[str, Any], layout: str, each: bool, keep_system: bool) -> None:
        assert detect_layout(fields) in (None, *LAYOUTS)
        try:
            for parts in read_parts(fields, layout, Chats(each, keep_system)):
                (parts.instruction + parts.response).encode()
                assert "\0" not in parts.instruction + parts.response
        except ValueError as error:
            assert str(error)

    check()


PIECES = st.sampled_from(
    [
        "```",
        "````",
        "~~~",
        "```python",
        "``` js",
        "\n",
        "\r\n",
        "\r",
        "    ",
        "\t",
        "- ",
        "def f(x):\n    return x\n",
        "class A { int x; }",
        "<?php echo 1;",
        "Some words here.",
        "{",
        "}",
        "(",
        ")",
        "'",
        '"',
        "'''",
        "`",
        "x = 1\n",
        "<",
        "#include <a>\n",
        "$(ls)",
        "fi\n",
        "=>",
        "\ufeff",
        "\u2028",
        *MARKERS,
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=10), max_size=30).map("".join)


@pytest.mark.parametrize("times", DIFFICULTY)
def test_extraction(times: int) -> None:
    @fuzz(150 * times)
    @given(TEXTS, st.sampled_from([None, *LANGUAGES]), st.sampled_from([extract, extract_plain]))
    def check(text: str, language: str | None, read: Callable[..., Code | NotCode]) -> None:
        try:
            found = read(text, LANGUAGES, 5000, language)
        except ParserFailed:
            return
        if isinstance(found, Code):
            assert found.text.strip() and found.language in LANGUAGES and len(found.text) <= 5000
            assert parses(found.text, found.language) or parses(f"{found.text}\n", found.language) or "\t" in text
        else:
            assert found.reason and len(found.detail) < 200

    check()


CONFIG = (ROOT / "configs/quickstart.yaml").read_bytes()
KEYS = st.sampled_from(["a", "train", "corpus"])
TAGS = st.sampled_from(
    [
        "!!python/object/apply:os.system ['touch escaped']",
        "!!python/name:os.system",
        "!!python/object/new:type {}",
        "!!timestamp x",
        "!!int x",
        "!!bool 3",
        "!!set {a}",
        "&a [*a]",
        "*a",
        "<<: *a",
        "{}: 1",
    ]
)
YAMLS = (
    mutated(CONFIG)
    | st.text(alphabet=string.printable, max_size=80).map(str.encode)
    | st.builds(lambda tag, key: CONFIG + f"\n{key}: {tag}\n".encode(), TAGS, KEYS)
    | st.dictionaries(st.sampled_from(["name", "model", "corpus", "train", "evaluate", "seed"]), VALUES).map(
        lambda tree: yaml.safe_dump(tree).encode()
    )
)


@pytest.mark.parametrize("times", DIFFICULTY)
def test_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.yaml"

    @fuzz(60 * times)
    @given(YAMLS)
    def check(data: bytes) -> None:
        path.write_bytes(data)
        try:
            load_config(path)
        except ConfigError as error:
            assert all(error.problems)
        assert os.listdir(tmp_path) == ["config.yaml"]

    check()


def test_a_billion_laughs_are_refused(tmp_path: Path) -> None:
    levels = "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(12))
    for text in (
        "a: &a [x, x]\n" + levels,
        "a: &a [*a]\n",
        "a: &a {x: 1}\n" + levels.replace("[", "{<<: [").replace("]", "]}"),
    ):
        (tmp_path / "c.yaml").write_text(text)
        with pytest.raises(ConfigError, match="aliases"):
            load_config(tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text("# " + "x" * (1 << 20))
    with pytest.raises(ConfigError, match="more than"):
        load_config(tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text("a: " + "[" * 100_000)
    with pytest.raises(ConfigError, match="nested more than"):
        load_config(tmp_path / "c.yaml")


@pytest.mark.parametrize("times", DIFFICULTY)
def test_rows_given_to_a_single_stage(tmp_path: Path, times: int) -> None:
    path = tmp_path / "c.jsonl"
    names = st.sampled_from(["code", "language", "instruction", "response", "id", "snippet_id", "line", "k", "seed"])

    @fuzz(60 * times)
    @given(st.lists(st.dictionaries(names, VALUES, max_size=5), max_size=3))
    def check(rows: list[dict[str, Any]]) -> None:
        path.write_text("\n".join(map(json.dumps, rows)))
        for read in (read_snippets, lambda paths: read_pairs(paths, [])):
            try:
                read([str(path)])
            except CorpusError as error:
                assert str(path) in str(error)

    check()


CONTROL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<repo_name>", "<file_sep>", "<empty_output>"]
KNOWN_LETTERS = st.characters(max_codepoint=0x2FF, exclude_categories=["Cc"])  # SmolLM2 has no token for some bytes
PROMPTS = st.lists(
    st.sampled_from([*CONTROL, *MARKERS, "<|im_", "end|>", "<|", "|>", " ", "\n"]) | st.text(KNOWN_LETTERS, max_size=6),
    max_size=8,
).map("".join)


@pytest.mark.parametrize("times", DIFFICULTY)
@pytest.mark.parametrize("prompt_format", ["chat", "magicoder", "completion"])
def test_text_of_users_never_becomes_a_control_token(smollm: Path, prompt_format: str, times: int) -> None:
    formatter = PromptFormatter(smollm, prompt_format)
    vocabulary = json.loads((smollm / "tokenizer.json").read_text())
    control = {token["id"] for token in vocabulary["added_tokens"]}
    assert len(control) > 10

    def controls(ids: list[int]) -> list[int]:
        return [token for token in ids if token in control]

    @fuzz(60 * times)
    @given(PROMPTS, PROMPTS, PROMPTS)
    def check(request: str, beginning: str, answer: str) -> None:
        assert not controls(formatter.encode(request)) and formatter.decode(formatter.encode(request)) == request
        assert controls(formatter.response_prompt(request, beginning)) == controls(formatter.response_prompt("x"))
        prompt, response = formatter.training_ids(request, answer)
        assert controls(prompt) == controls(formatter.response_prompt("x"))
        assert controls(response) == formatter.end_of_response == response[-1:]
        assert formatter.decode(prompt).count(request.strip()) >= 1

    check()


def test_a_row_at_the_limit_is_read_and_one_beyond_it_is_not(tmp_path: Path) -> None:
    frame = json.dumps({"code": ""})
    fits, beyond = (frame.replace('""', json.dumps("x" * (MAX_ROW_BYTES - len(frame) - 1 + more))) for more in (0, 2))
    (tmp_path / "c.jsonl").write_text("\n".join([fits, beyond, json.dumps({"code": code(1)})]))
    kinds = [type(found) for found in read_source(CorpusSource(path=str(tmp_path / "c.jsonl")))]
    assert kinds == [SourceRow, Rejection, SourceRow]
