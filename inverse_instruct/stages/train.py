"""Stage train: base model and training rows to a checkpoint, in one or more phases (InverseCoder section 4.1).

Enters: a model folder and Parquet files of `TrainingRow`. Leaves: a plain Hugging Face folder, loss curves, TensorBoard
logs and a manifest. Each phase is a run of its own (optimizer, warm-up, schedule) in worker processes; the next one
starts from its export. Killed at any point, the same call goes on from the last step checkpoint with the same losses.
This module does not import torch. Not guaranteed: resuming with another number of ranks; the phase starts anew then.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from inverse_instruct.config.sections import TrainSection
from inverse_instruct.errors import ConfigError, ModelError, StageError, WorkerLostError
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.inference.stop_tokens import Ending
from inverse_instruct.records import TrainingRow, to_dict
from inverse_instruct.stages.estimate import Cost, Estimate
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.stage import Input, Model, Rows, Stage, When
from inverse_instruct.store.files import file_digest, write_json
from inverse_instruct.store.losses import read_losses
from inverse_instruct.store.measures import Phase
from inverse_instruct.store.progress import Progress
from inverse_instruct.store.rows import read_rows, write_rows
from inverse_instruct.store.seeds import phase_seed
from inverse_instruct.system.machine import gpu_count
from inverse_instruct.system.supervisor import start_supervised, stop_supervised
from inverse_instruct.training.batches import BatchPlan
from inverse_instruct.training.failure import failure
from inverse_instruct.training.job import Job, PhaseFolder
from inverse_instruct.training.launch import rank_count, worker_command, worker_environment
from inverse_instruct.training.loss_bar import TrainingProgress
from inverse_instruct.training.publish import MARKER, check_target, publish
from inverse_instruct.training.requirements import machine_problems, model_problems
from inverse_instruct.training.sequences import Sequences, build_sequences
from inverse_instruct.training.stage_folder import await_stale_workers, discard_other_work, remove_intermediate_files
from inverse_instruct.training.step_checkpoints import newest_complete, step_of

TEARDOWN_SECONDS = 30.0
MAX_DEATHS = 3  # of workers that started from the same step checkpoint: then it is not bad luck

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PhaseRun:
    """One phase: what it is trained on and how."""

    data: str  # `selected`, `original` or `mixed`; names the phase's folder
    rows: list[Path]  # Parquet files of `TrainingRow`, taken together; every epoch has its own order
    epochs: float  # passes over the rows
    learning_rate: float  # peak


def train(room: Room) -> None:
    """Train the base model on the round's rows: phase by phase, as the config says."""
    section: TrainSection = room.section()
    checkpoint = room.place.checkpoint
    if checkpoint and checkpoint.is_dir():
        (checkpoint / MARKER).touch()  # whatever has become of it, it is the run's own and may be replaced
    sources = {"selected": room.files("selected"), "original": room.files("original")}
    sources["mixed"] = sources["selected"] + sources["original"]
    phases = [
        PhaseRun(phase.data, sources[phase.data], phase.epochs, phase.learning_rate or section.learning_rate)
        for phase in section.phases
        if sources[phase.data] and (room.place.round > 0 or phase.data == "original")
    ]
    if not phases:
        raise StageError(
            f"round {room.place.round} has nothing to train on: the corpus holds no instructions; name an "
            "instruct model in model.start or give a corpus with instructions"
        )
    run_phases(room, phases)


def run_phases(room: Room, phases: Sequence[PhaseRun]) -> None:
    """Fine-tune the base model on rows, one phase after the other, and publish the result.

    Raises:
        TrainingError: the workers failed, or those of an earlier training do not end.
        StageError: a phase has no row to train on.
        ConfigError: the DeepSpeed config or the hostfile is unusable.
        ModelError: the base model has no safetensors weights or no usable tokenizer.
    """
    section, base, checkpoint = room.section(), room.place.base, room.place.checkpoint
    assert base and checkpoint, "a room for training has both"
    _check(section, base, checkpoint)
    trusted: bool = room.section("model.trust_remote_code")
    if trusted:
        logger.warning(
            "%s is trained with Python code of its own, which may do anything that you may (model.trust_remote_code)",
            base,
        )
    run = _Run(
        section,
        room.place.folder,
        room.place.logs,
        room.section("model.prompt_format"),
        room.template_date,
        room.place.seed,
        trusted,
        room.progress,
    )
    await_stale_workers(run.workers_lock)
    discard_other_work(run.folder, room.place.key)
    measured = run.phases(base, phases)
    files = publish(run.folder / measured[-1].phase / "export", checkpoint, room.place.key)
    for phase in measured:
        room.account(phase.rows, phase.rejected)
    room.tokens.update(
        trained=sum(phase.tokens for phase in measured), response=sum(phase.response_tokens for phase in measured)
    )
    room.metrics["phases"] = [asdict(phase) | {"losses": _losses(run.folder / phase.phase)} for phase in measured]
    room.outputs += [f"{phase.phase}/{name}" for phase in measured for name in ("loss.jsonl", "rejections.jsonl")]
    room.outputs += [os.path.relpath(path, run.folder) for path in files]


def _check(config: TrainSection, base: Path, checkpoint: Path) -> None:
    """Find out in the first second what would otherwise fail after hours."""
    check_target(checkpoint)
    if problems := [*machine_problems(config), *model_problems(config, base)]:
        raise ConfigError(problems)
    if not any(base.glob("*.safetensors")):
        raise ModelError(f"{base} holds no safetensors weights; convert the model, pickled weights are never loaded")


@dataclass(frozen=True)
class _Prepared:
    """A phase whose sequences are there."""

    label: str  # for messages
    number: int  # from 0
    base: Path  # folder of the model to start from
    run: PhaseRun
    paths: PhaseFolder
    sequences: Sequences
    ending: Ending


@dataclass(frozen=True)
class _Run:
    """What all phases of one training share."""

    config: TrainSection
    folder: Path
    log_folder: Path
    prompt_format: str
    template_date: date | None
    seed: int
    trust_remote_code: bool
    progress: Progress

    @property
    def workers_lock(self) -> Path:
        return self.folder / "workers.lock"

    def phases(self, base: Path, phases: Sequence[PhaseRun]) -> list[Phase]:
        """Run what is not done yet; return what was measured of every phase."""
        measured = []
        formatter = PromptFormatter(base, self.prompt_format, self.template_date)
        for number, phase in enumerate(phases):
            paths = PhaseFolder(self.folder / f"phase-{number}-{phase.data}")
            if paths.is_done() and not paths.is_as_marked(paths.done):
                shutil.rmtree(paths.path)
            sequences = self._prepare(phase, paths, formatter)
            if not paths.is_done():
                label = f"train {phase.data} ({number + 1}/{len(phases)})"
                self._run_phase(_Prepared(label, number, base, phase, paths, sequences, formatter.ending))
            shutil.rmtree(paths.steps, ignore_errors=True)
            measured.append(_measure(phase, paths, sequences))
            base = paths.export
        return measured

    def _prepare(self, phase: PhaseRun, paths: PhaseFolder, formatter: PromptFormatter) -> Sequences:
        if paths.is_as_marked(paths.prepared):
            return Sequences.load(paths.sequences)
        rows = [row for path in phase.rows for row in read_rows(path)]
        sequences, rejections = build_sequences(rows, formatter, self.config.max_length)
        if not len(sequences):
            raise StageError(
                f"phase {phase.data}: none of {len(rows)} rows can be trained on "
                f"({dict(Counter(rejection.reason.value for rejection in rejections))}); "
                "give it more rows or a larger train.max_length"
            )
        write_rows(paths.rejections, map(to_dict, rejections))
        sequences.save(paths.sequences)
        write_json(
            paths.prepared, {"files": {path.name: file_digest(path) for path in (paths.sequences, paths.rejections)}}
        )
        return sequences

    def _run_phase(self, phase: _Prepared) -> None:
        """Run the workers until the phase is done; after the death of one, all start again from the last checkpoint."""
        ranks = rank_count(self.config, gpu_count())
        paths = phase.paths
        deaths: Counter[int] = Counter()  # by the step that was gone on from
        paths.done.unlink(missing_ok=True)
        paths.steps.mkdir(mode=0o700, exist_ok=True)  # DeepSpeed's files are pickles: nobody else may put one there
        while True:
            resume = newest_complete(paths.steps, ranks, paths.losses)
            step = step_of(resume) if resume else 0
            try:
                return self._attempt(phase, ranks, resume)
            except WorkerLostError as error:
                deaths[step] += 1
                if deaths[step] == MAX_DEATHS:
                    raise
                logger.warning(
                    "%s: a process died, so all were ended and start again from the last step checkpoint (%s)",
                    phase.label,
                    str(error).splitlines()[0],
                )

    def _attempt(self, phase: _Prepared, ranks: int, resume: Path | None) -> None:
        paths, seed = phase.paths, phase_seed(self.seed, phase.number)
        job = Job(
            self.config,
            phase.base.resolve(),
            paths.path.resolve(),
            self.workers_lock.resolve(),
            (self.folder / "tensorboard" / paths.path.name).resolve(),
            resume and resume.resolve(),
            phase.run.epochs,
            phase.run.learning_rate,
            seed,
            self.trust_remote_code,
            phase.ending,
        ).write()
        plan = BatchPlan(
            phase.sequences.lengths,
            global_batch_size=self.config.global_batch_size,
            micro_batch_size=self.config.micro_batch_size,
            micro_batch_tokens=self.config.micro_batch_tokens,
            ranks=ranks,
            epochs=phase.run.epochs,
            seed=seed,
        )
        logger.info(
            "%s: %d rows, %d steps on %d ranks%s",
            phase.label,
            len(phase.sequences),
            plan.steps,
            ranks,
            f", from step {step_of(resume)}" if resume else "",
        )
        progress = TrainingProgress(phase.label, paths.losses, plan.steps, self.progress)
        try:
            _run_workers(
                worker_command(self.config, ranks, job.resolve()),
                worker_environment(self.config, ranks, gpu_count()),
                paths,
                progress,
                self.log_folder / f"train-{paths.path.name}.log",
            )
        finally:
            progress.close()


def _run_workers(
    command: list[str], environment: dict[str, str], paths: PhaseFolder, progress: TrainingProgress, log: Path
) -> None:
    """Run the workers until they end; whatever happens here, none of them outlives this call."""
    log.parent.mkdir(parents=True, exist_ok=True)
    done_at: float | None = None
    with log.open("ab") as stream:
        start = stream.tell()
        process = start_supervised(command, env=environment, log=stream)
        try:
            while process.poll() is None:
                progress.refresh()
                if done_at is None and paths.is_done():
                    done_at = time.monotonic()
                if done_at is not None and time.monotonic() - done_at > TEARDOWN_SECONDS:
                    break
                time.sleep(0.1)
        finally:
            code = stop_supervised(process)
    if not paths.is_done():
        raise failure(log, start, code)
    if code:
        logger.warning("training was done, but its processes ended with exit code %d; see %s", code, log)


def _measure(phase: PhaseRun, paths: PhaseFolder, sequences: Sequences) -> Phase:
    """Return what is known of a finished phase."""
    done = json.loads(paths.done.read_text(encoding="utf-8"))
    lines = read_losses(paths.losses)
    seconds = sum(line["seconds"] for line in lines)
    tokens = int(sum(line["tokens"] for line in lines))
    return Phase(
        phase=paths.path.name,
        data=phase.data,
        rows=len(sequences),
        rejected=dict(Counter(row["reason"] for row in read_rows(paths.rejections))),
        truncated=sequences.truncated,
        steps=len(lines),
        tokens=tokens,
        response_tokens=int(sum(line["response_tokens"] for line in lines)),
        loss_first=lines[0]["loss"],
        loss_last=lines[-1]["loss"],
        seconds=round(seconds, 3),
        tokens_per_second=round(tokens / seconds, 1) if seconds else None,
        peak_memory_bytes=done.get("peak_memory_bytes"),
    )


def _losses(phase: Path) -> list[float]:
    return [line["loss"] for line in read_losses(PhaseFolder(phase).losses)]


def _cost(estimate: Estimate) -> Cost:
    phases = estimate.config.train.phases
    tokens = int(estimate.tokens * sum(phase.epochs for phase in phases))
    return Cost(estimate.rows * len(phases), tokens, tokens * estimate.backward)


TRAIN = Stage(
    "train",
    "fine-tune a base model on rows under DeepSpeed",
    train,
    unit="row",
    reads={
        "selected": Input("selection", Rows("selected.parquet", TrainingRow), When.SO_FAR),
        "original": Input("preprocess", Rows("original.parquet", TrainingRow), When.ONCE),
    },
    sections=("model.prompt_format", "model.trust_remote_code"),
    model=Model.BASE,
    all_devices=True,
    tidy=remove_intermediate_files,
    cost=_cost,
)
