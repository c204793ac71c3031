"""A failure says what to do, shows the end of this attempt's log, and where the rest is."""

from __future__ import annotations

from pathlib import Path

import pytest

from inverse_instruct.errors import WorkerLostError
from inverse_instruct.training.failure import failure


@pytest.mark.parametrize(
    ("line", "code", "advice"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate", 1, "micro_batch_size"),
        ("DefaultCPUAllocator: can't allocate memory", 1, "micro_batch_size"),
        ("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", 1, "train.lora"),
        ("RuntimeError: CUDA error: out of memory", 1, "gradient_checkpointing"),
        ("nothing said", 247, "micro_batch_size"),
        ("exits with return code = -9", 1, "micro_batch_size"),
        ("OSError: [Errno 28] No space left on device", 1, "free some space"),
        ("TrainingError: the loss is nan at step 3", 1, "learning_rate"),
        ("ValueError: something else", 1, "the log says why"),
    ],
)
def test_the_cause_decides_the_remedy(tmp_path: Path, line: str, code: int, advice: str) -> None:
    log = tmp_path / "train.log"
    log.write_text(line + "\n")
    assert advice in str(failure(log, 0, code))


@pytest.mark.parametrize(
    ("line", "code", "died"),
    [
        ("nothing said", 247, True),
        ("exits with return code = -9", 1, True),
        ("exits with return code = -11", 1, True),
        ("RuntimeError: [gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:3", 1, True),
        ("OSError: [Errno 28] No space left on device\nexits with return code = -9", 1, False),
        ("ValueError: something else", 1, False),
        ("ValueError: something else\n[rank0]: RuntimeError: Connection closed by peer [127.0.0.1]:3", 1, False),
    ],
)
def test_only_a_death_without_another_cause_is_worth_another_try(
    tmp_path: Path, line: str, code: int, died: bool
) -> None:
    log = tmp_path / "train.log"
    log.write_text(line + "\n")
    assert isinstance(failure(log, 0, code), WorkerLostError) is died


def test_only_this_attempt_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    earlier = "No space left on device\n"
    log.write_text(earlier + "".join(f"line {number}\n" for number in range(40)))
    message = str(failure(log, len(earlier), 1))
    assert "disk" not in message and str(log) in message
    assert "line 39" in message and "line 25" in message and "line 24" not in message
