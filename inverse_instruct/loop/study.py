"""A study: the variants of one config as one piece of work, each stage of equal key done once, compared at the end.

Enters: a study and a folder. Leaves: one run per variant below the folder and `study.json`, which is written anew after
each variant. Killed anywhere, the same call goes on. A variant that fails does not keep the others from being played.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from inverse_instruct.config.study_file import Study
from inverse_instruct.errors import ConfigError, InverseInstructError, StageError
from inverse_instruct.loop.check import check
from inverse_instruct.loop.run import run
from inverse_instruct.loop.study_results import StudyResults, read_results
from inverse_instruct.store.files import write_json
from inverse_instruct.store.folder_lock import lock_folder

RESULTS = "study.json"

logger = logging.getLogger(__name__)


def check_study(study: Study, folder: Path) -> None:
    """Check every variant against the world.

    Raises:
        ConfigError: with the problems of all of them; what all have in common is told once.
    """
    found: dict[str, list[str]] = {}
    for name, config in study.variants.items():
        try:
            check(config, folder / name)
        except ConfigError as error:
            for problem in error.problems:
                found.setdefault(problem, []).append(name)
    if found:
        everybody = len(study.variants)
        raise ConfigError(
            [
                problem if len(names) == everybody else f"variants.{', '.join(names)}: {problem}"
                for problem, names in found.items()
            ]
        )


def play_study(study: Study, folder: Path, play: Callable[..., None] = run) -> StudyResults:
    """Play all variants, or what is left of them, and compare them.

    Args:
        study: what is compared.
        folder: of the study; each variant's run is in a folder of its name.
        play: plays a config in a folder, taking over what other runs have done.

    Raises:
        RunDirError: another process plays the study.
        StageError: variants failed; the others are played and compared all the same.
    """
    failures: dict[str, str] = {}
    with lock_folder(folder, "--run-dir"):
        for number, (name, config) in enumerate(study.variants.items(), 1):
            logger.info("variant %s (%d of %d)", name, number, len(study.variants))
            try:
                play(config, folder / name, others=_others(study, folder, name))
            except InverseInstructError as error:
                failures[name] = str(error)
                logger.warning("variant %s failed: %s", name, error)
            results = read_results(study, folder, failures)
            write_json(folder / RESULTS, results.as_json())
    if failures:
        names = ", ".join(failures)
        raise StageError(
            f"{len(failures)} of {len(study.variants)} variants failed: {names}; {folder / RESULTS} has why"
        )
    return results


def _others(study: Study, folder: Path, name: str) -> Sequence[Path]:
    return [folder / other for other in study.variants if other != name and (folder / other).is_dir()]
