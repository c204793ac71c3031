"""Seeds, precise messages, waves of instructions, scenarios and instances: what is asked, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluation import MINI_PATH
from inverse_instruct.config.editing import INTENTS, KEEP_BEHAVIOR
from inverse_instruct.inference.replies import Completion
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Draft, TrainingRow, digest
from inverse_instruct.stages.bootstrap import BOOTSTRAP
from inverse_instruct.stages.clarify import CLARIFY
from inverse_instruct.stages.instances import INSTANCES
from inverse_instruct.stages.room import Source
from inverse_instruct.stages.scenarios import SCENARIOS
from inverse_instruct.stages.seeds import SEEDS
from inverse_instruct.stages.stage import Stage
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.rows import iterate_rows, read_rows, write_rows
from tests.edit_world import ROWS, Repository
from tests.playing import play_asking, play_stage, room_of
from tests.stages.spelled import NotingClient, model_of

WORDS = [f"{first}{second}" for first in "bcdfghklmnprst" for second in ("alo", "emi", "ivu", "oka", "unde")]


def draft(name: str, **fields: Any) -> Draft:
    known: dict[str, Any] = {
        "id": digest(name), "parents": [], "task": "given", "instruction": f"Change {name} for good.", "input": "",
        "response": "", "language": "python", "k": 0, "seed": 0, "model": "", "prompt": "", "detail": "",
    }  # fmt: skip
    return Draft(**known | fields)


def code(number: int, body: str = "return total") -> str:
    """Return a function unlike those of other numbers."""
    draw = random.Random(number)
    name, *words = draw.sample(WORDS, 12)
    return (
        f"def {name}(n: int):\n" + "".join(f"    {word} = n + {draw.randrange(99)}\n" for word in words) + f"    {body}"
    )


SEED = draft("seed", input=code(1, "return n"), response=code(1, "return n + 1"), detail="A shop: tea")
COMMIT = draft("commit", task="commit", input=code(2, "return n"), response=code(2, "return n + 2"), detail="Why")
SEEDS_ = [SEED, COMMIT, *(draft(f"the {WORDS[n]} {WORDS[n + 9]}", detail=f"Case {n}") for n in range(12))]


def play(
    stage: Stage,
    folder: Path,
    inputs: dict[str, Source],
    client: NotingClient,
    max_model_len: int = 100_000,
    **sections: Any,
) -> tuple[Manifest, list[Draft], list[dict[str, Any]]]:
    """Return the manifest, the rows and the rejections."""
    room = room_of(stage, folder, inputs, asked=model_of(client, max_model_len), **sections)
    [manifest] = asyncio.run(play_asking(room))
    assert stage.writes
    rows = list(iterate_rows(folder / stage.writes.file, Draft))
    rejections = read_rows(folder / "rejections.parquet")
    assert manifest.rows_in == len(rows) + len(rejections)
    return manifest, rows, rejections


# -- seeds -------------------------------------------------------------------------------------------------------------


def test_seeds_of_files_and_repositories_and_why_others_are_none(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        *ROWS,
        ROWS[0],
        {"instruction": "Do it."},
        {"instruction": "", "input": "", "output": ""},
    ]
    rows.append({"instruction": "Do it.", "input": "let x = 1", "output": "let x = 2", "language": "javascript"})
    write_rows(tmp_path / "edits.jsonl", rows)
    repository = Repository(tmp_path / "project")
    made = repository.change("Add up prices with the built-in function", "result + price", "price + result")
    repository.change("wip", "0.2", "0.3")
    section = {"files": [str(tmp_path / "edits.jsonl")], "repositories": [str(repository.folder)]}
    manifest = play_stage(SEEDS, tmp_path / "out", number=0, seeds=section)
    seeds = list(iterate_rows(tmp_path / "out/seeds.parquet", Draft))
    assert [(seed.task, seed.detail) for seed in seeds] == [
        *((row["intent"], row["scenario"]) for row in ROWS),
        ("commit", ""),
    ]
    assert manifest.rejected == {
        "near_duplicate": 1, "malformed": 1, "says_nothing": 2, "unsupported_language": 1, "several_files": 1,
    }  # fmt: skip
    original = list(iterate_rows(tmp_path / "out/original.parquet", TrainingRow))
    assert [(row.source, row.line) for row in original] == [
        ("edits.jsonl", 1),
        ("edits.jsonl", 2),
        ("project/shop.py", 6),
    ]
    assert [row.candidate_id for row in original] == [seed.id for seed in seeds] and original[2].row_id == made
    assert original[0].instruction.startswith(ROWS[0]["instruction"]) and ROWS[0]["input"] in original[0].instruction
    assert ROWS[0]["output"] in original[0].response


def test_seeds_that_hold_a_benchmark_are_left_out(tmp_path: Path) -> None:
    problem = json.loads(MINI_PATH.read_text().splitlines()[0])
    row = {"instruction": problem["prompt"], "input": "x = 1\ny = 1", "output": "x = 1\ny = 2"}
    write_rows(tmp_path / "edits.jsonl", [ROWS[0], row])
    section = {"files": [str(tmp_path / "edits.jsonl")]}
    manifest = play_stage(SEEDS, tmp_path / "out", number=0, seeds=section, preprocess={"benchmarks": ["mini"]})
    assert manifest.rejected == {"contaminated": 1} and manifest.rows_out == 1


# -- precise messages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reply", "kept"), [
    ("Return n + 2 in place of n.", True), ("I'm sorry, but I cannot help with that.", False), ("Yes.", False),
    ("word " * 101, False), ("", False),
])  # fmt: skip
def test_messages_are_made_precise_or_stay(tmp_path: Path, reply: str, kept: bool) -> None:
    client = NotingClient(lambda prompt, seed: reply)
    manifest, rows, _ = play(CLARIFY, tmp_path, {"seeds": [SEED, COMMIT]}, client)
    [(asked, _)] = client.asked
    assert COMMIT.input in asked and COMMIT.response in asked and "Why" in asked and COMMIT.instruction in asked
    assert rows[0] == SEED, "what a person has worded stays"
    if kept:
        assert (
            rows[1].instruction == reply and rows[1].parents == [COMMIT.id] and rows[1].model == "digest-of-the-model"
        )
        assert (rows[1].input, rows[1].response, manifest.metrics["clarified"]) == (COMMIT.input, COMMIT.response, 1)
    else:
        assert rows[1] == COMMIT and sum(manifest.metrics["not_clarified"].values()) == 1


def test_without_it_nobody_is_asked(tmp_path: Path) -> None:
    client = NotingClient()
    _, rows, _ = play(CLARIFY, tmp_path, {"seeds": [SEED, COMMIT]}, client, clarify={"enabled": False})
    assert rows == [SEED, COMMIT] and not client.asked


# -- instructions ----------------------------------------------------------------------------------------------------


def list_of(prompt: str, seed: int) -> str:
    draw = random.Random(seed)
    return "\n99. ".join(" " + " ".join(draw.sample(WORDS, 9)) for _ in range(3))


def bootstrap(
    folder: Path, write: Callable[[str, int], str] = list_of, earlier: Sequence[Draft] = (), **section: Any
) -> tuple[Manifest, list[Draft], list[dict[str, Any]], NotingClient]:
    client = NotingClient(write)
    inputs: dict[str, Source] = {"seeds": SEEDS_, "earlier": earlier}
    return *play(BOOTSTRAP, folder, inputs, client, bootstrap={"wave": 4} | section), client


def test_questions_show_seven_seeds_and_one_generated_and_name_intents_in_turn(tmp_path: Path) -> None:
    _, rows, _, client = bootstrap(tmp_path, instructions=1000, prompts=30)
    known = {seed.instruction for seed in SEEDS_}
    orders = []
    for number, (asked, _) in enumerate(client.asked):
        items = re.findall(r"^(\d+)\. (.+)$", asked, re.MULTILINE)
        assert [int(n) for n, _ in items] == list(range(1, len(items) + 1))
        seeds = [text for _, text in items if text in known]
        assert len(seeds) == 7 and len(items) - 7 == (number >= 4), "in the first wave nothing is generated yet"
        assert f"of this kind: {INTENTS[number % 26]}." in asked
        assert asked.endswith(f"\n{len(items) + 1}.")
        orders.append([text in known for _, text in items].index(False) if number >= 4 else None)
    assert len(set(orders)) > 3, "they are shuffled"
    assert len(rows) == 90 and [row.task for row in rows[::3]] == [INTENTS[n % 26] for n in range(30)]


def test_the_pool_of_a_wave_is_what_was_accepted_before_it(tmp_path: Path) -> None:
    _, rows, _, client = bootstrap(tmp_path, instructions=1000, prompts=12, wave=4)
    at = {row.instruction: number // 12 for number, row in enumerate(rows)}
    for number, (asked, _) in enumerate(client.asked):
        shown = [text for text in re.findall(r"^\d+\. (.+)$", asked, re.MULTILINE) if text in at]
        assert all(at[text] < number // 4 for text in shown)


def test_it_ends_with_the_wave_that_has_enough(tmp_path: Path) -> None:
    manifest, rows, _, _ = bootstrap(tmp_path, instructions=10, prompts=100)
    assert len(rows) == 12 and manifest.metrics["prompts"] == 4
    manifest, rows, _, _ = bootstrap(tmp_path / "other", instructions=10, prompts=2)
    assert len(rows) == 6 and manifest.metrics["prompts"] == 2


@pytest.mark.parametrize(("item", "reason"), [
    (SEED.instruction, "near_duplicate"), (f"{SEED.instruction} Now!", "near_duplicate"), ("Do it", "says_nothing"),
    ("As an AI language model, I cannot do that.", "refusal"), ("word " * 101, "too_long"), ("", "bad_reply"),
    ("Исправь ошибку в этой функции", None), ("Rename what the parser gives back to tokens.", None),
])  # fmt: skip
def test_items_are_accepted_or_have_a_reason(tmp_path: Path, item: str, reason: str | None) -> None:
    manifest, rows, rejections, _ = bootstrap(tmp_path, lambda prompt, seed: f" {item}" if item else "", prompts=1)
    assert (len(rows), manifest.rejected) == ((1, {}) if reason is None else (0, {reason: 1}))


def test_an_instruction_without_latin_letters_is_accepted_once(tmp_path: Path) -> None:
    manifest, rows, _, _ = bootstrap(tmp_path, lambda prompt, seed: " Исправь ошибку в этой функции", prompts=8)
    assert len(rows) == 1 and manifest.rejected == {"exact_duplicate": 7}


def test_instructions_of_earlier_rounds_are_known_and_shown(tmp_path: Path) -> None:
    _, first, _, _ = bootstrap(tmp_path / "one", instructions=3, prompts=4)
    manifest, rows, _, client = bootstrap(tmp_path / "two", earlier=first, instructions=3, prompts=4)
    assert not rows and manifest.rejected == {"exact_duplicate": 12}
    assert any(draft.instruction in asked for draft in first for asked, _ in client.asked[:4])


class CutOff(NotingClient):
    """Every reply runs into the limit."""

    async def complete(self, prompt: list[int], sampling: Sampling, seed: int | None = None) -> Completion:
        return replace(await super().complete(prompt, sampling, seed), finish_reason="length")


def test_the_last_item_of_a_reply_that_was_cut_off_is_no_instruction(tmp_path: Path) -> None:
    inputs: dict[str, Source] = {"seeds": SEEDS_, "earlier": []}
    section = {"prompts": 2, "wave": 2}
    manifest, rows, _ = play(BOOTSTRAP, tmp_path, inputs, CutOff(list_of), bootstrap=section)
    assert len(rows) == 4 and manifest.rejected == {"cut_off": 2}


# -- scenarios ---------------------------------------------------------------------------------------------------------


def scenarios(folder: Path, reply: str, **more: Any) -> tuple[list[Draft], list[dict[str, Any]], NotingClient]:
    client = NotingClient(lambda prompt, seed: reply)
    inputs: dict[str, Source] = {"instructions": [draft("it", task="fix bugs")], "seeds": SEEDS_}
    _, rows, rejections = play(SCENARIOS, folder, inputs, client, **more)
    return rows, rejections, client


def test_a_scenario_is_taken_whole(tmp_path: Path) -> None:
    whole = {"A shop: it sells tea: black, green", "A bank, with (many) branches"}
    reply = " A shop: it sells tea: black, green\n2. A bank, with (many) branches"
    found = {scenarios(tmp_path / str(seed), reply, seed=seed)[0][0].detail for seed in range(8)}
    assert found == whole, "one is drawn, by the seed"


@pytest.mark.parametrize(("reply", "reason"), [
    ("", "bad_reply"), (" \n2. ", "bad_reply"), (" I'm sorry, but I cannot help with that.", "refusal"),
    (f" {'word ' * 70}", "bad_reply"),
])  # fmt: skip
def test_an_empty_scenario_does_not_go_on(tmp_path: Path, reply: str, reason: str) -> None:
    rows, rejections, _ = scenarios(tmp_path, reply)
    assert not rows and [rejection["reason"] for rejection in rejections] == [reason]


def test_scenarios_of_seeds_are_shown_and_messages_of_commits_are_not(tmp_path: Path) -> None:
    _, _, client = scenarios(tmp_path, " A shop", scenarios={"shots": 20})
    [(asked, _)] = client.asked
    assert SEED.detail in asked and "Why" not in asked and asked.count("Task: ") == 14


# -- instances ---------------------------------------------------------------------------------------------------------


def edit(number: int, before: str = "return n", after: str = "return n + 0") -> str:
    """Return a reply behind its forced beginning."""
    return f"{code(number, before)}\n```\nOutput:\n```python\n{code(number, after)}\n```"


def instances(
    folder: Path,
    write: Callable[[str, int], str],
    wanted: Sequence[Draft] = (draft("it", detail="A shop"),),
    seeds: Sequence[Draft] = (),
    earlier: Sequence[Draft] = (),
    logprobs: Callable[[str], list[float]] = lambda prompt: [-1.0, -2.0],
    max_model_len: int = 100_000,
    **section: Any,
) -> tuple[Manifest, list[Draft], list[dict[str, Any]], NotingClient]:
    client = NotingClient(write, logprobs)
    inputs: dict[str, Source] = {"scenarios": wanted, "seeds": seeds, "earlier": earlier}
    return *play(INSTANCES, folder, inputs, client, max_model_len, instances=section), client


def test_the_best_of_several_comes_first_and_all_are_scored(tmp_path: Path) -> None:
    def judge(prompt: str) -> list[float]:
        return [-0.1 if code(2, "return n") in prompt else -2.0, -1.0]

    numbers = iter((1, 2, 3))
    manifest, rows, _, client = instances(
        tmp_path, lambda prompt, seed: edit(next(numbers)), logprobs=judge, samples=3, temperature=0.5
    )
    assert (manifest.metrics["mean_n_diff"], manifest.metrics["mean_r_diff"]) == (2, 2 / 14)
    assert [row.input for row in rows][0] == code(2, "return n") and len(rows) == 3
    assert rows[0].lm_score and rows[1].lm_score and rows[0].lm_score > rows[1].lm_score == rows[2].lm_score
    assert {tuple(row.parents) for row in rows} == {(draft("it").id,)}, "they compete for one instruction"
    assert len({seed for _, seed in client.asked}) == 3
    [(prompts, _)] = client.judged
    assert len(prompts) == 3 and all(draft("it").instruction in prompt for prompt in prompts)


def test_of_near_duplicates_the_better_one_is_kept(tmp_path: Path) -> None:
    replies = iter((edit(1, after="return n + 0"), edit(1, after="return 0 + n")))
    _, rows, rejections, _ = instances(
        tmp_path,
        lambda prompt, seed: next(replies),
        logprobs=lambda prompt: [-0.1 if "return 0 + n" in prompt else -2.0, -1.0],
        samples=2,
        temperature=0.5,
    )
    assert [row.response for row in rows] == [code(1, "return 0 + n")]
    assert [rejection["reason"] for rejection in rejections] == ["near_duplicate"]


@pytest.mark.parametrize("known", ["seeds", "earlier"])
def test_copies_of_seeds_and_of_earlier_rounds_are_left_out(tmp_path: Path, known: str) -> None:
    old = draft("old", input=code(1, "return n"), response=code(7, "return n"))
    more: dict[str, Any] = {known: [old]}
    manifest, rows, _, _ = instances(tmp_path, lambda prompt, seed: edit(1), **more)
    assert not rows and manifest.rejected == {"near_duplicate": 1}


@pytest.mark.parametrize(("reply", "reason"), [
    (code(1), "bad_reply"), (edit(1, after="return n"), "unchanged"), (edit(1, after="return ("), "syntax_error"),
    ("x = 1\n```\nOutput:\n```python\ny = 2\n```", "edit_ratio"), ("\n```\nOutput:\n```python\ny = 2\n```", "empty"),
    (f"{code(1)}\n```\nI'm sorry, but I cannot do that.", "refusal"),
    (f"{edit(1)}\nI apologize, this is not what you asked for.", "refusal"),
])  # fmt: skip
def test_replies_that_are_no_edit_have_a_reason(tmp_path: Path, reply: str, reason: str) -> None:
    manifest, rows, _, client = instances(tmp_path, lambda prompt, seed: reply)
    assert not rows and manifest.rejected == {reason: 1} and not client.judged


@pytest.mark.parametrize(("task", "after", "reason", "state"), [
    (KEEP_BEHAVIOR[0], "return n + 0", None, "equal"),
    (KEEP_BEHAVIOR[0], "return n + 1", "changes_behavior", "different"),
    ("add a feature", "return n + 1", None, None), (KEEP_BEHAVIOR[3], "return -(-n)", None, "equal"),
])  # fmt: skip
def test_intents_that_keep_the_behavior_are_run(
    tmp_path: Path, task: str, after: str, reason: str | None, state: str | None
) -> None:
    wanted = [draft("it", task=task, detail="A shop")]
    manifest, rows, _, _ = instances(tmp_path, lambda prompt, seed: edit(1, after=after), wanted)
    assert manifest.rejected == ({} if reason is None else {reason: 1}) and len(rows) == (reason is None)
    assert {name: count for name, count in manifest.metrics["behavior"].items() if count} == (
        {state: 1} if state else {}
    )
    assert all(row.detail.startswith("A shop") and ("behavior equal" in row.detail) == bool(state) for row in rows)


def test_examples_are_dropped_until_the_task_fits_and_the_task_never_is(tmp_path: Path) -> None:
    shown = []
    for room in (9000, 3600, 3000, 2400, 1900, 1400):
        _, _, rejections, client = instances(
            tmp_path / str(room), lambda prompt, seed: edit(9), seeds=[SEED, COMMIT], max_model_len=room,
            shots=4, max_new_tokens=1000,
        )  # fmt: skip
        if client.asked:
            [(asked, _)] = client.asked
            assert draft("it").instruction in asked and "Situation: A shop\n" in asked and len(asked) <= room - 1000
            shown.append((SEED.input in asked) + (COMMIT.input in asked))
        else:
            assert [rejection["reason"] for rejection in rejections] == ["too_long"]
            shown.append(-1)
    assert shown[0] == 2 and shown[-1] == -1 and sorted(shown, reverse=True) == shown and {0, 1} & set(shown)


def test_seeds_whose_messages_were_made_precise_are_edits_of_the_round(tmp_path: Path) -> None:
    precise = replace(COMMIT, id="c", parents=[COMMIT.id], model="digest-of-the-model", detail="")
    manifest, rows, _, client = instances(tmp_path, lambda prompt, seed: edit(9), seeds=[SEED, precise])
    assert [row.id for row in rows][0] == "c" and rows[0].lm_score and len(rows) == 2 == manifest.rows_in
    assert len(client.asked) == 1


def test_samples_need_a_temperature() -> None:
    from pydantic import ValidationError

    from inverse_instruct.config.editing import InstancesSection

    with pytest.raises(ValidationError, match="raise the temperature"):
        InstancesSection(samples=2)
