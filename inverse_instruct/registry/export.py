"""A checkpoint as a folder that stands by itself: weights, tokenizer, model card, and the rows that trained it.

Enters: a run directory and the name of a checkpoint. Leaves: a Hugging Face folder, whole or not at all, that
shares nothing with the run. Not guaranteed: that the licenses are right; they are what the config says, or "not
stated".
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inverse_instruct.config.sections import CardSection
from inverse_instruct.errors import RunDirError
from inverse_instruct.records import Candidate, Draft, Record, ScoredPair, TrainingRow, row_id, to_dict
from inverse_instruct.registry.cards import dataset_card, model_card
from inverse_instruct.registry.gguf import find_converter, write_gguf
from inverse_instruct.registry.lineage import History, Lineage, describe_lineage, read_history
from inverse_instruct.registry.verify import verify_checkpoint
from inverse_instruct.store.files import file_digest
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.rows import iterate_rows, write_rows
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.store.written_rows import follow_back, written_files
from inverse_instruct.training.publish import MARKER

MODEL_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "*.py", "LICENSE*", "NOTICE*")
ORIGIN_COLUMNS: dict[type[Record], tuple[str, ...]] = {
    Candidate: ("k", "prefix", "seed", "prompt"),
    ScoredPair: ("yes_logprob", "no_logprob"),
    Draft: ("task", "k", "seed", "prompt", "detail", "parents"),
}
"""What a training row was made of -> what is told of it beside the row."""


def export_checkpoint(path: Path, name: str, output: Path, gguf: str | None = None) -> tuple[Path, list[str]]:
    """Write a checkpoint of a run as a self-contained folder.

    Args:
        path: the run.
        name: of the checkpoint.
        output: the folder; it is not there yet, or is empty.
        gguf: type of the weights of a GGUF file beside them, see `gguf.TYPES`; None: there is none.

    Returns:
        The folder, and the keys of the licenses that its cards do not state.

    Raises:
        RunDirError: there is no such run or checkpoint, `output` holds something, or rows have changed or are gone.
        ModelError: the checkpoint's files are not the ones that were measured, or no GGUF file can be made of them.
        ConfigError: the run's config cannot be read.
    """
    output = output.absolute()
    if output.is_symlink() or output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise RunDirError(f"{output} exists and is not an empty folder; name another --output")
    converter = find_converter() if gguf else []
    with Ledger(RunDir(path).ledger) as ledger:
        checkpoint = ledger.find(name)
        verify_checkpoint(checkpoint)
        history = read_history(path, ledger)
    lineage = describe_lineage(history, checkpoint)
    if lineage.base and not lineage.phases:
        raise RunDirError(
            f"{path} does not tell how {checkpoint.name} was trained, as that stage is being done again; "
            "let the run end first"
        )
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        _copy_model(Path(checkpoint.path), temporary)
        if gguf:
            file = temporary / f"{history.config.name}-{checkpoint.name}.gguf"
            write_gguf(converter, temporary, file, gguf, trusted=history.config.model.trust_remote_code)
        rows = list(_selected_rows(history, lineage))
        if rows:
            _write_dataset(temporary / "dataset", rows)
            (temporary / "dataset/README.md").write_text(dataset_card(history, lineage, rows), encoding="utf-8")
        (temporary / "README.md").write_text(model_card(history, lineage, bool(rows)), encoding="utf-8")
        temporary.rename(output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return output, _unstated(history.config.card, bool(rows))


def _copy_model(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for path in sorted({path for pattern in MODEL_FILES for path in source.glob(pattern) if path.name != MARKER}):
        shutil.copyfile(path, target / path.name)


def _selected_rows(history: History, lineage: Lineage) -> Iterator[dict[str, Any]]:
    """Yield the self-generated rows that the checkpoint was trained on, each with how it was written and judged."""
    files = written_files(history.run_dir, ((number, found) for (number, _), found in history.manifests.items()))
    for data in lineage.self_generated:
        path = history.run_dir.path / data.file
        if not path.is_file() or file_digest(path) != data.digest:
            raise RunDirError(f"{path} is gone or has changed since the checkpoint was trained on it; put it back")
        rows = list(iterate_rows(path, TrainingRow))
        ways = follow_back(rows, files, data.round)
        for row in rows:
            yield to_dict(row) | _origin(row, [ancestor.row for ancestor in ways[row.id]])


def _origin(row: TrainingRow, ancestors: list[Record]) -> dict[str, Any]:
    """Return the columns that tell how the row that a training row was made of came to be."""
    made_of = [ancestor for ancestor in ancestors if row_id(ancestor) == row.candidate_id]
    if row.candidate_id and not made_of:
        raise RunDirError(f"the row {row.candidate_id}, which {row.id} was made of, is gone; put its file back")
    return {name: getattr(each, name) for each in made_of for name in ORIGIN_COLUMNS.get(type(each), ())}


def _write_dataset(folder: Path, rows: list[dict[str, Any]]) -> None:
    pairs = [(row["instruction"], row["response"]) for row in rows]
    write_rows(folder / "train.parquet", rows)
    write_rows(
        folder / "alpaca.jsonl", ({"instruction": asked, "input": "", "output": answered} for asked, answered in pairs)
    )
    write_rows(
        folder / "sharegpt.jsonl",
        (
            {"conversations": [{"from": "human", "value": asked}, {"from": "gpt", "value": answered}]}
            for asked, answered in pairs
        ),
    )
    write_rows(
        folder / "messages.jsonl",
        (
            {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]}
            for asked, answered in pairs
        ),
    )


def _unstated(card: CardSection, has_dataset: bool) -> list[str]:
    names = ["license", "base_license", *(["data_license"] if has_dataset else [])]
    return [f"card.{name}" for name in names if getattr(card, name) is None]
