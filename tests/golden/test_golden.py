"""The JSON that others build on, key by key: of commands, files of a run, the API and the pages.

A golden file has every key and each value that is the same on every machine; of the others, their type. After a change
that is wanted, look at the difference that this leaves:

    rm tests/golden/*.json; python -m pytest tests/golden; git diff tests/golden
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from inverse_instruct import cli
from inverse_instruct.dashboard.app import create_app
from inverse_instruct.loop_service.allowed import Allowed
from inverse_instruct.loop_service.api import api_routes
from inverse_instruct.loop_service.service import open_loop_service

HERE = Path(__file__).parent
VARY = {"seconds", "waited_for_engine", "time", "started", "updated", "created", "pid", "host", "bytes"}
DIGEST = re.compile(r"[0-9a-f]{16}([0-9a-f]{48})?")
OF_RUNS = {  # golden file -> the command, with `RUN` for the run that it is about
    "status": "status RUN",
    "checkpoints-list": "checkpoints list RUN",
    "checkpoints-show-given": "checkpoints show 0 RUN",
    "checkpoints-show-trained": "checkpoints show 2 RUN",
    "compare": "compare RUN/round-00/evaluate RUN/round-01/evaluate",
}
OF_FILES = {
    "evaluate": "evaluate --suite mini --limit 2 --samples RUN/round-00/evaluate/mini/samples.jsonl --output OUT",
    "preprocess": "preprocess --input RUN/corpus.jsonl --output OUT",
    "suites": "suites",
}
ASKED = {  # golden file -> what is asked of the service over the folder of runs
    "api-runs": "/api/runs",
    "api-run": "/api/runs/played",
    "api-run-not-started": "/api/runs/waiting",
}
PAGES = {"dashboard-data": "data.json", "dashboard-corpus": "rows?round=0", "dashboard-rows": "rows?round=1"}
FILES = {
    "file-manifests": "round-*/*/manifest.json",
    "file-decisions": "round-*/promote/decision.json",
    "file-reports": "round-01/evaluate/*/report.json",
}


def told(value: Any, name: str = "") -> Any:
    """Return a JSON value with the type in the place of what varies from run to run or machine to machine."""
    if isinstance(value, dict):
        return {key: told(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [told(part, name) for part in value]
    if isinstance(value, str) and DIGEST.fullmatch(value):
        return f"<{len(value)} hex digits>"
    if (
        value is not None
        and (name in VARY or "per_second" in name)
        or isinstance(value, str)
        and "/" in value
        and "tmp" in value
    ):
        return f"<{type(value).__name__}>"
    return round(value, 6) if isinstance(value, float) else value


def compare(name: str, value: Any) -> None:
    """See that a JSON value is what the golden file says, its keys in that order."""
    path, text = HERE / f"{name}.json", json.dumps(told(value), indent=1, ensure_ascii=False) + "\n"
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path} was not there and is written; look at it")
    assert text == path.read_text(encoding="utf-8"), f"see {Path(__file__).name} where this is wanted"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str, Path], Any]:
    """Return what says a command about a run, and gives back its JSON."""

    def say(command: str, run: Path) -> Any:
        words = [word.replace("RUN", str(run)) for word in command.split()]
        monkeypatch.setattr("sys.argv", ["inverse-instruct", *words, "--json"])
        cli.main()
        return json.loads(capsys.readouterr().out)

    return say


@pytest.mark.parametrize("run", ["played", "example"])
@pytest.mark.parametrize("name", OF_RUNS)
def test_commands_on_runs(runs: Path, said: Callable[[str, Path], Any], run: str, name: str) -> None:
    compare(f"{name}-{run}", said(OF_RUNS[name], runs / run))


@pytest.mark.parametrize("name", OF_FILES)
def test_commands_on_files(runs: Path, tmp_path: Path, said: Callable[[str, Path], Any], name: str) -> None:
    compare(name, said(OF_FILES[name].replace("OUT", str(tmp_path / "out")), runs / "example"))


@pytest.mark.parametrize("run", ["played", "example"])
@pytest.mark.parametrize("name", FILES)
def test_files_of_a_run(runs: Path, run: str, name: str) -> None:
    found = sorted((runs / run).glob(FILES[name]))
    assert found
    compare(f"{name}-{run}", {str(path.relative_to(runs / run)): json.loads(path.read_text()) for path in found})


@pytest.mark.parametrize("name", ASKED)
def test_api(runs: Path, name: str) -> None:
    with open_loop_service(runs, Allowed.of([], unsafe=False)) as service:
        client = TestClient(Starlette(routes=api_routes(service)), base_url="http://127.0.0.1")
        compare(name, client.get(ASKED[name]).json())


@pytest.mark.parametrize("run", ["played", "example"])
@pytest.mark.parametrize("name", PAGES)
def test_pages(runs: Path, run: str, name: str) -> None:
    client = TestClient(create_app(runs / run, "127.0.0.1"), base_url="http://127.0.0.1")
    compare(f"{name}-{run}", client.get(PAGES[name]).json())
