"""A missing compiler or library is named with the package that brings it, and only for the tasks that need it."""

import pytest

from evaluation import toolchains
from evaluation.toolchains import NEEDS, Need, missing


def test_nothing_is_missing_where_all_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NEEDS, "cpp", (Need(("sh",), "sh?"), Need(("/usr/li*",), "lib?")))
    assert missing("cpp", "int f();") == ""


def test_an_executable_outside_the_system_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    compiler = f"{tmp_path}/mycompiler"
    with open(compiler, "w") as file:
        file.write("#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(NEEDS, "cpp", (Need(("mycompiler",), "mycompiler is missing: apt-get install it"),))
    assert missing("cpp", "") == "mycompiler is missing: apt-get install it"


def test_a_library_is_needed_only_by_tasks_that_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NEEDS, "cpp", (Need(("/no/such/*.hpp",), "any.hpp is missing", "boost/"),))
    assert missing("cpp", "#include <vector>") == ""
    assert missing("cpp", "#include <boost/any.hpp>") == "any.hpp is missing"


def test_every_missing_thing_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = (Need(("no-such-a",), "install a"), Need(("no-such-b",), "install a"), Need(("no-such-c",), "install c"))
    monkeypatch.setitem(NEEDS, "java", needs)
    assert missing("java", "") == "install a; install c"


def test_every_need_names_a_remedy() -> None:
    for language, needs in NEEDS.items():
        for need in needs:
            assert "install" in need.remedy or language == "swift"


def test_the_reason_for_swift_says_that_debian_12_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchains, "SYSTEM_PATH", "/no/such/folder")
    assert "Debian 12 has no Swift" in missing("swift", "")
