"""
Every answer the door gives, and which error becomes which answer.

Success is exactly 200 with a JSON object; errors are JSON with `success`, `code`, `message` and `error`,
since each client library looks for another of them, and several retry a 400 for ever when `code` is missing.
CORS headers stand on all of them: without, a browser takes a refusal for a network failure and sends again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware
from multidict import CIMultiDict

from crossdock.errors import EventError, JournalError
from crossdock.ingest.prompt import PromptAnswer, fits
from crossdock.telemetry import Log, Metrics, log

RETRY_SECONDS = 5
SUCCESS = b'{"success": true}'
PIXEL = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
_DEFAULT_ALLOWED = "authorization, content-type, x-retry-count"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(NamedTuple):
    """One event of a request that was refused, as its sender is told."""

    position: int
    message_id: str | None
    code: str
    message: str
    through: int | None = None
    """The last index, where one line stands for many events."""


_OPEN: CIMultiDict[str] = CIMultiDict(
    {
        "Content-Type": "application/json",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "Retry-After, X-RateLimit-Reset",
    }
)


def cors(request: web.BaseRequest) -> CIMultiDict[str]:
    """Give the headers every answer carries; a named origin is echoed, as credentials need it."""
    headers = _OPEN.copy()
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Allow-Credentials"] = "true"
        headers["Vary"] = "Origin"
    return headers


_PROMPT = PromptAnswer(SUCCESS, _OPEN)


def accepted(request: web.Request, refused: Sequence[Refused] = ()) -> web.StreamResponse:
    """Answer what is durable now; events refused alone are listed, and it is a success all the same."""
    if not refused and hdrs.ORIGIN not in request.headers and fits(request):
        return _PROMPT
    body = SUCCESS
    if refused:
        listed = [
            {"index": each.position, "messageId": each.message_id, "code": each.code, "message": each.message}
            | ({} if each.through is None else {"through": each.through})
            for each in refused
        ]
        body = orjson.dumps({"success": True, "refused": listed})
    return web.Response(body=body, headers=cors(request))


def json_answer(body: object, headers: CIMultiDict[str]) -> web.Response:
    """Answer with JSON of another shape."""
    return web.Response(body=orjson.dumps(body), headers=headers)


def pixel(request: web.Request) -> web.Response:
    """Answer a beacon: always the same image."""
    headers = cors(request)
    headers["Content-Type"] = "image/gif"
    headers["Cache-Control"] = "no-store"
    return web.Response(body=PIXEL, headers=headers)


def preflight(request: web.Request) -> web.Response:
    """Allow what a browser asks to send: customers configure headers of their own."""
    headers = cors(request)
    headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
    headers["Access-Control-Allow-Headers"] = (
        request.headers.get("Access-Control-Request-Headers") or _DEFAULT_ALLOWED
    )
    headers["Access-Control-Max-Age"] = "86400"
    return web.Response(headers=headers)


def failure(request: web.BaseRequest, error: Exception, metrics: Metrics) -> web.Response:
    """Answer an error, log it and count it: the one place where errors become answers."""
    status, code, message = _meaning(error)
    headers = cors(request)
    if status == 503:
        # Browsers up to 1.83 read only the second, all others only the first
        headers["Retry-After"] = headers["X-RateLimit-Reset"] = str(RETRY_SECONDS)
    if isinstance(error, web.HTTPMethodNotAllowed):
        headers["Allow"] = ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))
    metrics.requests_refused.labels(code).inc()
    if status >= 500:
        bug = error if status == 500 else None
        log(Log.REQUEST_FAILED, code=code, path=_route(request), reason=str(error)[:300], exc_info=bug)
    else:
        log(Log.REQUEST_REFUSED, code=code, path=_route(request), status=status, reason=message)
    body = {"success": False, "code": code, "message": message, "error": message}
    return web.Response(status=status, body=orjson.dumps(body), headers=headers)


def _meaning(error: Exception) -> tuple[int, str, str]:
    """Give status, code and message of an error; never 3xx or 408, which lose or repeat events."""
    if isinstance(error, EventError):
        return error.status, error.code, error.message
    if isinstance(error, JournalError):
        return 503, "unavailable", "events cannot be kept just now; send again later"
    if isinstance(error, web.HTTPNotFound):
        return 404, "not_found", "nothing answers on this path"
    if isinstance(error, web.HTTPMethodNotAllowed):
        return 405, "method_not_allowed", f"use {' or '.join(sorted(error.allowed_methods))}"
    if isinstance(error, web.HTTPException):
        return 400, "bad_request", error.reason
    return 500, "internal_error", "a fault of the gateway; send again later"


def _route(request: web.BaseRequest) -> str:
    """Name the path without the write key it may hold."""
    parts = request.path.split("/")
    return "/v1/projects/…" if parts[1:3] == ["v1", "projects"] else request.path[:100]


def answering(metrics: Metrics, owned: Callable[[web.Request], bool]) -> Middleware:
    """Give the middleware that turns errors on the door's own paths, and on no path at all, into answers."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Exception as error:
            # The console and its like answer for themselves, and never with CORS
            if not owned(request):
                raise
            return failure(request, error, metrics)

    return answer
