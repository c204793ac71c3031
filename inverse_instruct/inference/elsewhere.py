"""How an engine is started on another machine: by a command of the config, which runs a script that both machines see.

Enters: a command line, its variables, and a folder on shared storage. Leaves: a script there, and the command of this
machine that runs it. What is secret stands in the script, which nobody else may read, and in no list of processes. The
engine ends with that command, so it must pass signals or hang-ups on: `srun` does, and `ssh` with `-tt`. Not
guaranteed: an engine whose machine is cut off.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Elsewhere:
    """Another machine."""

    host: str
    start: str  # `inference.start`

    def command(self, line: Sequence[str], variables: Mapping[str, str], script: Path) -> list[str]:
        """Write the script, and return what runs it there.

        Args:
            line: command line of the engine.
            variables: to be set for it.
            script: where it is written; its folder must be seen under the same path there.
        """
        exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        lines = ["#!/bin/sh", *exports, f"cd {shlex.quote(str(Path.cwd()))}", f"exec {shlex.join(line)}", ""]
        script.unlink(missing_ok=True)
        descriptor = os.open(script, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines))
        words = []
        for word in shlex.split(self.start):
            words += ["sh", str(script.absolute())] if word == "{command}" else [word.replace("{host}", self.host)]
        return words
