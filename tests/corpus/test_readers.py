"""Every kind of corpus, and what becomes of broken rows."""

from __future__ import annotations

import gzip
import json
import lzma
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inverse_instruct.config.corpus_source import CorpusSource
from inverse_instruct.corpus import delimited_rows
from inverse_instruct.corpus.readers import read_source
from inverse_instruct.errors import CorpusError
from inverse_instruct.records import Reason, Rejection, SourceRow
from inverse_instruct.source_code.contents import fingerprint


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


def read(path: Path | str, **options: Any) -> list[SourceRow | Rejection]:
    return list(read_source(CorpusSource(path=str(path), **options)))


def jsonl(path: Path, *rows: Any) -> Path:
    lines = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(lines.encode()) if path.suffix == ".gz" else lines.encode())
    return path


def pairs(rows: list[SourceRow | Rejection]) -> list[tuple[str, str]]:
    assert all(isinstance(row, SourceRow) for row in rows), rows
    return [(row.instruction, row.response) for row in rows if isinstance(row, SourceRow)]


LAYOUTS = [
    ({"instruction": "Do", "input": "", "output": "done"}, "alpaca", "Do"),
    ({"instruction": "Do", "output": "done"}, "alpaca", "Do"),
    ({"instruction": "Do", "input": "this", "output": "done"}, "alpaca", "Do\n\nthis"),
    ({"id": 1, "instruction": "Do", "instances": [{"input": "", "output": "done"}]}, "alpaca", "Do"),
    ({"instruction": "Do", "input": "this", "response": "done"}, "instruction_response", "Do\n\nthis"),
    ({"prompt": "Do", "completion": "done"}, "instruction_response", "Do"),
    ({"question": "Do", "answer": "done"}, "instruction_response", "Do"),
    ({"problem": "Do", "solution": "done", "lang": "py"}, "instruction_response", "Do"),
    (
        {
            "conversations": [
                {"from": "system", "value": "s"},
                {"from": "human", "value": "Do"},
                {"from": "gpt", "value": "done"},
                {"from": "human", "value": "more"},
                {"from": "gpt", "value": "no"},
            ]
        },
        "sharegpt",
        "Do",
    ),
    (
        {
            "conversations": [
                {"from": "gpt", "value": "Hi"},
                {"from": "human", "value": "Do"},
                {"from": "gpt", "value": "done"},
            ]
        },
        "sharegpt",
        "Do",
    ),
    (
        {
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": "Do"},
                {"role": "assistant", "content": "done"},
            ]
        },
        "messages",
        "Do",
    ),
    ({"code": "done", "doc": "a query"}, "code", ""),
    ({"content": "done"}, "code", ""),
    ({"original_string": "done", "language": "Python"}, "code", ""),
]


@pytest.mark.parametrize(("row", "layout", "instruction"), LAYOUTS)
@pytest.mark.parametrize("name", ["c.jsonl", "c.jsonl.gz", "c.json", "c.json.gz", "c.parquet"])
def test_layouts_in_files(tmp_path: Path, row: dict[str, Any], layout: str, instruction: str, name: str) -> None:
    path = tmp_path / name
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist([row, row]), path)
    elif ".jsonl" in name:
        jsonl(path, row, row)
    else:
        data = json.dumps([row, row], indent=1).encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    for format_ in ("auto", layout):
        rows = read(path, format=format_)
        assert pairs(rows) == [(instruction, "done")] * 2
        assert [(r.source, r.line) for r in rows if isinstance(r, SourceRow)] == [(name, 1), (name, 2)]


def test_a_language_field_is_read_and_ids_differ_by_place(tmp_path: Path) -> None:
    rows = read(jsonl(tmp_path / "c.jsonl", *[{"problem": "p", "solution": "s", "lang": "JS"}] * 2))
    assert [row.language for row in rows if isinstance(row, SourceRow)] == ["javascript"] * 2
    assert len({row.id for row in rows if isinstance(row, SourceRow)}) == 2


GOOD = {"instruction": "i", "output": "o"}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"instruction": "i", ', "not valid JSON"),
        ("[1, 2]", "JSON list"),
        ("null", "JSON NoneType"),
        ("[" * 100_000, "JSON"),
        (json.dumps({"instruction": "i"}), "no field 'output'"),
        (json.dumps({"instruction": "i", "output": None}), "is null"),
        (json.dumps({"instruction": ["i"], "output": "o"}), "is list"),
        (json.dumps({"instruction": "i", "output": 3}), "is int"),
        (json.dumps({"instruction": "i", "output": "a\0b"}), "NUL"),
        (json.dumps({"instruction": "i\ud800", "output": "o"}), "surrogate"),
        (json.dumps({"instruction": "i", "input": 4, "output": "o"}), "is int"),
    ],
)
def test_a_broken_row_is_a_rejection(tmp_path: Path, line: str, says: str) -> None:
    rows = read(jsonl(tmp_path / "c.jsonl", GOOD, line, "", GOOD))
    assert [type(row) for row in rows] == [SourceRow, Rejection, SourceRow]
    broken = rows[1]
    assert isinstance(broken, Rejection) and broken.reason is Reason.MALFORMED and broken.stage == "preprocess"
    assert broken.detail.startswith("c.jsonl:2: ") and says in broken.detail
    assert isinstance(rows[2], SourceRow) and rows[2].line == 4


def test_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    good = json.dumps(GOOD).encode()
    path.write_bytes(b"\xef\xbb\xbf" + good + b"\r\n" + b'{"instruction": "\xff", "output": "o"}\n' + good)
    assert [type(row) for row in read(path)] == [SourceRow, Rejection, SourceRow]


@pytest.mark.parametrize(
    ("layout", "row"),
    [
        ("sharegpt", {"conversations": "x"}),
        ("sharegpt", {"conversations": [{"from": "human", "value": "a"}]}),
        ("messages", {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": None}]}),
        ("messages", {"messages": ["a"]}),
        ("code", {"x": 1}),
        ("instruction_response", {"instruction": "a"}),
    ],
)
def test_broken_rows_of_the_other_layouts(tmp_path: Path, layout: str, row: dict[str, Any]) -> None:
    [broken] = read(jsonl(tmp_path / "c.jsonl", row), format=layout)
    assert isinstance(broken, Rejection) and broken.reason is Reason.MALFORMED


def test_broken_text_in_parquet(tmp_path: Path) -> None:
    broken = pa.array([b"o", b"\xff", b"o"]).cast(pa.binary()).view(pa.string())
    pq.write_table(pa.table({"instruction": ["i"] * 3, "output": broken}), tmp_path / "c.parquet")
    assert [type(row) for row in read(tmp_path / "c.parquet")] == [SourceRow, Rejection, SourceRow]


def test_limit_counts_broken_rows_too(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "c.jsonl", GOOD, "{", GOOD, GOOD)
    assert len(read(path, limit=2)) == 2


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("c.jsonl", b'{"a": "x", "b": 1}\n', "fields a, b"),
        ("c.jsonl", b"", "holds no rows"),
        ("c.json", b'[{"instruction": ', "not a valid JSON array"),
        ("c.jsonl.gz", gzip.compress(b'{"instruction": "i", "output": "o"}\n' * 999, mtime=0)[:40], "damaged"),
        ("c.jsonl.gz", b"not gzip", "damaged"),
        ("c.parquet", b"not parquet", "not a readable Parquet file"),
        ("few_shot.txt", b"[Code]", "is not a corpus file"),
        ("c.csv", b"a,b", "holds no rows"),
        ("c.csv", b"", "holds no rows"),
        ("c.csv", b"instruction,instruction\na,b\n", "must name the columns, each once"),
        ("c.tsv", b"instruction\t\na\tb\n", "must name the columns, each once"),
        ("c.csv", b'instruction,"out\n', "not a row of delimited cells"),
        ("c.csv", b"a,b\n1,2\n", "cannot tell the layout from the fields a, b"),
        ("c.jsonl.xz", b"not xz", "damaged"),
        ("c.jsonl.zst", b"not zstandard", "cannot be read"),
        ("c.csv.zst", zstd(b"instruction,output\n" + b"i,o\n" * 999)[:30], "cannot be read"),
        ("c.csv.xz", lzma.compress(b"instruction,output\n" + b"i,o\n" * 999)[:40], "damaged"),
        ("c.xlsx", b"PK", "is not a corpus file"),
    ],
)
def test_what_cannot_be_read_at_all_says_how_to_go_on(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError, match=says) as raised:
        read(tmp_path / name)
    assert name in str(raised.value)


def test_a_file_of_broken_lines_is_rejected_line_by_line(tmp_path: Path) -> None:
    assert [type(row) for row in read(jsonl(tmp_path / "c.jsonl", "{", "{"))] == [Rejection] * 2


TABLE = 'instruction,output,lang\n"Say ""hi"", twice",one line,py\nTwo,"of\nthem",\n'


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress, zstd], ids=["", "gz", "xz", "zst"])
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "json"])
def test_rows_are_the_same_however_they_are_packed(tmp_path: Path, kind: str, pack: Callable[[bytes], bytes]) -> None:
    ending = {bytes: "", gzip.compress: ".gz", lzma.compress: ".xz", zstd: ".zst"}[pack]
    rows = [{"instruction": 'Say "hi", twice', "output": "one line", "lang": "py"}]
    rows.append({"instruction": "Two", "output": "of\nthem", "lang": ""})
    text = {
        "csv": TABLE,
        "tsv": TABLE.replace(",", "\t").replace('hi""\t twice', 'hi"", twice'),
        "jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "json": json.dumps(rows),
    }[kind]
    path = tmp_path / f"c.{kind}{ending}"
    path.write_bytes(pack(text.encode()))
    found = read(path)
    assert pairs(found) == [('Say "hi", twice', "one line"), ("Two", "of\nthem")]
    assert [row.language for row in found if isinstance(row, SourceRow)] == ["python", None]


def test_broken_rows_of_a_table_are_told_with_their_lines(tmp_path: Path) -> None:
    lines = [
        b"\xef\xbb\xbfinstruction,output",
        b"a,b",
        b"one",
        b"a,b,c",
        b"",
        b"\xff,b",
        b'"two',
        b'lines",b',
        b'x"y,b',
        b'"a"b,c',
        b"d,e",
    ]
    (tmp_path / "c.csv").write_bytes(b"\r\n".join(lines) + b"\r\n")
    found = read(tmp_path / "c.csv")
    assert [(row.line, row.instruction) for row in found if isinstance(row, SourceRow)] == [
        (2, "a"), (7, "two\r\nlines"), (9, 'x"y'), (11, "d"),
    ]  # fmt: skip
    assert [row.detail for row in found if isinstance(row, Rejection)] == [
        "c.csv:3: has 1 cells, and there are 2 columns",
        "c.csv:4: has 3 cells, and there are 2 columns",
        "c.csv:6: is not valid UTF-8",
        "c.csv:10: is not a row of delimited cells (',' expected after '\"')",
    ]


def test_a_quote_that_is_never_closed_is_one_long_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited_rows, "MAX_ROW_BYTES", 1000)
    (tmp_path / "c.csv").write_text("instruction,output\na,b\n" + 'c,"d\n' + "e,f\n" * 1000)
    found = read(tmp_path / "c.csv")
    assert pairs(found[:1]) == [("a", "b")]
    assert isinstance(found[1], Rejection) and (found[1].reason, found[1].detail[:9]) == (Reason.TOO_LONG, "c.csv:3: ")


def test_a_folder_of_shards_is_read_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"instruction": ["1"], "output": ["o"]}), tmp_path / "data/train-00001.parquet")
    jsonl(tmp_path / "data/train-00000.jsonl.gz", {"instruction": "0", "output": "o"}, "{")
    (tmp_path / "more.csv").write_text("prompt,completion\n2,o\n")
    (tmp_path / "dataset_info.json").write_text("{}")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache/state.jsonl").write_text("{}")
    (tmp_path / "README.md").write_text("---")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "data/train-00000.jsonl.gz")
    found = read(tmp_path)
    assert [(row.source, row.line, row.instruction) for row in found if isinstance(row, SourceRow)] == [
        ("data/train-00000.jsonl.gz", 1, "0"),
        ("data/train-00001.parquet", 1, "1"),
        ("more.csv", 2, "2"),
    ]
    assert [row.detail[:28] for row in found if isinstance(row, Rejection)] == ["data/train-00000.jsonl.gz:2:"]
    (tmp_path / "script.py").write_text("def load():\n    return 1\n")
    assert [row.source for row in read(tmp_path) if isinstance(row, SourceRow)] == ["script.py"], "as before: code"
    assert len(read(tmp_path, format="instruction_response")) == 4, "who names a layout means the rows"


def test_fields_may_have_any_name(tmp_path: Path) -> None:
    rows = [
        {"q": "Do", "given": "this", "a": "done", "l": "C++"},
        {"q": "Do"},
        {"q": 1, "a": "x"},
        {"q": "Say", "a": "x"},
    ]
    path = jsonl(tmp_path / "c.jsonl", *rows, "{")
    names = {"instruction": "q", "response": "a", "input": "given", "language": "l"}
    found = read(path, fields=names)
    assert [(row.instruction, row.response, row.language) for row in found if isinstance(row, SourceRow)] == [
        ("Do\n\nthis", "done", "cpp"),
        ("Say", "x", None),
    ]
    details = [row.detail for row in found if isinstance(row, Rejection)]
    assert details[0] == "c.jsonl:2: has no field 'a'; its fields are q"
    assert "field 'instruction' is int, not text" in details[1] and "not valid JSON" in details[2]


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    for path in ("c.jsonl", "a/b/c", "c.parquet"):
        with pytest.raises(CorpusError, match="no such file"):
            read(tmp_path / path)


def test_a_folder_of_source_code(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg/a.py").write_text("import os\n\n\ndef f():\n    return os.sep\n\n\nclass A:\n    x = 1\n")
    (tmp_path / "pkg/b.go").write_bytes(b"\xff\xfe")
    (tmp_path / "pkg/c.py").write_text("x = 1\n")
    (tmp_path / "pkg/d.c").write_text("int x;\0")
    (tmp_path / "pkg/e.py").write_text("# " + "x" * 1_000_000)
    rows = read(tmp_path)
    assert [(r.source, r.line, r.language, r.instruction) for r in rows if isinstance(r, SourceRow)] == [
        ("pkg/a.py", 4, "python", ""),
        ("pkg/a.py", 8, "python", ""),
    ]
    assert [(r.reason, r.detail.split(" ")[0]) for r in rows if isinstance(r, Rejection)] == [
        (Reason.MALFORMED, "pkg/b.go:1:"),
        (Reason.NO_CODE, "pkg/c.py:1:"),
        (Reason.MALFORMED, "pkg/d.c:1:"),
        (Reason.TOO_LONG, "pkg/e.py:1:"),
    ]


def test_a_text_that_stands_in_many_rows_is_held_once(tmp_path: Path) -> None:
    text = random.Random(0).randbytes(2 << 20).hex()
    pq.write_table(pa.table({"instruction": ["Do"] * 128, "output": [text] * 128}), tmp_path / "r.parquet")
    before, sizes = pa.total_allocated_bytes(), []
    for row in read_source(CorpusSource(path=str(tmp_path / "r.parquet"))):
        assert isinstance(row, SourceRow) and row.response == text
        sizes.append(pa.total_allocated_bytes() - before)
    assert len(sizes) == 128 and max(sizes) < 64 << 20


def test_a_parquet_file_that_expands_beyond_reason_is_refused(tmp_path: Path) -> None:
    texts = [f"{number}" + "a" * (1 << 20) for number in range(32)]
    pq.write_table(
        pa.table({"instruction": ["Do"] * 32, "output": texts}),
        tmp_path / "r.parquet",
        compression="zstd",
        use_dictionary=False,
    )
    with pytest.raises(CorpusError, match="more than 200 times its size"):
        read(tmp_path / "r.parquet")


def test_a_fingerprint_changes_with_what_is_read_and_with_nothing_else(tmp_path: Path) -> None:
    package = tmp_path / "code/package"
    for folder in (package, tmp_path / "code/.git"):
        folder.mkdir(parents=True)
    (package / "a.py").write_text("x = 1\n")
    before = fingerprint(tmp_path / "code")
    (tmp_path / "code/.git/index").write_text("changed")
    assert before and fingerprint(tmp_path / "code") == before
    (package / "a.py").write_text("x = 12\n")
    assert fingerprint(tmp_path / "code") != before

    rows = jsonl(tmp_path / "rows.jsonl", {"instruction": "Do", "output": "done"})
    before = fingerprint(rows)
    rows.touch()
    assert fingerprint(rows) == before
    assert fingerprint(jsonl(rows, {"instruction": "Do", "output": "gone"})) != before
    assert fingerprint(Path("owner/name")) == ""


def test_folders_that_are_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no source file"):
        read(tmp_path)
    with pytest.raises(CorpusError, match="no file of rows"):
        read(tmp_path, format="alpaca")


def test_a_hub_data_set_is_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def load_dataset(name: str, split: str, streaming: bool) -> Any:
        assert (name, split, streaming) == ("someone/rows", "dev", True)
        return iter([GOOD] * 3)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert pairs(read("someone/rows", split="dev", limit=2)) == [("i", "o")] * 2


def test_a_hub_data_set_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def load_dataset(*_: Any, **__: Any) -> Any:
        raise datasets.exceptions.DatasetNotFoundError("no")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(CorpusError, match="check the spelling"):
        read("someone/nothing")


KEYS = st.sampled_from(["from", "value", "role", "content", "output"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
)
FIELDS = st.sampled_from(["instruction", "output", "input", "response", "conversations", "messages", "code", "x"])
ROWS = st.dictionaries(FIELDS, VALUES, max_size=4).map(lambda row: json.dumps(row).encode())
LINES = st.one_of(st.binary(max_size=40), ROWS)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, max_size=8), st.sampled_from(["auto", "alpaca", "sharegpt", "messages", "code"]))
def test_every_line_is_a_row_or_a_rejection(tmp_path: Path, lines: list[bytes], layout: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(b"\n".join(lines))
    written = sum(
        bool(line.removeprefix(b"\xef\xbb\xbf").strip() if number == 0 else line.strip())
        for number, line in enumerate(b"\n".join(lines).split(b"\n"))
    )
    try:
        rows = read(path, format=layout)
    except CorpusError:
        assert layout == "auto" or not written
        return
    assert len(rows) == written
