"""What went wrong in the workers, said in one message: the remedy, the last lines of their log, and where it is."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from inverse_instruct.errors import TrainingError, WorkerLostError

TAIL_LINES = 15
LOG_ROOM_BYTES = 64 * 1024
KILLED = (137, 247)  # a process ended by SIGKILL, as a shell and as the supervisor report it
DIED = r"return code = -\d+"  # by a signal, as the launcher reports it, if it looks at that process first
LOST_PEER = r"Connection (closed|reset) by peer|Broken pipe|remote process exited"  # gloo and NCCL, in the others
ERRORS = re.compile(r"^(?:\[rank\d+\]: ?)?[\w.]*(?:Error|Exception)\b.*$", re.MULTILINE)
OUT_OF_MEMORY = (
    "the memory did not suffice; use a smaller train.micro_batch_size or train.max_length, "
    "train.gradient_checkpointing: true, train.lora, or train.deepspeed: zero3 on more GPUs"
)
REMEDIES = (
    (
        r"No space left on device|file write failed|unexpected pos",
        "the disk is full; free some space and run the same command again, it goes on from the last step checkpoint",
    ),
    (r"[Oo]ut ?[Oo]f ?[Mm]emory|can't allocate memory|MemoryError|bad_alloc|_ALLOC_FAILED", OUT_OF_MEMORY),
    (
        r"the loss is (nan|inf|-inf)",
        "training diverges; use a lower train.learning_rate, train.max_grad_norm: 1.0, or train.dtype: float32",
    ),
    (
        r"the export (differs from|gives)",
        "nothing was published; leave what is special to this model out of "
        "train.lora.target_modules, and report its architecture",
    ),
    (r"Target modules .* not found", "train.lora.target_modules names layers that this model does not have"),
    (r"EADDRINUSE|[Aa]ddress already in use", "the port for the workers was taken meanwhile; run the command again"),
    (r"not reachable via ssh|pdsh", "the hosts of train.hostfile need pdsh and ssh without a password"),
)


def failure(log: Path, start: int, code: int) -> TrainingError:
    """Return the error for workers that ended without their marker: `WorkerLostError` if the log names no other cause.

    Args:
        log: the workers' log file.
        start: byte at which this attempt's output begins.
        code: exit code of the supervisor.
    """
    with log.open("rb") as stream:
        stream.seek(start)
        text = stream.read().decode("utf-8", "replace")
    if shutil.disk_usage(log.parent).free < LOG_ROOM_BYTES:  # then the log could not say so
        text += "\nNo space left on device"
    remedy = next((advice for pattern, advice in REMEDIES if re.search(pattern, text)), None)
    died = remedy is None and (code in KILLED or _tells_of_death(text))
    if remedy is None:
        remedy = (
            f"a process was killed; if nobody did that, {OUT_OF_MEMORY}"
            if died
            else ("the log says why; run the same command again to go on")
        )
    tail = "\n".join(f"  {line.rstrip()}" for line in text.splitlines()[-TAIL_LINES:])
    kind = WorkerLostError if died else TrainingError
    return kind(f"training ended with exit code {code}: {remedy}\nThe end of {log}:\n{tail}")


def _tells_of_death(text: str) -> bool:
    """Tell whether the only trouble of the processes was that one of them had gone."""
    errors = ERRORS.findall(text)
    return bool(re.search(DIED, text)) or (bool(errors) and all(re.search(LOST_PEER, error) for error in errors))
