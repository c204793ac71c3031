"""How likely a model finds the right answers of a suite: their loss as replies, in the frame of training.

Enters: a suite that knows canonical solutions, or replies, and a model that is asked by token ids. Leaves: a loss for
each task, so that two checkpoints are compared task by task; differences far below what pass@1 can show are seen. Not
guaranteed: that lower is better. A model that solves a task in another way may find the canonical one less likely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from evaluation.suite import AnsweredSuite, SolvedSuite, Suite
from inverse_instruct.errors import RequestError
from inverse_instruct.inference.asking import TokenAsker, training_tokens
from inverse_instruct.inference.streaming import stream_in_order
from inverse_instruct.records import digest
from inverse_instruct.store.journal import Journal

ASKED_AT_ONCE = 64


@dataclass(frozen=True)
class SolutionLoss:
    """Of one task."""

    task_id: str
    loss: float | None  # mean over the tokens, in nats; None: the model was not asked, or gave no answer
    tokens: int
    why: str = ""  # there is none


async def solution_losses(
    suite: Suite, tasks: Sequence[str], asker: TokenAsker, journal: Journal
) -> list[SolutionLoss] | None:
    """Return the losses, in the order of the tasks; None: the suite has no answers.

    Args:
        suite: asked as trained, its first question to a task.
        tasks: of the suite.
        asker: of the model.
        journal: of what is known.

    Raises:
        ServerError: the model cannot be asked.
    """
    if not isinstance(suite, SolvedSuite | AnsweredSuite):
        return None

    async def measure(task: str) -> SolutionLoss:
        prompt, response = suite.prompt(task, []), _answer(suite, task)
        if prompt is None or not response:
            return SolutionLoss(task, None, 0, "the suite has no solution of it")
        key = digest("solution loss", task, asker.model, prompt.request, response)
        try:
            if key not in journal:
                request, reply = training_tokens(asker.formatter, prompt.request, response)
                found = await asker.client.prompt_logprobs(request + reply, len(request))
                journal.append(
                    key, {"task_id": task, "kind": "solution loss", "loss": -fmean(found), "tokens": len(found)}
                )
        except RequestError as error:
            return SolutionLoss(task, None, 0, str(error))
        return SolutionLoss(task, float(journal[key]["loss"]), int(journal[key]["tokens"]))

    return [loss async for loss in stream_in_order(tasks, measure, ASKED_AT_ONCE)]


def _answer(suite: SolvedSuite | AnsweredSuite, task: str) -> str:
    if isinstance(suite, AnsweredSuite):
        return suite.answer(task).strip()
    solution = suite.reference(task).strip()
    return f"```python\n{solution}\n```" if solution else ""
