"""Which requests may have come from a page of another origin, and are refused for that."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from inverse_instruct.web.origin import OriginCheck, is_loopback

OWN = "127.0.0.1:8000"


def ask(headers: list[tuple[str, str]], method: str = "POST", host: str = "127.0.0.1", has_keys: bool = False) -> int:
    app = Starlette(
        routes=[Route("/", lambda request: PlainTextResponse("done"), methods=["GET", "POST"])],
        middleware=[Middleware(OriginCheck, host, has_keys=has_keys)],
    )

    async def main() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{OWN}") as client:
            encoded = [(name.encode(), value.encode()) for name, value in headers]
            return (await client.request(method, "/", headers=encoded)).status_code

    return asyncio.run(main())


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("origin", f"http://{OWN}")],
        [("sec-fetch-site", "same-origin")],
        [("sec-fetch-site", "none")],
        [("origin", "http://localhost:8000"), ("host", "localhost:8000")],
        [("origin", "http://[::1]:8000"), ("host", "[::1]:8000")],
        [("origin", f"http://{OWN}"), ("host", OWN)],
    ],
)
def test_programs_and_own_pages_are_answered(headers: list[tuple[str, str]]) -> None:
    assert ask(headers) == ask(headers, "GET") == 200


FOREIGN = [
    "http://evil.example",
    "null",
    "",
    "https://evil.example:8000",
    "http://127.0.0.1",
    "http://127.0.0.1:8001",
    "http://localhost:8000",
    "http://127.0.0.1:8000.evil.example",
    "http://evil.example/127.0.0.1:8000",
    "http://127.0.0.1:8000@evil.example",
    "file://",
    "chrome-extension://abc",
    "ftp://127.0.0.1:8000",
    "http://[",
    f"http://{OWN}, http://evil.example",
    f"http://{OWN} http://evil.example",
    "http://127.0.0.2:8000",
    "\u00e9",
]


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_of_other_origins_are_refused(origin: str, method: str) -> None:
    assert ask([("origin", origin)], method) == 403
    assert ask([("origin", f"http://{OWN}"), ("origin", origin)], method) == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_browser_says_of_itself_counts_without_an_origin(site: str) -> None:
    said = [("sec-fetch-site", site)]
    assert ask(said) == ask(said, "GET") == 403
    assert ask([*said, ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")], "GET") == 403
    link = [*said, ("sec-fetch-mode", "navigate")]
    assert ask([*link, ("sec-fetch-dest", "document")], "GET") == 200, "a person follows a link"
    assert ask([*link, ("sec-fetch-dest", "iframe")], "GET") == 403
    assert ask([*link, ("sec-fetch-dest", "document")]) == 403, "a form is sent"


def test_a_page_cannot_add_a_bearer_token_but_a_browser_adds_a_password() -> None:
    foreign = [("origin", "https://app.example")]
    assert ask([*foreign, ("authorization", "Bearer key")], has_keys=True) == 200
    assert ask([*foreign, ("authorization", "Basic a2V5")], has_keys=True) == 403
    assert ask([*foreign, ("authorization", "Bearer key")]) == 403, "without keys it proves nothing"


@pytest.mark.parametrize(
    "name",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "",
        "192.0.2.1",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "[",
        "0.0.0.0",
    ],
)
def test_a_name_that_its_owner_has_pointed_here_is_refused(name: str) -> None:
    for host in ("127.0.0.1", "localhost", "::1", "127.0.0.9"):
        assert ask([("host", name)], "GET", host) == 400
    assert ask([("host", name)], "GET", has_keys=True) == 200


def test_a_service_for_a_network_answers_to_any_name_but_to_no_page_under_it() -> None:
    assert ask([("host", "gpu.lan:8000")], host="0.0.0.0") == 200
    assert ask([("host", "gpu.lan:8000"), ("origin", "http://gpu.lan:8000")], host="0.0.0.0") == 403


def test_addresses_of_this_machine() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.0.2.1", "example.org", "", "localhost.example.org")))
