"""The seeds stage: edits that people made, from git repositories and files (InstructCoder section 3.1).

Enters: repositories and files, as the config names them. Leaves, in the stage's folder:

- `seeds.parquet`, the edits as drafts: instruction, input and output. Of a commit the task is `commit` and the detail
  what the rest of its message says; of a row of a file they are its intent and its scenario;
- `original.parquet`, the same edits as training rows;
- `rejections.parquet`, why each of the other commits and rows gave none;
- `manifest.json`, written last.

One row in is one commit or one row of a file. Files come before repositories, and of several duplicates the first is
kept. Not guaranteed: that an edit is what its instruction says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from inverse_instruct.benchmarks.kept_out import kept_out_digests, read_kept_out
from inverse_instruct.config.editing import EditsSection, SeedsSection
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.corpus.decontamination import BenchmarkIndex
from inverse_instruct.corpus.edits import Objection, objection
from inverse_instruct.corpus.git_commits import CommitEdit, read_commits
from inverse_instruct.corpus.near_edits import NearEdits
from inverse_instruct.corpus.seed_files import GivenEdit, read_seed_file
from inverse_instruct.errors import CorpusError
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.records import Draft, Reason, Rejection, TrainingRow, digest
from inverse_instruct.source_code.repository import Repository, head_of
from inverse_instruct.stages.estimate import Cost, Estimate
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Rows, Stage

COMMIT = "commit"
"""The task of a seed that comes from a repository."""
ORIGINAL = "original.parquet"
_SIDES = ("draft-instruction", "draft-response")
_COMMITS_PER_SECOND = 300  # nominal


@dataclass(frozen=True)
class _Place:
    """Where a seed was found."""

    source: str
    row: str  # id of the commit, or of the row
    line: int


def seeds(room: Room) -> None:
    """Read the edits of all files and repositories.

    Raises:
        CorpusError: one of them, or a benchmark, cannot be read.
    """
    section: SeedsSection = room.section()
    seed_filter = _SeedFilter(room)
    sides = [PromptTemplate(name) for name in _SIDES]
    original = room.writer(ORIGINAL, TrainingRow)
    sources: Counter[str] = Counter()
    for place, found in _found(section, room.section("edits")):
        seed = found if isinstance(found, Draft) else None
        problem = seed_filter.objection(seed) if seed else found
        if seed and problem is None:
            room.keep(seed)
            original.write(_training_row(seed, place, sides))
            sources[place.source] += 1
        else:
            assert isinstance(problem, tuple)
            room.reject(Rejection(place.row, "seeds", problem[0], f"{place.source}: {problem[1]}"))
    room.metrics |= {"original_rows": original.count, "sources": dict(sources.most_common())}


def _found(section: SeedsSection, bounds: EditsSection) -> Iterator[tuple[_Place, Draft | Objection]]:
    for path in map(Path, section.files):
        for line, given in read_seed_file(path):
            place = _Place(path.name, digest(path.name, line), line)
            yield place, _given_draft(given, place, section, bounds) if isinstance(given, GivenEdit) else given
    for path in map(Path, section.repositories):
        name = path.resolve().name
        with Repository(path, section.max_seconds) as repository:
            for commit, edit in read_commits(repository, section, bounds):
                if isinstance(edit, CommitEdit):
                    yield _Place(f"{name}/{edit.path}", commit, edit.piece.line), _commit_draft(edit)
                else:
                    yield _Place(name, commit or name, 0), edit


def _given_draft(given: GivenEdit, place: _Place, section: SeedsSection, bounds: EditsSection) -> Draft | Objection:
    if given.language not in section.languages:
        return Reason.UNSUPPORTED_LANGUAGE, given.language[:40]
    if problem := objection(given.before, given.after, given.language, bounds):
        return problem
    texts = (given.instruction, given.before, given.after)
    return _draft(place.row, given.intent or "given", texts, given.language, given.scenario)


def _commit_draft(edit: CommitEdit) -> Draft:
    texts = (edit.message.instruction, edit.piece.before, edit.piece.after)
    return _draft(edit.commit, COMMIT, texts, edit.language, edit.message.rest)


def _draft(parent: str, task: str, texts: tuple[str, str, str], language: str, detail: str) -> Draft:
    return Draft(
        id=digest("seed", *texts),
        parents=[parent],
        task=task,
        instruction=texts[0],
        input=texts[1],
        response=texts[2],
        language=language,
        k=0,
        seed=0,
        model="",
        prompt="",
        detail=detail,
    )


class _SeedFilter:
    """What is remembered from seed to seed: duplicates, and the benchmarks to keep out."""

    def __init__(self, room: Room) -> None:
        self._benchmarks = BenchmarkIndex(read_kept_out(room.section("kept_out")), room.section("preprocess.ngram"))
        self._near = NearEdits(room.section().near_duplicate_threshold)

    def objection(self, seed: Draft) -> Objection | None:
        if task := self._benchmarks.match(seed.instruction, seed.input, seed.response):
            return Reason.CONTAMINATED, task
        return self._near.objection_or_add(seed.id, seed.input, seed.response)


def _training_row(seed: Draft, place: _Place, sides: list[PromptTemplate]) -> TrainingRow:
    instruction, response = (
        side.render(
            task=seed.task,
            instruction=seed.instruction,
            input=seed.input,
            response=seed.response,
            language=seed.language,
        )
        for side in sides
    )
    return TrainingRow(
        id=digest(instruction, response),
        instruction=instruction,
        response=response,
        language=seed.language,
        round=0,
        snippet_id="",
        candidate_id=seed.id,
        lm_score=None,
        row_id=place.row,
        source=place.source,
        line=place.line,
        model="",
    )


def _check(config: RunConfig) -> Iterator[str]:
    """Look at the head of each repository and at the first row of each file."""
    for number, path in enumerate(config.seeds.repositories):
        yield from _trouble(f"seeds.repositories.{number}", partial(head_of, Path(path)))
    for number, path in enumerate(config.seeds.files):
        yield from _trouble(f"seeds.files.{number}", partial(next, read_seed_file(Path(path)), None))


def _trouble(key: str, look: Callable[[], object]) -> Iterator[str]:
    try:
        look()
    except CorpusError as error:
        yield f"{key}: {error}"


def _outside(config: RunConfig) -> list[str]:
    return [*kept_out_digests(config), *(PromptTemplate(name).digest for name in _SIDES)]


def _cost(estimate: Estimate) -> Cost:
    section = estimate.config.seeds
    commits = len(section.repositories) * section.max_commits
    return Cost(commits + estimate.rows, 0, commits / _COMMITS_PER_SECOND)


SEEDS = Stage(
    "seeds",
    "read the edits of git repositories and files",
    seeds,
    unit="seed",
    writes=Rows("seeds.parquet", Draft),
    sections=("edits", "kept_out", "preprocess.ngram"),
    outside=_outside,
    check=_check,
    if_empty="look at `seeds.licenses`, `seeds.languages` and `edits`, and give more files or repositories",
    cost=_cost,
)
