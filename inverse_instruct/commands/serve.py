"""The command `serve`: the gateway of a run, until it is told to stop.

Enters: a run directory with its `run.yaml`. Leaves: nothing. On SIGTERM or Ctrl-C no new request is taken, those in
flight end (within `serve.drain_timeout_seconds`), and the engines stop; a second Ctrl-C does not wait.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from collections.abc import Sequence
from pathlib import Path

from starlette.routing import Mount
from starlette.types import ASGIApp

from inverse_instruct.config.config_file import ConfigFile, load_config, read_config
from inverse_instruct.config.sections import RunConfig, ServeSection
from inverse_instruct.dashboard.app import routes as dashboard_routes
from inverse_instruct.errors import ConfigError, RunDirError
from inverse_instruct.gateway.app import create_app
from inverse_instruct.gateway.keys import read_keys
from inverse_instruct.gateway.service import Service
from inverse_instruct.inference.chat_options import chat_problems
from inverse_instruct.loop_service.allowed import Allowed
from inverse_instruct.loop_service.api import api_routes
from inverse_instruct.loop_service.service import HOME, LoopService, open_loop_service
from inverse_instruct.loop_service.submission import check_unless_known
from inverse_instruct.store.run_dir import RunDir
from inverse_instruct.system.machine import gpu_count, gpus
from inverse_instruct.system.shared_devices import SharedDevices
from inverse_instruct.web.connections import QUEUE, GuardedServer, guarded_config

KEEP_ALIVE_SECONDS = 75  # longer than clients keep theirs, so that none is closed just as it is used again
LAST_WORDS_SECONDS = 5
CLIENT_SECONDS = 60  # that a client may take nothing of what is sent to it; then its connection is cut

logger = logging.getLogger(__name__)


def serve_with_loop(path: Path | None, overrides: Sequence[str], loop_config: Path | None, allowed: Allowed) -> None:
    """Serve a run, and play it and others of its folder in the background; returns when the process is told to stop.

    Args:
        path: folder of the run that is served; None: `runs/NAME` of the config.
        overrides: `a.b=c` pairs that win over the config.
        loop_config: of the run, which is put in the queue unless it was before; None: only what the API submits.
        allowed: what configs from the API may name, beside what the configs of these runs name.

    Raises:
        RunDirError: there is no such run, it has another config, or another service holds its folder.
        ConfigError: the config, the overrides, the keys or the port are wrong.
    """
    result = read_config(loop_config, overrides) if loop_config else None
    if path is None and result:
        if result.config is None:
            raise result.error()
        path = Path("runs", result.config.name)
    if path is None:
        raise ConfigError(["--run-dir: name the run that is served, or give --with-loop a config"])
    path = path.absolute()
    with open_loop_service(path.parent, allowed) as loop:
        if result:
            _submit(loop, result, path)
        elif RunDir(path).config.is_file() and not loop.is_submitted(path.name):
            loop.vouch_for(load_config(RunDir(path).config))
        serve(path, overrides, loop)


def _submit(loop: LoopService, result: ConfigFile, path: Path) -> None:
    """Put the run in the queue; one that failed or was stopped is not started again by starting the service again."""
    config = check_unless_known(result, RunDir(path))
    loop.vouch_for(config)
    loop.submit(config, path.name, submitted=False)
    run = loop.describe(path.name)
    if run.state in ("failed", "stopped"):
        logger.warning(
            "run %s has %s (%s); POST /api/runs/%s/resume goes on with it",
            path.name,
            run.state,
            run.reason,
            path.name,
        )


def serve(path: Path, overrides: Sequence[str], loop: LoopService | None = None) -> None:
    """Serve the promoted checkpoint of a run; returns when the process is told to stop.

    Args:
        path: folder of the run.
        overrides: `a.b=c` pairs that win over its config.
        loop: runs to play in the background.

    Raises:
        RunDirError: there is no such run.
        ConfigError: its config, the overrides, the keys or the port are wrong.
    """
    run_dir = RunDir(path)
    if not run_dir.config.is_file():
        raise RunDirError(
            f"{path} is not a run: it has no run.yaml; check the path, or start one with "
            f"`inverse-instruct run CONFIG --run-dir {path}`"
        )
    config = load_config(run_dir.config, overrides)
    if config.serve.during_training == "sleep" and not config.serve.endpoints and gpu_count() == 0:
        raise ConfigError(["serve.during_training: engines on a CPU keep their memory when asleep; set it to stop"])
    if problems := list(chat_problems(config.serve, config.inference)):
        raise ConfigError(problems)
    left = left_for_runs(config.serve)
    if loop:
        if left == []:
            raise ConfigError(["serve.devices: it takes all GPUs, and leaves none to the runs; name fewer"])
        loop.devices = left
    keys = read_keys(Path(config.serve.api_keys)) if config.serve.api_keys else None
    listener = listen(config)
    shared = run_dir.path.parent / HOME if loop and hands_over(config.serve) else None
    service = Service(config, run_dir, SharedDevices.open(shared) if shared else None)
    pages = dashboard_routes(lambda request: path, others=loop is not None)  # whoever may list runs may compare them
    routes = [Mount("/dashboard", routes=pages), *(api_routes(loop) if loop else [])]
    background = loop.play(shared) if loop else None
    logger.info("listening on http://%s:%d", *listener.getsockname()[:2])
    try:
        Server(service, create_app(service, keys, routes, background)).run([listener])
    except KeyboardInterrupt:
        pass  # uvicorn raises the signal again that it has obeyed


def hands_over(section: ServeSection) -> bool:
    """Tell whether the gateway's engines and the runs behind it use the same devices in turn."""
    return section.devices is None and section.during_training != "serve"


def left_for_runs(section: ServeSection) -> list[str] | None:
    """Return the GPUs that the gateway's own leave; None where it has none of its own.

    Raises:
        ConfigError: it names one that is not here.
    """
    if section.devices is None:
        return None
    here = gpus()
    if missing := [device for device in section.devices if device not in here]:
        known = ", ".join(here) or "none"
        raise ConfigError([f"serve.devices: {', '.join(missing)} cannot be used here; GPUs of this machine: {known}"])
    return [device for device in here if device not in section.devices]


class Server(GuardedServer):
    """uvicorn, but streams that outlast the drain end with an error event before their connections are closed."""

    def __init__(self, service: Service, app: ASGIApp) -> None:
        """Take the service and its application."""
        self._service = service
        self._drain_seconds = service.section.drain_timeout_seconds
        longest = None if self._drain_seconds is None else math.ceil(self._drain_seconds) + LAST_WORDS_SECONDS
        super().__init__(
            guarded_config(
                app,
                engine_requests=service.section.max_concurrent,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=longest,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests, wait for those in flight, stop the engines."""
        if self._drain_seconds is not None:
            asyncio.get_running_loop().call_later(self._drain_seconds, self._service.cut_off)
        await super().shutdown(sockets)


def listen(config: RunConfig) -> socket.socket:
    """Take the port before any engine is started; who connects early waits until the application is up."""
    section = config.serve
    family = socket.AF_INET6 if ":" in section.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, CLIENT_SECONDS * 1000)  # or no drain would end
    try:
        listener.bind((section.host, section.port))
        listener.listen(QUEUE)
    except OSError as error:
        listener.close()
        raise ConfigError(
            [
                f"serve.port: {section.host}:{section.port} cannot be used ({error.strerror}); choose "
                "another with --set serve.port=PORT"
            ]
        ) from error
    return listener
