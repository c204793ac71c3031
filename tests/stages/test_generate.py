"""Rows of four tasks: what is asked, what becomes of each reply, and that waves, kills and luck change nothing."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from inverse_instruct.config.sections import RunConfig
from inverse_instruct.config.tasks import GenerateSection, SharesSection
from inverse_instruct.inference.replies import Completion
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Draft, Snippet, digest
from inverse_instruct.stages.generate import GENERATE
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.rows import iterate_rows, read_rows
from tests.playing import play_asking, room_of
from tests.recipes.fake_replies import analysis, four_keys
from tests.stages.spelled import NotingClient, model_of

SNIPPETS = [
    Snippet(f"s{number:03}", f"def scale(x):\n    return x * {number} + {number}", "python", "", f"r{number}", "c", 1)
    for number in range(40)
]
ONLY = {"generation": 0, "summarization": 0, "repair": 0, "translation": 0}


def number_of(prompt: str) -> int:
    return int(re.findall(r"return x \* (\d+)", prompt)[-1])


def reply(prompt: str, seed: int) -> str:
    """Write good rows, and find every row good."""
    if prompt.endswith("Task name:"):
        return four_keys(prompt, number_of(prompt))
    return analysis(prompt, 1)


def play(
    folder: Path,
    write: Callable[[str, int], str] = reply,
    snippets: list[Snippet] = SNIPPETS,
    client: NotingClient | None = None,
    max_model_len: int = 100_000,
    inference: dict[str, Any] | None = None,
    **section: Any,
) -> tuple[Manifest, list[Draft], dict[str, dict[str, Any]]]:
    """Return the manifest, the drafts, and the rejections by snippet."""
    room = room_of(
        GENERATE,
        folder,
        {"snippets": snippets},
        asked=model_of(client or NotingClient(write), max_model_len),
        generate={"wave": 8, "targets": ["python", "javascript"], "execute": False} | section,
        inference=inference or {},
    )
    [manifest] = asyncio.run(play_asking(room))
    assert manifest.rows_in == len(snippets)
    rejected = {row["row_id"].split("/")[0]: row for row in read_rows(folder / "rejections.parquet")}
    return manifest, list(iterate_rows(folder / "drafts.parquet", Draft)), rejected


def test_a_good_row_is_a_draft_with_its_way_back_and_its_analysis(tmp_path: Path) -> None:
    manifest, drafts, rejected = play(tmp_path, shares=ONLY | {"repair": 1}, snippets=SNIPPETS[3:4])
    [draft] = drafts
    assert not rejected and manifest.metrics["tasks"] == {"repair": 1}
    assert (draft.parents, draft.task, draft.language, draft.k) == (["s003"], "repair", "python", 0)
    assert draft.instruction == "Do the repair of Python code about 3."
    assert draft.input == "```python\ndef scale(x):\n    return x * 3 + 3 - 1\n```"
    assert draft.response == "```python\ndef scale(x):\n    return x * 3 + 3\n```"
    detail = json.loads(draft.detail)
    assert len(detail["steps"]) == 5 and detail["steps"][1] == {"yes": True, "reason": "no doubt about 1."}
    assert detail["overall"]["yes"] is True


@pytest.mark.parametrize("task", ONLY)
def test_each_task_has_its_sides(tmp_path: Path, task: str) -> None:
    _, drafts, rejected = play(tmp_path, shares=ONLY | {task: 1}, snippets=SNIPPETS[:8])
    assert len(drafts) == 8 and not rejected
    assert {draft.task for draft in drafts} == {task}
    assert all(draft.input.startswith("```python") == (task != "generation") for draft in drafts)
    language = "javascript" if task == "translation" else "python"
    assert all(draft.language == language for draft in drafts)
    assert all(draft.response.startswith(f"```{language}") == (task != "summarization") for draft in drafts)


def test_the_shares_are_those_of_the_config_within_two_points(tmp_path: Path) -> None:
    snippets = [Snippet(f"x{n}", SNIPPETS[0].code.replace("0", str(n)), "python", "", "", "", 0) for n in range(300)]
    luck = {"generation": 9, "summarization": 10, "repair": 6, "translation": 7}

    def write(prompt: str, seed: int) -> str:
        if prompt.endswith("Task name:"):
            return reply(prompt, seed)
        task = re.findall(r"Task name: (\w+)", prompt)[-1]
        return analysis(prompt, 1 if seed % 10 < luck[task] else 0)

    for name, writer in (("all", reply), ("some", write)):
        manifest, drafts, _ = play(tmp_path / name, writer, snippets, wave=16)
        found = Counter(draft.task for draft in drafts)
        assert len(drafts) == 300 if name == "all" else 190 < len(drafts) < 290
        for task, share in SharesSection().model_dump().items():
            assert abs(100 * found[task] / len(drafts) - share) < 2
        assert manifest.metrics["tasks"] == found


BLOCK = "```python\nx = {}\n```"
GOOD = {
    "Task name": "repair",
    "Instruction": "Mend the Python code.",
    "Information": BLOCK.format("0"),
    "Solution": BLOCK.format("1"),
}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"Task name": "generation"}, "bad_form"),
        ({"Instruction": "Mend it. Then test it. Then ship it."}, "bad_form"),
        ({"Instruction": f"Mend this Python code.\n{BLOCK}"}, "bad_form"),
        ({"Instruction": "Mend it."}, "empty"),
        ({"Instruction": "Mend the Python code.\nInstruction: Mend it now, please."}, "bad_form"),
        ({"Information": "none"}, "bad_form"),
        ({"Information": f"One. Two. Three.\n{BLOCK}"}, "bad_form"),
        ({"Information": f"It fails for 1. See below.\n{BLOCK.format(0)}"}, None),
        ({"Information": "```python\nx = (\n```"}, "syntax_error"),
        ({"Information": "```java\nint x = 0;\n```"}, "bad_form"),
        ({"Solution": f"Here it is:\n{BLOCK}"}, "bad_form"),
        ({"Solution": f"{BLOCK}\nI hope this helps."}, "bad_form"),
        ({"Solution": f"{BLOCK}\n{BLOCK}"}, "bad_form"),
        ({"Solution": "```python\nx = 1"}, "bad_form"),
        ({"Solution": "```python\ndef f(:\n```"}, "syntax_error"),
        ({"Solution": "```python\nx =  0\n```"}, "unchanged"),
        ({"Solution": "x = 1"}, "bad_form"),
    ],
)
def test_replies_with_four_keys_are_read_strictly(tmp_path: Path, changes: dict[str, str], reason: str | None) -> None:
    text = "\n".join(f"{key}: {value}" for key, value in (GOOD | changes).items()).removeprefix("Task name:")

    def write(prompt: str, seed: int) -> str:
        return text if prompt.endswith("Task name:") else analysis(prompt, 1)

    _, drafts, rejected = play(tmp_path, write, SNIPPETS[:1], shares=ONLY | {"repair": 1})
    assert len(drafts) == (reason is None)
    if reason:
        assert rejected["s000"]["reason"] == reason and rejected["s000"]["detail"]


@pytest.mark.parametrize(
    ("task", "solution", "reason"),
    [
        ("summarization", "It adds one to x, then returns it.", None),
        ("summarization", f"It does this:\n{BLOCK}", "leaks_code"),
        ("summarization", "It adds.", "empty"),
        ("translation", "```javascript\nlet x = 1;\n```", None),
        ("translation", BLOCK, "bad_form"),
        ("translation", "```\nlet x = 1;\n```", None),
    ],
)
def test_solutions_are_of_the_kind_that_the_task_has(
    tmp_path: Path, task: str, solution: str, reason: str | None
) -> None:
    keys = GOOD | {"Task name": task, "Solution": solution}
    text = "\n".join(f"{key}: {value}" for key, value in keys.items()).removeprefix("Task name:")

    def write(prompt: str, seed: int) -> str:
        return text if prompt.endswith("Task name:") else analysis(prompt, 1)

    _, drafts, rejected = play(tmp_path, write, SNIPPETS[:1], shares=ONLY | {task: 1})
    assert (rejected["s000"]["reason"] if rejected else None) == reason and len(drafts) == (reason is None)


# -- the discriminator and the cases -----------------------------------------------------------------------------------


def planted(prompt: str, seed: int) -> str:
    """Write a bad row for every fourth snippet; say no to these rows, in the word that each answer begins with."""
    if prompt.endswith("Task name:"):
        text = reply(prompt, seed)
        return text.replace("Do the", "Do the WRONG thing in the") if number_of(prompt) % 4 == 0 else text
    row = prompt[prompt.rindex("This is the row to examine") :]
    if "WRONG" in row:
        return analysis(prompt, 1).replace("Step 2: yes", "Step 2: no").replace("Overall: yes", "Overall: no")
    return analysis(prompt, 1).replace("all in all", "no flaw, no gap, nothing wrong")


def test_planted_bad_rows_are_said_no_to_and_none_of_the_others(tmp_path: Path) -> None:
    _, drafts, rejected = play(tmp_path, planted)
    bad = {f"s{number:03}" for number in range(0, 40, 4)}
    assert rejected.keys() == bad and {row["reason"] for row in rejected.values()} == {"judged_bad"}
    assert {draft.parents[0] for draft in drafts} == {snippet.id for snippet in SNIPPETS} - bad
    detail = json.loads(next(iter(rejected.values()))["detail"])
    assert detail["steps"][1]["yes"] is False and detail["overall"]["yes"] is False


def test_good_and_bad_cases_are_shown_to_both_once_there_are_some(tmp_path: Path) -> None:
    client = NotingClient(planted)
    play(tmp_path, client=client, examples=2, shares=ONLY | {"generation": 1})
    prompts = [prompt for prompt, _ in client.asked]
    first, last = prompts[:16], prompts[-16:]
    assert not any("These rows are" in prompt for prompt in first), "the first wave has no cases"
    for prompt in last:
        good, bad = prompt.split("These rows are good:")[1].split("These rows are bad, for the reasons that are given:")
        shown = bad.split("Take this" if prompt.endswith("Task name:") else "This is the row")[0]
        assert good.count("Task name: generation") == 2 and "WRONG" not in good
        assert shown.count("What is wrong with it: no doubt about 1. all in all.") == 2 == shown.count("WRONG")


def test_cases_that_leave_no_room_are_left_out_and_the_task_is_not(tmp_path: Path) -> None:
    bare, client = NotingClient(planted), NotingClient(planted)
    play(tmp_path / "bare", client=bare, shares=ONLY | {"generation": 1}, examples=0)
    longest = max(len(prompt) for prompt, _ in bare.asked) + 20
    _, drafts, rejected = play(
        tmp_path, client=client, shares=ONLY | {"generation": 1}, max_model_len=longest, max_new_tokens=20
    )
    assert drafts and {row["reason"] for row in rejected.values()} == {"judged_bad"}
    assert all(len(prompt) <= longest - 20 for prompt, _ in client.asked)
    assert not any("These rows are" in prompt for prompt, _ in client.asked)


def test_a_prompt_without_room_is_rejected_before_it_is_asked(tmp_path: Path) -> None:
    client = NotingClient(planted)
    _, _, rejected = play(tmp_path, client=client, max_model_len=500)
    assert {row["reason"] for row in rejected.values()} == {"too_long"} and not client.asked
    _, _, rejected = play(tmp_path / "other", client=client, max_snippet_tokens=10)
    assert {row["reason"] for row in rejected.values()} == {"too_long"} and not client.asked


def test_a_reply_without_a_verdict_is_counted_and_no_case(tmp_path: Path) -> None:
    def write(prompt: str, seed: int) -> str:
        return reply(prompt, seed) if prompt.endswith("Task name:") else " yes.\nOverall: not sure"

    manifest, drafts, rejected = play(tmp_path, write)
    assert not drafts and {row["reason"] for row in rejected.values()} == {"bad_form"}
    assert manifest.metrics["cases"] == 0


def test_another_attempt_has_another_seed_and_may_be_good(tmp_path: Path) -> None:
    def write(prompt: str, seed: int) -> str:
        return reply(prompt, seed) if seed % 3 else "nonsense"

    once = play(tmp_path / "once", write)[1]
    thrice = play(tmp_path / "thrice", write, attempts=3)[1]
    assert len(once) < len(thrice)
    assert {draft.k for draft in thrice} >= {0, 1}


def test_the_same_row_is_kept_once(tmp_path: Path) -> None:
    def write(prompt: str, seed: int) -> str:
        return four_keys(prompt, 7) if prompt.endswith("Task name:") else analysis(prompt, 1)

    _, drafts, rejected = play(tmp_path, write, shares=ONLY | {"generation": 1})
    assert len(drafts) == 1 and {row["reason"] for row in rejected.values()} == {"exact_duplicate"}


def framed(prompt: str, seed: int) -> str:
    """Go on with what stands there, as a model would that keeps to no form."""
    beginning = prompt.rsplit("\n\n", 1)[1] if "```" not in prompt[-20:] else prompt[-14:]
    if beginning.endswith("```python\n"):
        return f"def scale(x):\n    return x - {number_of(prompt)}\n"
    if beginning.endswith("```javascript\n"):
        return "function scale(x) { return x; }\n"
    return f" does number {re.findall(r'[0-9]+', prompt)[-1]} for us."


# -- order, concurrency, kills ---------------------------------------------------------------------------------------


class SlowClient(NotingClient):
    """Answers some questions later than others; dies after so many."""

    def __init__(self, luck: int, lives: int | None = None) -> None:
        super().__init__(lambda prompt, seed: "")
        self._luck, self.lives, self.replies = random.Random(luck), lives, 0

    async def complete(self, prompt: list[int], sampling: Sampling, seed: int | None = None) -> Completion:
        text = "".join(map(chr, prompt))
        await asyncio.sleep(self._luck.random() / 300)
        if self.lives is not None and self.replies >= self.lives:
            raise KeyboardInterrupt
        self.replies += 1
        number = int(digest(text, seed), 16)
        if text.endswith("Task name:"):
            said = four_keys(text, number)
        else:
            said = analysis(text, number) if text.endswith("Step 1:") else framed(text, number)
        return Completion(said, "stop", len(prompt), 1)


def rows(folder: Path) -> tuple[Any, ...]:
    return tuple(read_rows(folder / name) for name in ("drafts.parquet", "rejections.parquet"))


@pytest.mark.parametrize(("concurrency", "luck"), [(1, 0), (3, 1), (64, 2)])
def test_concurrency_and_luck_change_nothing(tmp_path: Path, concurrency: int, luck: int) -> None:
    play(tmp_path / "a", client=SlowClient(7))
    other = SlowClient(luck)
    other.concurrency = concurrency
    play(tmp_path / "b", client=other)
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    assert rows(tmp_path / "a")[0]


@pytest.mark.parametrize(("way", "rows_asked"), [("block", 12), ("frame", 4)])
def test_a_kill_after_every_reply_changes_nothing_and_asks_nothing_twice(
    tmp_path: Path, way: str, rows_asked: int
) -> None:
    section: dict[str, Any] = {"snippets": SNIPPETS[:rows_asked], "wave": 4, "reply": way}
    whole = SlowClient(0)
    play(tmp_path / "whole", client=whole, **section)
    asked = kills = 0
    while True:
        client = SlowClient(kills, lives=1)
        client.concurrency = 1
        try:
            play(tmp_path / "killed", client=client, **section)
            break
        except KeyboardInterrupt:
            kills, asked = kills + 1, asked + client.replies
    assert kills >= 20 and asked + client.replies == whole.replies
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


# -- a frame ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ONLY)
def test_a_frame_gives_the_keys_and_what_is_the_snippet_itself(tmp_path: Path, task: str) -> None:
    client = NotingClient(framed)
    _, drafts, rejected = play(tmp_path, client=client, reply="frame", shares=ONLY | {task: 1}, snippets=SNIPPETS[5:6])
    assert not rejected, rejected
    [draft] = drafts
    block = f"```python\n{SNIPPETS[5].code}\n```"
    assert (draft.input == block) == (task in ("summarization", "translation"))
    assert (draft.response == block) == (task == "repair")
    assert draft.instruction.endswith("does number 5 for us.") and "Python code" in draft.instruction
    detail = json.loads(draft.detail)
    assert detail["overall"] == {"yes": True, "reason": "because" + framed(client.asked[-1][0], 0)}
    assert draft.lm_score == pytest.approx(0.7310585786)
    assert len(client.judged) == 6 and len({seed for _, seed in client.asked}) == len(client.asked)
    assert len(client.asked) == 2 + 6, "each key that is not given, and a reason for each step"


def test_in_a_frame_what_is_more_likely_is_the_answer(tmp_path: Path) -> None:
    client = NotingClient(framed, lambda prompt: [-3.0, -1.0] if "Is this a good row" in prompt else [-1.0, -3.0])
    _, drafts, rejected = play(tmp_path, client=client, reply="frame", snippets=SNIPPETS[:4], wave=2)
    assert not drafts and {row["reason"] for row in rejected.values()} == {"judged_bad"}
    detail = json.loads(rejected["s000"]["detail"])
    assert [step["yes"] for step in detail["steps"]] == [True] * 5 and detail["overall"]["yes"] is False
    shown = [prompt for prompt, _ in client.asked if "What is wrong with it:" in prompt]
    assert shown, "bad cases are shown in a frame, too"


class CutOffClient(NotingClient):
    """Never comes to an end."""

    async def complete(self, prompt: list[int], sampling: Sampling, seed: int | None = None) -> Completion:
        found = await super().complete(prompt, sampling, seed)
        ends = "reason" not in "".join(map(chr, prompt[-40:]))
        return found if ends else Completion(found.text, "length", found.prompt_tokens, sampling.max_tokens)


def test_a_reason_may_be_cut_off_and_a_row_may_not(tmp_path: Path) -> None:
    _, drafts, rejected = play(tmp_path, client=CutOffClient(framed), reply="frame", snippets=SNIPPETS[:4])
    assert len(drafts) == 4 and not rejected

    class Endless(NotingClient):
        async def complete(self, prompt: list[int], sampling: Sampling, seed: int | None = None) -> Completion:
            return Completion(four_keys("".join(map(chr, prompt)), 1), "length", len(prompt), 9)

    _, drafts, rejected = play(tmp_path / "block", client=Endless(), snippets=SNIPPETS[:4])
    assert not drafts and {row["reason"] for row in rejected.values()} == {"cut_off"}


@pytest.mark.parametrize(("way", "write", "asked"), [("block", reply, 3), ("frame", framed, 18)])
def test_each_row_has_the_score_of_the_overall_answer(
    tmp_path: Path, way: str, write: Callable[[str, int], str], asked: int
) -> None:
    client = NotingClient(write, lambda prompt: [-0.5, -1.5])
    _, drafts, _ = play(tmp_path, client=client, reply=way, snippets=SNIPPETS[:3])
    assert drafts and all(draft.lm_score == pytest.approx(0.7310585786) for draft in drafts)
    assert len(client.judged) == asked


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"template": "/no/such.jinja"}, "generate.template: /no/such.jinja cannot be read"),
        ({"judge_template": "/no/such.jinja"}, "generate.judge_template: /no/such.jinja cannot be read"),
        ({"max_new_tokens": 4096}, "generate.max_new_tokens: 4096 tokens leave no room"),
    ],
)
def test_check_says_what_the_stage_would_refuse(section: dict[str, Any], said: str) -> None:
    world = {"name": "x", "model": {"base": "b"}, "corpus": [{"path": "c"}]}
    assert not list(GENERATE.check(RunConfig.model_validate(world)))
    [problem] = GENERATE.check(RunConfig.model_validate(world | {"generate": section}))
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"shares": ONLY}, "all shares are 0"),
        ({"targets": ["python"]}, "name two languages"),
        ({"targets": ["python", "cobol"]}, "no grammar for cobol"),
        ({"attempts": 2, "temperature": 0}, "all the same"),
        ({"shares": {"generation": -1}}, "greater than or equal to 0"),
        ({"shares": {"explanation": 1}}, "explanation"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GenerateSection.model_validate(section)
