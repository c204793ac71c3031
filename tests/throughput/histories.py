"""Seeds from histories made of source packages: how many are found, what is rejected, and what they look like.

Enters: pairs of a source package and a newer release of it, or the patches that Debian keeps for it. Leaves: one git
repository for each pair, and on standard output the counts and the seeds to be read. Of two releases, every changed
block of a file that both have is a commit; of patches, every file of each one, with the patch's own subject.

    pip download --no-deps --no-binary :all: boltons==23.0.0 boltons==25.0.0
    python -m tests.throughput.histories --output out boltons-23.0.0.tar.gz boltons-25.0.0.tar.gz
    apt-get source --download-only python-django
    python -m tests.throughput.histories --output out python-django_3.2.25.orig.tar.gz python-django_*.debian.tar.xz

Between releases the message of a commit is the line of the newer release's changelog that names the definition around
the block, if there is one; else it names the definition alone. Not guaranteed: the order in which people made the
changes, so that a file between two releases may not run.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path, PurePosixPath

from inverse_instruct.stages.seeds import SEEDS
from inverse_instruct.store.rows import read_rows
from tests.playing import play_stage

_DEFINITION = re.compile(r"^\s*(?:async )?(?:def|class) (\w+)")
_CHANGELOG = re.compile(r"(?i)(?:changelog|changes|history|versions|release).*\.(?:md|rst|txt)$")
_LICENSE = re.compile(r"(?i)^(?:licen[cs]e|copying)")


def main() -> None:
    """Make the histories, read their seeds, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("packages", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--shown", type=int, default=20)
    arguments = parser.parse_args()
    pairs = zip(arguments.packages[::2], arguments.packages[1::2], strict=True)
    folders = [write_history(old, new, arguments.output) for old, new in pairs]
    manifest = play_stage(SEEDS, arguments.output / "seeds", number=0, seeds={"repositories": list(map(str, folders))})
    print(f"{manifest.rows_in} commits, {manifest.rows_out} seeds, {manifest.seconds:.1f} s")
    print(Counter(manifest.rejected).most_common())
    seeds = read_rows(arguments.output / "seeds/seeds.parquet")
    for number, seed in enumerate(seeds[:: max(1, len(seeds) // arguments.shown)][: arguments.shown], 1):
        print(f"\n=== {number}. {seed['instruction']}\n--- before\n{seed['input']}\n--- after\n{seed['response']}")


def write_history(old: Path, new: Path, output: Path) -> Path:
    """Write the repository of two releases; return its folder."""
    folder = output / new.name.removesuffix(".tar.gz")
    folder.mkdir(parents=True)
    before = read_package(old)
    _git(folder, "init", "-q")
    _commit(folder, "Begin with the older release", before)
    if new.name.endswith(".debian.tar.xz"):
        apply_patches(folder, new)
        return folder
    after = read_package(new)
    changelog = [text for name, text in after.items() if _CHANGELOG.search(name)]
    for name in sorted(before.keys() & after.keys()):
        if name.endswith(".py") and "test" not in name:
            for subject, text in steps(before[name], after[name], changelog):
                _commit(folder, subject, {name: text})
    return folder


def read_package(path: Path) -> dict[str, str]:
    """Return the texts of a package that count: code, changelogs and licenses."""
    texts = {}
    with tarfile.open(path) as package:
        for member in package.getmembers():
            parts = PurePosixPath(member.name).parts[1:]
            name = "/".join(parts)
            wanted = name.endswith(".py") or _CHANGELOG.search(name) or (parts and _LICENSE.match(parts[-1]))
            stream = package.extractfile(member) if wanted and member.isfile() and ".." not in parts else None
            if stream:
                texts[name] = stream.read().decode("utf-8", "replace")
    return texts


def apply_patches(folder: Path, patches: Path) -> None:
    """Commit what each patch does to each file of code, in the order of their series, as far as it applies."""
    with tarfile.open(patches) as package:
        texts = {
            PurePosixPath(member.name).name: stream.read().decode("utf-8", "replace")
            for member in package.getmembers()
            if "patches/" in member.name and member.isfile() and (stream := package.extractfile(member))
        }
    for name in texts.get("series", "").split():
        head, *parts = re.split(r"^(?=--- \S)", texts.get(name, ""), flags=re.MULTILINE)
        told = re.search(r"^(?:Subject|Description): *(?:\[.*?\] *)?(.*(?:\n [^\n]+)*)", head, re.MULTILINE)
        for part in parts:
            if re.match(r"--- \S+\n\+\+\+ (?!\S*tests?[/_.])\S+\.py\b", part) and told:
                done = subprocess.run(["git", "apply", "-"], cwd=folder, input=part.encode(), capture_output=True)
                if not done.returncode:
                    _commit(folder, " ".join(told[1].split()), {})


def steps(before: str, after: str, changelog: list[str]) -> Iterator[tuple[str, str]]:
    """Yield for each changed block the message of its commit, and the file after it."""
    lines, target = before.splitlines(), after.splitlines()
    grown = 0
    for kind, old, old_end, new, new_end in SequenceMatcher(None, lines, target, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        lines[old + grown : old_end + grown] = target[new:new_end]
        grown += (new_end - new) - (old_end - old)
        yield message(target, new, new_end, changelog), "\n".join(lines) + "\n"


def message(lines: list[str], first: int, end: int, changelog: list[str]) -> str:
    """Return what is said of a block."""
    found = [match[1] for line in lines[first:end] if (match := _DEFINITION.match(line))]
    around = (match[1] for line in reversed(lines[:first]) if (match := _DEFINITION.match(line)))
    name = found[0] if found else next(around, "the module")
    told = (line.strip(" *-") for text in changelog for line in text.splitlines() if re.search(rf"\b{name}\b", line))
    return next(told, f"{'Add' if found else 'Change what'} {name} {'to the module' if found else 'does'}")


def _commit(folder: Path, subject: str, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "--allow-empty", "-m", subject)


def _git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgSign=false"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


if __name__ == "__main__":
    main()
