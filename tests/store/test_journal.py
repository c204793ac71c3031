"""A journal keeps what was recorded, names what is no longer as it was, and gives up nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.errors import DamagedFileError, RunDirError
from inverse_instruct.store.journal import Journal

ROWS: dict[str, dict[str, Any]] = {
    "a": {"n": 1, "x": 0.1},
    "b": {"text": "ü\u2028'\"", "y": float("-inf")},
    "c": {"n": None, "list": [1, "2"]},
}


def write(path: Path) -> bytes:
    journal = Journal(path)
    for key, row in ROWS.items():
        journal.append(key, row)
    journal.close()
    return path.read_bytes()


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    write(tmp_path / "j.jsonl")
    assert dict(Journal(tmp_path / "j.jsonl")) == {key: {"key": key, **row} for key, row in ROWS.items()}


def test_a_torn_last_line_is_dropped_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "j.jsonl"
    whole = write(path)
    kept = whole.rindex(b'{"key": "c"')
    for size in range(kept, len(whole)):
        path.write_bytes(whole[:size])
        journal = Journal(path)
        assert set(journal) == {"a", "b"}
        assert path.read_bytes() == whole[:size], "opening changes nothing"
        journal.append("c", ROWS["c"])
        journal.close()
        assert path.read_bytes() == whole
    assert not caplog.text


def test_every_flipped_bit_is_found_named_and_redone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "j.jsonl"
    whole = write(path)
    start, end = whole.index(b'{"key": "b"'), whole.index(b'{"key": "c"')
    for place in range(start, end - 1):
        for bit in range(8):
            content = bytearray(whole)
            content[place] ^= 1 << bit
            path.write_bytes(content)
            caplog.clear()
            found = Journal(path)
            if content[place] == ord("\n"):  # two halves
                assert "lines 2, 3" in caplog.text
            else:
                assert f"{path} is damaged in line 2:" in caplog.text
            assert set(found) == {"a", "c"}, "what is whole is kept"
    found.append("b", ROWS["b"])
    found.close()
    assert dict(Journal(path)) == {key: {"key": key, **row} for key, row in ROWS.items()}


def test_what_changes_while_it_is_open_is_found_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    whole = write(path)
    journal = Journal(path)
    path.write_bytes(whole.replace(b"0.1", b"0.2"))
    with pytest.raises(DamagedFileError, match="j.jsonl is not as it was written"):
        journal["a"]
    assert journal["b"]["text"] == ROWS["b"]["text"]


def test_memory_grows_with_the_keys_alone(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "j.jsonl"
    journal = Journal(path)
    tracemalloc.start()
    for number in range(1000):
        journal.append(str(number), {"text": "x" * 10_000})
    assert tracemalloc.get_traced_memory()[0] < 1_000_000
    tracemalloc.stop()
    assert len(Journal(path)) == 1000 and journal["999"]["text"] == "x" * 10_000


@pytest.mark.parametrize(
    "garbage",
    [b"\n", b"null\n", b"[1]\n", b'{"key": "z"}\n', b"\xff\xfe\n", b"\0" * 100 + b"\n", b"[" * 100_000 + b"\n"],
)
def test_garbage_between_lines_is_named(tmp_path: Path, garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "j.jsonl"
    first, *others = write(path).splitlines(keepends=True)
    path.write_bytes(b"".join([first, garbage, *others]))
    assert set(Journal(path)) == set(ROWS)
    assert "line 2:" in caplog.text


def test_half_a_surrogate_pair_does_no_harm(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.jsonl")
    journal.append("a", {"text": "\ud800"})
    assert journal["a"]["text"] == "?"
    assert dict(Journal(tmp_path / "j.jsonl")) == dict(journal)


def test_a_full_disk_stops_clearly_and_leaves_whole_lines(tmp_path: Path) -> None:
    """The limit on the size of a file stands for the disk here; `tests/faults/test_disk.py` fills a real one."""
    import resource
    import signal

    path = tmp_path / "j.jsonl"
    whole = write(path)
    journal = Journal(path)
    journal.append("d", {})
    size, limits = path.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, limits[1]))
    try:
        with pytest.raises(RunDirError, match="j.jsonl: cannot be written"):
            journal.append("e", {"n": "x" * 100})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.stat().st_size == size and path.read_bytes().startswith(whole)
    journal.append("e", {"n": "x" * 100})
    assert set(Journal(path)) == {*ROWS, "d", "e"}


def test_a_journal_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunDirError, match="cannot be written"):
        Journal(tmp_path / "file" / "j.jsonl").append("a", {})


def test_lines_are_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    write(path)
    assert [json.loads(line)["key"] for line in path.read_text().split(os.linesep)[:-1]] == list(ROWS)
