"""Places of the pages in a real Chromium: links, reload, the back button and keys; problems, and runs compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from .made_run import HOSTILE, Open, RunWriter, dashboard

expect = pytest.importorskip("playwright.sync_api").expect


def test_a_link_to_a_row_leads_there_again(open_page: Open, address: str) -> None:
    page = open_page(address)
    rows = page.locator(".row")
    expect(rows).to_have_count(10)
    page.locator("#rows-next").click()
    expect(page.locator("#rows-page")).to_have_text("Page 2 of 5")
    rows.nth(2).locator("h3 a").click()
    expect(rows).to_have_count(1)
    expect(page.locator("#rows-count")).to_contain_text("1 snippet of 45 found.")
    expect(rows.first).to_have_attribute("aria-current", "true")
    expect(rows.first).to_contain_text("corpus.jsonl:13")
    expect(rows.first).to_be_in_viewport()
    page.reload()
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("corpus.jsonl:13")
    expect(rows.first).to_be_in_viewport()
    page.go_back()
    expect(page.locator("#rows-page")).to_have_text("Page 2 of 5")
    page.go_back()
    expect(page.locator("#rows-page")).to_have_text("Page 1 of 5")
    page.go_forward()
    page.go_forward()
    page.get_by_role("link", name="Show all rows").click()
    expect(rows).to_have_count(10)


def test_a_link_to_a_candidate_marks_it(open_page: Open, address: str) -> None:
    page = open_page(address)
    candidate = page.locator(".row").nth(3).locator(".candidates > li").nth(2)  # cut off, so it has no row of its own
    link = candidate.locator(".verdict a").get_attribute("href")
    page.goto(f"{address}{link}")
    marked = page.locator(".candidates > li[aria-current]")
    expect(marked).to_have_count(1)
    expect(marked).to_contain_text("candidate 3")
    expect(marked).to_be_in_viewport()
    page.goto(f"{address}#rows?round=1&row=nothing")
    expect(page.locator("#rows-count")).to_contain_text("0 snippets of 45 found.")


def test_what_is_looked_for_stays_in_the_address(open_page: Open, address: str) -> None:
    page = open_page(f"{address}#rows?round=1&outcome=cut_off&order=worst&search={quote('number 7,')}")
    expect(page.locator("#rows-count")).to_contain_text("1 snippet of 45 found.")
    for field, value in (("round", "1"), ("outcome", "cut_off"), ("order", "worst"), ("search", "number 7,")):
        expect(page.locator(f"#rows-{field}")).to_have_value(value)
    page.locator("#rows-search").fill("number 8,")
    expect(page.locator(".row")).to_contain_text("corpus.jsonl:9")
    assert "number+8" in page.url
    page.locator("#training-measure").focus()
    page.get_by_role("link", name="Training", exact=True).click()
    expect(page.locator(".row")).to_contain_text("corpus.jsonl:9")  # another place of the page changes nothing here


def test_keys_go_through_rows_and_pages(open_page: Open, address: str) -> None:
    page = open_page(address)
    rows, shown = page.locator(".row"), page.locator("#rows-page")
    expect(rows).to_have_count(10)
    page.keyboard.press("j")  # the focus is elsewhere: nothing happens
    page.keyboard.press("ArrowRight")
    rows.nth(0).focus()
    for key, number in (("j", 1), ("j", 2), ("k", 1), ("k", 0), ("k", 0)):
        page.keyboard.press(key)
        expect(rows.nth(number)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(shown).to_have_text("Page 1 of 5")
    page.keyboard.press("ArrowRight")
    expect(shown).to_have_text("Page 2 of 5")
    page.locator("#rows-search").fill("j")
    expect(page.locator("#rows-count")).to_contain_text("found")
    page.locator("#rows-search").press("ArrowRight")
    page.locator("#rows-search").press("k")
    expect(page.locator("#rows-search")).to_have_value("jk")


def test_a_legend_switches_lines_off_and_is_never_cut(open_page: Open, address: str) -> None:
    page = open_page(address, viewport={"width": 390, "height": 800})
    button = page.locator("#time-chart-legend button", has_text="train")
    traces = "document.getElementById('time-chart').data.filter(trace => trace.visible).map(trace => trace.name)"
    expect(button).to_have_attribute("aria-pressed", "true")
    button.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(button).to_be_focused()
    assert "train" not in page.evaluate(traces) and "evaluate" in page.evaluate(traces)
    for legend in page.locator(".legend:visible").all():
        for item in legend.locator("button").all():
            box = item.bounding_box()
            assert box and box["x"] >= 0 and box["x"] + box["width"] <= 390
    colors = "[...document.querySelectorAll('ID i')].map(item => [item.parentElement.textContent, item.style.color])"
    of_time = dict(page.evaluate(colors.replace("ID", "#time-chart-legend")))
    of_tokens = dict(page.evaluate(colors.replace("ID", "#token-chart-legend")))
    assert of_time["train"] == of_tokens["train trained"] == of_tokens["train response"]
    assert of_time["summarize"] == of_tokens["summarize prompt"] != of_time["train"]


def test_problems_are_listed_and_looked_at_round_beside_round(open_page: Open, addresses: dict[str, str]) -> None:
    page = open_page(f"{addresses['live']}problems")
    table, count = page.locator("#problems-table"), page.locator("#problems-count")
    expect(count).to_have_text("60 problems.")
    expect(table.locator("tbody tr")).to_have_count(50)
    expect(table.locator("tbody tr").nth(1)).to_contain_text("Mini/1✗ assertion✓ passed✓ passed")
    page.locator("#problems-next").click()
    expect(page.locator("#problems-page")).to_have_text("Page 2 of 2")
    expect(table.locator("tbody tr").last).to_contain_text("no answer")
    page.locator("#problems-show").select_option("changed")
    expect(count).to_have_text("2 problems of 60 found.")
    table.get_by_role("link", name="Mini/1").click()
    expect(page.locator("#problem-title")).to_have_text("mini: Mini/1")
    expect(page.locator("#problem-prompt pre").first).to_contain_text("def is_even(n: int)")
    sides = page.locator(".answers")
    expect(sides).to_have_count(2)
    sides.nth(0).locator("select").select_option("0")
    expect(sides.nth(0)).to_contain_text("✗ fails: assertion")
    expect(sides.nth(0)).to_contain_text("is_even(4)")
    expect(sides.nth(0)).to_contain_text("input 0: expected 5, got")
    expect(sides.nth(1)).to_contain_text("✓ passes all tests")
    assert page.url.endswith("#problem?suite=mini&task=Mini%2F1&round=0&round=2")
    page.reload()
    expect(sides.nth(0).locator("pre").first).to_contain_text(HOSTILE[1])
    page.go_back()
    expect(sides.nth(0).locator("select")).to_have_value("1")
    page.go_back()
    expect(count).to_have_text("2 problems of 60 found.")
    assert page.locator("main script, main img").count() == 0 and "owned" not in page.title()


def test_texts_of_any_length_are_bounded(open_page: Open, addresses: dict[str, str]) -> None:
    page = open_page(f"{addresses['live']}problems#problem?suite=mini&task=Mini/50&round=1")
    answer = page.locator(".answers").nth(0)
    expect(answer.locator("pre").first).to_be_hidden()
    answer.get_by_text("Show all of the answer, 51 lines").click()
    expect(answer.locator("pre").first).to_contain_text("pass")
    expect(page.locator("#problem-prompt .empty")).to_contain_text("is not in the suite's data")


def test_a_decision_leads_to_its_problems(open_page: Open, addresses: dict[str, str]) -> None:
    page = open_page(addresses["live"])
    page.locator("#rounds-table summary").first.click()
    link = page.get_by_role("link", name="mini: a").first
    expect(link).to_have_attribute("href", "problems#problem?suite=mini&task=a&round=1")
    page = open_page(f"{addresses['live']}problems#problem?suite=mini&task=Mini/0&round=2")
    expect(page.locator(".answers select").nth(0)).to_have_value("1")
    expect(page.locator(".answers select").nth(1)).to_have_value("2")


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("problems#problem?suite=mini&task=a", "no round has measured the problem 'a' of 'mini'"),
        ("problems#problems?show=x", "show must be one of changed, failed, passed"),
        ("compare#compare?run=..", "there is no run '..' beside this one"),
    ],
)
def test_a_link_to_nothing_says_so(chromium: Any, addresses: dict[str, str], link: str, words: str) -> None:
    page = chromium.new_page()
    page.goto(addresses["live"] + link)
    expect(page.locator("#notice")).to_contain_text(words)
    page.close()


def test_keys_go_through_problems(open_page: Open, addresses: dict[str, str]) -> None:
    page = open_page(f"{addresses['live']}problems")
    links = page.locator("#problems-table tbody a")
    expect(links).to_have_count(50)
    links.nth(0).focus()
    page.keyboard.press("j")
    expect(links.nth(1)).to_be_focused()


@pytest.fixture
def two_runs(tmp_path: Path) -> Path:
    for name, rate in (("one", 0.3), (HOSTILE[2][:4], 0.5)):
        run = RunWriter(tmp_path / name, snippets=2)
        run.run_dir.config.write_text(f"seed: 0\nrate: {rate}\nlong: {'x' * 900}{name}\nsame: 1\n")
        run.evaluate(0, rate, "promoted")
        run.evaluate(1, rate + 0.1, "candidate")
        run.close("done")
    return tmp_path / "one"


def test_runs_of_a_folder_are_compared(open_page: Open, two_runs: Path) -> None:
    with dashboard(two_runs) as address:
        page = open_page(f"{address}compare")
        measures, fields = page.locator("#measures-table"), page.locator("#fields-table")
        expect(page.locator("#runs-count")).to_have_text("2 runs side by side.")
        expect(measures.locator("tbody")).to_have_count(2)
        expect(measures.locator("tbody").nth(1)).to_contain_text("40.0 [30.0, 50.0]")
        expect(measures.locator("tbody").nth(1)).to_contain_text("60.0 [50.0, 70.0]")
        expect(fields.locator("tbody tr")).to_have_count(2)
        expect(fields.locator("tbody tr").nth(0)).to_have_text("rate0.30.5")
        expect(fields.locator("tbody tr").nth(1)).to_contain_text("Show all 903 characters")
        drawn = "document.getElementById('rates-chart').data.map(trace => trace.y.map(Math.round))"
        assert page.evaluate(drawn) == [[30, 40], [50, 60]]
        page.get_by_label("line").uncheck()
        expect(page.locator("#runs-count")).to_have_text("Choose two runs or more.")
        expect(page.locator("#fields-empty")).to_be_visible()
        page.go_back()
        expect(page.locator("#runs-count")).to_have_text("2 runs side by side.")


def test_a_report_has_one_page(open_page: Open, addresses: dict[str, str]) -> None:
    page = open_page(addresses["report"])
    expect(page.locator(".row")).to_have_count(10)
    assert page.locator("a:not([href^='#'])").count() == 0


def test_a_slow_answer_does_not_take_the_place_of_a_later_one(open_page: Open, addresses: dict[str, str]) -> None:
    page = open_page(addresses["live"])
    expect(page.locator(".row")).to_have_count(10)
    held: list[Any] = []
    page.route("**/rows?*page=2*", lambda route: held.append(route))
    page.locator("#rows-next").click()
    page.locator("#rows-round").select_option("0")
    expect(page.locator("#rows-count")).to_have_text("48 rows.")
    for route in held:
        route.continue_()
    page.wait_for_timeout(300)
    expect(page.locator("#rows-count")).to_have_text("48 rows.")


def test_rows_of_a_round_that_waits_are_ticked_and_the_command_follows(chromium: Any, growing_run: RunWriter) -> None:
    growing_run.preprocess()
    growing_run.candidates(1)
    growing_run.close("waiting")
    with dashboard(growing_run.run_dir.path) as address:
        page = chromium.new_page()
        page.goto(address)
        command, boxes = page.locator("#review-command"), page.get_by_label("leave out of the training")
        expect(command).to_have_text(f"inverse-instruct review {growing_run.run_dir.path} --round 1 --accept")
        page.get_by_role("link", name="among the data").click()
        expect(page.locator("#rows-outcome")).to_have_value("selected")
        expect(boxes).to_have_count(10)
        boxes.nth(0).check()
        page.locator("#rows-next").click()
        expect(page.locator("#rows-page")).to_contain_text("Page 2")
        boxes.nth(1).check()
        expect(page.locator("#review-lead")).to_contain_text("which leaves out 2 rows")
        first, second = command.inner_text().split("--leave-out ")[1].split(" --reason")[0].split()
        page.locator("#rows-previous").click()
        expect(boxes.nth(0)).to_be_checked()
        boxes.nth(0).uncheck()
        expect(command).to_contain_text(f"--leave-out {second} --reason")
        assert len(first) == len(second) == 16
        page.locator("#rows-outcome").select_option("")
        page.locator("#rows-round").select_option("0")
        expect(page.locator("#rows-count")).to_have_text("48 rows.")
        expect(boxes).to_have_count(0)
        page.close()
