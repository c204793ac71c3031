"""The live dashboard: routes that anything can mount, and a server of its own.

Enters: GET requests. Leaves: the pages, their scripts, what they show as JSON. All links are relative, so
the routes work at any place of another server. Nothing is written. Not guaranteed: who may look; that is the business
of whoever binds it to more than 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from inverse_instruct.dashboard.comparison import compare_runs
from inverse_instruct.dashboard.page import LIVE_POLICY, asset, live_page, to_json
from inverse_instruct.dashboard.problems import ProblemQuery, list_problems, read_problem
from inverse_instruct.dashboard.rows import RowQuery, read_page
from inverse_instruct.dashboard.run_data import collect_run
from inverse_instruct.errors import InverseInstructError, NoRunError, NotFoundError, RequestError, ServerError
from inverse_instruct.web.connections import GuardedServer, guarded_config
from inverse_instruct.web.origin import OriginCheck

FindRun = Callable[[Request], Path]
STATUSES = {RequestError: 400, NoRunError: 404, NotFoundError: 404}
YEAR_SECONDS = 31_536_000


def routes(find_run: FindRun, *, others: bool) -> list[Route]:
    """Return the routes of the dashboard.

    Args:
        find_run: tells the run directory that a request is about; may raise an `InverseInstructError`.
        others: whether who asks may also see the runs beside that one, to compare them.
    """

    def page(name: str) -> Callable[[Request], Response]:
        return lambda request: _reply(live_page(name, find_run(request).resolve().name, others=others), "text/html")

    def data(request: Request) -> Response:
        return _revalidated(request, to_json(collect_run(find_run(request))))

    def rows(request: Request) -> Response:
        return _json(read_page(find_run(request), _query(request)))

    def problems(request: Request) -> Response:
        return _json(list_problems(find_run(request), _problem_query(request)))

    def problem(request: Request) -> Response:
        given = request.query_params
        rounds = [_number(text, "round") for text in given.getlist("round")]
        return _json(read_problem(find_run(request), given.get("suite", ""), given.get("task", ""), rounds))

    def comparison(request: Request) -> Response:
        return _json(compare_runs(find_run(request), request.query_params.getlist("run")))

    found = {"/data.json": data, "/rows": rows, "/problems.json": problems, "/problem.json": problem}
    pages = {"/": page("run"), "/problems": page("problems")}
    if others:
        found["/compare.json"] = comparison
        pages["/compare"] = page("compare")
    return [
        *(Route(path, _guarded(endpoint)) for path, endpoint in (pages | found).items()),
        Route("/static/{name}", _static),
    ]


def create_app(path: Path, host: str) -> Starlette:
    """Return the application of one run's dashboard that listens on `host`."""
    return Starlette(routes=routes(lambda request: path, others=True), middleware=[Middleware(OriginCheck, host)])


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
    return RowQuery(
        _number(given.get("round", "0"), "round"),
        _number(given.get("page", "1"), "page"),
        given.get("q", ""),
        given.get("outcome", ""),
        given.get("order", "corpus"),
        given.get("row", ""),
    )


def _problem_query(request: Request) -> ProblemQuery:
    given = request.query_params
    page = _number(given.get("page", "1"), "page")
    return ProblemQuery(given.get("suite", ""), page, given.get("q", ""), given.get("show", ""))


def _number(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise RequestError(f"{name} is a number, and not {text[:80]!r}") from error


def _revalidated(request: Request, body: str) -> Response:
    """Reply 304 where the asker has the same already."""
    tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    known = request.headers.get("if-none-match") == tag
    response = _reply("" if known else body, "application/json", 304 if known else 200)
    response.headers["etag"] = tag
    return response


def _json(value: Any) -> Response:
    return _reply(to_json(value), "application/json")


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
