"""Real DeepSpeed runs on a tiny random model: resume, ranks, adapters, failures."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from safetensors.torch import load_file

from inverse_instruct.config.sections import LoraSection
from inverse_instruct.errors import ModelError, StageError, TrainingError
from inverse_instruct.stages.train import PhaseRun
from inverse_instruct.store.files import file_digest
from inverse_instruct.store.folder_lock import lock_folder
from inverse_instruct.store.manifest import Manifest
from inverse_instruct.store.seeds import phase_seed
from inverse_instruct.system.root import ROOT
from tests.playing import train_on
from tests.training.conftest import MakeRow, WriteRows

pytestmark = pytest.mark.integration
Reference = tuple[Path, Manifest]
SETTINGS = {
    "optimizer": "adamw",
    "global_batch_size": 4,
    "micro_batch_size": 2,
    "max_length": 256,
    "save_steps": 2,
    "dtype": "float32",
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads only get in each other's way on a model this small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


def run(
    folder: Path, base: Path, phases: list[PhaseRun], settings: dict[str, Any] = SETTINGS, key: str = "k"
) -> Manifest:
    return train_on(base, phases, folder, train=settings, seed=3, key=key)


@pytest.fixture(scope="module")
def phases(write_training_rows: WriteRows, make_row: MakeRow) -> list[PhaseRun]:
    selected = write_training_rows(29, make_row("too long " * 30, "x"), make_row("q", "long " * 60))
    return [PhaseRun("selected", [selected], 1, 1e-3), PhaseRun("original", [write_training_rows(20, seed=1)], 2, 1e-3)]


@pytest.fixture(scope="module")
def reference(tiny_model: Path, phases: list[PhaseRun], tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """Two phases on one rank, nothing interrupted."""
    folder = tmp_path_factory.mktemp("reference")
    return folder, run(folder, tiny_model, phases)


def losses(manifest: Manifest) -> list[list[float]]:
    return [phase["losses"] for phase in manifest.metrics["phases"]]


def test_rows_steps_and_tokens_are_accounted_for(reference: Reference) -> None:
    folder, manifest = reference
    first, second = manifest.metrics["phases"]
    assert (manifest.rows_in, manifest.rows_out, manifest.rejected) == (51, 50, {"too_long": 1})
    assert (first["rows"], first["truncated"], first["steps"]) == (30, 1, 8)
    assert (second["rows"], second["truncated"], second["steps"]) == (20, 0, 10)
    lines = [json.loads(line) for line in (folder / "train/phase-0-selected/loss.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 9))
    assert lines[0].keys() == {"step", "loss", "grad_norm", "lr", "tokens", "response_tokens", "seconds"}
    assert sum(line["tokens"] for line in lines) == first["tokens"]
    assert lines[0]["lr"] == pytest.approx(1e-3) and lines[-1]["lr"] == pytest.approx(1e-3 / 8)
    assert first["loss_last"] < first["loss_first"]
    assert second["loss_first"] < first["loss_first"], "the second phase starts from the first one's weights"
    assert first["peak_memory_bytes"] is None, "it is measured on GPUs only"
    assert list((folder / "train/tensorboard").rglob("events.*"))
    jobs = [json.loads((folder / "train" / phase["phase"] / "job.json").read_text()) for phase in (first, second)]
    assert [job["seed"] for job in jobs] == [phase_seed(3, number) for number in (0, 1)]


def test_the_export_is_a_plain_folder_with_tied_embeddings(reference: Reference, tiny_model: Path) -> None:
    from safetensors import safe_open
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, manifest = reference
    names = {path.name for path in (folder / "checkpoint").iterdir()}
    assert names == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "training.json",
    }
    assert {f"../checkpoint/{name}" for name in names} <= set(manifest.outputs)
    model = AutoModelForCausalLM.from_pretrained(folder / "checkpoint")
    assert model.lm_head.weight is model.model.embed_tokens.weight
    with safe_open(folder / "checkpoint/model.safetensors", "pt") as weights:
        assert "lm_head.weight" not in weights.keys()  # noqa: SIM118
    tokenizer = AutoTokenizer.from_pretrained(folder / "checkpoint")
    assert tokenizer.chat_template == (tiny_model / "chat_template.jinja").read_text()
    left = [path.name for path in (folder / "train/phase-0-selected").iterdir()]
    assert sorted(left) == ["done.json", "job.json", "loss.jsonl", "rejections.jsonl"]


def test_a_finished_stage_is_not_run_again(reference: Reference, tiny_model: Path, phases: list[PhaseRun]) -> None:
    folder, manifest = reference
    started = time.monotonic()
    assert run(folder, tiny_model, phases) == manifest
    assert time.monotonic() - started < 5


def start(
    folder: Path, base: Path, phases: list[PhaseRun], changes: dict[str, Any] | None = None
) -> subprocess.Popen[bytes]:
    """Run the same training in a process of its own, which can be killed."""
    arguments = [
        str(folder),
        str(base),
        json.dumps(SETTINGS | (changes or {})),
        json.dumps([[phase.data, str(phase.rows[0]), phase.epochs, phase.learning_rate] for phase in phases]),
    ]
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs\n"
        "import json, sys; from pathlib import Path; from inverse_instruct.stages.train import PhaseRun\n"
        "from tests.playing import train_on\n"
        "folder, base = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "phases = [PhaseRun(d, [Path(p)], e, r) for d, p, e, r in json.loads(sys.argv[4])]\n"
        "train_on(base, phases, folder, train=json.loads(sys.argv[3]), seed=3)\n"
        "assert 'torch' not in sys.modules\n"
    )
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, stderr=subprocess.PIPE)


def wait_for(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def line_count(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def end(process: subprocess.Popen[bytes], number: int) -> None:
    assert process.stderr
    process.send_signal(number)
    process.wait()
    process.stderr.close()


@pytest.mark.timeout(300)
def test_killed_anywhere_it_goes_on_to_the_same_losses_and_weights(
    reference: Reference, tiny_model: Path, phases: list[PhaseRun], tmp_path: Path
) -> None:
    first, second = tmp_path / "train/phase-0-selected", tmp_path / "train/phase-1-original"

    process = start(tmp_path, tiny_model, phases)
    wait_for(process, lambda: line_count(first / "loss.jsonl") >= 3)
    end(process, signal.SIGKILL)
    assert not (first / "done.json").exists()
    (first / "steps/checkpoint-99").mkdir(parents=True)  # as if killed while saving

    process = start(tmp_path, tiny_model, phases)
    wait_for(process, (first / "done.json").exists)
    end(process, signal.SIGKILL)
    assert json.loads((first / "job.json").read_text())["resume"] is not None
    finished = (first / "loss.jsonl").stat()

    process = start(tmp_path, tiny_model, phases)
    wait_for(process, lambda: line_count(second / "loss.jsonl") >= 3)
    end(process, signal.SIGINT)
    assert process.returncode != 0 and not (second / "done.json").exists()
    with (tmp_path / "train/workers.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # no worker is left

    manifest = run(tmp_path, tiny_model, phases)
    assert (first / "loss.jsonl").stat().st_mtime_ns == finished.st_mtime_ns, "a finished phase is not run again"
    assert losses(manifest) == losses(reference[1])
    weights = [file_digest(folder / "checkpoint/model.safetensors") for folder in (tmp_path, reference[0])]
    assert weights[0] == weights[1]


def check_same_curve(
    reference: Reference, tiny_model: Path, phases: list[PhaseRun], folder: Path, **changes: Any
) -> None:
    manifest = run(folder, tiny_model, phases[:1], SETTINGS | changes)
    assert losses(manifest)[0] == pytest.approx(losses(reference[1])[0], rel=2e-5)


def test_two_ranks_under_zero2_give_the_same_curve(
    reference: Reference, tiny_model: Path, phases: list[PhaseRun], tmp_path: Path
) -> None:
    check_same_curve(reference, tiny_model, phases, tmp_path, processes=2, micro_batch_size=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"processes": 2, "deepspeed": "zero3"},
        {"micro_batch_size": 3},
        {"deepspeed": "zero1"},
        {"processes": 2, "micro_batch_size": 8},
        {"processes": 2, "micro_batch_tokens": 100},
        {"processes": 2, "micro_batch_tokens": 100, "deepspeed": "zero3"},
        {"gradient_checkpointing": True},
    ],
)
def test_other_splits_give_the_same_curve(
    reference: Reference, tiny_model: Path, phases: list[PhaseRun], tmp_path: Path, changes: dict[str, Any]
) -> None:
    check_same_curve(reference, tiny_model, phases, tmp_path, **changes)


ADAFACTOR: list[tuple[str | None, int]] = [(None, 1), ("zero1", 1), ("zero2", 1), ("zero3", 1)]
ADAFACTOR += [("zero1", 2), ("zero2", 2), ("zero3", 2)]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_adafactor_trains_under_every_stage_and_its_clipping_is_by_rank(
    tiny_model: Path, phases: list[PhaseRun], tmp_path: Path
) -> None:
    """From ZeRO-1 on it steps flat shards, so its curve is another one than that of whole tensors, and of other ranks.

    The first loss comes before any step and is the same everywhere.
    """
    curves = {}
    whole = tmp_path / "zero0.json"
    whole.write_text('{"zero_optimization": {"stage": 0}}')
    for stage, ranks in ADAFACTOR:
        changes = {"optimizer": "adafactor", "deepspeed": stage or str(whole), "processes": ranks}
        folder = tmp_path / f"{stage}-{ranks}"
        curves[stage, ranks] = losses(run(folder, tiny_model, phases[:1], SETTINGS | changes))[0]
    first = curves[None, 1][0]
    for place, curve in curves.items():
        print(place, [f"{loss:.6f}" for loss in curve])
        assert curve[0] == pytest.approx(first, rel=2e-5), place
        assert curve[-1] < first, f"{place} learns"
    for stage in ("zero2", "zero3"):  # of equal ranks the stages are the same arithmetic
        for ranks in (1, 2):
            assert curves[stage, ranks] == pytest.approx(curves["zero1", ranks], rel=2e-2), (stage, ranks)
    assert curves["zero2", 2] != pytest.approx(curves["zero2", 1], rel=1e-6), "or ranks need not be pinned"


@pytest.fixture
def two_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An allocation of two nodes, both of which are this machine."""
    program = tmp_path / "bin/srun"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("srun.py")} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("SLURM_NNODES", "2")
    monkeypatch.setenv("SLURMD_NODENAME", "127.0.0.1")


@pytest.mark.slow
@pytest.mark.usefixtures("two_nodes")
def test_ranks_under_slurm_give_the_same_curve(
    reference: Reference, tiny_model: Path, phases: list[PhaseRun], tmp_path: Path
) -> None:
    check_same_curve(reference, tiny_model, phases, tmp_path, launcher="slurm", micro_batch_size=1)


@pytest.mark.slow
@pytest.mark.usefixtures("two_nodes")
def test_a_rank_that_is_killed_under_slurm_ends_the_other_and_both_go_on(
    tiny_model: Path, phases: list[PhaseRun], tmp_path: Path
) -> None:
    changes = {"launcher": "slurm", "micro_batch_size": 1, "save_steps": 1}
    long, folder = [replace(phases[0], epochs=30)], tmp_path / "train/phase-0-selected"
    whole = run(tmp_path / "whole", tiny_model, long, SETTINGS | changes)
    process = start(tmp_path, tiny_model, long, changes)
    wait_for(process, lambda: line_count(folder / "loss.jsonl") >= 3)
    [victim] = [
        child.pid
        for child in psutil.Process(process.pid).children(recursive=True)
        if child.cmdline()[1:2] == ["-m"] and child.environ().get("SLURM_PROCID") == "1"
    ]
    os.kill(victim, signal.SIGKILL)
    killed = time.monotonic()
    wait_for(process, lambda: json.loads((folder / "job.json").read_text())["resume"] is not None)
    assert time.monotonic() - killed < 15, "the other one did not wait for it"
    assert process.wait(120) == 0 and process.stderr
    process.stderr.close()
    assert losses(run(tmp_path, tiny_model, long, SETTINGS | changes)) == losses(whole)


@pytest.mark.slow
def test_zero3_in_bf16_equals_zero2_in_bf16(tiny_model: Path, phases: list[PhaseRun], tmp_path: Path) -> None:
    curves = [
        losses(run(tmp_path / stage, tiny_model, phases[:1], SETTINGS | {"dtype": "bfloat16", "deepspeed": stage}))
        for stage in ("zero2", "zero3")
    ]
    assert curves[0][0] == pytest.approx(curves[1][0], rel=1e-6)


def check_adapters(tiny_model: Path, phases: list[PhaseRun], folder: Path, **changes: Any) -> None:
    from transformers import AutoModelForCausalLM

    lora = LoraSection(rank=4, alpha=8, target_modules=["q_proj", "v_proj"]).model_dump()
    manifest = run(folder, tiny_model, phases[:1], SETTINGS | {"lora": lora} | changes)
    assert manifest.metrics["phases"][0]["loss_last"] < manifest.metrics["phases"][0]["loss_first"]
    merged = AutoModelForCausalLM.from_pretrained(folder / "checkpoint").state_dict()
    before = AutoModelForCausalLM.from_pretrained(tiny_model).state_dict()
    assert merged.keys() == before.keys()
    changed = {name for name in before if not merged[name].equal(before[name])}
    assert changed == {name for name in before if "q_proj" in name or "v_proj" in name}


def test_adapters_are_merged_into_the_export(tiny_model: Path, phases: list[PhaseRun], tmp_path: Path) -> None:
    check_adapters(tiny_model, phases, tmp_path)


@pytest.mark.slow
def test_adapters_are_merged_under_zero3_on_two_ranks(tiny_model: Path, phases: list[PhaseRun], tmp_path: Path) -> None:
    check_adapters(tiny_model, phases, tmp_path, deepspeed="zero3", processes=2, gradient_checkpointing=True)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"deepspeed": "zero2"}, marks=pytest.mark.slow),
        pytest.param({"deepspeed": "zero3", "processes": 2}, marks=pytest.mark.slow),
        pytest.param({"deepspeed": "zero1", "dtype": "bfloat16"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_adapters_of_tied_embeddings_give_two_tensors(
    tiny_model: Path, phases: list[PhaseRun], tmp_path: Path, changes: dict[str, Any]
) -> None:
    lora = LoraSection(rank=4, alpha=8, target_modules=["embed_tokens", "lm_head"]).model_dump()
    run(tmp_path, tiny_model, phases, SETTINGS | {"lora": lora} | changes)  # the second phase starts from the first
    check_differences(tmp_path, 3e-2 if changes.get("dtype") else 1e-3)
    weights = load_file(tmp_path / "checkpoint/model.safetensors")
    assert not weights["lm_head.weight"].equal(weights["model.embed_tokens.weight"])
    assert json.loads((tmp_path / "checkpoint/config.json").read_text())["tie_word_embeddings"] is False


def check_differences(folder: Path, limit: float) -> None:
    """See that each phase has compared its export with the model that it trained."""
    found = [json.loads(path.read_text())["export_difference"] for path in (folder / "train").glob("phase-*/done.json")]
    assert len(found) == 2 and all(0 <= difference < limit for difference in found), found


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"deepspeed": "zero1"}, {"deepspeed": "zero3", "processes": 2}], ids=str)
def test_every_export_is_compared_with_the_trained_model(
    tiny_model: Path, phases: list[PhaseRun], tmp_path: Path, changes: dict[str, Any]
) -> None:
    run(tmp_path, tiny_model, phases, SETTINGS | changes)
    check_differences(tmp_path, 1e-3)


def test_an_export_that_is_another_model_is_not_published(
    tiny_model: Path, phases: list[PhaseRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(  # in the workers: what is saved is not what was trained
        "import transformers\n"
        "save = transformers.PreTrainedModel.save_pretrained\n"
        "def spoiled(self, *arguments, state_dict=None, **options):\n"
        "    state_dict = {name: tensor * 1.5 if 'mlp' in name else tensor for name, tensor in state_dict.items()}\n"
        "    return save(self, *arguments, state_dict=state_dict, **options)\n"
        "transformers.PreTrainedModel.save_pretrained = spoiled\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    with pytest.raises(TrainingError, match="nothing was published(?s:.*)the export differs from the trained model"):
        run(tmp_path, tiny_model, phases[:1])
    assert not (tmp_path / "checkpoint").exists()


def test_failing_workers_are_reported_with_the_end_of_their_log(
    tiny_model: Path, phases: list[PhaseRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import transformers\n"
        "def fail(self, *arguments, **options):\n"
        "    raise RuntimeError('CUDA out of memory, as it were')\n"
        "transformers.PreTrainedModel.save_pretrained = fail\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    with pytest.raises(TrainingError, match="train.micro_batch_size(?s:.*)as it were") as caught:
        run(tmp_path, tiny_model, phases[:1])
    assert str(tmp_path / "train/logs/train-phase-0-selected.log") in str(caught.value)


def test_what_cannot_work_is_refused_at_once(
    tiny_model: Path, phases: list[PhaseRun], tmp_path: Path, write_training_rows: WriteRows, make_row: MakeRow
) -> None:
    with pytest.raises(ModelError, match="safetensors"):
        run(tmp_path, tmp_path, phases)
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint/notes.txt").write_text("mine")
    with pytest.raises(TrainingError, match="not a checkpoint of this training"):
        run(tmp_path, tiny_model, phases)
    empty = PhaseRun("selected", [write_training_rows(0, make_row("q", ""))], 1, 1e-3)
    with pytest.raises(StageError, match="none of 1 rows"):
        run(tmp_path / "other", tiny_model, [empty])


def test_a_command_that_holds_its_output_trains_in_it(tmp_path: Path, phases: list[PhaseRun]) -> None:
    with lock_folder(tmp_path / "train", "--output"), pytest.raises(ModelError, match="safetensors"):
        run(tmp_path, tmp_path, phases)
