"""A folder to the hub: private unless it is said otherwise, what is refused in seconds, and no token in any word."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inverse_instruct.errors import HubError
from inverse_instruct.system.hub_push import check_destination, push_folder
from tests.fake_hub import TOKEN, FakeHub, fake_hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[FakeHub]:
    with fake_hub(tmp_path) as hub:
        yield hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "dataset").mkdir(parents=True)
    (folder / "README.md").write_text("# a model\n")
    (folder / "model.safetensors").write_bytes(b"\0" * 100)
    (folder / "dataset/train.parquet").write_bytes(b"PAR1")
    return folder


@pytest.mark.parametrize("public", [False, True])
def test_a_folder_becomes_a_repository(hub: FakeHub, folder: Path, public: bool) -> None:
    name = check_destination("mine", "model", public=public)
    assert name == "somebody/mine" and not hub.repositories, "nothing is made before"
    assert push_folder(folder, name, "model", public=public) == f"{hub.url}/somebody/mine"
    made = hub.repositories["model", "somebody/mine"]
    assert made["private"] is not public
    assert made["files"] == {
        "README.md": b"# a model\n",
        "model.safetensors": b"\0" * 100,
        "dataset/train.parquet": b"PAR1",
    }


def test_weights_of_an_earlier_push_go_and_other_files_stay(hub: FakeHub, folder: Path) -> None:
    files = {"model-00001-of-00002.safetensors": b"old", "old.gguf": b"old", "notes.txt": b"theirs", "README.md": b""}
    hub.add("model", "team/mine", private=True, files=files)
    push_folder(folder, check_destination("team/mine", "model", public=False), "model", public=False)
    assert set(files) == {"README.md", "model.safetensors", "dataset/train.parquet", "notes.txt"}
    assert files["README.md"] == b"# a model\n"


@pytest.mark.parametrize(
    ("private", "public", "words"), [(False, False, "is there and public"), (True, True, "is there and private")]
)
def test_nothing_is_pushed_where_more_or_fewer_people_read(
    hub: FakeHub, folder: Path, private: bool, public: bool, words: str
) -> None:
    hub.add("dataset", "team/rows", private=private)
    with pytest.raises(HubError, match=words):
        check_destination("team/rows", "dataset", public=public)
    with pytest.raises(HubError, match=words):
        push_folder(folder, "team/rows", "dataset", public=public)
    assert hub.repositories["dataset", "team/rows"]["files"] == {}


@pytest.mark.parametrize("name", ["a/b/c", "", "a b", "../x", "x--y", "rows.json"])
def test_what_is_no_name(hub: FakeHub, name: str) -> None:
    with pytest.raises(HubError, match="--push-to-hub: "):
        check_destination(name, "model", public=False)


def test_what_the_token_may_not_do(hub: FakeHub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.role = "read"
    with pytest.raises(HubError, match="may only read; log in"):
        check_destination("mine", "model", public=False)
    hub.refuses = {"/api/repos/create"}
    with pytest.raises(HubError, match="refuses theirs/mine .*403.*; log in with `hf auth login`"):
        push_folder(folder, "theirs/mine", "model", public=False)
    monkeypatch.setenv("HF_TOKEN", "hf_another_token_0123456789")
    with pytest.raises(HubError, match="refuses mine .*HF_TOKEN"):
        check_destination("mine", "model", public=False)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="no token for the Hugging Face hub is here; log in"):
        check_destination("mine", "model", public=False)


def test_no_network_is_said_in_seconds(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(HubError, match="cannot be reached .*; check the network, HF_ENDPOINT and HF_HUB_OFFLINE"):
            check_destination("mine", "model", public=False)
    assert time.monotonic() - started < 10


def test_no_word_holds_the_token(hub: FakeHub, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told = [push_folder(folder, "somebody/mine", "model", public=False)]
    hub.refuses = {"/api/models/somebody/mine/preupload/main"}
    with pytest.raises(HubError) as error:
        push_folder(folder, "somebody/mine", "model", public=False)
    assert TOKEN not in "".join([*told, str(error.value), caplog.text])
