"""The project as a whole: what it says of itself agrees, and its package holds what it needs."""

from __future__ import annotations

import configparser
import importlib
import json
import re
import sqlite3
import subprocess
from dataclasses import fields
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

import inverse_instruct
from inverse_instruct import records
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.system.root import ROOT

DOC = (ROOT / "docs/run-directory.md").read_text()


def releases(changelog: str) -> list[tuple[str, date | None]]:
    """Return the versions of a changelog with their dates, as they stand; no date for what is not released.

    Raises:
        ValueError: a heading is no release, a date is none, or versions or dates do not descend.
    """
    found: list[tuple[str, date | None]] = []
    for heading in re.findall(r"^## (.+)$", changelog, re.MULTILINE):
        if heading == "Unreleased" and not found:
            found.append((heading, None))
        elif parts := re.fullmatch(r"(\d+\.\d+\.\d+) - (\d{4}-\d{2}-\d{2})", heading):
            found.append((parts[1], date.fromisoformat(parts[2])))
        else:
            raise ValueError(f"{heading!r} is no release; write VERSION - YYYY-MM-DD")
    dated = [(tuple(map(int, version.split("."))), day) for version, day in found if day]
    for later, earlier in pairwise(dated):
        if later[0] <= earlier[0] or later[1] < earlier[1]:
            raise ValueError(f"{later} stands above {earlier}")
    return found


def tags(*words: str) -> set[str]:
    found = subprocess.run(["git", "tag", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return {tag for tag in found.stdout.split() if re.fullmatch(r"v\d+\.\d+\.\d+", tag)}


def test_version_tag_and_changelog_agree() -> None:
    found = releases((ROOT / "CHANGELOG.md").read_text())
    versions = [version for version, _ in found]
    assert inverse_instruct.__version__ == next(version for version, day in found if day)
    assert {tag.removeprefix("v") for tag in tags()} <= set(versions), "every tag has its entry"
    if here := tags("--points-at", "HEAD"):
        assert here == {f"v{versions[0]}"} == {f"v{inverse_instruct.__version__}"}, (
            "a release leaves nothing unreleased"
        )


@pytest.mark.parametrize(
    ("headings", "problem"),
    [
        (["Unreleased", "0.2.0 - 2026-12-01", "0.1.0 - 2026-11-21"], None),
        (["0.1.0 - 2026-11-21", "Unreleased"], "'Unreleased' is no release"),
        (["0.1.0"], "'0.1.0' is no release"),
        (["0.1.0 - 21 November 2026"], "is no release"),
        (["0.1.0 - 2026-02-30"], "day"),
        (["0.2.0 - 2026-11-20", "0.1.0 - 2026-11-21"], "stands above"),
        (["0.2.0 - 2026-11-22", "0.10.0 - 2026-11-21"], "stands above"),
    ],
)
def test_a_changelog_that_cannot_be_right_is_told(headings: list[str], problem: str | None) -> None:
    changelog = "# Changelog\n\n" + "".join(f"## {heading}\n\n- Something.\n\n" for heading in headings)
    if problem is None:
        assert [version for version, _ in releases(changelog)] == ["Unreleased", "0.2.0", "0.1.0"]
        return
    with pytest.raises(ValueError, match=problem):
        releases(changelog)


@pytest.mark.parametrize("package", ["inverse_instruct", "evaluation"])
def test_the_public_names_are_there(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__all__ == sorted(module.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_every_script_is_type_checked() -> None:
    checked: set[Path] = set()
    for project in ("dashboard", "harness"):
        folder = ROOT / "launch/javascript"
        settings = json.loads((folder / f"{project}.json").read_text())
        assert settings["compilerOptions"]["checkJs"] and settings["compilerOptions"]["strict"]
        checked |= {
            path.resolve() for pattern in settings["include"] for path in (folder / pattern).parent.glob("*.js")
        }
    written = {path.resolve() for top in ("inverse_instruct", "evaluation") for path in (ROOT / top).rglob("*.js")}
    assert written and written == checked


def test_every_file_that_is_no_code_is_in_the_package() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    for package, patterns in config["options.package_data"].items():
        held = {path for pattern in patterns.split() for path in (ROOT / package).glob(pattern)}
        there = {path for path in (ROOT / package).rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
        assert there - held == set()


def test_every_folder_of_code_is_a_package() -> None:
    for package in ("inverse_instruct", "evaluation"):
        folders = {path.parent for path in (ROOT / package).rglob("*.py")}
        assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize(
    "record",
    [records.Snippet, records.Candidate, records.ScoredPair, records.TrainingRow, records.Rejection],
    ids=lambda record: record.__name__,
)
def test_the_columns_of_rows_are_described(record: type) -> None:
    names = ", ".join(f"`{field.name}`" for field in fields(record))
    assert f"`{record.__name__}`: {names}" in DOC


def test_the_manifest_and_the_ledger_are_described(tmp_path: Path) -> None:
    assert [field.name for field in fields(Manifest) if f"`{field.name}`" not in DOC] == []
    with Ledger(tmp_path / "ledger.db", create=True):
        pass
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"):
            columns = ", ".join(f"`{row[1]}`" for row in db.execute(f"PRAGMA table_info({table})"))
            assert f"| `{table}` | {columns} |" in DOC


def test_every_decision_is_listed() -> None:
    listed = re.findall(r"\]\((.+?\.md)\)", (ROOT / "docs/decisions/README.md").read_text())
    notes = sorted(path.name for path in (ROOT / "docs/decisions").glob("*.md"))
    assert sorted([*listed, "README.md"]) == notes
