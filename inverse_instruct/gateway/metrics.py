"""What the gateway counts and measures, for Prometheus.

Enters: requests as they pass, and swaps. Leaves: the text of `/metrics`. Each service has a registry of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAMESPACE = "inverse_instruct"
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
DISCONNECTED = 499  # no reply was begun: the client had gone


class Metrics:
    """The counters of one service."""

    def __init__(self, in_flight: Callable[[], int], waiting: Callable[[], int]) -> None:
        """Register everything; the two gauges are read when somebody asks."""
        self.registry = CollectorRegistry()
        counter = partial(Counter, namespace=NAMESPACE, registry=self.registry)
        histogram = partial(Histogram, namespace=NAMESPACE, registry=self.registry, buckets=SECONDS)
        gauge = partial(Gauge, namespace=NAMESPACE, registry=self.registry)
        self.requests = counter("requests", "Requests answered", ["route", "code"])
        self.latency = histogram("request_seconds", "Time to the end of the reply", ["route"])
        self.first_token = histogram("first_token_seconds", "Time to the first event of a stream", ["route"])
        self.tokens = counter("tokens", "Tokens as the engines count them", ["kind"])
        self.swaps = counter("swaps", "Changes of the served checkpoint", ["outcome"])
        self.swap_seconds = histogram("swap_seconds", "Time from the decision to swap to its end")
        self.engine_restarts = counter("engine_restarts", "Engines started again after they died or hung")
        self._checkpoint = gauge("checkpoint_info", "The checkpoint in use", ["checkpoint", "digest"])
        gauge("requests_in_flight", "Requests that are with the engines").set_function(in_flight)
        gauge("requests_waiting", "Requests that wait for a place").set_function(waiting)

    def set_checkpoint(self, name: str, digest: str) -> None:
        """Say which checkpoint is in use from now on."""
        self._checkpoint.clear()
        self._checkpoint.labels(name, digest).set(1)

    def count_tokens(self, usage: Any) -> None:
        """Add the `usage` of a reply, if it has one."""
        if isinstance(usage, dict):
            for kind in ("prompt", "completion"):
                count = usage.get(f"{kind}_tokens")
                self.tokens.labels(kind).inc(count if isinstance(count, int) else 0)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)


class RequestMeter:
    """ASGI middleware that counts and times the requests of known routes."""

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: frozenset[str]) -> None:
        """Take the paths that get a label of their own; the others are `other`."""
        self._app = app
        self._metrics = metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, code = time.monotonic(), DISCONNECTED

        async def note(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note)
        except Exception:
            code = 500
            raise
        finally:
            route = scope["path"] if scope["path"] in self._routes else "other"
            self._metrics.requests.labels(route, str(code)).inc()
            self._metrics.latency.labels(route).observe(time.monotonic() - started)
