"""Commits of a repository to edits: those that change one block of one file, under a license that is allowed.

Enters: an open repository. Leaves: for each commit, newest first, an edit or the reason why it gives none; every commit
is counted. What is cheap to see is looked at first: no content is read of a commit that touches several files.
Not guaranteed: that an edit is what its message says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from inverse_instruct.corpus.commit_messages import Message, read_message
from inverse_instruct.corpus.edits import Block, Objection, one_block
from inverse_instruct.corpus.licenses import declared_in, is_license_file, licenses_in
from inverse_instruct.corpus.regions import Piece, piece_of
from inverse_instruct.records import Reason
from inverse_instruct.source_code.languages import language_of_file
from inverse_instruct.source_code.repository import Change, Commit, GitFailed, Repository

if TYPE_CHECKING:
    from inverse_instruct.config.editing import EditsSection, SeedsSection

_FILE_MODES = {"100644", "100755"}
_MAX_TREE_BYTES = 4 << 20
_MAX_LICENSE_BYTES = 200_000
_VENDORED = re.compile(
    r"(?i)(?:^|/)(?:_?vendor(?:ed|s|ized)?|_?third[-_]?party|ext(?:ern|ernals?|lib)?|node_modules|bower_components|"
    r"site-packages|contrib/lib|deps|_bundled?|\w*_vendor|bundled|dist|build)/"
)
_GENERATED_NAME = re.compile(
    r"(?i)(?:_pb2(?:_grpc)?\.pyi?|\.pb\.\w+|\.min\.\w+|[._-]generated\.\w+|(?:^|/)(?:_version|versioneer|parsetab|"
    r"lextab|_?generated)\.py|\.g\.\w+|\.designer\.cs|/migrations/\d\w*\.py)$"
)
_GENERATED_TEXT = re.compile(
    r"(?i)@generated|do not (?:edit|modify)(?: this file| by hand| manually|\b)|"
    r"\b(?:auto(?:matically)?[- ]?|machine[- ])generated|\bgenerated (?:by|from|with|using|automatically)\b|"
    r"this file (?:is|was) generated"
)
_HEADER_LINES = 15


@dataclass(frozen=True, slots=True)
class CommitEdit:
    """What a commit asks for and what it changes."""

    commit: str
    path: str
    language: str
    message: Message
    piece: Piece


def read_commits(
    repository: Repository, seeds: SeedsSection, bounds: EditsSection
) -> Iterator[tuple[str, CommitEdit | Objection]]:
    """Yield each commit's id with its edit, or why it gives none; last the repository's own trouble, if it has any."""
    reader = _Reader(repository, seeds, bounds)
    try:
        for commit in repository.commits(seeds.max_commits):
            yield commit.id, reader.read(commit)
    except GitFailed as error:
        yield "", (Reason.UNREADABLE, str(error))


class _Reader:
    def __init__(self, repository: Repository, seeds: SeedsSection, bounds: EditsSection) -> None:
        self._repository, self._seeds, self._bounds = repository, seeds, bounds
        self._allowed = set(seeds.licenses)
        self._tree = lru_cache(maxsize=256)(self._read_tree)
        self._licenses_of = lru_cache(maxsize=256)(self._read_licenses)

    def read(self, commit: Commit) -> CommitEdit | Objection:
        """Return the edit of a commit, or why it gives none."""
        change = _only_change(commit)
        if not isinstance(change, Change):
            return change
        language = language_of_file(PurePosixPath(change.path))
        if language not in self._seeds.languages or language is None:
            return Reason.UNSUPPORTED_LANGUAGE, language or PurePosixPath(change.path).suffix[:40]
        if _VENDORED.search(change.path):
            return Reason.VENDORED, change.path[:200]
        if _GENERATED_NAME.search(change.path):
            return Reason.GENERATED, change.path[:200]
        message = read_message(commit.message, self._seeds.min_message_words)
        if not isinstance(message, Message):
            return message
        sides = self._sides(change)
        if isinstance(sides[0], Reason):
            return sides  # type: ignore[return-value]
        before, after = sides
        if problem := self._license_problem(commit, change, str(before)):
            return problem
        return self._edit(commit, change, language, message, str(before).split("\n"), str(after).split("\n"))

    def _edit(
        self, commit: Commit, change: Change, language: str, message: Message, before: list[str], after: list[str]
    ) -> CommitEdit | Objection:
        block = one_block(before, after)
        if not isinstance(block, Block):
            return block
        piece = piece_of(before, after, block, language, self._bounds)
        return CommitEdit(commit.id, change.path, language, message, piece) if isinstance(piece, Piece) else piece

    def _sides(self, change: Change) -> tuple[str, str] | Objection:
        texts = []
        for object_id in (change.old, change.new):
            found = self._repository.read(object_id, self._seeds.max_file_bytes)
            if found is None:
                return Reason.TOO_LONG, f"more than {self._seeds.max_file_bytes} bytes, or not there"
            try:
                text = found[1].decode("utf-8").replace("\r\n", "\n")
            except UnicodeDecodeError as error:
                return Reason.MALFORMED, f"the file is not UTF-8 ({error.reason})"
            if "\0" in text:
                return Reason.MALFORMED, "the file holds a NUL character"
            texts.append(text.rstrip("\n"))
        if _GENERATED_TEXT.search("\n".join(texts[0].split("\n")[:_HEADER_LINES])):
            return Reason.GENERATED, "its first lines say so"
        return texts[0], texts[1]

    # -- licenses ----------------------------------------------------------------------------------------------------

    def _license_problem(self, commit: Commit, change: Change, code: str) -> Objection | None:
        found = declared_in(code) or self._nearest(commit.id, PurePosixPath(change.path).parent.parts)
        if not found:
            return Reason.NOT_LICENSED, "no license that is known"
        others = found - self._allowed
        return (Reason.NOT_LICENSED, ", ".join(sorted(others))) if others else None

    def _nearest(self, commit_id: str, folders: tuple[str, ...]) -> set[str] | frozenset[str]:
        """Return the licenses of the nearest folder above a file that has a license file."""
        told = self._repository.read(commit_id, _MAX_TREE_BYTES)
        tree = re.match(rb"tree ([0-9a-f]+)\n", told[1]) if told else None
        if tree is None:
            return set()
        trees = [tree[1].decode()]
        for folder in folders:
            below = self._tree(trees[-1]).get(folder)
            if below is None:
                break
            trees.append(below)
        return next(filter(None, map(self._licenses_of, reversed(trees))), frozenset())

    def _read_licenses(self, tree_id: str) -> frozenset[str]:
        found: set[str] = set()
        for name, object_id in self._tree(tree_id).items():
            if is_license_file(name):
                told = self._repository.read(object_id, _MAX_LICENSE_BYTES)
                if told and told[0] == "blob":
                    found |= licenses_in(told[1].decode("utf-8", "replace")) or {f"unknown ({name[:40]})"}
        return frozenset(found)

    def _read_tree(self, tree_id: str) -> Mapping[str, str]:
        """Return name -> id of what a tree holds."""
        told = self._repository.read(tree_id, _MAX_TREE_BYTES)
        entries: dict[str, str] = {}
        if told is None or told[0] != "tree":
            return entries
        content, size, place = told[1], len(tree_id) // 2, 0
        while place < len(content):
            end = content.index(b"\0", place)
            _, _, name = content[place:end].partition(b" ")
            entries[name.decode("utf-8", "replace")] = content[end + 1 : end + 1 + size].hex()
            place = end + 1 + size
        return entries


def _only_change(commit: Commit) -> Change | Objection:
    if commit.parents > 1:
        return Reason.MERGE, ""
    if commit.changed == 0:
        return Reason.EMPTY, "changes nothing"
    if commit.changed > 1:
        return Reason.SEVERAL_FILES, f"{commit.changed} paths"
    change = commit.changes[0]
    if change.status != "M" or not {change.old_mode, change.new_mode} <= _FILE_MODES or change.old == change.new:
        return Reason.NOT_AN_EDIT, f"{change.status} {change.old_mode} {change.new_mode}"
    return change
