"""Candidates to verdicts: does the instruction say what the code does? The paper's self-consistency as a filter.

Enters: snippets, candidates and their scores. Leaves: `verdicts.parquet` and `rejections.parquet`; one row in is one
scored candidate. Of each snippet the candidates are looked at by their score, until one is verified: the model writes a
program from the instruction, and it must return what the snippet returns (InverseCoder equation 2), on the calls that
doctests, the snippet's own top level and the corpus show, and on guessed ones; where these do not do, on calls that the
model writes. The control is a program that is written without an instruction: if that returns the same, too, nothing is
said of any instruction. A snippet that breaks its own doctests refutes all of its instructions. What an earlier round
verified stays verified. Programs run in the sandbox; what came of each is in the journal. Not guaranteed: anything for
other arguments; that a refuted instruction is wrong, for it may have been the program.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from evaluation import SandboxUnavailable, extract_code, open_sandbox
from evaluation.comparison_process import Comparer
from evaluation.round_trip import NAME, Described, NotRun, RoundTrip
from evaluation.syntax import tree_or_nothing
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.config.verifying import VerifySection
from inverse_instruct.errors import RequestError, StageError
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Candidate, Reason, Rejection, ScoredPair, Snippet, Verdict, digest
from inverse_instruct.stages.estimate import Cost, Estimate
from inverse_instruct.stages.questions import Ask, Question
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Input, Model, Outcome, Rows, Stage, When

BEGINNING = "```python\n"
STATES = ("verified", "refuted", "unverified")
NEEDLESS = "a program that is written without any instruction returns the same"


@dataclass(frozen=True)
class _Group:
    """A snippet with its scored candidates, the best first."""

    snippet: Snippet
    candidates: list[Candidate]


async def verify(room: Room) -> None:
    """Give the verdicts of a round.

    Raises:
        StageError: programs cannot be isolated on this machine.
    """
    section: VerifySection = room.section()
    states: Counter[str] = Counter(dict.fromkeys(STATES, 0))
    room.progress.expect(room.count("scores"))
    try:
        with Comparer() as comparer, open_sandbox(room.execution) as sandbox:
            verifier = _Verifier(room, RoundTrip(sandbox, comparer, section.calls))
            async for outcome in room.each(_groups(room), verifier):
                room.take(outcome)
                states.update(verdict.state for verdict in outcome.kept)
                room.progress.advance(len(outcome))
    except SandboxUnavailable as error:
        raise StageError(f"verify: {error}; or leave it out with recipe: inversecoder") from error
    room.metrics |= {"verdicts": dict(states), "prompt": digest(*_templates())}


def _groups(room: Room) -> Iterator[_Group]:
    """Yield the snippets that have scores; snippets, candidates and scores stand in one order."""
    snippets = room.read("snippets")
    candidates = groupby(room.read("candidates"), key=attrgetter("snippet_id"))
    for snippet_id, pairs in groupby(room.read("scores"), key=attrgetter("snippet_id")):
        scores = {pair.candidate_id: pair.lm_score for pair in pairs}
        own = next(list(group) for name, group in candidates if name == snippet_id)
        scored = [candidate for candidate in own if candidate.id in scores]
        scored.sort(key=lambda candidate: (-scores[candidate.id], candidate.id))
        yield _Group(next(snippet for snippet in snippets if snippet.id == snippet_id), scored)


class _Verifier:
    """Gives the verdicts of one snippet after the other."""

    def __init__(self, room: Room, trip: RoundTrip) -> None:
        self._room, self._trip = room, trip
        self._section: VerifySection = room.section()
        self._template = PromptTemplate("verify")
        self._earlier = {each.candidate_id: each for each in room.read("earlier") if each.state == "verified"}
        self._sampling = Sampling(
            max_tokens=self._section.max_new_tokens,
            temperature=self._section.temperature,
            top_p=1.0,
            repetition_penalty=1.0,
            stop=("\n```",),
            stop_token_ids=room.model.formatter.ending.stops,
        )

    async def __call__(self, group: _Group) -> Outcome:
        snippet = group.snippet
        if snippet.language != "python":
            return self._all(group.candidates, "unverified", f"{snippet.language} code is not run")
        look = _Look(self._room, self._trip, snippet, self._sampling)
        about = await look.about()
        if not about.signature:
            return self._all(group.candidates, "refuted" if about.breaks_examples else "unverified", about.detail)
        kept: list[Verdict] = []
        end = f"verify.tries is {self._section.tries}"
        for candidate in group.candidates[: self._section.tries]:
            kept.append(self._earlier.get(candidate.id) or await self._try(candidate, about, look))
            if kept[-1].state == "verified":
                end = "another one is verified"
                break
            if kept[-1].detail == NEEDLESS:
                end = NEEDLESS
                break
        return Outcome(
            kept,
            [
                Rejection(candidate.id, "verify", Reason.NOT_SELECTED, f"place {place} by its score, and {end}")
                for place, candidate in enumerate(group.candidates[len(kept) :], len(kept) + 1)
            ],
        )

    def _all(self, candidates: Sequence[Candidate], state: str, detail: str) -> Outcome:
        return Outcome([self._verdict(candidate, state, detail) for candidate in candidates])

    def _verdict(self, candidate: Candidate, state: str, detail: str, program: str = "") -> Verdict:
        return Verdict(candidate.id, candidate.snippet_id, state, detail, program, self._room.model.digest)

    async def _try(self, candidate: Candidate, about: _About, look: _Look) -> Verdict:
        """Have programs written from an instruction, and run them."""
        try:
            program, problem = await self._write(candidate.id, candidate.instruction, about, look)
            if problem:
                return self._verdict(candidate, "refuted", problem, program)
            _, problem = await self._write(candidate.snippet_id, "", about, look)
        except RequestError as error:
            return self._verdict(candidate, "unverified", str(error))
        if not problem:
            return self._verdict(candidate, "unverified", NEEDLESS, program)
        return self._verdict(candidate, "verified", "returns the same on all calls", program)

    async def _write(self, name: str, instruction: str, about: _About, look: _Look) -> tuple[str, str]:
        """Return a program that does the same and "", or else the last one and why it does not.

        Args:
            name: of the instruction.
            instruction: in words; "" for none.
            about: what the program is to be.
            look: at the snippet.

        Raises:
            RequestError: the model is not asked.
        """
        text = self._template.render(instruction=instruction, signature=about.signature)
        asks = [
            Ask(
                Question((text,), BEGINNING),
                self._sampling,
                self._room.seed("verify", name, number),
                {"verified_id": name, "number": number},
            )
            for number in range(self._section.samples)
        ]
        program = problem = ""
        for reply in await self._room.questions.replies(asks):
            if isinstance(reply, RequestError):
                raise reply
            program = extract_code(BEGINNING + reply.text, NAME, "")
            problem = "it was cut off" if reply.finish == "length" else await look.difference(program)
            if not problem:
                break
        return program, problem


@dataclass(frozen=True)
class _About:
    """What the instructions of a snippet are about."""

    signature: str  # of the function; "" if nothing can be told of any
    detail: str  # why nothing can be told
    breaks_examples: bool


class _Look:
    """What running one snippet tells; it is run once, and again only where more is asked after a restart."""

    def __init__(self, room: Room, trip: RoundTrip, snippet: Snippet, sampling: Sampling) -> None:
        self._room, self._trip, self._snippet, self._sampling = room, trip, snippet, sampling
        self._found: Described | NotRun | None = None

    async def about(self) -> _About:
        async def look() -> dict[str, Any]:
            found = await self._run()
            if isinstance(found, NotRun):
                return asdict(_About("", found.detail, found.is_wrong))
            return asdict(_About(found.signature, "", False))

        usage = digest(self._snippet.usage)
        return _About(**await self._room.once(look, described=self._snippet.id, usage=usage))

    async def difference(self, program: str) -> str:
        """Return why a program does not do the same; "" if it does."""

        async def compare() -> dict[str, Any]:
            found = await self._run()
            if isinstance(found, NotRun):  # before the restart it was: it takes about as long as it may
                return {"difference": found.detail}
            return {"difference": await asyncio.wrap_future(self._trip.difference(program, found.calls)) or ""}

        found = await self._room.once(compare, snippet=self._snippet.id, program=digest(program))
        return str(found["difference"])

    async def _run(self) -> Described | NotRun:
        if self._found is None:
            usage = self._snippet.usage
            self._found = await asyncio.wrap_future(self._trip.look(self._snippet.code, usage))
            if isinstance(self._found, NotRun) and self._found.function:
                usage = f"{usage}\n{await self._written_calls(self._found.function)}"
                self._found = await asyncio.wrap_future(self._trip.look(self._snippet.code, usage))
        return self._found

    async def _written_calls(self, function: str) -> str:
        """Have the model write calls; return those that can be read as doctests without results, "" for none."""
        calls = self._room.section().calls
        text = PromptTemplate("verify-calls").render(code=self._snippet.code, function=function, calls=str(calls))
        beginning, about = f"{BEGINNING}{function}(", {"called_id": self._snippet.id}
        seed = self._room.seed("verify calls", self._snippet.id)
        [reply] = await self._room.questions.replies([Ask(Question((text,), beginning), self._sampling, seed, about)])
        if isinstance(reply, RequestError):
            return ""
        lines = f"{function}({reply.text}".splitlines()
        return "\n".join(f">>> {line}" for line in lines if line.startswith(function) and tree_or_nothing(line).body)


def _outside(config: RunConfig) -> list[str]:
    return _templates()


def _templates() -> list[str]:
    return [PromptTemplate(name).digest for name in ("verify", "verify-calls")]


def _cost(estimate: Estimate) -> Cost:
    verify, candidates = estimate.config.verify, estimate.config.summarize.candidates
    programs = min(verify.tries, candidates) * verify.samples + 1  # each about as long as its snippet
    tokens = programs * estimate.tokens
    return Cost(estimate.rows * candidates, tokens, tokens * (estimate.forward + estimate.written))


_VERDICTS = Rows("verdicts.parquet", Verdict)

VERIFY = Stage(
    "verify",
    "tell right instructions from wrong ones by running code that is written from them",
    verify,
    unit="verdict",
    writes=_VERDICTS,
    reads={
        "snippets": Input("preprocess", Rows("snippets.parquet", Snippet), When.ONCE),
        "candidates": Input("summarize", Rows("candidates.parquet", Candidate)),
        "scores": Input("score", Rows("scores.parquet", ScoredPair)),
        "earlier": Input("verify", _VERDICTS, When.COMPETING),
    },
    sections=("evaluate.memory_mib", "evaluate.unsandboxed", "model.prompt_format", "model.max_model_len"),
    outside=_outside,
    model=Model.PROMOTED,
    cost=_cost,
    version=2,
)
