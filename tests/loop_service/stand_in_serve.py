"""`serve --with-loop` whose engines and runs are stand-ins, on a machine that looks as if it had a GPU: RUN_DIR."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from inverse_instruct.commands import serve
from inverse_instruct.inference.server import VllmServer
from inverse_instruct.loop_service import runner
from inverse_instruct.loop_service.allowed import Allowed
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.root import ROOT


def use_stand_ins(name: str) -> None:
    """Have this process start stand-ins for vLLM, by a name that their log will have."""
    os.environ["FAKE_NAME"] = name
    fake = str(ROOT / "tests" / "gateway" / "fake_engine.py")

    def command(server: VllmServer, port: int) -> list[str]:
        return [sys.executable, fake, "--model", str(server.model), "--port", str(port)]

    replaced: Any = VllmServer
    replaced._command = command


def stand_in_run(run_dir: RunDir) -> list[str]:
    """Return the command of a run."""
    script = str(Path(__file__).with_name("stand_in_run.py"))
    return [sys.executable, script, "run", str(run_dir.config), "--run-dir", str(run_dir.path)]


def main() -> None:
    use_stand_ins("gateway's engine")
    modules: list[Any] = [serve, runner]
    modules[0].gpu_count = lambda: 1
    modules[1]._command = stand_in_run
    serve.serve_with_loop(Path(sys.argv[1]), [], None, Allowed())


if __name__ == "__main__":
    main()
