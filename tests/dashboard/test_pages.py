"""The pages as a client gets them: the report is one file, the live routes have their headers and refusals."""

from __future__ import annotations

import html
import re
import socket
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount
from starlette.testclient import TestClient

from inverse_instruct.dashboard import report
from inverse_instruct.dashboard.app import create_app, routes, serve
from inverse_instruct.dashboard.page import SCRIPTS, asset
from inverse_instruct.dashboard.report import write_report
from inverse_instruct.errors import RunDirError, ServerError

from .made_run import SNIPPETS, RunWriter, read_embedded


@pytest.fixture
def client(whole_run: Path) -> TestClient:
    """The routes as another server mounts them."""

    def find_run(request: Request) -> Path:
        return whole_run.parent / str(request.path_params["run"])

    return TestClient(
        Starlette(routes=[Mount("/dashboard/{run}", routes=routes(find_run, others=True))]), "http://here/dashboard/"
    )


def test_on_loopback_a_name_that_a_page_elsewhere_made_up_is_refused(whole_run: Path) -> None:
    client = TestClient(create_app(whole_run, "127.0.0.1"))
    statuses = {
        name: client.get("/", headers={"host": f"{name}:8050"}).status_code
        for name in ("127.0.0.1", "localhost", "rebound.example")
    }
    assert statuses == {"127.0.0.1": 200, "localhost": 200, "rebound.example": 400}
    assert TestClient(create_app(whole_run, "0.0.0.0")).get("/", headers={"host": "lab.example"}).status_code == 200


def test_report_is_one_file_that_names_no_other(whole_run: Path, tmp_path: Path) -> None:
    write_report(whole_run, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    for script in SCRIPTS["run"]:
        page = page.replace(asset(script), "")
    assert not re.search(r"(src|href)=\"(?!#|data:,)", page) and "@import" not in page
    assert page.count("<script") == len(SCRIPTS["run"]) + 1 == page.count("</script>")
    assert "default-src 'none'; script-src 'sha256-" in html.unescape(page)
    data = read_embedded(page)
    assert data["run"]["name"] == "a <b>run</b>"
    assert [len(data["rows"][number]["rows"]) for number in "012"] == [SNIPPETS + 3, SNIPPETS, SNIPPETS]


def test_report_holds_the_first_rows_and_says_of_how_many(
    whole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "ROWS_PER_ROUND", 7)
    write_report(whole_run, tmp_path / "few.html")
    rows = read_embedded((tmp_path / "few.html").read_text())["rows"]["1"]
    assert (len(rows["rows"]), rows["available"], rows["total"]) == (7, 7, SNIPPETS)
    monkeypatch.setattr(report, "ROW_BYTES", 9000)
    write_report(whole_run, tmp_path / "small.html")
    rows = read_embedded((tmp_path / "small.html").read_text())["rows"]["1"]
    assert 0 < len(rows["rows"]) < 7 and rows["available"] == len(rows["rows"])


def test_no_report_of_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="is not a run"):
        write_report(tmp_path, tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_page_allows_no_script_but_its_own(client: TestClient) -> None:
    reply = client.get("whole/")
    policy = dict(part.strip().split(" ", 1) for part in reply.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'" and "script-src" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?![^>]* src=)", reply.text)
    for link in re.findall(r"(?:src|href)=\"(static/[^\"]+)\"", reply.text):
        served = client.get(f"whole/{link}")
        assert served.status_code == 200 and "immutable" in served.headers["cache-control"]
    assert client.get("whole", follow_redirects=True).url.path == "/dashboard/whole/"


def test_data_is_sent_again_only_when_it_has_changed(client: TestClient) -> None:
    first = client.get("whole/data.json")
    again = client.get("whole/data.json", headers={"if-none-match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert first.json()["state"] == "done"


@pytest.mark.parametrize(
    ("link", "status", "words"),
    [
        ("whole/rows?round=x", 400, "round is a number"),
        ("whole/rows?page=0", 400, "page 1 or more"),
        ("nowhere/data.json", 404, "has no ledger.db"),
        ("whole/static/app.py", 404, "no such file"),
    ],
)
def test_refusals_have_a_status_and_a_reason(client: TestClient, link: str, status: int, words: str) -> None:
    reply = client.get(link)
    assert reply.status_code == status and words in reply.text


def test_a_damaged_file_is_named(growing_run: RunWriter) -> None:
    growing_run.preprocess()
    path = growing_run.run_dir.stage(0, "preprocess") / "snippets.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    reply = TestClient(Starlette(routes=routes(lambda request: growing_run.run_dir.path, others=False))).get("/rows")
    assert reply.status_code == 500 and "snippets.parquet: cannot be read" in reply.json()["error"]


def test_rows_by_query(client: TestClient) -> None:
    rows = client.get("whole/rows", params={"round": 1, "q": "number 7,", "outcome": "cut_off"}).json()
    assert rows["matched"] == 1 and rows["rows"][0]["candidates"][2]["outcome"] == "cut_off"


def test_a_taken_port_is_named(whole_run: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(ServerError, match="choose another --host or --port"):
            serve(whole_run, "127.0.0.1", taken.getsockname()[1])
