"""The live dashboard: routes that anything can mount, and a server of its own.

Enters: GET requests. Leaves: the page, its scripts, what it shows as JSON, pages of rows. All links are relative, so
the routes work at any place of another server. Nothing is written. Not guaranteed: who may look; that is the business
of whoever binds it to more than 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from inverse_instruct.dashboard.page import LIVE_POLICY, asset, live_page, to_json
from inverse_instruct.dashboard.rows import RowQuery, read_page
from inverse_instruct.dashboard.run_data import collect_run
from inverse_instruct.errors import InverseInstructError, NoRunError, NotFoundError, RequestError, ServerError
from inverse_instruct.web.connections import GuardedServer, guarded_config
from inverse_instruct.web.origin import OriginCheck

FindRun = Callable[[Request], Path]
STATUSES = {RequestError: 400, NoRunError: 404, NotFoundError: 404}
YEAR_SECONDS = 31_536_000


def routes(find_run: FindRun) -> list[Route]:
    """Return the routes of the dashboard.

    Args:
        find_run: tells the run directory that a request is about; may raise an `InverseInstructError`.
    """

    def page(request: Request) -> Response:
        return _reply(live_page(find_run(request).resolve().name), "text/html")

    def data(request: Request) -> Response:
        return _revalidated(request, to_json(collect_run(find_run(request))))

    def rows(request: Request) -> Response:
        return _reply(to_json(read_page(find_run(request), _query(request))), "application/json")

    return [
        Route("/", _guarded(page)),
        Route("/data.json", _guarded(data)),
        Route("/rows", _guarded(rows)),
        Route("/static/{name}", _static),
    ]


def create_app(path: Path, host: str) -> Starlette:
    """Return the application of one run's dashboard that listens on `host`."""
    return Starlette(routes=routes(lambda request: path), middleware=[Middleware(OriginCheck, host)])


def serve(path: Path, host: str, port: int) -> None:
    """Serve the dashboard of a run until interrupted; port 0 takes a free one.

    Raises:
        RunDirError: the folder holds no run.
        ServerError: the address cannot be used.
    """
    collect_run(path)
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ServerError(
            f"{host}:{port} cannot be used ({error.strerror}); choose another --host or --port"
        ) from error
    shown = f"[{host}]" if ":" in host else host
    print(f"dashboard of {path}: http://{shown}:{listener.getsockname()[1]}/", flush=True)
    server = GuardedServer(guarded_config(create_app(path, host), log_config=None, log_level="warning"))
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


def _guarded(endpoint: Callable[[Request], Response]) -> Callable[[Request], Response]:
    def guarded(request: Request) -> Response:
        try:
            return endpoint(request)
        except InverseInstructError as error:
            status = next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 500)
            return _reply(to_json({"error": str(error)}), "application/json", status)

    return guarded


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    try:
        text = asset(name)
    except KeyError:
        return _reply("there is no such file", "text/plain", 404)
    kind = "text/css" if name.endswith(".css") else "text/javascript"
    return _reply(text, kind, cache=f"public, max-age={YEAR_SECONDS}, immutable")  # the link holds its digest


def _query(request: Request) -> RowQuery:
    given = request.query_params
    try:
        return RowQuery(
            int(given.get("round", 0)),
            int(given.get("page", 1)),
            given.get("q", ""),
            given.get("outcome", ""),
            given.get("order", "corpus"),
        )
    except ValueError as error:
        raise RequestError(f"round and page are numbers ({error})") from error


def _revalidated(request: Request, body: str) -> Response:
    """Reply 304 where the asker has the same already."""
    tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    known = request.headers.get("if-none-match") == tag
    response = _reply("" if known else body, "application/json", 304 if known else 200)
    response.headers["etag"] = tag
    return response


def _reply(body: str, kind: str, status: int = 200, cache: str = "no-cache") -> Response:
    return Response(
        body,
        status,
        media_type=kind,
        headers={
            "cache-control": cache,
            "content-security-policy": LIVE_POLICY,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
        },
    )
