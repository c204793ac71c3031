"""The routes of the gateway as a Starlette application.

Enters: a service, and routes of others (pages, the loop's API) that share the port and the keys. Leaves: an ASGI
application whose every error has OpenAI's body.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from inverse_instruct import __version__
from inverse_instruct.gateway.keys import KeyCheck
from inverse_instruct.gateway.metrics import RequestMeter
from inverse_instruct.gateway.proxy import Proxy
from inverse_instruct.gateway.service import CURRENT, Service
from inverse_instruct.web.api_error import ApiError, answer_api_error, answer_bug, answer_http_exception
from inverse_instruct.web.origin import OriginCheck

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
CONTENTS = {
    "/v1/models": "the models that a request may name",
    "/v1/completions": "POST: completions",
    "/v1/chat/completions": "POST: replies in a chat",
    "/health": "whether the process is up",
    "/ready": "whether a request would be answered, and by which checkpoint",
    "/metrics": "counters for Prometheus",
    "/dashboard/": "the run in a browser",
    "/api/runs": "the runs of the loop; POST: submit one",
}
"""What there is and may be, for those who ask for `/`."""


def create_app(
    service: Service,
    keys: list[bytes] | None = None,
    extra_routes: Sequence[BaseRoute] = (),
    background: AbstractAsyncContextManager[None] | None = None,
) -> Starlette:
    """Return the application; it starts the service with itself and stops it at the end.

    Args:
        service: what answers.
        keys: digests of the API keys, as `read_keys` gives them; None: everybody may ask.
        extra_routes: further routes; they are under the same keys.
        background: what else runs while the service does, such as the loop.
    """
    pages = Pages(service, frozenset(route.path for route in extra_routes if isinstance(route, Mount)))
    routes = [
        Route("/", pages.contents),
        *(Route(path, Proxy(service, path), methods=["POST"]) for path in ("/v1/completions", "/v1/chat/completions")),
        Route("/v1/models", pages.models),
        Route("/v1/models/{name:path}", pages.model),
        Route("/health", pages.health),
        Route("/ready", pages.ready),
        Route("/metrics", pages.metrics),
        Route("/engines/{number:int}/metrics", pages.engine_metrics),
    ]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        service.start()
        try:
            async with background or nullcontext():
                yield
        finally:
            await service.stop()

    middleware = [Middleware(RequestMeter, service.metrics, frozenset(route.path for route in routes))]
    if keys is not None:
        middleware.append(Middleware(KeyCheck, keys))
    middleware.append(Middleware(OriginCheck, service.section.host, has_keys=keys is not None))
    return Starlette(
        routes=[*routes, *extra_routes],
        lifespan=lifespan,
        middleware=middleware,
        exception_handlers={ApiError: answer_api_error, HTTPException: answer_http_exception, Exception: answer_bug},
    )


class Pages:
    """The routes that tell about the service itself."""

    def __init__(self, service: Service, mounted: frozenset[str]) -> None:
        """Take the service, and the places of what others have added to it."""
        self._service = service
        self._mounted = mounted

    async def contents(self, request: Request) -> Response:
        """Tell what there is; a browser is sent to the dashboard."""
        if "/dashboard" in self._mounted and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/dashboard/")
        absent = tuple({"/dashboard", "/api"} - self._mounted)
        return JSONResponse(
            {
                "service": "inverse-instruct",
                "version": __version__,
                "contents": {path: words for path, words in CONTENTS.items() if not path.startswith(absent)},
            }
        )

    async def health(self, request: Request) -> Response:
        """Tell that the process is up."""
        return JSONResponse({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """Tell whether a request would be answered, and by which checkpoint."""
        status = self._service.status()
        if status["ready"]:
            return JSONResponse(status)
        retry_after = self._service.availability.error().retry_after
        return JSONResponse(status, 503, {"retry-after": str(retry_after)})

    async def models(self, request: Request) -> Response:
        """List the names that a request may use now."""
        return JSONResponse({"object": "list", "data": list(self._cards().values())})

    async def model(self, request: Request) -> Response:
        """Describe one of these."""
        cards, name = self._cards(), request.path_params["name"]
        if not cards:
            raise self._service.availability.error()
        if name not in cards:
            raise ApiError(
                404,
                f"the model {name!r} is not loaded; use {' or '.join(map(repr, cards))}",
                code="model_not_found",
                param="model",
            )
        return JSONResponse(cards[name])

    def _cards(self) -> dict[str, dict[str, Any]]:
        serving = self._service.serving
        names = [CURRENT, serving.checkpoint.name] if serving else []
        return {
            name: {
                "id": name,
                "object": "model",
                "created": int(serving.checkpoint.created),
                "root": serving.label,
                "owned_by": "inverse-instruct",
            }
            for name in names
            if serving
        }

    async def metrics(self, request: Request) -> Response:
        """Return the gateway's metrics."""
        return Response(self._service.metrics.text(), media_type=PROMETHEUS)

    async def engine_metrics(self, request: Request) -> Response:
        """Return an engine's own metrics."""
        number, engines = request.path_params["number"], self._service.engines
        if number >= len(engines):
            raise ApiError(404, f"there is no engine {number}; {len(engines)} are running")
        try:
            reply = await engines[number].http.get(f"{engines[number].url}/metrics", timeout=10)
        except httpx.TransportError as error:
            raise ApiError(503, f"engine {number} does not answer", retry_after=5) from error
        return Response(reply.content, reply.status_code, media_type=reply.headers.get("content-type"))
