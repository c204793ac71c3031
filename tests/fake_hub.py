"""A stand-in for the Hugging Face hub on 127.0.0.1: it makes repositories, takes commits and keeps what was sent."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

TOKEN = "hf_ATokenThatNobodyMaySee0123456789"
USER = "somebody"


class FakeHub:
    """What is there, by (kind, name): whether it is private, and its files."""

    def __init__(self) -> None:
        self.url = ""
        self.role = "write"
        self.refuses: set[str] = set()  # paths that answer 403
        self.repositories: dict[tuple[str, str], dict[str, Any]] = {}

    def add(self, kind: str, name: str, *, private: bool, files: dict[str, bytes] | None = None) -> None:
        self.repositories[kind, name] = {"private": private, "files": files or {}}

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        path, parts = path.partition("?")[0], path.partition("?")[0].split("/")
        if path in self.refuses:
            return 403, {"error": "no"}
        if path == "/api/whoami-v2":
            return 200, {"name": USER, "auth": {"accessToken": {"role": self.role}}}
        if path == "/api/repos/create":
            asked = json.loads(body)
            kind, name = asked.get("type") or "model", f"{asked['organization'] or USER}/{asked['name']}"
            if (kind, name) in self.repositories:
                return 409, {"error": "it is there", "url": f"{self.url}/{name}"}
            self.add(kind, name, private=asked.get("visibility") == "private" or bool(asked.get("private")))
            return 200, {"url": f"{self.url}/{'datasets/' if kind == 'dataset' else ''}{name}"}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        kind, name = parts[2].removesuffix("s"), "/".join(parts[3:5])
        repository = self.repositories.get((kind, name))
        if repository is None:
            return 404, {"error": "there is none"}
        return self.in_repository(repository, kind, name, parts[5:], body)

    def in_repository(
        self, repository: dict[str, Any], kind: str, name: str, what: list[str], body: bytes
    ) -> tuple[int, Any]:
        files = repository["files"]
        if what[:1] == ["preupload"]:
            asked = json.loads(body)["files"]
            return 200, {
                "files": [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in asked]
            }
        if what[:1] == ["tree"]:
            return 200, [{"type": "file", "path": path, "size": len(files[path]), "oid": "0"} for path in files]
        if what[:1] == ["commit"]:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "deletedFile":
                    del files[line["value"]["path"]]
            return 200, {"commitUrl": f"{self.url}/{name}/commit/0", "commitOid": "0"}
        listed = [{"rfilename": path} for path in files]
        return 200, {"_id": "0", "id": name, "private": repository["private"], "sha": "0", "siblings": listed}


@contextmanager
def fake_hub(folder: Path) -> Iterator[FakeHub]:
    """Start one, and let the hub's client ask it with `TOKEN` and nothing that a person of this machine has."""
    hub = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, tree = hub.answer(self.command, self.path, body)
            if self.headers.get("authorization") != f"Bearer {TOKEN}":
                status, tree = 401, {"error": "Invalid credentials"}
            content = json.dumps(tree).encode()
            self.send_response(status)
            if status == 404:
                self.send_header("x-error-code", "RepoNotFound")
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        patch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(folder / "no-token"))
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        patch.setenv("HF_TOKEN", TOKEN)
        yield hub
    server.shutdown()
    thread.join()
    server.server_close()
