"""The site is built without a broken link, holds every page, and fetches nothing from elsewhere."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from inverse_instruct.system.root import ROOT
from tests.docs.fetched import fetched

CHROMIUM = shutil.which("chromium")


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build the site as `launch/site.sh` does."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    return subprocess.run(command, cwd=source, text=True, capture_output=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    pytest.importorskip("material", reason="pip install 'inverse-instruct[docs]'")
    folder = tmp_path_factory.mktemp("site") / "site"
    built = build(ROOT, folder)
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_in_it(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    names = {path.with_name("index.md") if path.name == "README.md" else path for path in pages}
    assert [name for name in names if not (site / name.with_suffix(".html")).is_file()] == []


def test_its_pages_fetch_nothing_from_elsewhere(site: Path) -> None:
    assert list(fetched(site)) == []


@pytest.mark.parametrize("link", ["nowhere.md", "tutorial.md#nowhere"])
def test_a_broken_link_is_an_error(site: Path, tmp_path: Path, link: str) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    with (tmp_path / "docs/index.md").open("a") as page:
        page.write(f"\n[there]({link})\n")
    built = build(tmp_path, tmp_path / "site")
    assert built.returncode != 0 and "nowhere" in built.stderr


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing; run: apt-get install chromium")
def test_a_reader_asks_this_server_alone(site: Path, address: str) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        asked: list[str] = []
        for beginning in (address, site.as_uri()):
            page = browser.new_page()
            page.on("request", lambda request: asked.append(request.url))
            for name in ("config", "log", "index"):
                page.goto(f"{beginning}/{name}.html", wait_until="networkidle")
            if beginning == address:
                page.locator("[data-md-component=search-query]").click()
                page.keyboard.type("decontamination")
                page.locator(".md-search-result__item").first.wait_for()
        browser.close()
    assert len(asked) > 10 and [url for url in asked if not url.startswith((address, site.as_uri(), "data:"))] == []


@pytest.mark.parametrize(
    ("page", "address"),
    [
        ('<script src="https://cdn.example/a.js"></script>', "https://cdn.example/a.js"),
        ('<link rel="stylesheet" href="//fonts.example/css">', "//fonts.example/css"),
        ('<link rel="preconnect" href="https://fonts.example">', "https://fonts.example"),
        ('<img src="http://pictures.example/a.png">', "http://pictures.example/a.png"),
        ("<style>@import 'https://fonts.example/css';</style>", "https://fonts.example/css"),
        ('<p style="background: url(https://a.example/b.png)">', "https://a.example/b.png"),
        ('<a href="https://arxiv.org/abs/2407.05700">paper</a>', None),
        ('<link rel="canonical" href="https://docs.example/"><img src="dashboard.png">', None),
    ],
)
def test_what_a_page_fetches_is_seen(tmp_path: Path, page: str, address: str | None) -> None:
    (tmp_path / "page.html").write_text(f"<html>{page}</html>")
    assert list(fetched(tmp_path)) == ([f"page.html: {address}"] if address else [])
    told = subprocess.run(
        [sys.executable, "-m", "tests.docs.fetched", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        check=False,
    )
    assert told.returncode == (1 if address else 0)


def test_its_tools_are_an_extra_that_the_script_installs() -> None:
    assert '["docs"]' in (ROOT / "launch/site.sh").read_text()
    assert "\ndocs =\n    mkdocs" in (ROOT / "setup.cfg").read_text()
    assert "./launch/site.sh" in next((ROOT / ".github/workflows").glob("*.yml")).read_text()
