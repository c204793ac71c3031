"""The pages in a real Chromium: they draw, page, search, stay harmless; live, and from a file with the network off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.dashboard.report import write_report

from .made_run import HOSTILE, SNIPPETS, Open, dashboard

expect = pytest.importorskip("playwright.sync_api").expect
CHARTS = (
    "pass-chart",
    "consistency-chart",
    "funnel-chart",
    "score-chart",
    "analysis-chart",
    "kinds-chart",
    "training-chart",
    "time-chart",
    "token-chart",
)


def traces(page: Any, chart: str) -> list[dict[str, Any]]:
    drawn = page.evaluate(f"document.getElementById('{chart}').data.map(t => ({{name: t.name, x: t.x, y: t.y}}))")
    return list(drawn)


def test_every_chart_has_its_data(open_page: Open, address: str) -> None:
    page = open_page(address)
    expect(page.locator(".js-plotly-plot")).to_have_count(len(CHARTS))
    for chart in CHARTS:
        assert page.locator(f"#{chart} .plot-container path").count() > 3, chart
        assert page.locator(f"#{chart}-table tbody tr").count() > 0, chart
    assert [round(y) for y in traces(page, "pass-chart")[0]["y"]] == [30, 35, 40]
    assert {trace["name"]: trace["x"] for trace in traces(page, "funnel-chart")}["went on"][:2] == [90, 89]
    assert [trace["name"] for trace in traces(page, "score-chart")][:2] == ["round 1, all pairs", "round 1, selected"]
    assert traces(page, "training-chart")[1]["x"] == list(range(9, 17))  # behind the 8 steps of the first phase
    [lengths] = traces(page, "analysis-chart")
    assert (
        lengths["name"] == "self-generated" and lengths["x"][1] == 20 and sum(lengths["y"][:-1]) == pytest.approx(100)
    )
    page.locator("#analysis-measure").select_option(f"similarity to {HOSTILE[0]}")
    assert traces(page, "analysis-chart")[0]["x"][-1] == 1
    page.locator("#kinds-measure").select_option("beginnings")
    assert "Write a" in traces(page, "kinds-chart")[0]["y"]
    page.locator("#training-measure").select_option("lr")
    assert traces(page, "training-chart")[0]["y"] == [1e-5] * 8
    page.locator("#funnel-round").select_option("0")
    assert traces(page, "funnel-chart")[0]["x"] == [SNIPPETS]
    expect(page.locator("#rounds-table")).to_contain_text("35.0 [25.0, 45.0]")


def test_text_of_a_model_stays_text(open_page: Open, address: str) -> None:
    page = open_page(address)
    rows = page.locator(".row")
    expect(rows.first.locator("pre")).to_contain_text(HOSTILE[0])
    expect(rows.first.locator(".candidates .text").first).to_contain_text(HOSTILE[0])
    expect(rows.nth(1).locator("pre")).to_contain_text(HOSTILE[1])
    expect(rows.nth(2).locator("pre")).to_contain_text("line⟨U+2028⟩separator and ⟨U+202E⟩turned")
    expect(rows.nth(3).locator("pre")).to_contain_text("a NUL ␀ and an escape ␛[2J")
    expect(rows.nth(5).locator("pre")).to_contain_text(HOSTILE[5])
    expect(page.locator("#history-list")).to_contain_text(HOSTILE[1])
    expect(page.locator("h1")).to_have_text("a <b>run</b>")
    assert "owned" not in page.title()
    assert page.locator("main script, main img").count() == 0


def test_the_data_browser_pages_searches_and_filters(open_page: Open, address: str) -> None:
    page = open_page(address)
    rows, count = page.locator(".row"), page.locator("#rows-count")
    expect(count).to_have_text("45 snippets.")
    expect(page.locator("#rows-page")).to_have_text("Page 1 of 5")
    expect(page.locator("#rows-previous")).to_be_disabled()
    for number in range(2, 6):
        page.locator("#rows-next").click()
        expect(page.locator("#rows-page")).to_have_text(f"Page {number} of 5")
    expect(rows).to_have_count(5)
    expect(rows.last).to_contain_text("corpus.jsonl:45")
    expect(page.locator("#rows-next")).to_be_disabled()
    page.locator("#rows-search").fill("FUNCTION number 7,")
    expect(count).to_have_text("1 snippet of 45 found.")
    expect(rows.locator("pre")).to_contain_text("def task_7(value)")
    page.locator("#rows-search").fill("")
    page.locator("#rows-outcome").select_option("bad_score")
    expect(count).to_have_text("1 snippet of 45 found.")
    page.locator("#rows-outcome").select_option("")
    page.locator("#rows-order").select_option("best")
    expect(page.locator("#rows-page")).to_have_text("Page 1 of 5")
    expect(rows).to_have_count(10)
    best = [max(float(score.split()[-1]) for score in row.locator(".score").all_inner_texts()) for row in rows.all()]
    assert best == sorted(best, reverse=True) and best[0] > 0.8
    page.locator("#rows-order").select_option("corpus")
    page.locator("#rows-round").select_option("0")
    page.locator("#rows-outcome").select_option("no_code")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("detail 0")
    page.locator("#rows-round").select_option("1")  # which has no such outcome
    expect(count).to_have_text("45 snippets.")


def test_by_keyboard(open_page: Open, address: str) -> None:
    page = open_page(address)
    expect(page.locator("#rows-page")).to_have_text("Page 1 of 5")
    focused = "document.activeElement"
    page.keyboard.press("Tab")
    assert page.evaluate(f"{focused}.className") == "skip"
    reached = []
    for _ in range(150):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(f"{focused}.id || {focused}.getAttribute('href') || {focused}.tagName"))
        assert page.evaluate(f"getComputedStyle({focused}).outlineStyle") != "none", reached[-1]
        if reached[-1] == "rows-search":
            break
    assert [name for name in reached if name[0] == "#"] == [
        "#rounds",
        "#funnel",
        "#scores",
        "#analysis",
        "#training",
        "#cost",
        "#rows",
        "#history",
    ]
    controls = {
        "funnel-round",
        "analysis-measure",
        "kinds-measure",
        "training-measure",
        "rows-round",
        "rows-outcome",
        "rows-order",
        "rows-search",
    }
    assert controls < set(reached)
    page.keyboard.type("def task_1")
    expect(page.locator("#rows-count")).to_have_text("11 snippets of 45 found.")
    page.locator("#rows-next").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#rows-page")).to_have_text("Page 2 of 2")
    details = page.locator("#pass-chart-numbers")
    details.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(details.locator("table")).to_be_visible()


@pytest.mark.parametrize(("kind", "scheme"), [("report", "light"), ("live", "dark")])
def test_in_a_narrow_window(open_page: Open, addresses: dict[str, str], kind: str, scheme: str) -> None:
    page = open_page(addresses[kind], viewport={"width": 360, "height": 740}, color_scheme=scheme)
    expect(page.locator("#rows-page")).to_have_text("Page 1 of 5")
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = sum(map(int, ground[4:-1].split(","))) > 380
    assert light == (scheme == "light")
    text = page.evaluate("getComputedStyle(document.querySelector('#pass-chart .xtick text')).fill")
    assert (sum(map(int, text[4:-1].split(","))) < 380) == light


def test_charts_follow_the_system_into_the_dark(open_page: Open, addresses: dict[str, str]) -> None:
    page = open_page(addresses["report"], color_scheme="light")
    expect(page.locator(".js-plotly-plot")).to_have_count(len(CHARTS))
    tick = page.locator("#pass-chart .xtick text").first
    before = tick.evaluate("tick => getComputedStyle(tick).fill")
    page.emulate_media(color_scheme="dark")
    expect(tick).not_to_have_css("fill", before)


def test_a_run_that_has_only_begun_has_no_empty_charts(open_page: Open, begun_run: Path, tmp_path: Path) -> None:
    write_report(begun_run, tmp_path / "begun.html")
    page = open_page((tmp_path / "begun.html").as_uri())
    expect(page.locator("#now")).to_have_text("Round 0 preprocess was not finished")
    for chart in CHARTS:
        expect(page.locator(f"#{chart}-empty")).to_be_visible()
        expect(page.locator(f"#{chart}")).to_be_hidden()
    expect(page.locator("#rows-count")).to_have_text("There are no rows yet.")


def test_a_live_page_follows_the_run_and_tells_when_it_cannot(chromium: Any, growing_run: Any) -> None:
    growing_run.preprocess()
    page = chromium.new_page()
    with growing_run.run_dir.lock(), dashboard(growing_run.run_dir.path) as address:
        growing_run.ledger.start_stage(1, "summarize", 40)
        growing_run.ledger.advance(1, "summarize", 10, 40)
        page.goto(address)
        expect(page.locator("#run-state")).to_have_text("running")
        expect(page.locator("#score-chart-empty")).to_be_visible()
        expect(page.locator("#now")).to_contain_text("Round 1 summarize · 10 of 40 · about")
        expect(page.locator(".row").first).to_contain_text("no candidates yet")
        growing_run.candidates(1)
        expect(page.locator("#score-chart")).to_be_visible()
        expect(page.locator(".row").first).to_contain_text("3 candidates")
    expect(page.locator("#notice")).to_contain_text("The dashboard cannot be reached")
    page.close()
