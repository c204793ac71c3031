"""The loop's API on a bare application: `bare_service.py RUNS PORT ALLOWED...`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from inverse_instruct.loop_service.allowed import Allowed
from inverse_instruct.loop_service.api import api_routes
from inverse_instruct.loop_service.service import open_loop_service
from inverse_instruct.web.api_error import ApiError, answer_api_error, answer_bug, answer_http_exception


def main() -> None:
    runs, port, places = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    allowed = Allowed.of([place for place in places if place != "unsafe"], unsafe="unsafe" in places)
    with open_loop_service(runs, allowed) as service:

        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            async with service.play():
                yield

        app = Starlette(
            routes=api_routes(service),
            lifespan=lifespan,
            exception_handlers={
                ApiError: answer_api_error,
                HTTPException: answer_http_exception,
                Exception: answer_bug,
            },
        )
        uvicorn.run(app, port=port, log_level="warning")


if __name__ == "__main__":
    main()
