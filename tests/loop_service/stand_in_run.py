"""A run that uses devices as a real one does, by the loop's own engines: `stand_in_run.py run CONFIG --run-dir DIR`.

Its engine and its trainer are stand-ins. Each step waits until a file of its name is in the folder STAND_IN_STEPS.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from inverse_instruct.config.config_file import load_config
from inverse_instruct.loop.engines import Engines
from inverse_instruct.store.ledger import Ledger
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.shared_devices import SharedDevices
from inverse_instruct.system.supervisor import start_supervised, stop_supervised
from tests.gateway.fake_engine import Device
from tests.loop_service.stand_in_serve import use_stand_ins

STEPS = Path(os.environ["STAND_IN_STEPS"])


def step(name: str) -> None:
    """Say that a step is reached, and wait until it may be done."""
    (STEPS / f"{name}.reached").write_text(str(os.getpid()))
    while not (STEPS / name).exists():
        time.sleep(0.05)


def train() -> None:
    """Be a trainer, which ends late."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    device = Device("trainer")
    device.take()
    try:
        step("trained")
    finally:
        device.linger()


def main() -> None:
    if sys.argv[1] == "train":
        return train()
    run_dir = RunDir(Path(sys.argv[sys.argv.index("--run-dir") + 1]))
    config = load_config(run_dir.config)
    use_stand_ins("run's engine")
    with run_dir.lock(), Ledger(run_dir.ledger, create=True) as ledger:
        engines = Engines(config, run_dir.logs, None, ledger.add_event, SharedDevices.inherited(os.environ))
        try:
            step("asks")
            for server in engines.start(Path(config.model.base)):
                asyncio.run(server.wait_ready())
            step("asked")
            engines.clear_devices()
            with (run_dir.logs / "trainer.log").open("ab") as log:
                trainer = start_supervised([sys.executable, __file__, "train"], env=dict(os.environ), log=log)
                try:
                    code = trainer.wait()
                finally:
                    stop_supervised(trainer)
            assert code == 0, "the trainer failed"
        finally:
            engines.stop()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    main()
