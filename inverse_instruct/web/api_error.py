"""Refusals in OpenAI's error format, each with its status and, where trying again helps, a Retry-After.

Enters: what is wrong with a request, or with us. Leaves: a JSON response, or the last event of a stream.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

TYPES = {
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "server_error",
    502: "server_error",
    503: "service_unavailable_error",
}


class ApiError(Exception):
    """A request that gets an error reply."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        """Describe the reply.

        Args:
            status: HTTP status.
            message: what is wrong and what to do, for the person who sent the request.
            code: OpenAI's name of the error, where it has one.
            param: the field of the request that is wrong.
            retry_after: seconds after which the same request may be answered.
        """
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self._error: dict[str, Any] = {
            "message": message,
            "type": TYPES.get(status, "invalid_request_error"),
            "param": param,
            "code": code or status,
        }

    def response(self) -> JSONResponse:
        """Return the error as a reply of its own."""
        headers = {"retry-after": str(self.retry_after)} if self.retry_after is not None else None
        return JSONResponse({"error": self._error}, self.status, headers)

    def event(self) -> bytes:
        """Return the error as the last event of a stream that has begun."""
        again = {"retry_after": self.retry_after} if self.retry_after is not None else {}
        return f"data: {json.dumps({'error': self._error | again})}\n\n".encode()


async def answer_api_error(request: Request, error: Exception) -> JSONResponse:
    """Reply to a request that raised an `ApiError`."""
    assert isinstance(error, ApiError)
    return error.response()


async def answer_http_exception(request: Request, error: Exception) -> JSONResponse:
    """Reply to what the router refuses: no such route, or not with this method."""
    assert isinstance(error, HTTPException)
    words = {
        404: f"there is no {request.url.path} here; GET / tells what there is",
        405: f"{request.url.path} does not take {request.method}",
    }
    response = ApiError(error.status_code, words.get(error.status_code, error.detail)).response()
    response.headers.update(error.headers or {})
    return response


async def answer_bug(request: Request, error: Exception) -> JSONResponse:
    """Reply to what nobody foresaw; the server's log has the traceback."""
    return ApiError(500, HTTPStatus(500).phrase).response()
