"""Starts, watches and stops one vLLM server, on 127.0.0.1 or on another machine.

Enters: a model folder and the `inference` section. Leaves: a base URL that answers, or a `ServerError` with the tail of
the server's log. The server never outlives this process. Not guaranteed: that a healthy server answers quickly.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx

from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.errors import ConfigError, ServerError, StartError
from inverse_instruct.inference.elsewhere import Elsewhere
from inverse_instruct.inference.engine_version import option_problems
from inverse_instruct.inference.models import model_digest
from inverse_instruct.inference.requirements import BATCHED_TOKENS_ON_CPU, machine_problems
from inverse_instruct.system.machine import INTEL_OPENMP, free_port, gpu_count
from inverse_instruct.system.supervisor import kill_supervised, start_supervised, stop_supervised

TOLD_SECONDS = 10.0
"""After so long without a word, a person is told how far a start has come."""
PHASES = (
    ("Initializing a V1 LLM engine", "is being set up"),
    ("Starting to load model", "loads the weights"),
    ("Loading weights took", "has its weights and is being tried"),
    ("Compiling a graph", "is being compiled"),
    ("Capturing CUDA graphs", "records CUDA graphs"),
    ("Starting vLLM server", "is about to answer"),
)
"""What vLLM writes into its log -> what that means for a person; the last one that is there counts."""

logger = logging.getLogger(__name__)

HEALTH_INTERVAL_SECONDS = 0.25
LOG_TAIL_LINES = 15


class VllmServer:
    """One vLLM server for one model; also counts its restarts."""

    def __init__(
        self,
        model: Path,
        section: InferenceSection,
        *,
        max_model_len: int,
        log: Path,
        trust_remote_code: bool = False,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] = {},
        elsewhere: Elsewhere | None = None,
        key: str | None = None,
        files: Sequence[int] = (),
    ) -> None:
        """Describe the server; nothing is started yet.

        Args:
            model: local model folder.
            section: how to run it.
            max_model_len: context length in tokens.
            log: file that takes the server's output.
            trust_remote_code: let the model bring its own code.
            arguments: of vLLM's command line, beside those of the section.
            environment: variables to set for it.
            elsewhere: the machine that it runs on; None: this one.
            key: that it asks for, where others can reach it.
            files: open files that stay open until nothing of it is left.
        """
        self.key = key
        self._files = tuple(files)
        self._elsewhere = elsewhere
        self._host = elsewhere.host if elsewhere else "127.0.0.1"
        self.model = model
        self.name = model_digest(model)
        self._section = section
        self._max_model_len = max_model_len
        self._log = log
        self._trust_remote_code = trust_remote_code
        self._arguments = list(arguments)
        self._more_environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._counted: set[int] = set()  # starts whose end is one of `max_restarts`
        self._port = 0
        self.url = ""  # stays the same over restarts
        self.starts = 0
        self.ready = False  # it has answered /health since it was started last
        self.on_event: Callable[[str], None] = lambda event: None

    @property
    def alive(self) -> bool:
        """Whether the server process is running."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process and return at once; `wait_ready` waits for it.

        Raises:
            ConfigError: this machine does not have what the config asks for.
            ServerError: the port is in use.
        """
        if not self.url:
            if problems := list(machine_problems(self._section)):
                raise ConfigError(problems)
            self._port = free_port(self._section.port)
            self.url = f"http://{self._host}:{self._port}"
        if self._trust_remote_code:
            logger.warning(
                "%s is served with Python code of its own, which may do anything that you may "
                "(model.trust_remote_code)",
                self.model,
            )
        self._log.parent.mkdir(parents=True, exist_ok=True)
        command, variables = self._command(self._port), self._variables()
        if problems := list(option_problems(command)):
            raise ConfigError(problems)
        if self._elsewhere:
            command = self._elsewhere.command(command, variables, self._log.with_suffix(".sh"))
            variables = {}
        with self._log.open("ab") as log:
            self._process = start_supervised(command, env=dict(os.environ) | variables, log=log, files=self._files)
        self.starts += 1
        self.ready = False

    async def wait_ready(self) -> None:
        """Return once the server answers /health.

        Raises:
            StartError: it ended, or is not healthy within the configured time.
        """
        if not await self._becomes_healthy():
            raise StartError(self._failure("ended while starting"))

    async def revive(self, *, counted: bool = True) -> None:
        """Return when the server answers; it is started again if its process is gone.

        Args:
            counted: whether a restart is one of `max_restarts`; one after a death while starting always is.

        Raises:
            ServerError: it has died more often than `max_restarts`, or does not become healthy.
        """
        while not await self._becomes_healthy():
            if counted or not self.ready:
                if len(self._counted) >= self._section.max_restarts:
                    raise ServerError(self._failure(f"died {len(self._counted) + 1} times"))
                self._counted.add(self.starts)
            self.on_event(f"the server died and is started again ({self.starts})")
            self.stop()
            self.start()

    def uncount_restart(self, start: int) -> None:
        """Do not count the restart that followed the start of this number."""
        self._counted.discard(start)

    def kill(self, why: str) -> None:
        """End a server that hangs; `revive` starts it again."""
        self.on_event(f"the server {why} and is killed")
        if self._process:
            kill_supervised(self._process)

    async def _becomes_healthy(self) -> bool:
        """Wait until the server answers /health; tell whether it does, or has ended."""
        began = told = time.monotonic()
        deadline = began + self._section.start_timeout_seconds
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            while time.monotonic() < deadline:
                if not self.alive:
                    return False
                try:
                    if (await client.get(f"{self.url}/health")).status_code == 200:
                        self.ready = True
                        return True
                except httpx.TransportError:
                    pass
                if time.monotonic() - told > TOLD_SECONDS:
                    told = time.monotonic()
                    logger.info("the engine for %s %s (%.0f s)", self.model, self._phase(), told - began)
                await asyncio.sleep(HEALTH_INTERVAL_SECONDS)
        await asyncio.to_thread(self.stop)
        raise StartError(self._failure(f"was not healthy within {self._section.start_timeout_seconds:.0f} s"))

    def stop(self) -> None:
        """End the server and everything it started."""
        if self._process:
            stop_supervised(self._process)
            self._process = None

    def _phase(self) -> str:
        """Return how far a start has come, by the log."""
        try:
            log = self._log.read_text(errors="replace")
        except OSError:
            return "starts"
        found = [(log.rfind(mark), words) for mark, words in PHASES if mark in log]
        return max(found, default=(0, "starts"))[1]

    def _failure(self, what: str) -> str:
        try:
            tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
        except OSError:
            tail = ""
        return f"the vLLM server for {self.model} {what}; its log is {self._log} and ends with:\n{tail}"

    def _command(self, port: int) -> list[str]:
        section = self._section
        command = [
            sys.executable,
            "-m",
            "vllm.entrypoints.openai.api_server",
            "--model",
            str(self.model),
            "--served-model-name",
            self.name,
            "--host",
            self._host,
            "--port",
            str(port),
            "--max-model-len",
            str(self._max_model_len),
            "--enable-prefix-caching",
            "--shutdown-timeout",
            "5",
            "--load-format",
            "safetensors",  # never a pickle that lies beside them
            "--generation-config",
            "vllm",  # what a request leaves out is neutral, whatever the model's folder says
        ]
        if gpu_count() == 0:
            # bf16 scores are off by some 1e-2, so on CPUs it is taken only when asked for
            command += ["--dtype", "float32" if section.dtype == "auto" else section.dtype, "--enforce-eager"]
            command += ["--distributed-executor-backend", "uni", "--block-size", "32"]
            # a seeded request whose prefill is split kills the engine on CPUs ("CPU Generator does not use offset")
            command += ["--no-enable-chunked-prefill"]
            command += ["--max-num-batched-tokens", str(max(self._max_model_len, BATCHED_TOKENS_ON_CPU))]
        else:
            command += ["--dtype", section.dtype, "--gpu-memory-utilization", str(section.gpu_memory_utilization)]
            command += ["--tensor-parallel-size", str(section.tensor_parallel_size)]
            command += ["--hf-overrides", '{"head_dtype": "float32"}']  # steps of a bf16 head tie scores
        if section.max_num_seqs:
            command += ["--max-num-seqs", str(section.max_num_seqs)]
        if self._trust_remote_code:
            command.append("--trust-remote-code")
        return command + section.extra_arguments + self._arguments

    def _variables(self) -> dict[str, str]:
        """Return the variables that are set for the server."""
        variables = {
            "VLLM_HOST_IP": "127.0.0.1",
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "DO_NOT_TRACK": "1",
        } | self._more_environment
        if self._elsewhere:
            variables["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
            if self.key:
                variables["VLLM_API_KEY"] = self.key
        if gpu_count() == 0:
            variables |= {
                "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # one process: no core is kept back for a front end
                "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0))),
                "VLLM_CPU_KVCACHE_SPACE": str(self._section.cpu_kv_cache_gib),
            }
            if INTEL_OPENMP.is_file():
                variables["LD_PRELOAD"] = str(INTEL_OPENMP)
        return variables
