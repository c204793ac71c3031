"""Runs to look at, and a browser to look with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from evaluation.texts import TaskTexts
from inverse_instruct.analysis.analyze import analyze
from inverse_instruct.analysis.pairs import find_sets
from inverse_instruct.config.config_file import dump_config, load_config
from inverse_instruct.dashboard.report import write_report
from inverse_instruct.store.files import write_json

from .made_run import HOSTILE, Open, RunWriter, dashboard

CONFIG = Path(__file__).resolve().parents[2] / "configs/quickstart.yaml"
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rounds after the start; the second one is rolled back by a person."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    run = RunWriter(path)
    run.run_dir.config.write_text(dump_config(load_config(CONFIG)))
    run.preprocess()
    run.evaluate(0, 0.3, "promoted")
    for number in (1, 2):
        run.candidates(number)
        run.train(number)
        run.evaluate(number, 0.3 + 0.05 * number, "promoted")
    run.ledger.roll_back(over=2, author="ada", reason=HOSTILE[1])
    run.close("done")
    tasks = [TaskTexts("T/1", ("Solve it.",), ("def solve(value): ...",))]
    write_json(run.run_dir.analysis, analyze(find_sets(path), {HOSTILE[0]: tasks}).as_json())
    return path


@pytest.fixture(scope="session")
def begun_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose first stage is under way."""
    path = tmp_path_factory.mktemp("runs") / "begun"
    run = RunWriter(path)
    run.ledger.start_stage(0, "preprocess")
    run.close("running")
    return path


@pytest.fixture
def growing_run(tmp_path: Path) -> RunWriter:
    """A run to which a test adds."""
    return RunWriter(tmp_path / "growing")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser; while it runs, nothing else in this process can run an event loop."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("Chromium is missing; run: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def addresses(whole_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The whole run, live and as a report."""
    report = tmp_path_factory.mktemp("report") / "report.html"
    write_report(whole_run, report)
    with dashboard(whole_run) as live:
        yield {"live": live, "report": report.as_uri()}


@pytest.fixture(params=["live", pytest.param("report", marks=pytest.mark.slow)])
def address(request: pytest.FixtureRequest, addresses: dict[str, str]) -> str:
    return addresses[request.param]


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Open]:
    """Open addresses; whatever the pages complain of, or ask of another server, fails the test at its end."""
    contexts, problems = [], []

    def open_(address: str, **options: Any) -> Any:
        context = chromium.new_context(
            locale="en-US", offline=address.startswith("file:"), reduced_motion="reduce", **options
        )
        contexts.append(context)
        page = context.new_page()
        place = urlsplit(address)
        own = f"{place.scheme}://{place.netloc}{'' if place.netloc else place.path}"
        page.on("console", lambda message: problems.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda request: (
                problems.append(f"asks for {request.url}") if not request.url.startswith((own, "data:")) else None
            ),
        )
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not problems
