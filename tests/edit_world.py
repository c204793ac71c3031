"""Seeds of edits for tests: a small git repository, built commit by commit, and rows of a file."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

MIT = (
    "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy of this software, to "
    "deal in it without restriction, provided that the above copyright notice and this permission notice shall be "
    "included in all copies.\n"
)
TOTAL = '''"""Prices."""

RATE = 0.2


def total(prices):
    result = 0
    for price in prices:
        result = result + price
    return result


class Basket:
    """What somebody buys."""

    def __init__(self, owner):
        self.owner = owner
        self.items = []

    def add(self, item):
        self.items.append(item)
        return len(self.items)
'''
ROWS = [
    {
        "instruction": "Return early where the list of names is empty.",
        "input": "def first(names):\n    ordered = sorted(names)\n    return ordered[0]",
        "output": "def first(names):\n    if not names:\n        return None\n    return sorted(names)[0]",
        "scenario": "Guest lists: a hotel greets whoever comes first",
        "intent": "handle errors",
    },
    {
        "instruction": "Rename the variable `x` to say what it counts.",
        "input": "def vowels(text):\n    x = 0\n    for c in text:\n        x += c in 'ae'\n    return x",
        "output": "def vowels(text):\n    count = 0\n    for c in text:\n        count += c in 'ae'\n    return count",
        "scenario": "A reading app for children",
        "intent": "make it more readable",
    },
]


class Repository:
    """A repository that a test writes, one commit at a time."""

    def __init__(self, folder: Path, files: Mapping[str, str] | None = None) -> None:
        """Begin with one commit of these files."""
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.commit("Begin the project with all of its files", files or {"LICENSE": MIT, "shop.py": TOTAL})

    def git(self, *words: str) -> str:
        """Run git as its owner."""
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgSign=false"]
        command = ["git", *who, *words]
        return subprocess.check_output(command, cwd=self.folder, text=True, stderr=subprocess.PIPE).strip()

    def commit(self, message: str, files: Mapping[str, str | bytes]) -> str:
        """Write some files and commit them; return the commit's id."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def change(self, message: str, old: str, new: str, name: str = "shop.py") -> str:
        """Commit a file with one text replaced by another."""
        text = (self.folder / name).read_text()
        assert old in text
        return self.commit(message, {name: text.replace(old, new)})
