"""A run without an engine and without DeepSpeed: replies are a function of what was asked, training copies the base.

For fast tests of the loop and of faults; that real engines and real training do the same is shown in `integration`.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.inference.client import Reach
from inverse_instruct.inference.replies import Completion
from inverse_instruct.loop import rounds
from inverse_instruct.recipes.recipe import Recipe
from inverse_instruct.records import digest
from inverse_instruct.stages.room import Room
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.training.publish import publish
from tests.measured import phase
from tests.recipes.fake_replies import reply_to

WORDS = "adds scales filters sorts counts joins reverses merges the given numbers names lists and values".split()

CODE_TOKENS = 65
"""A question that allows for so many asks for code."""


class Killed(BaseException):
    """As SIGKILL would: nothing is tidied up by the program."""


class FakeClient:
    """Answers at once; dies before the reply after `lives` of them."""

    concurrency = 64
    together = nullcontext
    reach = Reach(("fake",), "fake", None)

    def __init__(self, lives: int | None) -> None:
        self.lives, self.replies = lives, 0
        self.model: Path | None = None

    async def complete(self, prompt: list[int], sampling: Any, seed: int) -> Completion:
        await self._answer()
        number = int(digest(seed, *prompt), 16)
        if self.model and (text := reply_to(prompt, self.model, number)):
            return Completion(text, "stop", len(prompt), len(text.split()))
        if sampling.max_tokens == CODE_TOKENS:
            code = f"def scale(number):\n    return number * {number % 997}"
            return Completion(f"```python\n{code}\n```", "stop", len(prompt), 9)
        words = [WORDS[number // 16**place % len(WORDS)] for place in range(9)]
        return Completion(f" that {' '.join(words)}.", "stop", len(prompt), len(words))

    async def label_logprobs(self, prompts: list[list[int]], labels: list[int]) -> list[list[float]]:
        await self._answer()
        return [[-(int(digest(*prompt), 16) % 997) / 500 - 0.01, -1.0] for prompt in prompts]

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.lives is not None and self.replies >= self.lives:
            raise Killed
        self.replies += 1


class FakeEngines:
    """Stands where the loop's engines stand."""

    client = FakeClient(None)

    def __init__(self, *_: Any) -> None:
        self.running: Path | None = None

    def ask(self, model: Path, work: Callable[[Any], Awaitable[Any]]) -> Any:
        self.running = self.client.model = model
        return asyncio.run(work(self.client))  # type: ignore[arg-type]

    def prepare(self, model: Path) -> None:
        self.running = model

    def clear_devices(self) -> None:
        self.running = None

    def stop(self) -> None:
        self.running = None


def fake_train(room: Room) -> None:
    """Copy the base and mark it with what it was trained on."""
    rows = [row.id for name in ("selected", "original") for row in room.read(name)]
    export = room.place.folder / "export"
    shutil.copytree(room.place.base, export)  # type: ignore[arg-type]
    (export / "rows.txt").write_text("\n".join(rows))
    assert room.place.checkpoint
    files = publish(export, room.place.checkpoint, room.place.key)
    shutil.rmtree(export)
    room.outputs += [f"../../checkpoints/{path.parent.name}/{path.name}" for path in files]
    room.account(len(rows), {})
    room.metrics["phases"] = [phase(0, "selected", len(rows), [2.0, 1.0], tokens=20 * len(rows))]


def faked(recipe: Recipe) -> Recipe:
    """Return a recipe whose training is fake."""
    return replace(recipe, train=replace(recipe.train, run=fake_train))


def play(
    config: RunConfig, folder: Path, recipe: Recipe, lives: int | None = None, others: Sequence[Path] = ()
) -> FakeClient:
    """Play a run with a fake engine.

    Raises:
        Killed: after so many replies.
    """
    client = FakeClient(lives)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds, "Engines", FakeEngines)
        patch.setattr(FakeEngines, "client", client)
        run_dir = RunDir(folder)
        folder.mkdir(exist_ok=True)
        with Ledger(run_dir.ledger, create=True) as ledger:
            rounds.Loop(config, run_dir, ledger, recipe, list(map(RunDir, others))).play()
    return client
