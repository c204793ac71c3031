"""What notebooks and programs of others call: the commands as functions, and a run's rows as data sets.

    import inverse_instruct

    run = inverse_instruct.run("configs/quickstart.yaml")
    run.selected.to_pandas()
    inverse_instruct.score([{"instruction": "Add two numbers.", "code": "def add(a, b): return a + b"}], "smollm2-135m")

Each does what the command of its name does, and raises what that prints: an `InverseInstructError` with the remedy.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inverse_instruct.records import Candidate, Draft, Record, ScoredPair, Snippet, TrainingRow, Verdict
from inverse_instruct.source_code.fence_labels import fence_language

if TYPE_CHECKING:
    from datasets import Dataset

    from inverse_instruct.store.measures import SuiteReport
    from inverse_instruct.store.status import RunStatus


@dataclass(frozen=True)
class Run:
    """A run, as far as it has come; what there is not yet has no rows."""

    path: Path

    @property
    def status(self) -> RunStatus:
        """Rounds, measures and stages, as `status` shows them."""
        from inverse_instruct.store.status import summarize_run

        return summarize_run(self.path)

    @property
    def promoted(self) -> Path:
        """The folder of the promoted checkpoint.

        Raises:
            RunDirError: none has been promoted yet.
        """
        from inverse_instruct.errors import RunDirError
        from inverse_instruct.store.ledger import Ledger
        from inverse_instruct.store.run_dir import RunDir

        with Ledger(RunDir(self.path).ledger) as ledger:
            checkpoint = ledger.promoted()
        if checkpoint is None:
            raise RunDirError(f"{self.path}: no checkpoint has been promoted yet")
        return Path(checkpoint.path)

    @property
    def snippets(self) -> Dataset:
        """The clean code of the corpus."""
        return self._rows(Snippet)

    @property
    def candidates(self) -> Dataset:
        """What the model wrote for snippets, of all rounds; a round's file holds those that compete again too."""
        return self._rows(Candidate)

    @property
    def scores(self) -> Dataset:
        """The LM-Scores of candidates, of all rounds."""
        return self._rows(ScoredPair)

    @property
    def verdicts(self) -> Dataset:
        """What running the code told of candidates, of all rounds."""
        return self._rows(Verdict)

    @property
    def drafts(self) -> Dataset:
        """Rows in the making, of the recipes that write them in several steps, of all rounds."""
        return self._rows(Draft)

    @property
    def selected(self) -> Dataset:
        """The training rows that were chosen, of all rounds."""
        return self._rows(TrainingRow, kept=True)

    def _rows(self, record: type[Record], *, kept: bool = False) -> Dataset:
        """Return the rows of a kind with the round that wrote them as the first column.

        Args:
            record: the kind.
            kept: only those of the file that a round goes on with.
        """
        from datasets import Dataset, concatenate_datasets

        from inverse_instruct.store.ledger import Ledger
        from inverse_instruct.store.rows import record_schema
        from inverse_instruct.store.run_dir import RunDir
        from inverse_instruct.store.written_rows import finished, written_files

        run_dir = RunDir(self.path)
        with Ledger(run_dir.ledger) as ledger:
            files = [file for file in written_files(run_dir, finished(ledger.stages())) if file.record is record]
        if kept:
            files = list({file.round: file for file in files if file.kept}.values())
        parts = []
        for file in files:
            if file.rows.count():
                part = Dataset.from_parquet(str(file.path), keep_in_memory=True)
                parts.append(part.add_column("of_round", [file.round] * len(part)))
        if not parts:
            return Dataset.from_dict({name: [] for name in ("of_round", *record_schema(record).names)})
        return concatenate_datasets(parts)


def load_run(path: str | Path) -> Run:
    """Return a run that is there, also one under way.

    Raises:
        RunDirError: the folder holds no run.
    """
    found = Run(Path(path))
    _ = found.status
    return found


def run(config: str | Path, run_dir: str | Path | None = None, overrides: Sequence[str] = ()) -> Run:
    """Play all rounds of a config, or what is left of them.

    Args:
        config: the YAML file.
        run_dir: folder of the run; None: `runs/NAME`.
        overrides: such as `rounds=1`.

    Raises:
        ConfigError: with every problem that `check` finds.
        InverseInstructError: a stage failed; calling again goes on from there.
    """
    from inverse_instruct.loop.check import check_file
    from inverse_instruct.loop.run import run as play

    read, _ = check_file(Path(config), overrides, Path(run_dir) if run_dir else None)
    path = Path(run_dir or Path("runs", read.name))
    play(read, path)
    return load_run(path)


def score(pairs: Iterable[Mapping[str, str]], model: str, overrides: Sequence[str] = ()) -> list[float | None]:
    """Return the LM-Score of each pair, in [0, 1]; None where one has none, as it is too long.

    Args:
        pairs: each with `instruction` and `code`, and `language` where it is not Python.
        model: a folder, a name of `fetch-model`, or a name on the HF hub.
        overrides: such as `score.method=perplexity`.

    Raises:
        CorpusError: a pair lacks a text.
        InverseInstructError: the model cannot be asked.
    """
    from inverse_instruct.commands.stage_inputs import read_pairs, read_written

    given = [dict(pair) for pair in pairs]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "pairs.jsonl")
        path.write_text("".join(json.dumps(pair) + "\n" for pair in given), encoding="utf-8")
        waiting = {(snippet.code, snippet.language): iter(some) for snippet, some in read_pairs([str(path)], [])}
        asked = [next(waiting[pair["code"], fence_language(pair.get("language") or "python")]) for pair in given]
        _command("score", "--model", model, "--input", str(path), "--output", f"{scratch}/out", *_set(overrides))
        found = read_written(ScoredPair, Path(scratch, "out/scores.parquet"))
    scores = {pair.candidate_id: pair.lm_score for pair in found}
    return [scores.get(candidate.id) for candidate in asked]


def select(found: Run, output: str | Path, round_number: int = 1, overrides: Sequence[str] = ()) -> Dataset:
    """Choose training rows anew from what a round of a run has scored, and return them.

    Args:
        found: the run.
        output: folder for the rows.
        round_number: whose candidates are looked at.
        overrides: such as `selection.method=top_k` and `selection.k=3`.

    Raises:
        InverseInstructError: nothing is left to choose, or the round has scored nothing.
    """
    from datasets import Dataset

    folder = found.path / f"round-{round_number:02}"
    folders = (
        "--preprocessed", str(found.path / "round-00/preprocess"),
        "--summarized", str(folder / "summarize"),
        "--scored", str(folder / "score"),
    )  # fmt: skip
    _command("select", *folders, "--output", str(output), *_set(overrides))
    return Dataset.from_parquet(str(Path(output, "selected.parquet")), keep_in_memory=True)


def evaluate(
    suite: str,
    output: str | Path,
    model: str | None = None,
    samples: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> SuiteReport:
    """Measure a model, or samples that are there, on a suite.

    Args:
        suite: its name; `inverse-instruct suites` lists them.
        output: folder for the verdicts; with the same one it goes on.
        model: a folder, a name of `fetch-model`, or a name on the HF hub.
        samples: a file of samples in its place.
        overrides: such as `evaluate.workers=8`.

    Raises:
        ConfigError: not one of `model` and `samples` is given.
        InverseInstructError: the suite or the model cannot be used.
    """
    from inverse_instruct.errors import ConfigError
    from inverse_instruct.store.manifest import read_manifest

    if (model is None) == (samples is None):
        raise ConfigError(["evaluate: give either a model or samples"])
    source = ["--samples", str(samples)] if samples else ["--model", str(model)]
    _command("evaluate", "--suite", suite, *source, "--output", str(output), *_set(overrides))
    manifest = read_manifest(Path(output))
    assert manifest is not None, "the command has written it"
    return next(iter(manifest.measures.suites.values()))


def _set(overrides: Sequence[str]) -> list[str]:
    return [word for override in overrides for word in ("--set", override)]


def _command(*words: str) -> None:
    from inverse_instruct.cli import parser_of

    arguments = parser_of(words).parse_args(words)
    arguments.run(arguments)
