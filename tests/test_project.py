"""The project as a whole: what it says of itself agrees, and its package holds what it needs."""

from __future__ import annotations

import configparser
import importlib
import json
import re
import sqlite3
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

import inverse_instruct
from inverse_instruct import records
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.system.root import ROOT

DOC = (ROOT / "docs/run-directory.md").read_text()


def test_version_tag_and_changelog_agree() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] in ("Unreleased", inverse_instruct.__version__)
    assert inverse_instruct.__version__ in headings[:2], "what is being made follows the newest release"
    found = subprocess.run(["git", "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    tags = {tag for tag in found.stdout.split() if tag.startswith("v")}
    assert tags <= {f"v{inverse_instruct.__version__}"}


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
