"""The example database is bounded, deduplicated and fair, and draws whole cases."""

from __future__ import annotations

import random
from pathlib import Path

from inverse_instruct.stages.generate import GENERATE
from inverse_instruct.stages.tasks.cases import Cases
from tests.playing import room_of


def cases(folder: Path, size: int, names: list[str], seed: int = 0, number: int = 1) -> Cases:
    found = Cases(room_of(GENERATE, folder, seed=seed, number=number), size)
    for name in names:
        found.add("repair", name, f"text of {name}", good=True)
    return found


NAMES = [f"Mend function {number}" for number in range(200)]


def test_it_is_bounded_and_no_instruction_is_in_it_twice(tmp_path: Path) -> None:
    assert len(cases(tmp_path, 10, NAMES)) == 10
    assert len(cases(tmp_path, 10, ["Mend it.", "mend  IT.", "Mend that."])) == 2


def test_what_is_kept_is_a_fair_sample_whatever_came_first(tmp_path: Path) -> None:
    kept = set(cases(tmp_path, 50, NAMES).draw("repair", 50, good=True))
    shuffled = random.Random(3).sample(NAMES, len(NAMES))
    assert kept == set(cases(tmp_path, 50, shuffled).draw("repair", 50, good=True))
    early = sum(f"text of {name}" in kept for name in NAMES[:100])
    assert 15 <= early <= 35, "neither the first nor the last"


def test_whole_cases_are_drawn_by_what_they_are_drawn_for(tmp_path: Path) -> None:
    found = cases(tmp_path, 100, NAMES)
    draws = {found.draw("repair", 1, "snippet", number, good=True)[0] for number in range(30)}
    assert len(draws) > 10 and draws <= {f"text of {name}" for name in NAMES}
    assert found.draw("repair", 3, "s", good=True) == cases(tmp_path, 100, NAMES).draw("repair", 3, "s", good=True)
    assert found.draw("repair", 3, "s", good=True) != cases(tmp_path, 100, NAMES, seed=1).draw(
        "repair", 3, "s", good=True
    )


def test_kinds_and_tasks_are_kept_apart(tmp_path: Path) -> None:
    found = cases(tmp_path, 5, NAMES[:3])
    found.add("repair", "Mend badly", "bad one", good=False)
    assert found.draw("repair", 9, good=False) == ["bad one"]
    assert len(found.draw("repair", 9, good=True)) == 3
    assert found.draw("generation", 9, good=True) == []
