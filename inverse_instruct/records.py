"""The rows that flow through the rooms, and how a row is named.

Every id is a digest of content (see `digest`), so the same input gives the same id on any machine and in any order.
A rejected row is a `Rejection` with a reason from the fixed list `Reason`: at every stage, rows in = rows out +
rejections.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


def digest(*parts: str | int | float | None) -> str:
    """Return the first 16 hex digits of the SHA-256 of the parts, kept apart by their JSON form."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Reason(StrEnum):
    """Why a row was rejected; the only reasons there are."""

    # reading and preprocessing
    MALFORMED = "malformed"  # not JSON, wrong type, missing field, wrong encoding
    EMPTY = "empty"  # nothing in it
    NO_CODE = "no_code"  # no fenced block, and the whole is no code in a language that we know
    SYNTAX_ERROR = "syntax_error"  # a block that does not parse in its language
    UNSUPPORTED_LANGUAGE = "unsupported_language"  # a language without a grammar, or one the config leaves out
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"  # more characters or tokens than the config allows, or than any row should have
    PARSER_FAILED = "parser_failed"  # the parser, or the tokenizer, ran out of time or memory on it, or crashed
    FILTERED_OUT = "filtered_out"  # by `where` of its source
    NOT_DRAWN = "not_drawn"  # of the share of the corpus that the config uses
    EXACT_DUPLICATE = "exact_duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    CONTAMINATED = "contaminated"  # holds text of a benchmark; the detail names its task
    # commits of a repository
    UNREADABLE = "unreadable"  # git cannot read it, or needs too long
    MERGE = "merge"
    NOT_AN_EDIT = "not_an_edit"  # files added, removed, renamed, linked, or with other rights only
    SEVERAL_FILES = "several_files"
    SEVERAL_BLOCKS = "several_blocks"
    NOT_LICENSED = "not_licensed"  # no license, or none that the config allows; the detail names it
    VENDORED = "vendored"  # a copy of somebody else's code
    GENERATED = "generated"  # written by a program
    SAYS_NOTHING = "says_nothing"  # a message or an instruction that does not tell what to change
    # edits, whoever made them
    EDIT_RATIO = "edit_ratio"  # too small or too large a part of the lines is changed
    REFUSAL = "refusal"  # the model says that it cannot, in prose
    CHANGES_BEHAVIOR = "changes_behavior"  # other outputs, where the intent keeps them
    # summarizing
    CUT_OFF = "cut_off"  # ran into max_new_tokens
    REPEATS_ITSELF = "repeats_itself"
    LEAKS_CODE = "leaks_code"
    DUPLICATE_CANDIDATE = "duplicate_candidate"
    REQUEST_FAILED = "request_failed"  # the server refused this row for good, or never answered it
    BAD_REPLY = "bad_reply"  # its replies were not what was asked for, however often
    KILLS_ENGINE = "kills_engine"  # the engine died whenever it had nothing but this row
    # writing rows of several tasks
    BAD_FORM = "bad_form"  # not the keys, the sentences or the blocks of code that were asked for
    UNCHANGED = "unchanged"  # the two sides are the same but for white space
    JUDGED_BAD = "judged_bad"  # the discriminator said no; the detail has its steps
    FAILS_WHEN_RUN = "fails_when_run"  # not what it is said to be, when it is run
    # scoring and selection
    BAD_SCORE = "bad_score"  # NaN or missing log-probabilities
    BELOW_MINIMUM = "below_minimum"
    NOT_SELECTED = "not_selected"
    REFUTED = "refuted"  # a program that was written from the instruction does something else than the code
    NOT_VERIFIED = "not_verified"  # nothing can be told by running it, and the config wants verified rows alone
    LEFT_OUT = "left_out"  # by a person; the detail says who, when and why
    # evaluating
    NOT_MEASURED = "not_measured"  # the task cannot be run on this machine


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row of a corpus as it was read."""

    id: str  # digest of source name, position, instruction and response
    source: str  # file (relative to its corpus) or hub data set
    line: int  # 1-based line, row or first line of the definition
    instruction: str  # "" for plain source code
    response: str
    language: str | None  # what the corpus says, if it says anything
    usage: str = ""  # calls or doctests that the corpus has beside the code


@dataclass(frozen=True, slots=True)
class Snippet:
    """A clean piece of code, y* in the paper, with the row it came from."""

    id: str  # digest of language and code
    code: str
    language: str
    instruction: str  # the original x, "" if there was none
    row_id: str
    source: str
    line: int
    usage: str = ""  # calls or doctests beside the code: of the corpus, and the later blocks of the response


@dataclass(frozen=True, slots=True)
class Candidate:
    """One instruction that the model wrote for a snippet."""

    id: str  # digest of snippet, k and instruction
    snippet_id: str
    k: int  # 0-based number among the snippet's candidates
    prefix: str  # forced beginning of the reply; part of the instruction, unless it is a heading
    instruction: str
    seed: int
    model: str  # digest of the weights
    prompt: str  # digest of the prompt template
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """A candidate with the model's verdict; natural-log probabilities over the full vocabulary."""

    candidate_id: str
    snippet_id: str
    yes_logprob: float
    no_logprob: float
    lm_score: float  # in [0, 1]; InverseCoder section 3.3
    model: str
    prompt: str


@dataclass(frozen=True, slots=True)
class ShuffledPair:
    """A snippet with an instruction of another one, to tell how well the scores discern."""

    snippet_id: str
    candidate_id: str  # of the other snippet
    lm_score: float  # of the instruction with this code
    own_score: float  # of the snippet's own first instruction


@dataclass(frozen=True, slots=True)
class Verdict:
    """What running the code has told of a candidate."""

    candidate_id: str
    snippet_id: str
    state: str  # `verified`, `refuted`, or `unverified`: nothing can be told
    detail: str  # why, for a person
    program: str  # the last one that the model wrote from the instruction; "" where it was not asked
    model: str  # digest of the weights that wrote it


@dataclass(frozen=True, slots=True)
class Draft:
    """A training row in the making: what a model has written of it so far, and what it was written from."""

    id: str  # digest of what it is made of
    parents: list[str]  # ids of the rows that it was made from: of a corpus, or earlier drafts
    task: str  # what kind of row: an intent of an edit, or one of several tasks
    instruction: str
    input: str  # what the instruction is about, such as the code before an edit; "" if nothing
    response: str
    language: str
    k: int  # 0-based number among those of the same parents
    seed: int
    model: str  # digest of the weights that wrote it; "" for what a person wrote
    prompt: str  # digest of the prompt template
    lm_score: float | None = None  # in [0, 1], once it is judged
    detail: str = ""  # what was found out about it, for a person: steps and reasons of a judge


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """What is trained on, and everything needed to follow it back to its source."""

    id: str  # digest of instruction and response
    instruction: str
    response: str
    language: str
    round: int  # 0 for the original corpus
    snippet_id: str
    candidate_id: str  # of the `Candidate` or the `Draft` that it was made of
    lm_score: float | None
    row_id: str
    source: str
    line: int
    model: str

    @property
    def name(self) -> str:
        """The id that a person knows it by: of what it was made of, or its own."""
        return self.candidate_id or self.id


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that did not go on, with the reason and, where it helps, a detail for a person."""

    row_id: str
    stage: str
    reason: Reason
    detail: str = ""


Record = SourceRow | Snippet | Candidate | ScoredPair | ShuffledPair | Verdict | Draft | TrainingRow | Rejection


def row_id(row: Record) -> str:
    """Return the id that others know a row by: scores and verdicts by their candidate, a rejection by its row."""
    match row:
        case ScoredPair() | Verdict():
            return row.candidate_id
        case ShuffledPair():
            return row.snippet_id
        case Rejection():
            return row.row_id
        case _:
            return row.id


def parents(row: Record) -> tuple[str, ...]:
    """Return the ids of the rows that a row was made from; those of a snippet are of the corpus, which is no file."""
    match row:
        case TrainingRow():
            return tuple(filter(None, [row.candidate_id or row.snippet_id or row.row_id]))
        case ScoredPair() | Verdict():
            return (row.candidate_id,)
        case ShuffledPair():
            return (row.snippet_id, row.candidate_id)
        case Candidate():
            return (row.snippet_id,)
        case Draft():
            return tuple(row.parents)
        case Snippet():
            return (row.row_id,)
        case Rejection():
            return (row.row_id.partition("/")[0],)  # what never became a row is called ROW/WHICH
        case SourceRow():
            return ()


def to_dict(record: Record) -> dict[str, Any]:
    """Return the record as plain JSON-ready values; a list in it stays the same list."""
    return {name: getattr(record, name) for name in record.__slots__}


def rows_digest(ids: list[str]) -> str:
    """Return one digest for a set of rows, whatever their order in the file."""
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
