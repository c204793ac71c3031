"""The command line: help with examples, exit codes, one clear sentence per mistake."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.ledger_rows import Checkpoint
from inverse_instruct.store.manifest import Manifest, WrittenRows
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.root import ROOT

COMMANDS = (
    "init",
    "track",
    "chat",
    "run",
    "check",
    "status",
    "fetch-model",
    "preprocess",
    "summarize",
    "score",
    "select",
    "train",
    "evaluate",
    "self-consistency",
    "compare",
    "suites",
    "checkpoints",
    "checkpoints list",
    "checkpoints show",
    "checkpoints promote",
    "checkpoints rollback",
    "checkpoints export",
    "serve",
)


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "inverse_instruct.cli", *map(str, arguments)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        env=dict(os.environ) | environment,
        timeout=60,
    )


@pytest.fixture
def config(tmp_path: Path, smollm: Path) -> dict[str, object]:
    (tmp_path / "corpus.jsonl").write_text('{"instruction": "Add.", "output": "```python\\nprint(1 + 1)\\n```"}\n')
    return {
        "name": "x",
        "model": {"base": str(smollm), "start": str(smollm)},
        "corpus": [{"path": "corpus.jsonl"}],
        "evaluate": {"suites": [{"suite": "mini"}]},
    }


def check(tmp_path: Path, config: dict[str, object], *arguments: object) -> subprocess.CompletedProcess[str]:
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    return command("check", tmp_path / "run.yaml", "--run-dir", tmp_path / "run", *arguments)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_subcommand_has_help_with_an_example(name: str) -> None:
    result = command(*name.split(), "--help")
    assert result.returncode == 0 and "example:" in result.stdout and f"inverse-instruct {name}" in result.stdout


def test_wrong_usage_is_exit_code_2() -> None:
    assert command("nonsense").returncode == 2
    assert command("run", "no-such.yaml").returncode == 2


def test_check_prints_the_plan(tmp_path: Path, config: dict[str, object]) -> None:
    result = check(tmp_path, config)
    assert result.returncode == 0, result.stderr
    assert "summarize" in result.stdout and "GB of disk" in result.stdout
    assert not (tmp_path / "run").exists()


def test_five_mistakes_are_named_at_once(tmp_path: Path, config: dict[str, object]) -> None:
    config |= {
        "rouns": 1,
        "train": {"learning_rate": 0},
        "selection": {"method": "worst"},
        "summarize": {"candidates": "many"},
        "preprocess": {"near_duplicate_threshold": 7},
    }
    result = check(tmp_path, config)
    assert result.returncode == 2
    for words in (
        "rouns: unknown key; did you mean 'rounds'?",
        "train.learning_rate",
        "selection.method",
        "summarize.candidates",
        "preprocess.near_duplicate_threshold",
    ):
        assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_what_the_world_lacks_is_named_at_once(tmp_path: Path, config: dict[str, object]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config |= {
            "model": {"base": "/no/such/model", "start": config["model"]["start"], "yes_token": "YES"},  # type: ignore[index]
            "corpus": [{"path": "missing.jsonl"}],
            "inference": {"port": port},
            "train": {"deepspeed": "zero9"},
            "evaluate": {"suites": [{"suite": "humaneval_plus", "data": "none.jsonl"}]},
            "summarize": {"max_new_tokens": 4096},
        }
        result = check(tmp_path, config)
    assert result.returncode == 2
    for words in (
        "model.base: model folder /no/such/model does not exist",
        "model.yes_token: 'YES' is 2 tokens",
        "corpus.0.path: missing.jsonl does not exist",
        f"inference.port: port {port} on 127.0.0.1 is in use",
        "train.deepspeed: zero9",
        "evaluate.suites.0.data: none.jsonl",
        "summarize.max_new_tokens: 4096 tokens leave no room",
    ):
        assert words in result.stderr, result.stderr


def test_a_missing_sandbox_is_named(tmp_path: Path, config: dict[str, object]) -> None:
    result = check(tmp_path, config)
    assert result.returncode == 0
    (tmp_path / "bin").mkdir()
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    result = command("check", tmp_path / "run.yaml", PATH=str(tmp_path / "bin"))
    assert result.returncode == 2 and "apt-get install bubblewrap" in result.stderr


def test_a_corpus_without_a_usable_row_ends_the_stage_clearly(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text(json.dumps({"instruction": "Greet me.", "output": "Good morning to you."}) + "\nnot json\n")
    result = command("preprocess", "--input", corpus, "--output", tmp_path / "out")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "no_code" in result.stderr and "malformed" in result.stderr


def test_preprocess_accounts_for_every_row(tmp_path: Path) -> None:
    result = command("preprocess", "--input", ROOT / "configs/quickstart/corpus.jsonl", "--output", tmp_path, "--json")
    manifest = json.loads(result.stdout)
    assert manifest["rows_in"] == 60 == manifest["rows_out"] + sum(manifest["rejected"].values())


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="mounts a small file system")
def test_a_full_disk_is_one_clear_sentence(tmp_path: Path, config: dict[str, object]) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
        result = command("check", tmp_path / "run.yaml", "--run-dir", small / "run")
        assert result.returncode == 2 and "GB free and the run needs about" in result.stderr
        (small / "fill").write_bytes(b"x" * 900_000)
        rows = (
            json.dumps(
                {"instruction": f"Task {n}", "output": f"```python\nvalue_{n} = {n} * {n}\nprint(value_{n})\n```"}
            )
            for n in range(20_000)
        )
        corpus = tmp_path / "big.jsonl"
        corpus.write_text("\n".join(rows))
        result = command("preprocess", "--input", corpus, "--output", small / "out")
        assert result.returncode == 1 and "Traceback" not in result.stderr and "No space left" in result.stderr
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.parametrize(
    ("stage", "text", "words"),
    [
        ("summarize", "", "holds no rows"),
        ("summarize", '{"code": "x = 1", "language": "cobol"}\n', ":1: language 'cobol' is not known"),
        ("summarize", '{"code": "x = 1"}\nnot json\n', ":2: "),
        ("score", '{"instruction": "Add.", "code": ""}\n', ":1: has no text in `code`"),
        ("score", '{"instruction": "Add.", "snippet_id": "s"}\n', "--snippets"),
        ("score", "[1, 2]\n", "error: "),
        ("train", '{"instruction": "Add.", "output": "x"}\n', ":1: has no text in `response`"),
    ],
)
def test_bad_input_of_a_stage_is_one_clear_sentence(
    tmp_path: Path, smollm: Path, stage: str, text: str, words: str
) -> None:
    (tmp_path / "in.jsonl").write_text(text)
    result = command(stage, "--model", smollm, "--input", tmp_path / "in.jsonl", "--output", tmp_path / "out")
    assert result.returncode == 1 and words in result.stderr and "Traceback" not in result.stderr, result.stderr


def test_status_of_a_run_and_of_no_run(tmp_path: Path) -> None:
    assert command("status", tmp_path).returncode == 1
    ledger = Ledger(tmp_path / "ledger.db", create=True)
    ledger.set_run("demo", 1, "running", 1, "host")
    rows = {"snippets.parquet": WrittenRows("Snippet", 2)}
    ledger.finish_stage(0, Manifest("preprocess", "k", 3, 2, {"empty": 1}, kept="snippets.parquet", rows=rows))
    ledger.start_stage(0, "evaluate", 32)
    ledger.advance(0, "evaluate", 5, 32)
    for number in (0, 1):
        ledger.add_checkpoint(Checkpoint(number, "/m", f"d{number}", "", "promoted", "", {}))
    assert [checkpoint.state for checkpoint in ledger.checkpoints()] == ["retired", "promoted"]
    ledger.close()
    status = json.loads(command("status", tmp_path, "--json").stdout)
    assert status["run"]["state"] == "interrupted", "no process holds the run"
    with RunDir(tmp_path).lock():
        status = json.loads(command("status", tmp_path, "--json").stdout)
    assert status["run"]["state"] == "running" and status["rounds"][0]["snippets"] == 2
    assert status["rounds"][0]["pass_at_1"] is None  # not measured is no zero
    assert "round 0 evaluate: 5 of 32" in command("status", tmp_path).stdout


@pytest.mark.parametrize("command", ["exec('raise KeyboardInterrupt')", "eval('1 / 0 if 0 else stop()')", "stop()"])
def test_an_interrupt_ends_with_130_wherever_it_came(command: str, tmp_path: Path) -> None:
    """CPython marks one that passed through an exec() of a string, and `python -m` then ends by SIGINT."""
    (tmp_path / "interrupted.py").write_text(
        "from types import SimpleNamespace\n"
        "from inverse_instruct import cli\n"
        "def stop():\n    raise KeyboardInterrupt\n"
        f"def run(arguments):\n    {command}\n"
        "cli.parser_of = lambda words: SimpleNamespace(parse_args=lambda: SimpleNamespace(run=run))\n"
        "cli.main()\n"
    )
    result = subprocess.run(
        [sys.executable, "-m", "interrupted"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        text=True,
        capture_output=True,
    )
    assert (result.returncode, result.stderr) == (
        130,
        "\ninterrupted; what was done is kept, the same command goes on from there\n",
    )
