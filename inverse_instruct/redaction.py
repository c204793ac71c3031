"""Keeps secrets out of what is written: errors, logs, events and, through them, rejections and reports.

Enters: a text for a person. Leaves: the text with `***` for the password of a URL, for tokens of well-known forms, and
for the values of environment variables that are named like secrets. Not guaranteed: secrets in other places of a
config; `run.yaml` is the config as it was given, so endpoints with a password in them are refused.
"""

from __future__ import annotations

import logging
import os
import re

HIDDEN = "***"
SHORTEST = 8  # characters of a variable's value that are worth hiding; `1` would be everywhere
NAMED_LIKE_SECRETS = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY)$", re.IGNORECASE)
FORMS = re.compile(r"(?<=://)[^/\s@]+(?=@)|\bhf_[A-Za-z0-9]{16,}|\bsk-[A-Za-z0-9_-]{16,}|(?<=Bearer )\S{8,}")


def redact(text: str) -> str:
    """Return a text without the secrets that can be recognized."""
    for name, value in os.environ.items():
        if len(value) >= SHORTEST and NAMED_LIKE_SECRETS.search(name):
            text = text.replace(value, HIDDEN)
    return FORMS.sub(HIDDEN, text)


class RedactingFormatter(logging.Formatter):
    """Formats log records without secrets, those of their tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return redact(super().format(record))


def set_up_logging() -> None:
    """Send what the modules log to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
