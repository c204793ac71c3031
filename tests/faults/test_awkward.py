"""Every awkward corpus: no crash, no hang, bounded memory, and each row kept or rejected as it should be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from inverse_instruct.errors import ConfigError
from inverse_instruct.loop.check import check_file
from inverse_instruct.system.root import ROOT
from tests.faults.awkward import Awkward, lines, row
from tests.faults.awkward_child import preprocess_in_child
from tests.faults.awkward_files import FILES
from tests.faults.awkward_rows import ROWS

ENTRIES = [*ROWS, *FILES]
PEAK_MIB = 900  # 200 of them are libraries
TAKES_SECONDS = {
    "row_of_100_mb.jsonl",
    "small_things_by_the_million.jsonl",
    "csharp_generics_200k.jsonl",
    "java_generics_200k.jsonl",
    "bash_if_20k.jsonl",
    "bash_ambiguous_redirections.jsonl",
    "javascript_1_mb_on_one_line.jsonl",
    "spaces_1_mb.jsonl",
    "marks_of_all_languages.jsonl",
    "bomb_of_blank_lines.jsonl.gz",
    "one_mb_100_times_in_50_kb.parquet",
    "imports_that_multiply",
    "folders_deeper_than_a_path",
}
PARAMETERS = [
    pytest.param(entry, id=entry.name[:50], marks=[pytest.mark.slow] * (entry.name in TAKES_SECONDS))
    for entry in ENTRIES
]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that nobody may enter and write to; the folders deeper than a path are beyond shutil."""
    folder = Path(tempfile.mkdtemp(prefix="awkward-"))
    folder.chmod(0o755)
    (folder / "out").mkdir()
    (folder / "out").chmod(0o777)
    yield folder
    subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=False, capture_output=True)
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def test_there_are_enough_and_their_names_differ() -> None:
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES) >= 60


@pytest.mark.parametrize("entry", PARAMETERS)
def test_awkward(entry: Awkward, open_folder: Path) -> None:
    path, good = open_folder / "corpus" / entry.name, open_folder / "good.jsonl"
    path.parent.mkdir()
    entry.make(path)
    lines(row(1_000_000))(good)
    before = sorted(os.listdir(open_folder))
    outcome = preprocess_in_child(
        [path, good], open_folder / "out", entry.format, entry.max_characters, entry.unprivileged, entry.seconds
    )
    assert outcome.verdict == ("error" if entry.error else "done"), outcome.text
    if entry.error:
        assert entry.error in outcome.text and path.name[:40] in outcome.text and outcome.text.startswith("CorpusError")
        assert os.listdir(open_folder / "out") == []
    else:
        assert outcome.rejected == entry.rejected and outcome.kept == entry.kept + 1
        assert outcome.rows_in == outcome.kept + sum(outcome.rejected.values())
    assert outcome.peak_mib < PEAK_MIB
    assert sorted(os.listdir(open_folder)) == before, "a name in the data made a file"


def test_all_together_on_the_command_line(open_folder: Path) -> None:
    """No row is lost between sources either, and the command says nothing that it did not mean to say."""
    together = [
        entry
        for entry in ENTRIES
        if not entry.error
        and not entry.unprivileged
        and entry.format == "auto"
        and entry.max_characters == 20_000
        and entry.name not in TAKES_SECONDS
    ]
    assert len(together) > 60
    inputs = []
    for number, entry in enumerate(together):
        path = open_folder / str(number) / entry.name
        path.parent.mkdir()
        entry.make(path)
        inputs += ["--input", str(path)]
    out = open_folder / "out"
    done = subprocess.run(
        [sys.executable, "-m", "inverse_instruct.cli", "preprocess", *inputs, "--output", str(out), "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=120,
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr[-2000:]
    manifest = json.loads(done.stdout)
    assert manifest["rows_in"] == sum(entry.kept + sum(entry.rejected.values()) for entry in together)
    assert manifest["rows_in"] == manifest["rows_out"] + sum(manifest["rejected"].values())
    kept, rejected = (pq.read_metadata(out / name).num_rows for name in ("snippets.parquet", "rejections.parquet"))
    assert (kept, rejected) == (manifest["rows_out"], sum(manifest["rejected"].values()))


def test_a_name_does_not_command_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "\x1b[2J\nx.jsonl").write_text('{"\\u001b[31m": 1}\n')
    command = [sys.executable, "-m", "inverse_instruct.cli", "preprocess", "--output", str(tmp_path / "out"), "--input"]
    failed = subprocess.run(
        [*command, str(tmp_path / "\x1b[2J\nx.jsonl")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
    )
    error = failed.stderr[failed.stderr.index("error: ") :]
    assert failed.returncode == 1 and "\x1b" not in error and "\\x1b[2J" in error and "\\x1b[31m" in error


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", ["pipe.jsonl", "link_to_endless_zeros.jsonl", "folder_locked", "cut_off.jsonl.gz"])
def test_check_looks_at_no_corpus_that_it_cannot_read(tmp_path: Path, name: str) -> None:
    next(entry for entry in FILES if entry.name == name).make(tmp_path / name)
    (tmp_path / "c.yaml").write_text(f"name: x\nmodel: {{base: none-such}}\ncorpus: [{{path: {name}}}]\n")
    with pytest.raises(ConfigError, match="none-such") as raised:
        check_file(tmp_path / "c.yaml", [], None)
    assert name in str(raised.value) or name == "folder_locked"  # root may list it
