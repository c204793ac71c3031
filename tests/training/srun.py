#!/usr/bin/env python
"""Stands where `srun` stands: starts the tasks here, and ends all of them when one fails."""

import os
import subprocess
import sys
import time

FLAGS = ("--overlap", "--cpu-bind=none", "--kill-on-bad-exit=1")


def main() -> int:
    words, options = sys.argv[1:], {}
    while words[0].startswith("--"):
        if words[0] in FLAGS:
            words = words[1:]
        else:
            options[words[0]], words = words[1], words[2:]
    per_node = int(options["--ntasks-per-node"])
    tasks = [
        subprocess.Popen(
            words,
            env=os.environ
            | {
                "SLURM_PROCID": str(number),
                "SLURM_LOCALID": str(number % per_node),
                "SLURM_NTASKS": options["--ntasks"],
                "SLURM_NTASKS_PER_NODE": str(per_node),
            },
        )
        for number in range(int(options["--ntasks"]))
    ]
    while True:
        codes = [task.poll() for task in tasks]
        if any(codes):
            for task in tasks:
                task.kill()
            return 1
        if codes == [0] * len(tasks):
            return 0
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
