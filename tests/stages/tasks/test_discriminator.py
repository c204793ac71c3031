"""Verdicts are read by the word that an answer begins with, and by nothing else."""

from __future__ import annotations

import pytest

from inverse_instruct.stages.tasks.discriminator import read_analysis
from inverse_instruct.stages.tasks.form import Unfit


def reply(overall: str, step: str = "yes, it does") -> str:
    steps = "\n".join(f"Step {number}: {step}" for number in range(1, 6))
    return f"{steps}\nOverall: {overall}"


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("yes", True),
        ("Yes.", True),
        ("**Yes**, there is no mistake", True),
        ("yes - not a bad one, no doubt", True),
        ("no", False),
        ("No, though yes was near", False),
        ("NO: nothing works", False),
        ('"no"', False),
    ],
)
def test_the_first_word_decides(text: str, yes: bool) -> None:
    assert read_analysis(reply(text)).overall.yes is yes
    assert [answer.yes for answer in read_analysis(reply("yes", text)).steps] == [yes] * 5


@pytest.mark.parametrize(
    "text",
    ["", "maybe", "not sure", "nope", "yes/no", "yes or no", "Yes and no.", "yesterday", "I say no", "1", "no-one"],
)
def test_what_is_neither_yes_nor_no_decides_nothing(text: str) -> None:
    for whole in (reply(text), reply("yes", text)):
        with pytest.raises(Unfit) as refused:
            read_analysis(whole)
        assert refused.value.reason == "bad_form" and "discriminator" in refused.value.detail


@pytest.mark.parametrize(
    "text", ["yes", reply("yes").replace("Step 3", "Step 9"), reply("yes") + "\nOverall: no", "Overall: yes"]
)
def test_all_steps_are_there_once(text: str) -> None:
    with pytest.raises(Unfit):
        read_analysis(text)


def test_reasons_are_kept_and_those_against_are_told() -> None:
    text = reply("no, it is wrong").replace("Step 2: yes, it does", "Step 2: no, it sorts nothing")
    analysis = read_analysis(text)
    assert analysis.steps[0].reason == "it does" and analysis.steps[1].reason == "it sorts nothing"
    assert analysis.text() == "it sorts nothing it is wrong"
    assert read_analysis(reply("no")).text()
