"""Who may ask from a browser: pages of this server, and nobody else's.

Enters: the headers of a request. Leaves: nothing, or an `ApiError` for what a page of another origin has sent, whatever
the method, since answering costs something whether or not the page may read it. Programs send neither `Origin` nor
`Sec-Fetch-Site`, and are not held up. A link from elsewhere to a page is followed. Not guaranteed: anything where the
service listens to a network and has no keys; names of other machines are answered there.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from inverse_instruct.web.api_error import ApiError

FOREIGN_SITES = ("cross-site", "same-site")  # of the same site is also another port of this machine


class OriginCheck:
    """ASGI middleware that refuses pages of other origins, also such as have had their name point here."""

    def __init__(self, app: ASGIApp, host: str, *, has_keys: bool = False) -> None:
        """Take the address that is listened on, and whether a key was checked before."""
        self._app = app
        self._only_here = is_loopback(host) and not has_keys
        self._has_keys = has_keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 400 or 403."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            try:
                if self._only_here:
                    _check_host(headers.get("host", ""))
                # a page adds a bearer token only where a server has agreed to that, which this one never does
                if not (self._has_keys and headers.get("authorization", "").lower().startswith("bearer ")):
                    check_origin(scope["method"], headers)
            except ApiError as error:
                await error.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)


def check_origin(method: str, headers: Headers) -> None:
    """See that no page of another origin has sent a request.

    Raises:
        ApiError: 403, one has.
    """
    for origin in headers.getlist("origin"):
        if not _is_own(origin, headers.get("host", "")):
            raise ApiError(403, f"pages of {origin[:200]} may not act here", code="foreign_origin")
    if headers.get("sec-fetch-site") in FOREIGN_SITES and not _follows_link(method, headers):
        raise ApiError(403, "pages of other sites may not act here", code="foreign_origin")


def content_type(request: Request) -> str:
    """Return the media type of a request's body; nothing where it names none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def check_content_type(request: Request, *accepted: str) -> None:
    """See that a body is of one of the media types, none of which pages may send elsewhere unasked.

    Raises:
        ApiError: 415, it is not.
    """
    if content_type(request) not in accepted:
        raise ApiError(
            415,
            f"the content type must be {' or '.join(filter(None, accepted))}, but it is {content_type(request)[:80]!r}",
        )


def is_loopback(host: str) -> bool:
    """Tell whether an address is reached from this machine alone."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_host(host: str) -> None:
    name = _name_of(f"//{host}")
    if not is_loopback(name):
        raise ApiError(
            400,
            f"this service answers to names of this machine only, and not to {host[:200]!r}; ask it as "
            "localhost, or set serve.api_keys",
        )


def _is_own(origin: str, host: str) -> bool:
    """Tell whether a page comes from this service; a name that its owner can point here later does not count."""
    name = _name_of(origin)
    try:
        if name != "localhost":
            ipaddress.ip_address(name)
    except ValueError:
        return False
    return origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())


def _name_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _follows_link(method: str, headers: Headers) -> bool:
    """Tell whether a person goes to one of our pages, which is shown by itself and not within a foreign one."""
    return (
        method in ("GET", "HEAD")
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )
