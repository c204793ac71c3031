"""What decides a result is told by marks on the config, and pinning and keys follow from them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from inverse_instruct.config.config_file import parse_config
from inverse_instruct.config.identity import config_digest, decisive, how_keys, identity
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import RunDirError
from inverse_instruct.loop.pinned_config import pin_config, pin_ranks
from inverse_instruct.store.run_dir import RunDir

TREE: dict[str, Any] = {"name": "x", "model": {"base": "a-model"}, "corpus": [{"path": "c.jsonl"}]}
OTHER: dict[str, Any] = {
    "rounds": 9, "model.base": "another", "model.start": "a-third",
    "train.micro_batch_size": 1, "train.micro_batch_tokens": 999,
    "train.gradient_checkpointing": True, "train.processes": 2, "train.hostfile": "hosts",
    "train.launcher": "slurm", "train.save_steps": 7, "train.save_minutes": 30, "evaluate.workers": 5,
    "inference.port": 4000, "inference.dtype": "float32", "inference.concurrency": 3, "inference.max_num_seqs": 2,
    "serve.port": 4001, "serve.mode": "in_place", "card.title": "A model", "card.authors": ["me"],
    "coreset.embedding": "an-encoder", "preprocess.embedding": "an-encoder",
    "promote.patience": 2, "selection.review": "wait", "writer.concurrency": 3,
    "preprocess.executor": "ray", "preprocess.processes": 3, "budget.hours": 2, "budget.tokens": 9,
}  # fmt: skip


def test_every_field_of_how_is_named_here_or_in_a_section_of_how() -> None:
    whole = ("inference.", "serve.", "card.")
    assert set(how_keys(RunConfig)) - {key for key in how_keys(RunConfig) if key.startswith(whole)} == {
        key for key in OTHER if not key.startswith(whole)
    }


@pytest.mark.parametrize("key", OTHER)
def test_a_run_may_go_on_with_another_value_of_how(key: str, tmp_path: Path) -> None:
    tree = {**TREE, "train": {"optimizer": "adamw"}}
    first = parse_config(tree)
    changed = parse_config(tree, [f"{key}={json.dumps(OTHER[key])}"])
    assert first != changed
    assert decisive(first) == decisive(changed) and identity(first) == identity(changed)
    assert config_digest(first) == config_digest(changed)
    pin_config(first, RunDir(tmp_path))
    pin_config(changed, RunDir(tmp_path))


@pytest.mark.parametrize("change", [
    "seed=1", "model.prompt_format=magicoder", "train.global_batch_size=8", "train.learning_rate=0.1",
    "summarize.candidates=3", "selection.method=random", "preprocess.ngram=7", "evaluate.memory_mib=100",
    "corpus.0.limit=3", "promote.alpha=0.2", "train.deepspeed=zero3",
])  # fmt: skip
def test_nothing_else_may_change(change: str, tmp_path: Path) -> None:
    pin_config(parse_config(TREE), RunDir(tmp_path))
    with pytest.raises(RunDirError, match=f"{change.partition('.')[0].partition('=')[0]} differ"):
        pin_config(parse_config(TREE, [change]), RunDir(tmp_path))


def test_files_count_by_their_content(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text("{}\n")
    shutil.copy(first, second)

    def seen(path: Path) -> dict[str, Any]:
        return identity(
            parse_config(
                {
                    **TREE,
                    "corpus": [{"path": str(path)}],
                    "preprocess": {"benchmarks": [str(path), "mini"]},
                    "summarize": {"template": str(path)},
                }
            )
        )

    assert seen(first) == seen(second)
    before = seen(first)
    first.write_text('{"instruction": "x"}\n')
    assert {name for name in before if before[name] != seen(first)[name]} == {"corpus", "preprocess", "summarize"}


def test_the_number_of_ranks_is_pinned_where_it_decides_the_weights(tmp_path: Path) -> None:
    def pin(folder: str, **train: Any) -> None:
        (tmp_path / folder).mkdir(exist_ok=True)
        pin_ranks(parse_config({**TREE, "train": train}), RunDir(tmp_path / folder))

    pin("adafactor", processes=2)
    pin("adafactor", processes=2, micro_batch_size=1)
    with pytest.raises(RunDirError, match=r"started with 2 ranks, now there are 4.*Adafactor clips.*optimizer: adamw"):
        pin("adafactor", processes=4)
    pin("adamw", processes=2, optimizer="adamw")
    pin("adamw", processes=4, optimizer="adamw")
    (tmp_path / "zero0.json").write_text('{"zero_optimization": {"stage": 0}}')
    pin("zero0", processes=2, deepspeed=str(tmp_path / "zero0.json"))
    pin("zero0", processes=4, deepspeed=str(tmp_path / "zero0.json"))
    (tmp_path / "adafactor" / "ranks.json").write_text("{}")
    with pytest.raises(RunDirError, match=r"ranks.json is damaged"):
        pin("adafactor", processes=2)
