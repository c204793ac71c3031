"""Awkward files: damaged or hostile archives and tables, things that are no files, folders that go astray."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.faults.awkward import Awkward, code, content, fenced, folder, lines, row

TWO = "".join(json.dumps(row(number)) + "\n" for number in (1, 2)).encode()


def bomb(start: bytes, filling: bytes) -> Callable[[Path], object]:
    """Return what writes 10 GiB of filling as 10 MB of gzip; members are joined, so it takes no time."""
    member = gzip.compress(filling * ((64 << 20) // len(filling)))
    return lambda path: path.write_bytes(gzip.compress(start) + member * 160)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../escaped.jsonl", TWO)


GZIP = [
    Awkward("bomb_of_zeros.jsonl.gz", lambda path: bomb(b"", b"\0")(path), error="expands to more than"),
    Awkward("bomb_of_blank_lines.jsonl.gz", lambda path: bomb(TWO, b"\n")(path), error="expands to more than"),
    Awkward(
        "bomb_of_empty_rows.jsonl.gz",
        lambda path: bomb(TWO, b"[" + b" " * 999 + b"]\n")(path),
        error="expands to more than",
    ),
    Awkward("bomb_in_an_array.json.gz", lambda path: bomb(b"[", b" ")(path), error="expands to more than"),
    Awkward(
        "repetitive_but_honest.jsonl.gz",
        lambda path: path.write_bytes(gzip.compress((json.dumps(row(1)) + "\n").encode() * 2000)),
        kept=1,
        rejected={"exact_duplicate": 1999},
    ),
    Awkward("cut_off.jsonl.gz", content(gzip.compress(TWO * 99)[:-50]), error="damaged"),
    Awkward("wrong_checksum.jsonl.gz", content(flipped(gzip.compress(TWO), -6)), error="damaged"),
    Awkward("flipped_byte.jsonl.gz", content(flipped(gzip.compress(TWO), 40)), error="damaged"),
    Awkward("garbage_behind.jsonl.gz", content(gzip.compress(TWO) + b"garbage"), error="damaged"),
    Awkward("zeros_behind.jsonl.gz", content(gzip.compress(TWO) + bytes(100)), kept=2),
    Awkward("members_joined.jsonl.gz", content(gzip.compress(TWO[:50]) + gzip.compress(TWO[50:])), kept=2),
    Awkward("not_gzip.jsonl.gz", content(TWO), error="damaged"),
    Awkward("no_bytes.jsonl.gz", content(b""), error="holds no rows"),
    Awkward("gzip_twice.jsonl.gz.gz", content(gzip.compress(gzip.compress(TWO))), error="not a corpus file"),
    Awkward("gzip_by_another_name.jsonl", content(b"\x1f\x8b\x08\0\0"), rejected={"malformed": 1}),
    Awkward("archive_that_leaves_its_folder.zip", zipped, error="not a corpus file"),
]


def parquet(*, change: Callable[[bytes], bytes] = bytes, **columns: Any) -> Callable[[Path], object]:
    """Return what writes a table of these columns, and then changes its bytes."""

    def make(path: Path) -> None:
        names, arrays = list(columns), [pa.array(values) for values in columns.values()]
        pq.write_table(pa.table(arrays, names=names), path)
        path.write_bytes(change(path.read_bytes()))

    return make


def arrow(change: Callable[[bytes], bytes], more: str = "") -> Callable[[Path], object]:
    """Return what writes an Arrow stream, compressed if it holds more than a few rows, and then changes its bytes."""

    def make(path: Path) -> None:
        table = pa.table(alpaca_table() | ({"more": [more, ""]} if more else {}))
        options = pa.ipc.IpcWriteOptions(compression="zstd" if more else None)
        with pa.ipc.new_stream(str(path), table.schema, options=options) as writer:
            writer.write_table(table)
        path.write_bytes(change(path.read_bytes()))

    return make


def alpaca_table(count: int = 2) -> dict[str, Any]:
    return {"instruction": [f"Do {n}" for n in range(count)], "output": [fenced(code(n)) for n in range(count)]}


def same_name_twice(path: Path) -> None:
    texts = pa.array([fenced(code(1))])
    pq.write_table(pa.table([pa.array(["Do"]), texts, texts], names=["instruction", "output", "output"]), path)


def long_text_many_times(path: Path) -> None:
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 100), pa.array(["x" * (1 << 20)]))
    pq.write_table(pa.table({"instruction": [f"Do {n}" for n in range(100)], "output": text}), path)


def binary(path: Path) -> None:
    broken = pa.array([fenced(code(1)).encode(), b"\xff"]).view(pa.string())
    pq.write_table(pa.table({"instruction": ["a", "b"], "output": broken}), path)


DATES = pa.array([10**14, 0, -(10**14)], pa.timestamp("s"))

PARQUET = [
    Awkward("cut_off.parquet", parquet(**alpaca_table(), change=lambda data: data[:-20]), error="not a readable"),
    Awkward("head_cut_off.parquet", parquet(**alpaca_table(), change=lambda data: data[20:]), error=".parquet"),
    Awkward(
        "footer_damaged.parquet",
        parquet(**alpaca_table(), change=lambda data: data[:-60] + bytes(52) + data[-8:]),
        error=".parquet",
    ),
    Awkward(
        "footer_of_4_gb.parquet",
        parquet(**alpaca_table(), change=lambda data: data[:-8] + b"\xff\xff\xff\x7fPAR1"),
        error="not a readable",
    ),
    Awkward(
        "page_damaged.parquet",
        parquet(**alpaca_table(200), change=lambda data: data[:4] + bytes(900) + data[904:]),
        error=".parquet",
    ),
    Awkward("text_instead.parquet", content(b"PAR1 is what I am\nPAR1"), error="not a readable"),
    Awkward("no_bytes.parquet", content(b""), error="not a readable"),
    Awkward(
        "no_rows.parquet",
        parquet(instruction=pa.array([], pa.string()), output=pa.array([], pa.string())),
        error="holds no rows",
    ),
    Awkward("numbers_for_text.parquet", parquet(instruction=[1, 2], output=[[1.5], None]), rejected={"malformed": 2}),
    Awkward("nulls.parquet", parquet(instruction=[None, "a"], output=["b", None]), rejected={"malformed": 2}),
    Awkward("not_utf8.parquet", binary, kept=1, rejected={"malformed": 1}),
    Awkward("dates_beyond_reason.parquet", parquet(**alpaca_table(3), when=DATES), kept=1, rejected={"malformed": 2}),
    Awkward("same_name_twice.parquet", same_name_twice, kept=1),
    Awkward(
        "columns_by_the_thousand.parquet", parquet(**alpaca_table() | {f"c{n}": [n, n] for n in range(2000)}), kept=2
    ),
    Awkward("one_mb_100_times_in_50_kb.parquet", long_text_many_times, rejected={"too_long": 100}),
]


def linked(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target.format(name=path.name))


def locked(make: Callable[[Path], object], name: str = "") -> Callable[[Path], object]:
    def lock(path: Path) -> None:
        make(path)
        (path / name).chmod(0)

    return lock


def as_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(path.parent)  # a socket's path may have 107 bytes only
        listening.bind(path.name)
        os.chdir(here)


KINDS = [
    Awkward("folder_named_like_a_file.jsonl", lambda path: path.mkdir(), error="holds no source file"),
    Awkward("pipe.jsonl", os.mkfifo, error="not a regular file"),
    Awkward("socket.jsonl", as_socket, error="not a regular file"),
    Awkward("link_to_endless_zeros.jsonl", linked("/dev/zero"), error="not a regular file"),
    Awkward("link_to_nothing.jsonl", linked("nowhere"), error="no such file"),
    Awkward("link_to_itself.jsonl", linked("{name}"), error="no such file"),
    Awkward("locked.jsonl", locked(lines(row(1))), error="Permission denied", unprivileged=True),
    Awkward("table.csv", content("a,b"), error="holds no rows"),
    Awkward(
        "cells_with_nuls.csv", content("instruction,output\na\0,b\n" + "c,d\n"), rejected={"malformed": 1, "no_code": 1}
    ),
    Awkward("half_a_quote.csv", content('instruction,output\n"a,b\n'), rejected={"malformed": 1}),
    Awkward(
        "one_long_cell.tsv", content("instruction\toutput\na\t" + "x" * (17 << 20) + "\n"), rejected={"too_long": 1}
    ),
    Awkward(
        "a_thousand_columns.csv",
        content(",".join(f"c{n}" for n in range(1000)) + "\n" + "x," * 999 + "x\n"),
        error="cannot tell",
    ),
    Awkward("spreadsheet.xlsx", content("PK"), error="not a corpus file"),
    Awkward(
        "zeros.jsonl.zst",
        content(bytes(pa.compress(bytes(64 << 20), codec="zstd", asbytes=True))),
        error="expands to more than",
    ),
    Awkward("zeros.csv.xz", content(lzma.compress(bytes(64 << 20))), error="expands to more than"),
    Awkward("x" * 300 + ".jsonl", lambda path: None, error="File name too long"),
]

SOURCE = code(1) + "\n"


def with_good(**files: bytes | str) -> Callable[[Path], object]:
    return folder(good__py=SOURCE, **files)


def and_then(*makers: Callable[[Path], object]) -> Callable[[Path], object]:
    """Return what does one after the other with the same path."""

    def make(path: Path) -> None:
        for maker in makers:
            maker(path)

    return make


def odd_names(path: Path) -> None:
    path.mkdir()
    names = (b"new\nline.py", b"not\xff\xfeutf8.py", b"x" * 252 + b".py", b" .py", b"\x1b[2J.py")
    for number, name in enumerate(names):
        with open(os.fsencode(path) + b"/" + name, "wb") as stream:
            stream.write(code(number).encode())


def deep(levels: int) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        here = os.open(".", os.O_RDONLY)
        path.mkdir()
        os.chdir(path)
        for _ in range(levels):
            os.mkdir("d")
            os.chdir("d")
        Path("deep.py").write_text(SOURCE)
        os.chdir(here)
        os.close(here)

    return make


def sparse(path: Path) -> None:
    with_good()(path)
    with (path / "sparse.py").open("wb") as stream:
        stream.truncate(10 << 30)


GIT = {"___git___hooks___x__py": SOURCE, "node_modules___x__py": SOURCE}
HUGE_IMPORT = f"from m import ({','.join(f'n{n}' for n in range(40_000))})\n" + "".join(
    f"def f{n}():\n return n{n}\n" for n in range(20_000)
)

FOLDERS = [
    Awkward("cut_off.arrow", arrow(lambda data: data[:-300]), error="not a readable Arrow"),
    Awkward("flipped_lengths.arrow", arrow(lambda data: flipped(data, 500)), error="not a readable Arrow"),
    Awkward("text_instead.arrow", content("ARROW1 is what I am"), error="not a readable Arrow"),
    Awkward("no_bytes.arrow", content(b""), error="holds no rows"),
    Awkward("compressed_zeros.arrow", arrow(bytes, "\0" * (64 << 20)), error="expands to more than"),
    Awkward(
        "notebooks",
        folder(
            good__ipynb=json.dumps({"cells": [{"cell_type": "code", "source": ["%pylab\n", code(4)]}]}),
            deep__ipynb='{"cells": ' + "[" * 100_000,
            none__ipynb='{"cells": {}}',
            words__ipynb='{"cells": [{"cell_type": "markdown", "source": "x"}, 3]}',
        ),
        kept=1,
        rejected={"malformed": 2, "no_code": 1},
    ),
    Awkward("folder_without_source", folder(readme__md="x"), error="holds no source file"),
    Awkward("folder_as_alpaca", with_good(), format="alpaca", error="no file of rows"),
    Awkward(
        "link_out_of_the_folder",
        and_then(
            with_good(),
            lambda path: (path / "passwd.py").symlink_to("/etc/passwd"),
            lambda path: (path / "etc").symlink_to("/usr/lib/python3"),
        ),
        kept=1,
    ),
    Awkward(
        "link_loop",
        and_then(
            with_good(),
            lambda path: (path / "loop").symlink_to(path),
            lambda path: (path / "self.py").symlink_to("self.py"),
        ),
        kept=1,
    ),
    Awkward("pipe_among_sources", and_then(with_good(), lambda path: os.mkfifo(path / "pipe.py")), kept=1),
    Awkward("socket_among_sources", and_then(with_good(), lambda path: as_socket(path / "socket.py")), kept=1),
    Awkward("folder_named_like_a_source", folder(a__py___good__py=SOURCE), kept=1),
    Awkward("git_and_dependencies", and_then(with_good(), folder(**GIT)), kept=1),
    Awkward("odd_names", odd_names, kept=5),
    Awkward("folders_1500_deep", deep(1500), kept=1),
    Awkward("folders_deeper_than_a_path", deep(2500), error="cannot be listed"),
    Awkward("source_of_10_gb", sparse, kept=1, rejected={"too_long": 1}),
    Awkward(
        "source_locked", locked(folder(locked__py=SOURCE), "locked.py"), rejected={"malformed": 1}, unprivileged=True
    ),
    Awkward(
        "folder_locked",
        and_then(Path.mkdir, lambda path: (path / "locked").mkdir(0)),
        error="cannot be listed",
        unprivileged=True,
    ),
    Awkward(
        "source_encodings",
        folder(
            bom__py=b"\xef\xbb\xbf" + SOURCE.encode(),
            latin__py="# Größe\n".encode("latin-1"),
            sjis__py="# 名前\n".encode("shift_jis"),
            wide__py=SOURCE.encode("utf-16"),
            wide__c=b"int x;\0",
            cr__py=code(2).replace("\n", "\r"),
            crlf__py=code(3).replace("\n", "\r\n"),
        ),
        kept=3,
        rejected={"malformed": 4},
    ),
    Awkward(
        "source_without_content",
        with_good(a__py="", b__py=" \n\n", c__py="\n" * 100_000),
        kept=1,
        rejected={"no_code": 3},
    ),
    Awkward("javascript_of_1_mb_on_one_line", with_good(a__js="f(a,b);" * 140_000), kept=1, rejected={"no_code": 1}),
    Awkward("java_generics", with_good(a__java="a<" * 200_000), kept=1, rejected={"parser_failed": 1}),
    Awkward(
        "cpp_namespaces_1500_deep",
        folder(a__cpp="namespace a{" * 1500 + "int f(int a){return a + 1;}" + "}" * 1500),
        kept=1,
    ),
    Awkward("php_unclosed_braces", with_good(a__php="<?php " + "{" * 100_000), kept=1, rejected={"no_code": 1}),
    Awkward("comments_by_the_100k", folder(a__py="# c\n" * 200_000 + SOURCE), rejected={"too_long": 1}),
    Awkward("imports_that_multiply", with_good(a__py=HUGE_IMPORT), kept=1, rejected={"parser_failed": 1}),
]

FILES = [*GZIP, *PARQUET, *KINDS, *FOLDERS]
