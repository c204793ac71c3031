"""The REST API of the loop, as routes under `/api` for the application of the gateway, which checks the keys.

Enters: requests. Leaves: JSON, or an `ApiError`. Pages of other origins cannot act: what changes something needs a
content type that browsers do not send across origins unasked, and an `Origin`, where there is one, that is this host.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from inverse_instruct.errors import ConfigError, ModelError, NotFoundError, RunDirError
from inverse_instruct.gateway.limits import read_body
from inverse_instruct.loop_service.event_stream import stream_events
from inverse_instruct.loop_service.service import LoopService
from inverse_instruct.loop_service.submission import parse_body, read_submission
from inverse_instruct.registry.promote import promote_checkpoint, roll_back
from inverse_instruct.store.ledger_rows import Checkpoint
from inverse_instruct.web.api_error import ApiError
from inverse_instruct.web.origin import check_content_type, check_origin, content_type

MAX_BODY_BYTES = 64 * 1024  # a config has some two thousand; reading YAML is slow
JSON, YAML = "application/json", "application/yaml"
AUTHOR = "api"  # of promotions

Endpoint = Callable[[Any, Request], Awaitable[Response]]
Body = TypeVar("Body", bound="Change")


class Change(BaseModel):
    """What a person says to a change of the promoted checkpoint."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=2000)
    over: str | None = None  # the checkpoint that the person saw promoted; None: whichever is


class Promotion(Change):
    """Which checkpoint is to be promoted."""

    checkpoint: str


def api_routes(service: LoopService) -> list[BaseRoute]:
    """Return the routes; the service's `play` must be entered with the application."""
    api = LoopApi(service)
    return [
        Mount(
            "/api",
            routes=[
                Route("/runs", api.list_runs),
                Route("/runs", api.submit, methods=["POST"]),
                Route("/runs/{name}", api.show),
                Route("/runs/{name}/events", api.events),
                *(
                    Route(f"/runs/{{name}}/{verb}", endpoint, methods=["POST"])
                    for verb, endpoint in (
                        ("stop", api.stop),
                        ("resume", api.resume),
                        ("promote", api.promote),
                        ("rollback", api.roll_back),
                    )
                ),
            ],
        )
    ]


def answers_errors(endpoint: Endpoint) -> Endpoint:
    """Turn the errors of an endpoint into replies."""

    @wraps(endpoint)
    async def answer(self: LoopApi, request: Request) -> Response:
        try:
            return await endpoint(self, request)
        except ConfigError as error:
            raise ApiError(422, str(error), code="invalid_config") from error
        except NotFoundError as error:
            raise ApiError(404, str(error), code="not_found") from error
        except (RunDirError, ModelError) as error:
            raise ApiError(409, str(error), code="conflict") from error
        except OSError as error:  # a full disk: the system's own words name the file
            raise ApiError(500, f"{error}; mend it and send the request again") from error

    return answer


class LoopApi:
    """The endpoints."""

    def __init__(self, service: LoopService) -> None:
        """Take the runs."""
        self._service = service

    @answers_errors
    async def list_runs(self, request: Request) -> Response:
        """List all runs."""
        return JSONResponse({"runs": await run_in_threadpool(self._service.list_runs)})

    @answers_errors
    async def submit(self, request: Request) -> Response:
        """Queue a run: 201, or 200 for one that is there with this config."""
        body = await _read_change(request, JSON, YAML)
        tree = await run_in_threadpool(parse_body, body, content_type(request))
        config = await run_in_threadpool(read_submission, tree, self._service.runs, self._service.allowed)
        is_new = await run_in_threadpool(self._service.submit, config, config.name)
        return await self._status(config.name, 201 if is_new else 200)

    @answers_errors
    async def show(self, request: Request) -> Response:
        """Return the status of a run."""
        return await self._status(request.path_params["name"])

    @answers_errors
    async def events(self, request: Request) -> Response:
        """Stream what happens in a run."""
        name = request.path_params["name"]
        last_id = request.headers.get("last-event-id", "0")
        if not last_id.isdecimal() or len(last_id) > 18:
            raise ApiError(400, f"Last-Event-ID must be the id of an event, but it is {last_id[:80]!r}")
        follow = request.query_params.get("follow", "true")
        if follow not in ("true", "false"):
            raise ApiError(400, f"follow must be true or false, but it is {follow[:80]!r}", param="follow")
        await run_in_threadpool(self._service.find, name)
        return EventSourceResponse(stream_events(self._service, name, int(last_id), follow == "true"))

    @answers_errors
    async def stop(self, request: Request) -> Response:
        """Stop a run; it ends within seconds, which the reply does not wait for."""
        return await self._act(request, self._service.stop_run)

    @answers_errors
    async def resume(self, request: Request) -> Response:
        """Queue a run again."""
        return await self._act(request, self._service.resume_run)

    @answers_errors
    async def promote(self, request: Request) -> Response:
        """Promote a checkpoint that is as it was measured."""
        change = await _read_body_as(Promotion, request)
        run_dir = self._service.find(request.path_params["name"])
        return _changed(
            *await run_in_threadpool(
                promote_checkpoint, run_dir, change.checkpoint, change.reason, author=AUTHOR, over=change.over
            )
        )

    @answers_errors
    async def roll_back(self, request: Request) -> Response:
        """Promote again what the promoted checkpoint replaced."""
        change = await _read_body_as(Change, request)
        run_dir = self._service.find(request.path_params["name"])
        return _changed(*await run_in_threadpool(roll_back, run_dir, change.reason, author=AUTHOR, over=change.over))

    async def _act(self, request: Request, act: Callable[[str], None]) -> Response:
        await _read_change(request, JSON)
        name = request.path_params["name"]
        await run_in_threadpool(act, name)
        return await self._status(name, 202)

    async def _status(self, name: str, code: int = 200) -> Response:
        run = await run_in_threadpool(self._service.describe, name)
        return JSONResponse(run.plain(), code)


def _changed(now: Checkpoint, before: Checkpoint | None) -> Response:
    return JSONResponse({"promoted": now.name, "digest": now.digest, "over": before.name if before else None})


async def _read_change(request: Request, *content_types: str) -> bytes:
    """Return the body of a request that changes something, once it is clear that no foreign page sent it."""
    check_content_type(request, *content_types)
    check_origin(request.method, request.headers)
    return await read_body(request, MAX_BODY_BYTES)


async def _read_body_as(kind: type[Body], request: Request) -> Body:
    body = await _read_change(request, JSON)
    try:
        return kind.model_validate_json(body or b"{}")
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(map(str, problem["loc"])) or None
        raise ApiError(422 if field else 400, f"{field or 'the body'}: {problem['msg']}", param=field) from error
