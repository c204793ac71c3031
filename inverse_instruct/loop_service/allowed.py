"""What configs that others submit may name outside of themselves: what the person who starts the service has named.

Enters: folders, endpoints and hub names of the command line, and configs of that person's own. Leaves: for a submitted
config every problem, or the config with its paths resolved, so that a link that is changed later leads nowhere. Which
values are looked at is told by the marks of their fields. A file that may not be named is not read, and nothing is said
of whether it is there. Not guaranteed: anything for what the named folders hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inverse_instruct.config.addresses import check_urls
from inverse_instruct.config.outside import Outside, change_outside, outside_values
from inverse_instruct.config.sections import RunConfig
from inverse_instruct.errors import ConfigError
from inverse_instruct.inference.client import base_url

UNSAFE = "is refused in submitted configs; leave it out, or start the service with --allow-unsafe-configs"
OWN = "is for whoever starts the service to say; leave it out"
HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class Allowed:
    """What submitted configs may name."""

    folders: tuple[Path, ...] = ()  # resolved; files count as well
    names: frozenset[str] = frozenset()  # endpoints, and names on the hub
    own: dict[tuple[str, str], str] = field(default_factory=dict)  # what own configs name, as they spell it
    unsafe: bool = False  # whatever runs code of the sender's choice, and so may read all files anyway

    @classmethod
    def of(cls, places: Iterable[str], *, unsafe: bool = False) -> Allowed:
        """Return what `--allow` names: folders or files, endpoints, names on the hub.

        Raises:
            ConfigError: something is none of these.
        """
        folders, names = [], []
        for place in places:
            if "://" in place:
                names.append(_endpoint(place))
            elif Path(place).expanduser().exists():
                folders.append(Path(place).expanduser().resolve())
            elif HUB_NAME.fullmatch(place):
                names.append(place)
            else:
                raise ConfigError([f"--allow {place}: is no folder, no URL and no name on the hub; check the path"])
        return cls(tuple(folders), frozenset(names), unsafe=unsafe)

    def with_own(self, config: RunConfig) -> Allowed:
        """Allow what a config names that the person who starts the service vouches for."""
        values = [
            (key, mark, value)
            for key, mark, value in outside_values(config)
            if mark.kind in ("file", "program", "address")
        ]
        folders = [Path(value).resolve() for _, mark, value in values if mark.kind == "file" and Path(value).is_dir()]
        own = {_identity(key, mark, value): value for key, mark, value in values}
        return replace(self, folders=(*self.folders, *folders), own=self.own | own)

    def examine(self, config: RunConfig) -> tuple[RunConfig, list[str]]:
        """Return a submitted config with what it names as it was found, and what it may not name."""
        problems: list[str] = []

        def admit(key: str, mark: Outside, value: Any) -> Any:
            if key.startswith("serve."):
                return value  # the section is replaced as a whole
            found, problem = self._judge(key, mark, value)
            if problem:
                problems.append(f"{key}: {problem}")
            return found

        return change_outside(config, admit), problems

    def admit(self, config: RunConfig) -> None:
        """See once more that a config that was submitted names nothing that it may not name.

        Raises:
            ConfigError: it does: other things may have been allowed when it was submitted, or a link has changed.
        """
        problems = self.examine(config)[1]
        if problems:
            raise ConfigError(problems)

    def may_have_key(self, config: RunConfig) -> bool:
        """Tell whether a config's run asks addresses, and none but those that whoever starts the service has named."""
        addresses = [(key, mark, value) for key, mark, value in outside_values(config) if mark.kind == "address"]
        return bool(addresses) and all(
            _identity(key, mark, value) in self.own or _endpoint(value) in self.names for key, mark, value in addresses
        )

    def _judge(self, key: str, mark: Outside, value: Any) -> tuple[Any, str]:
        """Return a value as it is to be used, and what is wrong with it, if anything."""
        if mark.kind in ("listen", "keys"):
            return value, OWN if value else ""
        if mark.kind == "command":
            return value, UNSAFE if value and not self.unsafe else ""
        identity = _identity(key, mark, value)
        if identity in self.own:
            return self.own[identity], ""
        if self.unsafe or (mark.kind == "file" and value in self.names):
            return value, ""
        if mark.kind == "address" and _endpoint(value) in self.names:
            return _endpoint(value), ""
        path = _resolved(value) if mark.kind == "file" else None
        if path and any(path.is_relative_to(folder) for folder in self.folders):
            return str(path), ""
        return value, _refusal(mark, value)


def _refusal(mark: Outside, value: str) -> str:
    match mark.kind:
        case "program":
            return f"{value} {UNSAFE}"
        case "address":
            return f"{value} is no endpoint of this service; leave it out, or start the service with --allow {value}"
    return (
        f"{value} is not in a folder that this service reads for others; use a file of one that it reads, or start "
        "the service with --allow FOLDER (or --allow NAME, for a name on the hub)"
    )


def _identity(key: str, mark: Outside, value: str) -> tuple[str, str]:
    """Return what makes two values the same; a program is one only in its own place of the config."""
    if mark.kind == "address":
        return "address", _endpoint(value)
    path = _resolved(value)
    place = re.sub(r"\.\d+(?=\.|$)", "", key) if mark.kind == "program" else mark.kind
    return place, str(path) if path and path.exists() else value


def _resolved(value: str) -> Path | None:
    """Return where a path leads in the end; None: nowhere that can be told."""
    try:
        return Path(value).expanduser().resolve() if value else None
    except (OSError, RuntimeError, ValueError):  # a loop of links, no such user, a NUL character
        return None


def _endpoint(url: str) -> str:
    try:
        check_urls([url])
    except ValueError as error:
        raise ConfigError([f"--allow {url}: {error}"]) from error
    parts = urlsplit(base_url(url))
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()).geturl()
