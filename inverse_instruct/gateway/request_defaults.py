"""What the gateway adds to a client's request, so that a checkpoint answers as it was trained and measured.

Enters: the folder of a checkpoint. Leaves: a request with all of its sampling, neutral in what the client leaves out,
with the tokens that end a reply, and with the variables of the chat template that the training prompts were made with.
An engine might take them from elsewhere: from a `generation_config.json`, from the model that it was started with.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inverse_instruct.config.sections import ModelSection
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.inference.sampling import NEUTRAL


@dataclass(frozen=True)
class RequestDefaults:
    """How one checkpoint is asked."""

    stops: tuple[int, ...]  # ids of tokens that end a reply
    variables: dict[str, Any]  # of the chat template

    def applied(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a request with what is added to them; what the client says stays as it is."""
        added = {name: value for name, value in NEUTRAL.items() if fields.get(name) is None}
        theirs = fields.get("stop_token_ids")
        if not fields.get("ignore_eos") and isinstance(theirs, list | None):
            added["stop_token_ids"] = [*(theirs or []), *(token for token in self.stops if token not in (theirs or []))]
        variables = fields.get("chat_template_kwargs")
        if self.variables and "messages" in fields and isinstance(variables, dict | None):
            added["chat_template_kwargs"] = self.variables | (variables or {})
        return fields | added


def read_request_defaults(folder: Path, model: ModelSection) -> RequestDefaults:
    """Return how the checkpoint in a folder is asked.

    Raises:
        ModelError: its tokenizer or chat template cannot be used.
    """
    formatter = PromptFormatter(folder, model.prompt_format, model.template_date)
    return RequestDefaults(formatter.ending.stops, formatter.variables)
