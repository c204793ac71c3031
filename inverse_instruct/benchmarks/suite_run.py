"""One suite, one model: asks, judges, and writes what came of it.

Enters: a suite with its config section, and a way to ask the model, or samples that are there already.
Leaves, in the suite's folder: `samples.jsonl` (EvalPlus's own format), `results.jsonl` (a verdict per sample),
`self_consistency.jsonl`, `solution_loss.jsonl`, `report.json`. Replies and verdicts are journaled, so a killed run goes
on where it stopped and judges nothing twice. "Not measured" is None, never 0.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from evaluation import (
    Agreement,
    BenchmarkError,
    CompletionSuite,
    EvalPlusSuite,
    Execution,
    Prompt,
    Sample,
    Suite,
    Verdict,
    bootstrap_estimate,
    choose_tasks,
    dates_of,
    diversity,
    minimum_detectable_effect,
    pass_rate,
    self_consistency,
)
from evaluation.reading import AsItStands
from evaluation.thoughts import without_thoughts
from inverse_instruct.benchmarks.agreements import find_agreements
from inverse_instruct.benchmarks.judge import Judge
from inverse_instruct.benchmarks.solution_loss import SolutionLoss, solution_losses
from inverse_instruct.benchmarks.suite_data import load_suite
from inverse_instruct.config.examining import SuiteSection
from inverse_instruct.config.sections import SummarizeSection
from inverse_instruct.errors import RequestError, StageError
from inverse_instruct.inference.asking import Asker, TokenAsker
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.inference.streaming import stream
from inverse_instruct.records import Reason, digest
from inverse_instruct.store.files import write_json
from inverse_instruct.store.journal import Journal
from inverse_instruct.store.measures import Rates, SuiteReport
from inverse_instruct.store.rows import write_rows
from inverse_instruct.store.seeds import benchmark_seed

ASKED_AT_ONCE = 256
USUAL_K = (1, 10, 100)
ASSUMED_DIFFERING_SHARE = 0.1  # of problems, between two checkpoints; for the minimum detectable effect


@dataclass(frozen=True)
class Answer:
    """What the model said to one problem; the last two are "" where self-consistency is not measured."""

    readings: tuple[Sample, ...]  # y as a program; further ones are judged in its place where the first fails
    instruction: str = ""  # x' = M^-1(y)
    second_solution: str = ""  # y' = M(x') as a program

    @property
    def sample(self) -> Sample:
        """The reading that counts."""
        return self.readings[0]


@dataclass
class Report:
    """What the run of a suite found."""

    rows_in: int
    rows_out: int
    rejected: Counter[str]  # samples by reason
    measured: SuiteReport
    files: list[str]


def frame_problem(section: SuiteSection, suite: Suite) -> str | None:
    """Return why a suite cannot be asked in the frame that is wanted; None: it can."""
    if section.frame == "trained" or isinstance(suite, CompletionSuite):
        return None
    return f"{section.suite} cannot be asked as a text to go on from; leave its frame as `trained`"


class SuiteRun:
    """One suite under way."""

    def __init__(
        self, section: SuiteSection, summarize: SummarizeSection, folder: Path, *, execution: Execution, seed: int
    ) -> None:
        """Load the suite.

        Args:
            section: the suite, and how it is asked.
            summarize: how the model turns code into instructions, for self-consistency.
            folder: where the results go.
            execution: how programs are run.
            seed: the run's seed.

        Raises:
            StageError: the suite's data cannot be used, or the tasks named are not there.
        """
        try:
            self.suite = load_suite(section.suite, section.data)
            self.tasks = choose_tasks(self.suite.task_ids, section.tasks, section.limit, dates_of(self.suite))
        except (BenchmarkError, OSError) as error:
            raise StageError(f"{section.suite}: {error}") from error
        if problem := frame_problem(section, self.suite):
            raise StageError(problem)
        self.section = section
        self._summarize = summarize
        self._folder = folder
        self._execution = execution
        self._seed = seed
        self.not_measured = {
            task: why for task, why in self.suite.not_measured(execution).items() if task in set(self.tasks)
        }
        self.unanswered: dict[str, RequestError] = {}  # tasks with a question that the model did not answer
        self.tokens = {"prompt": 0, "completion": 0}
        self.given: Mapping[str, int] | None = None  # samples by task, where they are given
        self._left_out = 0  # samples that are not judged, since a question got no answer
        self._unread = 0  # replies that are judged as they stand, since reading them takes too much time or memory
        self._read_otherwise = 0  # samples that pass by another reading of the reply than the first

    @cached_property
    def _replies(self) -> Journal:
        return Journal(self._folder / "replies.jsonl")

    @cached_property
    def _verdicts(self) -> Journal:
        return Journal(self._folder / "verdicts.jsonl")

    @property
    def measured(self) -> list[str]:
        """The tasks that are asked and judged."""
        return [task for task in self.tasks if task not in self.not_measured]

    @property
    def is_loss_wanted(self) -> bool:
        """Whether the loss of right answers is measured, of all tasks: nothing is run for it."""
        return self.section.solution_loss and self.section.frame == "trained"

    def total(self, source: Asker | Sequence[Sample]) -> int:
        """Return how many samples there are to judge."""
        return len(source) if isinstance(source, Sequence) else len(self.measured) * self.section.samples

    async def run(self, source: Asker | Sequence[Sample], on_progress: Callable[[int], None]) -> Report:
        """Ask (or take the samples given), judge, write the files.

        Args:
            source: asks the model, or samples of `measured`.
            on_progress: called with the number of samples that are done with so far.

        Raises:
            ServerError: the model cannot be asked.
            StageError: nothing can be judged here.
        """
        judged: list[tuple[Answer, Verdict]] = []
        if self.measured:
            async with Judge(self.suite, self._execution, self._verdicts) as judge:
                if isinstance(source, Sequence):
                    answers = [Answer((sample,)) for sample in source]
                    for answer in answers:
                        judge.put(answer.readings)
                else:
                    answers = await self._ask_all(source, judge, on_progress)
                await judge.finish(lambda: on_progress(judge.done + self._left_out))
            judged = [self._with_verdict(answer, judge) for answer in answers]
        answers = [answer for answer, _ in judged]
        losses = None
        if self.is_loss_wanted and isinstance(source, TokenAsker):
            losses = await solution_losses(self.suite, self.tasks, source, self._replies)
        agreements = None
        if self._is_consistency_asked(source):
            assert isinstance(self.suite, EvalPlusSuite)
            pairs = {
                answer.sample.task_id: (answer.sample.solution, answer.second_solution)
                for answer in answers
                if answer.sample.index == 0
            }
            agreements = await find_agreements(self.suite, self._execution, self._verdicts, pairs)
        self._replies.close()
        self._verdicts.close()
        return self._write(answers, [verdict for _, verdict in judged], agreements, losses)

    def _with_verdict(self, answer: Answer, judge: Judge) -> tuple[Answer, Verdict]:
        """Return the answer as it was read for its verdict, and this."""
        number, verdict = judge.verdict(answer.readings)
        self._read_otherwise += number > 0
        return replace(answer, readings=answer.readings[number:]), verdict

    async def _ask_all(self, asker: Asker, judge: Judge, on_progress: Callable[[int], None]) -> list[Answer]:
        jobs = [(task, number) for task in self.measured for number in range(self.section.samples)]
        answers: dict[tuple[str, int], Answer] = {}
        async for answer in stream(jobs, lambda job: self._try(asker, *job), ASKED_AT_ONCE):
            if answer:
                answers[answer.sample.task_id, answer.sample.index] = answer
                judge.put(answer.readings)
            else:
                self._left_out += 1
            on_progress(judge.done + self._left_out)
        return [answers[job] for job in jobs if job[0] not in self.unanswered]

    async def _try(self, asker: Asker, task: str, number: int) -> Answer | None:
        """Return the answer, or None: a task of which one question gets no answer is not measured at all."""
        if task in self.unanswered:
            return None
        try:
            return await self._answer(asker, task, number)
        except RequestError as error:
            self.unanswered[task] = error
            return None

    async def _answer(self, asker: Asker, task: str, number: int) -> Answer:
        replies: list[str] = []
        sampling = Sampling(self.section.max_new_tokens, self.section.temperature, self.section.top_p)
        while (prompt := self._prompt(task, replies)) is not None:
            replies.append(await self._ask(asker, task, number, f"answer {len(replies)}", prompt, sampling))
        found = await asyncio.to_thread(self.suite.readings, task, replies)
        self._unread += isinstance(found, AsItStands)
        readings = tuple(Sample(task, number, text) for text in found)
        sample = readings[0]
        if number or not self._is_consistency_asked(asker):
            return Answer(readings)
        suite = self.suite
        assert isinstance(suite, EvalPlusSuite)
        request = PromptTemplate("summarize", self._summarize.template).render(
            language="python", code=sample.solution.strip()
        )
        beginning = self._summarize.heading or f"{self._summarize.prefixes[0]} Python"
        describe = Prompt(request, beginning, tuple(self._summarize.stop))
        greedy = Sampling(self._summarize.max_new_tokens, repetition_penalty=self._summarize.repetition_penalty)
        reply = await self._ask(asker, task, 0, "instruction", describe, greedy)
        instruction = without_thoughts(reply).answer.strip()
        prompt = suite.second_prompt(task, instruction, sample.solution)
        second = await self._ask(asker, task, 0, "second answer", prompt, Sampling(self.section.max_new_tokens))
        again = await asyncio.to_thread(suite.extract_second, task, sample.solution, second)
        return Answer(readings, instruction, again)

    def _prompt(self, task: str, replies: Sequence[str]) -> Prompt | None:
        if self.section.frame == "trained":
            return self.suite.prompt(task, replies)
        assert isinstance(self.suite, CompletionSuite)
        return None if replies else self.suite.completion_prompt(task)

    async def _ask(self, asker: Asker, task: str, number: int, kind: str, prompt: Prompt, sampling: Sampling) -> str:
        seed = benchmark_seed(self._seed, self.suite.name, task, number, kind)
        key = digest(task, number, kind, asker.key(prompt, sampling), seed)
        if key not in self._replies:
            reply = await asker.ask(prompt, sampling, seed)
            self._replies.append(
                key,
                {
                    "task_id": task,
                    "sample": number,
                    "kind": kind,
                    "text": reply.text,
                    "finish": reply.finish_reason,
                    "completion_tokens": reply.completion_tokens,
                },
            )
            self.tokens["prompt"] += reply.prompt_tokens
            self.tokens["completion"] += reply.completion_tokens
        return str(self._replies[key]["text"])

    def _is_consistency_asked(self, source: Asker | Sequence[Sample]) -> bool:
        return (
            self.section.self_consistency
            and self.section.frame == "trained"
            and isinstance(self.suite, EvalPlusSuite)
            and not isinstance(source, Sequence)
        )

    def _write(
        self,
        answers: Sequence[Answer],
        verdicts: Sequence[Verdict],
        agreements: Sequence[Agreement] | None,
        losses: Sequence[SolutionLoss] | None,
    ) -> Report:
        samples = [answer.sample for answer in answers]
        write_rows(
            self._folder / "samples.jsonl",
            ({"task_id": sample.task_id, "solution": sample.solution} for sample in samples),
        )
        write_rows(
            self._folder / "results.jsonl", ({**asdict(verdict), "passed": verdict.passed} for verdict in verdicts)
        )
        files = ["samples.jsonl", "results.jsonl", "report.json"]
        if agreements is not None:
            spoken = {answer.sample.task_id: answer for answer in answers if answer.sample.index == 0}
            write_rows(
                self._folder / "self_consistency.jsonl",
                (
                    {
                        **asdict(row),
                        "instruction": spoken[row.task_id].instruction,
                        "solution": spoken[row.task_id].sample.solution,
                        "second_solution": spoken[row.task_id].second_solution,
                    }
                    for row in agreements
                ),
            )
            files.append("self_consistency.jsonl")
        if losses is not None:
            write_rows(self._folder / "solution_loss.jsonl", map(asdict, losses))
            files.append("solution_loss.jsonl")
        measured = self._measure(samples, verdicts, agreements)
        known = [loss.loss for loss in losses or () if loss.loss is not None]
        measured = replace(measured, solution_loss=bootstrap_estimate(known) if known else None)
        write_json(self._folder / "report.json", asdict(measured))
        reasons = dict.fromkeys(self.not_measured, Reason.NOT_MEASURED)
        reasons |= {task: error.reason for task, error in self.unanswered.items()}
        rejected = Counter(reason.value for task, reason in reasons.items() for _ in range(self._samples_of(task)))
        return Report(len(verdicts) + rejected.total(), len(verdicts), rejected, measured, files)

    @property
    def _version(self) -> str:
        """The suite's version, with the time that the tasks asked are of: scores of other spans are not comparable."""
        dates = dates_of(self.suite)
        asked = [dates[task] for task in self.tasks if task in dates]
        return f"{self.suite.version}, of {min(asked)} to {max(asked)}" if asked else self.suite.version

    def _samples_of(self, task: str) -> int:
        return self.section.samples if self.given is None else self.given.get(task, 0)

    def _measure(
        self, samples: Sequence[Sample], verdicts: Sequence[Verdict], agreements: Sequence[Agreement] | None
    ) -> SuiteReport:
        tasks = {verdict.task_id for verdict in verdicts}
        least = min(Counter(verdict.task_id for verdict in verdicts).values(), default=0)
        rates = {k: pass_rate(verdicts, k) for k in USUAL_K if k <= least}
        unanswered = [f"the model gave no answer ({error.reason})" for error in self.unanswered.values()]
        return SuiteReport(
            suite=self.section.name,
            version=self._version,
            problems=len(tasks),
            samples=len(verdicts),
            pass_at_k={str(k): Rates(rate.base, rate.plus) for k, rate in rates.items()},
            reasons=dict(Counter(str(verdict.reason) for verdict in verdicts if verdict.reason)),
            read_otherwise=self._read_otherwise,
            unread=self._unread,
            diversity=diversity(samples) if samples else None,
            minimum_detectable_effect=minimum_detectable_effect(len(tasks), ASSUMED_DIFFERING_SHARE) if tasks else None,
            self_consistency=self_consistency(agreements) if agreements is not None else None,
            not_measured=dict(Counter([*self.not_measured.values(), *unanswered])),
            unanswered={task: str(self.unanswered[task]) for task in self.tasks if task in self.unanswered},
            sandboxed=not self._execution.unsandboxed,
        )
