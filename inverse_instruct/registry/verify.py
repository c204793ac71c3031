"""Whether the files of a recorded checkpoint are still the ones that were measured.

Enters: a checkpoint as the ledger has it. Leaves: nothing, or a `ModelError` that says what is wrong with its folder.
Not guaranteed: that an engine has room for it; the gateway finds that out by loading it.
"""

from __future__ import annotations

from pathlib import Path

from inverse_instruct.errors import ModelError
from inverse_instruct.inference.model_files import check_weights
from inverse_instruct.inference.models import check_model_folder, model_digest
from inverse_instruct.store.ledger_rows import Checkpoint


def verify_checkpoint(checkpoint: Checkpoint) -> None:
    """See that a checkpoint is whole and has the digest that the ledger has; reads all of its weights once.

    Raises:
        ModelError: a file is missing, is cut off or damaged, or holds other content than what was measured.
    """
    folder = Path(checkpoint.path)
    try:
        check_model_folder(folder)
    except ModelError as error:
        raise ModelError(f"{checkpoint.name} is not whole: {error}") from error
    try:
        check_weights(folder)
    except ModelError as error:
        raise ModelError(f"{checkpoint.name} is damaged: {error}") from error
    found = model_digest(folder, anew=True)
    if found != checkpoint.digest:
        raise ModelError(
            f"{checkpoint.name} has changed since it was measured: the digest of {folder} is {found}, the "
            f"ledger has {checkpoint.digest}; put back the files that were measured"
        )
