"""API keys: from a file, as bearer token or password, and nothing without one but signs of life."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from inverse_instruct.errors import ConfigError
from inverse_instruct.gateway.keys import read_keys
from tests.gateway.conftest import Gateway


def test_only_who_has_a_key_is_answered(start_gateway: Callable[..., Gateway], tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("# ours\nalice: sk-one  # until May\n\nsk-two\nbob: team:a#1:x\n")
    gateway = start_gateway(api_keys=tmp_path / "keys")
    gateway.wait_for("round-00")
    for value in ("Bearer sk-one", "bearer sk-two", "Bearer team:a#1:x"):
        assert gateway.http.get("/v1/models", headers={"authorization": value}).status_code == 200
    assert gateway.http.get("/v1/models", auth=("anybody", "sk-one")).status_code == 200
    for value in (
        "",
        "Bearer sk-on",
        "Bearer alice: sk-one",
        "Basic c2s=",
        "Basic ?",
        "Bearer \xff",
        "sk-two",
        "Bearer a",
        "Bearer x",
        "Bearer team:a",
    ):
        reply = gateway.http.get("/v1/models", headers={b"authorization": value.encode("latin-1")})
        assert reply.status_code == 401 and reply.json()["error"]["code"] == "invalid_api_key", value
    assert gateway.ask().status_code == 401
    for path, status in (("/health", 200), ("/ready", 200), ("/metrics", 200), ("/engines/0/metrics", 401)):
        assert gateway.http.get(path).status_code == status


@pytest.mark.parametrize("content", ["", "# none\n\n", "alice:\n", "alice: one two\n", None])
def test_a_file_without_a_key_is_an_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "keys").write_text(content)
    with pytest.raises(ConfigError, match="serve.api_keys"):
        read_keys(tmp_path / "keys")
