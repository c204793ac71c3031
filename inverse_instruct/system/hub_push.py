"""A folder to a repository of the Hugging Face hub, private unless a person says otherwise.

Enters: a folder and a name. Leaves: a repository whose newest commit has the folder's files. What can be known before
(a token, an answer, whether what is there is as public as is asked) is known in seconds. Not guaranteed: that the token
may write; the hub says that when the repository is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from inverse_instruct.errors import HubError
from inverse_instruct.system.hub import SECONDS, is_hub_name

Kind = Literal["model", "dataset"]
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN, with a token that may write"
WEIGHTS = ["*.safetensors", "*.safetensors.index.json", "*.gguf"]
"""Files of an earlier push that would be taken for a part of this one; they stay in the history."""


def check_destination(name: str, kind: Kind, *, public: bool) -> str:
    """Return OWNER/NAME of a repository that a push may go to; nothing is made or changed.

    Args:
        name: OWNER/NAME, or NAME for the owner of the token.
        kind: of repository.
        public: whether everybody may read it.

    Raises:
        HubError: the name is none, there is no token, the hub does not answer, or what is there is more or less public.
    """
    if not is_hub_name(name):
        raise HubError(f"--push-to-hub: {name!r} is no name on the Hugging Face hub; give OWNER/NAME, or NAME")
    with _in_our_words(name):
        account = _hub().whoami()
    if account.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise HubError(f"--push-to-hub: the token of {account['name']} may only read; {LOG_IN}")
    whole = name if "/" in name else f"{account['name']}/{name}"
    _check_visibility(whole, kind, public)
    return whole


def push_folder(folder: Path, name: str, kind: Kind, *, public: bool) -> str:
    """Upload a folder; return the address of its repository, which is made if it is not there.

    Args:
        folder: whose files are uploaded.
        name: OWNER/NAME.
        kind: of repository.
        public: whether everybody may read it.

    Raises:
        HubError: the hub refuses or does not answer, or the repository is more or less public than that.
    """
    with _in_our_words(name):
        made = _hub().create_repo(name, repo_type=kind, private=not public, exist_ok=True)
        _check_visibility(name, kind, public)  # one that was there keeps its own
        _hub().upload_folder(
            repo_id=name,
            folder_path=folder,
            repo_type=kind,
            commit_message="Upload by inverse-instruct",
            delete_patterns=WEIGHTS,
        )
    return str(made)


def _check_visibility(name: str, kind: Kind, public: bool) -> None:
    from huggingface_hub.errors import RepositoryNotFoundError

    with _in_our_words(name):
        try:
            there = _hub().repo_info(name, repo_type=kind, timeout=SECONDS)
        except RepositoryNotFoundError:
            return
    if there.private and public:
        raise HubError(f"--public: the {kind} {name} is there and private; open it on the hub, or leave --public out")
    if not there.private and not public:
        raise HubError(
            f"--push-to-hub: the {kind} {name} is there and public; give --public to push where everybody reads, or "
            "another name"
        )


def _hub() -> Any:
    from huggingface_hub import HfApi

    return HfApi(library_name="inverse-instruct")


@contextmanager
def _in_our_words(name: str) -> Iterator[None]:
    """Turn what the hub's client raises into an error with a remedy."""
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    try:
        yield
    except HubError:
        raise
    except LocalTokenNotFoundError as error:
        raise HubError(f"--push-to-hub: no token for the Hugging Face hub is here; {LOG_IN}") from error
    except HfHubHTTPError as error:
        raise HubError(
            f"--push-to-hub: the Hugging Face hub refuses {name} ({str(error).splitlines()[0]}); {LOG_IN}"
        ) from error
    except ValueError as error:  # what its client finds wrong with the name or the card
        raise HubError(f"--push-to-hub: {name}: {' '.join(str(error).split())}") from error
    except Exception as error:  # of whichever library the hub's own client uses to ask
        raise HubError(
            f"--push-to-hub: the Hugging Face hub cannot be reached ({type(error).__name__}: {str(error)[:200]}); "
            "check the network, HF_ENDPOINT and HF_HUB_OFFLINE"
        ) from error
