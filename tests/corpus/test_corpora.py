"""What a corpus may look like: read by `check`, `preprocess` and `run` alike, or refused by all three in one way."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from datasets import Dataset, DatasetDict

from inverse_instruct import cli
from inverse_instruct.config.config_file import load_config
from inverse_instruct.errors import InverseInstructError
from inverse_instruct.loop import check
from inverse_instruct.loop.runner import Runner, Standing
from inverse_instruct.stages.preprocess import PREPROCESS
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.manifest import Manifest, read_manifest
from inverse_instruct.store.rows import read_rows
from inverse_instruct.store.run_dir import RunDir
from tests.corpus.test_readers import zstd
from tests.recipes.fake_engine import FakeEngines

Rows = Sequence[dict[str, Any]]
Make = Callable[[Path, Rows], str]  # writes rows into a folder and returns the path that a config names
CODE = (
    "def weighted(items):\n    return sum(item.weight * item.count for item in items)",
    "def names(path):\n    with open(path) as stream:\n        return [line.strip() for line in stream]",
)
ANSWERS = [f"```python\n{code}\n```" for code in CODE]
QUESTIONS = ("Weigh the items.", "Read the names.")


def talk(question: str, answer: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def in_parts(words: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": words}]


LAYOUTS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "alpaca": lambda question, answer: {"instruction": question, "input": "", "output": answer},
    "instruction, response": lambda question, answer: {"instruction": question, "response": answer},
    "prompt, completion": lambda question, answer: {"prompt": question, "completion": answer},
    "input, output": lambda question, answer: {"input": question, "output": answer},
    "messages": lambda question, answer: {"messages": talk(question, answer)},
    "conversations": lambda question, answer: {
        "conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    },
    "content parts": lambda question, answer: {"messages": talk(in_parts(question), in_parts(answer))},  # type: ignore[arg-type]
    "content": lambda _, answer: {"content": answer.strip("`").removeprefix("python\n"), "language": "Python"},
    "text": lambda _, answer: {"text": answer.strip("`").removeprefix("python\n")},
    "own columns": lambda question, answer: {"asked": question, "answered": answer, "id": 7},
}
OPTIONS: dict[str, dict[str, Any]] = {"own columns": {"fields": {"instruction": "asked", "response": "answered"}}}


def text_of(name: str, rows: Rows) -> bytes:
    if name.endswith("jsonl"):
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    if name.endswith("json"):
        return json.dumps(rows).encode()
    told = io.StringIO()
    writer = csv.DictWriter(told, list(rows[0]), delimiter="\t" if name.endswith("tsv") else ",")
    writer.writeheader()
    writer.writerows(rows)
    return told.getvalue().encode()


def in_file(name: str, pack: Callable[[bytes], bytes] = bytes) -> Make:
    def make(folder: Path, rows: Rows) -> str:
        (folder / name).write_bytes(
            pack(text_of(name.removesuffix(".gz").removesuffix(".xz").removesuffix(".zst"), rows))
        )
        return name

    return make


def in_parquet(folder: Path, rows: Rows) -> str:
    pq.write_table(pa.Table.from_pylist(list(rows)), folder / "rows.parquet")
    return "rows.parquet"


def in_arrow(stream: bool) -> Make:
    def make(folder: Path, rows: Rows) -> str:
        table = pa.Table.from_pylist(list(rows))
        new = pa.ipc.new_stream if stream else pa.ipc.new_file
        with new(str(folder / "rows.arrow"), table.schema) as writer:
            writer.write_table(table)
        return "rows.arrow"

    return make


def in_shards(named: str) -> Make:
    def make(folder: Path, rows: Rows) -> str:
        (folder / "shards").mkdir()
        for number, row in enumerate(rows):
            (folder / f"shards/train-{number}.jsonl").write_bytes(text_of("x.jsonl", [row]))
        (folder / "shards/README.md").write_text("# Rows")
        return named

    return make


def saved(folder: Path, rows: Rows) -> str:
    Dataset.from_list(list(rows)).save_to_disk(str(folder / "saved"), num_shards=len(rows))
    return "saved"


def saved_dict(*splits: str) -> Make:
    def make(folder: Path, rows: Rows) -> str:
        DatasetDict({split: Dataset.from_list(list(rows)) for split in splits}).save_to_disk(str(folder / "saved"))
        return "saved"

    return make


FORMATS: dict[str, Make] = {
    "JSON lines": in_file("rows.jsonl"),
    "JSON": in_file("rows.json"),
    "CSV": in_file("rows.csv"),
    "TSV": in_file("rows.tsv"),
    "gzip": in_file("rows.jsonl.gz", gzip.compress),
    "xz": in_file("rows.csv.xz", lzma.compress),
    "zstandard": in_file("rows.jsonl.zst", zstd),
    "Parquet": in_parquet,
    "an Arrow stream": in_arrow(True),
    "an Arrow file": in_arrow(False),
    "a folder": in_shards("shards"),
    "a pattern": in_shards("sh*/train-?.jsonl"),
    "a saved data set": saved,
    "a saved dictionary of one": saved_dict("train"),
}
TABLES = {"CSV", "TSV", "xz"}  # their cells are texts
NO_TABLE = {"messages", "conversations", "content parts"}


class World:
    """A config, and what `check`, `preprocess` and `run` make of its corpus."""

    def __init__(self, folder: Path, path: str, **options: Any) -> None:
        self.folder, self.options = folder, {"path": path, **options}
        self.config_file = folder / "run.yaml"
        values = {"name": "x", "model": {"base": "b"}, "corpus": [self.options]}
        self.config_file.write_text(yaml.safe_dump({**values, "preprocess": {"benchmarks": []}}))

    def check(self) -> list[str]:
        """Return the problems that `check` has with the corpus."""
        self.notes: list[str] = []
        return check._corpus_problems(load_config(self.config_file), self.notes)

    def preprocess(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Manifest | str:
        """Return what the command has made, or the error that it printed."""
        options = {name: value for name, value in self.options.items() if name != "path"}
        sets = [part for name, value in options.items() for part in ("--set", f"corpus.0.{name}={json.dumps(value)}")]
        output = str(self.folder / "out")
        words = [
            "preprocess",
            "--input",
            self.options["path"],
            "--output",
            output,
            *sets,
            "--set",
            "preprocess.benchmarks=[]",
        ]
        monkeypatch.setattr("sys.argv", ["inverse-instruct", *words])
        monkeypatch.chdir(self.folder)
        try:
            cli.main()
        except SystemExit as ended:
            if ended.code:
                return capsys.readouterr().err
        manifest = read_manifest(self.folder / "out")
        assert manifest is not None
        return manifest

    def run(self) -> Manifest | str:
        """Return what the corpus stage of `run` has made, or the error that ends it."""
        run_dir = RunDir(self.folder / "run")
        run_dir.path.mkdir()
        with Ledger(run_dir.ledger, create=True) as ledger:
            runner = Runner(load_config(self.config_file), run_dir, ledger, FakeEngines(), ())  # type: ignore[arg-type]
            try:
                return runner.run(PREPROCESS, Standing(0, {}, ()))
            except InverseInstructError as error:
                return str(error)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("form", FORMATS)
def test_a_corpus_is_read_by_all_or_refused_by_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], form: str, layout: str
) -> None:
    rows = [LAYOUTS[layout](question, answer) for question, answer in zip(QUESTIONS, ANSWERS, strict=True)]
    world = World(tmp_path, FORMATS[form](tmp_path, rows), **OPTIONS.get(layout, {}))
    problems, made, played = world.check(), world.preprocess(monkeypatch, capsys), world.run()
    if form in TABLES and layout in NO_TABLE:
        words = "cannot tell the layout from the fields"
        assert len(problems) == 1 and words in problems[0] and words in str(made) and words in str(played)
        return
    assert problems == []
    for manifest in (made, played):
        assert isinstance(manifest, Manifest), manifest
        assert (manifest.rows_in, manifest.rows_out, manifest.rejected) == (2, 2, {})
    for folder in (tmp_path / "out", tmp_path / "run/round-00/preprocess"):
        assert [row["code"] for row in read_rows(folder / "snippets.parquet")] == list(CODE)
        asked = [row["instruction"] for row in read_rows(folder / "original.parquet")]
        assert asked == ([] if layout in ("content", "text") else list(QUESTIONS))


def bytes_in(name: str, content: bytes) -> Make:
    def make(folder: Path, _: Rows) -> str:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        return name.partition("/")[0]

    return make


def saved_without_rows(folder: Path, rows: Rows) -> str:
    Dataset.from_list(list(rows)).select([]).save_to_disk(str(folder / "saved"))
    return "saved"


def damaged(make: Make, name: str, change: Callable[[bytes], bytes | None]) -> Make:
    """Return what spoils one file of a corpus, or takes it away."""

    def spoil(folder: Path, rows: Rows) -> str:
        path = make(folder, rows)
        file = next(folder.glob(name))
        content = change(file.read_bytes())
        file.unlink() if content is None else file.write_bytes(content)
        return path

    return spoil


ROWS = [LAYOUTS["alpaca"](question, answer) for question, answer in zip(QUESTIONS, ANSWERS, strict=True)]
TABLE = text_of("rows.csv", ROWS)
REFUSED: dict[str, tuple[Make, dict[str, Any], str]] = {
    "an empty file": (bytes_in("rows.jsonl", b""), {}, "rows.jsonl: holds no rows"),
    "an empty file of a known layout": (bytes_in("rows.jsonl", b""), {"format": "alpaca"}, "rows.jsonl: holds no rows"),
    "an empty Arrow file": (bytes_in("rows.arrow", b""), {}, "rows.arrow: holds no rows"),
    "a table of a head alone": (bytes_in("rows.csv", b"instruction,output\n"), {}, "rows.csv: holds no rows"),
    "a folder without rows": (bytes_in("rows/README.md", b"# Rows"), {}, "holds no source file of a language"),
    "a folder with an empty shard": (bytes_in("rows/a.jsonl", b""), {}, "a.jsonl: holds no rows"),
    "a pattern that matches nothing": (lambda *_: "rows/*.jsonl", {}, "no file matches; check the pattern"),
    "a pattern of other files": (lambda *_: "run.y*", {}, "holds no source file of a language"),
    "a file that is not there": (lambda *_: "rows.jsonl", {}, "rows.jsonl does not exist"),
    "an Arrow file that is not there": (lambda *_: "rows.arrow", {}, "rows.arrow does not exist"),
    "a notebook that is not there": (lambda *_: "n.ipynb", {}, "n.ipynb does not exist"),
    "a packed file that is not there": (lambda *_: "rows.csv.zst", {}, "rows.csv.zst does not exist"),
    "a file cut off": (
        damaged(in_file("rows.jsonl.gz", gzip.compress), "rows*", lambda data: data[:-20]),
        {},
        "the compressed file is damaged",
    ),
    "UTF-16": (bytes_in("rows.csv", TABLE.decode().encode("utf-16")), {}, "rows.csv: is UTF-16, and not UTF-8"),
    "a saved data set without rows": (saved_without_rows, {}, "holds no rows"),
    "two splits": (saved_dict("train", "test"), {}, "has the splits train, test; name one with `split`"),
    "no such split": (saved_dict("train", "test"), {"split": "dev"}, "has no split 'dev', but train, test"),
    "a split of one": (saved, {"split": "dev"}, "is one split by itself, and not 'dev'; leave out `split`"),
    "a shard lost": (
        damaged(saved, "saved/data-00001*", lambda _: None),
        {},
        "is named by state.json and is not there",
    ),
    "a shard cut off": (damaged(saved, "saved/data-00000*", lambda data: data[:400]), {}, "not a readable Arrow file"),
    "a state that is none": (damaged(saved, "saved/state.json", lambda _: b"{"), {}, "state.json: is not JSON"),
    "a state that leads out": (
        damaged(saved, "saved/state.json", lambda _: b'{"_data_files": [{"filename": "../rows.arrow"}]}'),
        {},
        "does not name the files of rows",
    ),
    "a list of splits that leads out": (
        damaged(saved_dict("a"), "saved/dataset_dict.json", lambda _: b'{"splits": [".."]}'),
        {},
        "names no splits",
    ),
    "a notebook that is none": (bytes_in("n.ipynb", b"{}"), {}, "none of 1 rows gives a snippet (malformed 1)"),
    "a filter by no field": (
        in_file("rows.jsonl"),
        {"where": {"stars": [5]}},
        "no row has the field 'stars', which `where` filters by; the fields are input, instruction, output",
    ),
    "a filter of source code": (
        bytes_in("code/a.py", CODE[0].encode()),
        {"where": {"language": ["python"]}},
        "holds no file of rows, which the source asks for",
    ),
    "a share of none": (in_file("rows.jsonl"), {"share": 0.001}, "none of 2 rows gives a snippet (not_drawn 2)"),
    "a filter that leaves out all": (
        in_file("rows.jsonl"),
        {"where": {"instruction": ["Sing."]}},
        "none of 2 rows gives a snippet (filtered_out 2)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_by_all_in_one_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    make, options, words = REFUSED[name]
    world = World(tmp_path, make(tmp_path, ROWS), **options)
    problems = world.check()
    assert len(problems) == 1 and words in problems[0], problems
    made = world.preprocess(monkeypatch, capsys)
    assert isinstance(made, str) and words in " ".join(made.split()) and "Traceback" not in made
    played = world.run()
    assert isinstance(played, str) and words in played


def nested(folder: Path, rows: Rows) -> str:
    extra = [{**row, "about": {"stars": 5, "by": [{"name": "x"}]}} for row in rows]
    return in_parquet(folder, extra)


READ: dict[str, tuple[Make, dict[str, Any]]] = {
    "a nested column": (nested, {}),
    "a byte order mark": (bytes_in("rows.csv", b"\xef\xbb\xbf" + TABLE), {}),
    "one split of two": (saved_dict("train", "test"), {"split": "test"}),
    "the folder of a split": (lambda folder, rows: f"{saved_dict('train', 'test')(folder, rows)}/test", {}),
    "one source file": (bytes_in("a.py", "\n\n\n".join(CODE).encode()), {}),
    "a pattern of source files": (
        lambda folder, rows: bytes_in("a.py", "\n\n\n".join(CODE).encode())(folder, rows)[0] + "*",
        {},
    ),
}


@pytest.mark.parametrize("name", READ)
def test_what_looks_odd_and_is_read_by_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    make, options = READ[name]
    world = World(tmp_path, make(tmp_path, ROWS), **options)
    assert world.check() == []
    for manifest in (world.preprocess(monkeypatch, capsys), world.run()):
        assert isinstance(manifest, Manifest), manifest
        assert (manifest.rows_in, manifest.rows_out, manifest.rejected) == (2, 2, {})
