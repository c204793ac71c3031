"""Repositories that nobody vouches for: what is read of them, and that nothing of them is run."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from inverse_instruct.errors import CorpusError
from inverse_instruct.source_code import repository as module
from inverse_instruct.source_code.repository import GitFailed, Head, Repository, head_of
from tests.edit_world import Repository as Written


@pytest.fixture
def written(tmp_path: Path) -> Written:
    made = Written(tmp_path / "project")
    made.change("Use another rate", "0.2", "0.3")
    return made


def messages(folder: Path, limit: int = 100) -> list[str]:
    with Repository(folder, 60) as opened:
        return [commit.message.strip() for commit in opened.commits(limit)]


ALL = ["Use another rate", "Begin the project with all of its files"]


@pytest.mark.parametrize("how", ["bare", "mirror", "worktree", "packed", "alternates", "detached", "sha256", "shallow"])
def test_a_repository_is_read_however_it_lies(written: Written, tmp_path: Path, how: str) -> None:
    other = tmp_path / "other"
    match how:
        case "bare" | "mirror":
            written.git("clone", "-q", f"--{how}", str(written.folder), str(other))
        case "worktree":
            written.git("worktree", "add", "-q", "--detach", str(other))
        case "packed":
            written.git("gc", "-q", "--prune=now")
            other = written.folder
        case "alternates":
            written.git("clone", "-q", "--shared", str(written.folder), str(other))
        case "detached":
            written.git("checkout", "-q", "--detach")
            other = written.folder
        case "shallow":
            written.git("clone", "-q", "--depth=1", f"file://{written.folder}", str(other))
        case "sha256":
            subprocess.run(["git", "init", "-q", "--object-format=sha256", str(other)], check=True)
            again = Written.__new__(Written)
            again.folder = other
            for message in reversed(ALL):
                again.commit(message, {"a.py": message})
    assert messages(other) == (ALL[:1] if how == "shallow" else ALL)


def test_changes_are_told_with_their_objects(written: Written) -> None:
    with Repository(written.folder, 60) as opened:
        newest, first = opened.commits(100)
        assert (newest.parents, newest.changed, first.parents, first.changed) == (1, 1, 0, 2)
        [change] = newest.changes
        assert (change.status, change.path) == ("M", "shop.py")
        old, new = (opened.read(object_id, 10_000) for object_id in (change.old, change.new))
        assert old and new and b"0.2" in old[1] and b"0.3" in new[1]
        assert opened.read(change.old, 10) is None, "it has more bytes than that"
        assert opened.read("0" * 40, 10_000) is None, "there is no such object"
        assert opened.read(change.new, 10_000) == new, "the next question gets its own answer"
    assert messages(written.folder, limit=1) == ALL[:1]


@pytest.mark.parametrize(
    "name", ["a b.py", "ü.py", "line\nbreak.py", '"quoted".py', "tab\t.py", ":100644 x.py", "-n.py"]
)
@pytest.mark.parametrize("message", ["Say it", ":100644 100644 a b M", "one\n\n:100644\ntwo", "a" * 100_000])
def test_no_name_and_no_message_is_read_as_something_else(written: Written, name: str, message: str) -> None:
    written.commit("Begin this file", {name: "x = 1\n"})
    made = written.commit(message, {name: "x = 2\n"})
    with Repository(written.folder, 60) as opened:
        newest = next(opened.commits(10))
    assert newest.id == made and [change.path for change in newest.changes] == [name]
    assert message.startswith(newest.message.strip()[:1000]) and len(newest.message) <= module.MAX_MESSAGE_BYTES


TRAP = "#!/bin/sh\ntouch {0}\nexit 1\n"


@pytest.mark.parametrize("setting", [
    "core.fsmonitor", "gpg.program", "diff.external", "core.pager", "core.sshCommand", "core.editor", "alias.log",
    "filter.x.smudge", "diff.x.textconv", "core.alternateRefsCommand", "uploadpack.packObjectsHook", "core.askPass",
])  # fmt: skip
def test_nothing_that_a_repository_names_is_run(written: Written, tmp_path: Path, setting: str) -> None:
    trap, sprung = tmp_path / "trap.sh", tmp_path / "sprung"
    trap.write_text(TRAP.format(sprung))
    trap.chmod(0o755)
    written.commit("Name filters", {".gitattributes": "*.py filter=x diff=x\n"})
    for key in (setting, "log.showSignature=true", "core.hooksPath"):
        name, _, value = key.partition("=")
        written.git("config", name, value or (str(tmp_path) if key == "core.hooksPath" else str(trap)))
    assert len(messages(written.folder)) == 3
    assert not sprung.exists()


def test_other_peoples_settings_are_not_read(written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".gitconfig").write_text("[log]\n\tshowSignature = true\n[core]\n\tbroken\n[not a section\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "nonsense")
    assert messages(written.folder) == ALL


@pytest.mark.parametrize("what", ["file", "empty folder", "no commit", "nothing", "inside another"])
def test_what_is_no_repository_is_said(written: Written, tmp_path: Path, what: str) -> None:
    place = tmp_path / "place"
    if what == "file":
        place.write_text("x")
    elif what == "empty folder":
        place.mkdir()
    elif what == "no commit":
        subprocess.run(["git", "init", "-q", str(place)], check=True)
    elif what == "inside another":
        place = written.folder / "package"
        place.mkdir()
    with pytest.raises(CorpusError, match=r"check the path|give the folder"):
        head_of(place)


def test_damage_ends_the_reading_with_what_was_read(written: Written) -> None:
    first = written.git("rev-parse", "HEAD~1")
    (written.folder / ".git/objects" / first[:2] / first[2:]).unlink()
    with Repository(written.folder, 60) as opened, pytest.raises(GitFailed):
        list(opened.commits(10))


def test_the_time_for_a_repository_is_bounded(written: Written) -> None:
    with Repository(written.folder, 0.2) as opened:
        opened._timer.join()
        with pytest.raises(GitFailed, match="took more than"):
            list(opened.commits(10))
        with pytest.raises(GitFailed, match="took more than"):
            opened.read("0" * 40, 10)


def test_a_commit_of_endless_paths_ends_the_reading(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ENTRIES", 50)
    written.commit("Add many files", {f"many/{n}.py": "" for n in range(100)})
    with Repository(written.folder, 60) as opened, pytest.raises(GitFailed, match="more than 50 paths"):
        list(opened.commits(10))


def test_nothing_is_left_behind(written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    with Repository(written.folder, 60) as opened:
        processes = opened._processes
        assert next(opened.commits(10)).message.strip() == ALL[0]
    assert all(process.poll() is not None for process in processes)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_head_is_what_tells_a_repository(written: Written, tmp_path: Path) -> None:
    from inverse_instruct.config.editing import SeedsSection
    from inverse_instruct.config.identity import identity

    def seen(folder: Path) -> object:
        return identity(SeedsSection(repositories=[str(folder)]))

    before = seen(written.folder)
    (written.folder / "shop.py").write_text("not committed")
    moved = tmp_path / "moved"
    shutil.copytree(written.folder, moved)
    assert seen(written.folder) == seen(moved) == before
    written.commit("Change it", {"shop.py": "x = 1\n"})
    assert seen(written.folder) != before
    assert isinstance(head_of(written.folder), Head)
