"""A recipe that nobody knows by name: drafts from drafts. Everything that shows a run shows it, down to the corpus."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from inverse_instruct import cli
from inverse_instruct.config.config_file import load_config
from inverse_instruct.dashboard.app import create_app
from inverse_instruct.dashboard.report import write_report
from inverse_instruct.errors import RunDirError
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.loop.pinned_config import pin_config
from inverse_instruct.recipes import table
from inverse_instruct.recipes.table import RECIPES
from inverse_instruct.records import Draft, Reason, Rejection, Snippet, TrainingRow, digest, parents, row_id
from inverse_instruct.registry.checkpoints import show_checkpoint
from inverse_instruct.registry.export import export_checkpoint
from inverse_instruct.stages.questions import Question
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.select_drafts import selection_of
from inverse_instruct.stages.stage import Groups, Input, Model, Outcome, Rows, Stage, When, Worker
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.rows import iterate_rows, read_rows
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.store.status import RunStatus, summarize_run
from inverse_instruct.store.written_rows import finished, follow_back, written_files
from tests.recipes.fake_engine import faked, play
from tests.recipes.test_loop import write_world

PAPER = "https://example.org/made-up"
IDEAS = Rows("ideas.parquet", Draft)
DRAFTS = Rows("drafts.parquet", Draft)


def writer(stage: str, scored: bool) -> Any:
    """Return what opens the work: a draft of each row, of which one in four is rejected; every other has a score."""

    def opened(room: Room) -> Worker:
        async def write(row: Snippet | Draft) -> Outcome:
            seed = room.seed(stage, row.id)
            reply = await room.questions.reply(Question((f"Draw {seed % 1000}.",)), Sampling(16), seed, id=row.id)
            if stage == "draw" and int(row.id, 16) % 4 == 0:
                return Outcome(rejected=[Rejection(row.id, stage, Reason.EMPTY, "it says nothing")])
            draft = Draft(
                id=digest(stage, row.id),
                parents=[row.id],
                task="idea" if stage == "draw" else "edit",
                instruction=f"Do <b>this</b>{reply.text}",
                input="x = 1",
                response="```python\nx = 2\n```",
                language="python",
                k=0,
                seed=seed,
                model=room.model.digest,
                prompt="p" * 16,
                lm_score=0.75 if scored and int(row.id, 16) % 2 else None,
                detail="looked at",
            )
            return Outcome([draft])

        return write

    return opened


def thin_out(room: Room) -> None:
    for number, snippet in enumerate(room.read("snippets")):
        if number:
            room.keep(snippet)
        else:
            room.reject(Rejection(snippet.id, "thin", Reason.NOT_SELECTED, "far from nothing"))


SNIPPETS = Rows("snippets.parquet", Snippet)
THIN = Stage(
    "thin",
    "leave out the first snippet",
    thin_out,
    unit="snippet",
    writes=Rows("thinned.parquet", Snippet),
    reads={"snippets": Input("preprocess", SNIPPETS, When.ONCE)},
)
DRAW = Stage(
    "draw",
    "write an idea for each snippet",
    Groups(lambda room: room.read("snippets"), writer("draw", scored=False)),
    unit="idea",
    writes=IDEAS,
    reads={"snippets": Input("thin", THIN.writes, When.ONCE)},
    model=Model.PROMOTED,
)
REFINE = Stage(
    "refine",
    "make a draft of each idea",
    Groups(lambda room: room.read("ideas"), writer("refine", scored=True)),
    unit="draft",
    writes=DRAFTS,
    reads={"ideas": Input("draw", IDEAS)},
    model=Model.PROMOTED,
)
PICK = selection_of("refine", "pick", "choose among the drafts")
MADE_UP = replace(
    RECIPES["inversecoder"],
    name="made-up",
    corpus=(*RECIPES["inversecoder"].corpus, THIN),
    data=(DRAW, REFINE, PICK),
    paper=PAPER,
)


@pytest.fixture(scope="module")
def run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished run of the recipe, which its config calls by the name of another one."""
    folder = tmp_path_factory.mktemp("made-up")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(table.RECIPES, "inversecoder", MADE_UP)
        each_round = "selection.per_snippet=each_round"  # which is what a recipe of drafts can do
        config = load_config(write_world(folder, tiny_model, "inversecoder"), [each_round])
        pin_config(config, RunDir(folder / "run"))
        play(config, folder / "run", faked(MADE_UP))
        yield folder / "run"


@pytest.fixture
def status(run: Path) -> RunStatus:
    return summarize_run(run)


def every_row(run: Path, number: int) -> list[dict[str, Any]]:
    client = TestClient(create_app(run, "127.0.0.1"), base_url="http://127.0.0.1")
    first = client.get(f"rows?round={number}").json()
    pages = [client.get(f"rows?round={number}&page={page}").json() for page in range(1, first["pages"] + 1)]
    return [row for page in pages for row in page["rows"]]


def read_rejections(run: Path, stage: str) -> list[dict[str, Any]]:
    return read_rows(run / "round-01" / stage / "rejections.parquet")


def test_status_counts_by_what_rows_are(status: RunStatus, run: Path) -> None:
    start, first = status.rounds[:2]
    assert (start.snippets, start.candidates, start.selected) == (3, None, None)
    drafts = len(read_rows(run / "round-01/refine/drafts.parquet"))
    assert first.candidates == drafts > 0 and first.selected and first.selected <= drafts
    assert first.snippets is None and first.mean_lm_score in (0.75, None) and first.promoted is not None
    assert [stage.stage for stage in status.stages if stage.round == 1][:3] == ["draw", "refine", "selection"]


def test_every_row_has_parents_and_is_followed_back_to_the_corpus(run: Path) -> None:
    with Ledger(run / "ledger.db") as ledger:
        files = written_files(RunDir(run), finished(ledger.stages()))
    rows = list(iterate_rows(run / "round-02/selection/selected.parquet", TrainingRow))
    assert rows
    for row in rows:
        way = follow_back([row], files, 2)[row.id]
        assert [ancestor.stage for ancestor in way] == ["refine", "draw", "thin"]
        assert [row_id(ancestor.row) for ancestor in way[:2]] == [row.candidate_id, *parents(way[0].row)]
        assert isinstance(way[2].row, Snippet) and way[2].row.source == "corpus.jsonl"


def test_the_way_back_ends_where_a_file_is_gone_and_never_turns_in_a_circle(run: Path) -> None:
    with Ledger(run / "ledger.db") as ledger:
        files = written_files(RunDir(run), finished(ledger.stages()))
    [draft, *_] = iterate_rows(run / "round-01/refine/drafts.parquet", Draft)
    without = [file for file in files if file.stage != "draw"]
    assert follow_back([draft], without, 1) == {draft.id: []}
    turning = replace(draft, parents=[draft.id, "nobody"])
    assert follow_back([turning], files, 1)[draft.id][0].row == draft
    assert follow_back([turning], files, 2)[draft.id][0].row != draft, "the next round has written the same id"


def test_the_pages_show_each_row_with_what_became_of_it_and_its_way_back(run: Path) -> None:
    client = TestClient(create_app(run, "127.0.0.1"), base_url="http://127.0.0.1")
    data = client.get("data.json").json()
    assert [row["stage"] for row in data["funnel"] if row["round"] == 1] == ["draw", "refine", "selection", "train"]
    assert all(row["rows_in"] == row["rows_out"] + sum(row["rejected"].values()) for row in data["funnel"])
    rows = every_row(run, 1)
    stages = {stage: [row for row in rows if row.get("stage") == stage] for stage in ("draw", "refine")}
    assert len(stages["draw"]) == len(read_rows(run / "round-01/draw/ideas.parquet"))
    assert {row["outcome"] for row in stages["draw"]} == {"used"}
    chosen = [row for row in stages["refine"] if row["outcome"] == "selected"]
    assert len(chosen) == len(read_rows(run / "round-01/selection/selected.parquet"))
    assert [ancestor["stage"] for ancestor in chosen[0]["ancestors"]] == ["draw", "thin"]
    assert chosen[0]["ancestors"][1]["place"].startswith("corpus.jsonl:")
    rejected = [row for row in rows if row["outcome"] == "empty"]
    assert rejected and all(row["detail"] == "it says nothing" and row["rejected_by"] == "draw" for row in rejected)
    assert all(row["ancestors"][0]["stage"] == "thin" for row in rejected), "what was never written has a way back too"
    written = [row["row_id"] for name in ("draw", "refine", "selection") for row in read_rejections(run, name)]
    own = {row["id"] for row in rows}
    assert [row["row_id"] for row in rows if not row["id"]] == [name for name in written if name not in own]
    corpus = every_row(run, 0)
    assert len(corpus) == 4 and [row["outcome"] for row in corpus].count("not_selected") == 1
    found = client.get("rows?round=1&q=DO <b>this").json()
    assert found["matched"] == len(stages["draw"]) + len(stages["refine"])
    assert client.get("rows?round=1&order=best&outcome=selected").json()["rows"]


def test_the_report_holds_it_too(run: Path, tmp_path: Path) -> None:
    write_report(run, tmp_path / "report.html")
    assert "looked at" in (tmp_path / "report.html").read_text()


def test_lineage_names_the_rows(run: Path) -> None:
    lineage = show_checkpoint(run, "2")
    assert [data.file for data in lineage.self_generated] == [
        f"round-{number:02d}/selection/selected.parquet" for number in (1, 2)
    ]
    assert {data.data for data in lineage.data} == {"selected"} and lineage.parent


def test_an_export_says_which_recipe_it_was(run: Path, tmp_path: Path) -> None:
    folder, _ = export_checkpoint(run, "2", tmp_path / "out")
    rows = read_rows(folder / "dataset/train.parquet")
    assert rows and {"task", "parents", "detail", "seed"} <= rows[0].keys()
    for card in ((folder / "README.md").read_text(), (folder / "dataset/README.md").read_text()):
        assert "`made-up`" in card and f"[paper]({PAPER})" in card and "InverseCoder" not in card
        assert "- draw: write an idea for each snippet" in card and "LM-Score: the probability" not in card
    table_of_columns = (folder / "dataset/README.md").read_text()
    assert all(f"| `{column}` |" in table_of_columns for column in rows[0])


def test_an_export_whose_rows_cannot_be_followed_back_is_refused(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run/round-01/refine/drafts.parquet").unlink()
    with pytest.raises(RunDirError, match="is gone; put its file back"):
        export_checkpoint(tmp_path / "run", "1", tmp_path / "out")


@pytest.fixture
def command(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Return what runs `pick` on files, with the recipe in the table."""
    monkeypatch.setitem(table.RECIPES, "inversecoder", MADE_UP)

    def pick(*options: str) -> Any:
        words = ["inverse-instruct", "pick", *options, "--output", str(tmp_path / "out"), "--json"]
        monkeypatch.setattr("sys.argv", words)
        cli.main()
        return json.loads(capsys.readouterr().out)

    return pick


def test_its_stages_are_commands_on_files_of_drafts(run: Path, command: Callable[..., Any]) -> None:
    drafts = run / "round-01/refine/drafts.parquet"
    manifest = command("--drafts", str(drafts))
    assert manifest["rows_in"] == len(read_rows(drafts)) and manifest["rows_out"] > 0


def test_rows_of_earlier_rounds_may_be_named(run: Path, command: Callable[..., Any]) -> None:
    drafts, earlier = run / "round-01/refine/drafts.parquet", run / "round-01/selection/selected.parquet"
    with pytest.raises(SystemExit):  # none is left
        command("--drafts", str(drafts), "--earlier", str(earlier))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"parents": "one"}, "`parents` is str; input should be a valid list"),
        ({"parents": [1]}, "`parents` is list; input should be a valid string"),
        ({"lm_score": "high"}, "`lm_score` is str; input should be a valid number"),
        ({"k": True}, "`k` is bool; input should be a valid integer"),
        ({"more": 1}, "is no Draft, whose fields are id, parents"),
    ],
)
def test_what_is_no_draft_is_told_with_its_place(
    run: Path,
    tmp_path: Path,
    command: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    said: str,
) -> None:
    [row, *_] = read_rows(run / "round-01/refine/drafts.parquet")
    (tmp_path / "drafts.jsonl").write_text(json.dumps(row | change) + "\n")
    with pytest.raises(SystemExit):
        command("--drafts", str(tmp_path / "drafts.jsonl"))
    shown = capsys.readouterr().err
    assert said in shown and "drafts.jsonl:1" in shown


def test_manifests_tell_what_was_read_and_written(run: Path) -> None:
    manifest = json.loads((run / "round-02/selection/manifest.json").read_text())
    assert manifest["kept"] == "selected.parquet"
    assert list(manifest["inputs"]["drafts"]) == ["round-02/refine/drafts.parquet"]
    assert list(manifest["inputs"]["earlier"]) == ["round-01/selection/selected.parquet"]
    written = json.loads((run / "round-02/refine/manifest.json").read_text())
    assert manifest["inputs"]["drafts"]["round-02/refine/drafts.parquet"] == written["outputs"]["drafts.parquet"]
    assert written["rows"]["drafts.parquet"] == {"record": "Draft", "rows": written["rows_out"]}
