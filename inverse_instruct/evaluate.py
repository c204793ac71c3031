"""A checkpoint to measures: pass@1 with greedy decoding, and self-consistency (InverseCoder equation 2).

Enters: a benchmark and a server that runs the checkpoint. Leaves: `samples.jsonl` (EvalPlus's own format),
`results.jsonl` (a verdict per problem), `self_consistency.jsonl`, and the rates in the manifest. Every reply is in the
journal before it counts. The problems stream through the engine one by one (answer, instruction for it, answer to that)
and are judged in the sandbox afterwards. "Not measured" is None, never 0.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evaluation import (
    BenchmarkError,
    Problem,
    ResourceLimits,
    Sandbox,
    SandboxUnavailable,
    SelfConsistency,
    Verdict,
    extract_code,
    judge_codes,
    load_problems,
    own_outputs,
    pass_rate,
    self_consistency,
)
from inverse_instruct.config import EvaluateSection, SummarizeSection, benchmark_path
from inverse_instruct.errors import RequestError, StageError
from inverse_instruct.inference.client import InferenceClient, Sampling
from inverse_instruct.prompts import PromptFormatter, PromptTemplate
from inverse_instruct.records import digest
from inverse_instruct.run_dir import Journal, Manifest, write_manifest, write_rows
from inverse_instruct.streaming import stream

PROBLEMS_AT_ONCE = 256
FENCE = "```python\n"


@dataclass(frozen=True)
class Answers:
    """What the model said to one problem; the last two are "" where self-consistency is not measured."""

    solution: str  # y as a program
    instruction: str  # x' = M^-1(y)
    second_solution: str  # y' = M(x') as a program


class EvaluateStage:
    """The evaluate stage of one round."""

    def __init__(self, section: EvaluateSection, summarize: SummarizeSection, folder: Path, *,
                 formatter: PromptFormatter, client: InferenceClient, model: str) -> None:
        """Load the benchmark and open the stage's journal.

        Args:
            section: what to measure.
            summarize: how the model turns code into instructions.
            folder: the stage's folder.
            formatter: wraps prompts for the model.
            client: asks the model.
            model: digest of the model's weights.

        Raises:
            StageError: the benchmark cannot be used.
        """
        try:
            self.problems = load_problems(benchmark_path(section.benchmark))
        except (BenchmarkError, OSError) as error:
            raise StageError(f"evaluate.benchmark: {error}") from error
        self._section = section
        self._folder = folder
        self._formatter = formatter
        self._client = client
        self._model = model
        self._solve = PromptTemplate("solve")
        self._summarize = PromptTemplate("summarize", summarize.template)
        self._prefix = f"{summarize.prefixes[0]} Python"
        end = tuple(formatter.end_of_response)
        self._answering = Sampling(section.max_new_tokens, stop=("```",), stop_token_ids=end)
        self._instructing = Sampling(summarize.max_new_tokens, stop=tuple(summarize.stop), stop_token_ids=end,
                                     repetition_penalty=summarize.repetition_penalty)
        self._journal = Journal(folder / "replies.jsonl")
        self._started = time.monotonic()
        self._tokens = {"prompt": 0, "completion": 0}
        self.on_problem: Callable[[int], None] = lambda done: None

    async def run(self, key: str) -> Manifest:
        """Ask, judge, write the files and the manifest."""
        answers: dict[str, Answers] = {}
        async for task_id, answer in stream(self.problems, self._answer, PROBLEMS_AT_ONCE):
            answers[task_id] = answer
            self.on_problem(len(answers))
        self._journal.close()
        limits = ResourceLimits(memory_bytes=self._section.memory_mib * 2**20)
        solutions = {problem.task_id: [answers[problem.task_id].solution] for problem in self.problems}
        try:
            with Sandbox(workers=self._section.workers, limits=limits) as sandbox:
                verdicts = list(judge_codes(self.problems, solutions, sandbox))
                consistency = self._consistency(answers, sandbox) if self._section.self_consistency else None
        except (SandboxUnavailable, BenchmarkError) as error:
            raise StageError(f"evaluate: {error}") from error
        return self._write(answers, verdicts, consistency, key)

    async def _answer(self, problem: Problem) -> tuple[str, Answers]:
        stub = problem.prompt.rstrip()
        request = self._solve.render(language="python", problem=stub)
        first = await self._ask(problem, "answer", request, FENCE + stub, self._answering)
        solution = extract_code(f"{FENCE}{stub}{first}\n```", problem.entry_point, problem.prompt)
        if not self._section.self_consistency:
            return problem.task_id, Answers(solution, "", "")
        request = self._summarize.render(language="python", code=solution.strip())
        said = await self._ask(problem, "instruction", request, self._prefix, self._instructing)
        instruction = f"{self._prefix}{said}".strip()
        head = signature(problem)
        second = await self._ask(problem, "second_answer", instruction, FENCE + head, self._answering)
        again = extract_code(f"{FENCE}{head}{second}\n```", problem.entry_point, head)
        return problem.task_id, Answers(solution, instruction, again)

    async def _ask(self, problem: Problem, kind: str, request: str, beginning: str, sampling: Sampling) -> str:
        prompt = self._formatter.response_prompt(request, beginning)
        key = digest(problem.task_id, kind, self._model, repr(sampling), *prompt)
        if key not in self._journal:
            try:
                reply = await self._client.complete(prompt, sampling, 0)
            except RequestError as error:
                raise StageError(f"{problem.task_id} could not be asked, so nothing was measured: {error}; raise "
                                 "model.max_model_len or lower evaluate.max_new_tokens") from error
            self._journal.append(key, {"task_id": problem.task_id, "kind": kind, "text": reply.text,
                                       "finish": reply.finish_reason, "completion_tokens": reply.completion_tokens})
            self._tokens["prompt"] += reply.prompt_tokens
            self._tokens["completion"] += reply.completion_tokens
        return str(self._journal.rows[key]["text"])

    def _consistency(self, answers: dict[str, Answers], sandbox: Sandbox) -> SelfConsistency | None:
        own = own_outputs(self.problems, {task: answer.solution for task, answer in answers.items()}, sandbox)
        if not own.kept:
            return None
        second = {task: answers[task].second_solution for task in own.kept}
        return self_consistency(self.problems, own, second, sandbox)

    def _write(self, answers: dict[str, Answers], verdicts: Sequence[Verdict], consistency: SelfConsistency | None,
               key: str) -> Manifest:
        order = [problem.task_id for problem in self.problems]
        write_rows(self._folder / "samples.jsonl", ({"task_id": task, "solution": answers[task].solution}
                                                    for task in order))
        write_rows(self._folder / "results.jsonl", map(asdict, verdicts))
        agreement = {row.task_id: row for row in consistency.rows} if consistency else {}
        write_rows(self._folder / "self_consistency.jsonl", (
            asdict(answers[task]) | {"task_id": task, "removed": task not in agreement,
                                     "base": agreement[task].base if task in agreement else None,
                                     "plus": agreement[task].plus if task in agreement else None}
            for task in order if self._section.self_consistency))
        rate = pass_rate(verdicts)
        metrics: dict[str, Any] = {
            "benchmark": Path(self._section.benchmark).name, "problems": len(order),
            "pass_at_1": {"base": asdict(rate.base), "plus": asdict(rate.plus)},
            "reasons": dict(Counter(str(verdict.reason) for verdict in verdicts if verdict.reason)),
            "self_consistency": None if consistency is None else {
                "base": asdict(consistency.base), "plus": asdict(consistency.plus), "problems": consistency.problems,
                "removed": len(consistency.removed)},
        }
        manifest = Manifest(stage="evaluate", key=key, rows_in=len(order), rows_out=len(verdicts),
                            seconds=time.monotonic() - self._started, tokens=self._tokens, metrics=metrics)
        return write_manifest(self._folder, manifest, ["samples.jsonl", "results.jsonl", "self_consistency.jsonl"])


def signature(problem: Problem) -> str:
    """Return the problem's prompt up to the end of the entry point's `def` line: imports and names, no docstring."""
    lines = problem.prompt.splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith(f"def {problem.entry_point}")), 0)
    end = next((number for number in range(start, len(lines)) if lines[number].rstrip().endswith(":")), start)
    return "\n".join(lines[: end + 1])
