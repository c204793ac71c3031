"""Stages played in rooms that a test has furnished, as the loop plays them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from inverse_instruct.config.corpus_source import CorpusSource
from inverse_instruct.config.sections import PreprocessSection, RunConfig
from inverse_instruct.stages.play import leaving, play, refuse_empty, work
from inverse_instruct.stages.preprocess import PREPROCESS
from inverse_instruct.stages.questions import Asked
from inverse_instruct.stages.room import Place, Room, Source
from inverse_instruct.stages.stage import Stage
from inverse_instruct.stages.train import TRAIN, PhaseRun, run_phases
from inverse_instruct.store.manifest import Manifest, read_manifest


def room_of(
    stage: Stage,
    folder: Path,
    inputs: Mapping[str, Source] | None = None,
    *,
    key: str = "k",
    number: int = 1,
    seed: int = 0,
    base: Path | None = None,
    checkpoint: Path | None = None,
    asked: Asked | None = None,
    **sections: Any,
) -> Room:
    """Furnish a room; what is not said of the config is as usual."""
    config = RunConfig(**{"name": "x", "model": {"base": "b"}, "corpus": [{"path": "c"}]} | sections)
    place = Place(folder, number, seed, folder / "logs", key, checkpoint, base)
    nothing: dict[str, Source] = dict.fromkeys(stage.reads, ())
    return Room(stage, config, place, {**nothing, **(inputs or {})}, asked)


def play_stage(stage: Stage, folder: Path, inputs: Mapping[str, Source] | None = None, **options: Any) -> Manifest:
    """Play a stage that asks no model, unless it is done."""
    room = room_of(stage, folder, inputs, **options)
    return refuse_empty(stage, read_manifest(folder, room.place.key) or play(room), folder)


async def play_asking(*rooms: Room) -> list[Manifest]:
    """Play a stage that asks a model, or two of them one behind the other."""
    with leaving(rooms):
        await work(rooms)
        return [room.finish() for room in rooms]


def preprocess(corpus: Sequence[CorpusSource], section: PreprocessSection, folder: Path, key: str = "k") -> Manifest:
    """Turn a corpus into snippets."""
    return play_stage(PREPROCESS, folder, key=key, number=0, corpus=corpus, preprocess=section)


def train_on(base: Path, phases: Sequence[PhaseRun], folder: Path, **options: Any) -> Manifest:
    """Train on files of rows; `folder` gets `train/`, `checkpoint/` and `train/logs/`."""
    stage = replace(TRAIN, run=lambda room: run_phases(room, phases), reads={})
    return play_stage(stage, folder / "train", base=base, checkpoint=folder / "checkpoint", **options)
