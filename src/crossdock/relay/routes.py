"""
The relay's paths: the script, asking for commands, and answering what became of them.

Every refusal is JSON; CORS headers stand on what goes to a listed origin, refusals included, and on nothing
else. The script's path names the one vendor it is written for; the two others serve any mailbox.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from hashlib import sha256
from importlib import resources
from typing import Any

import orjson
from aiohttp import hdrs, web

from crossdock import timestamp
from crossdock.errors import EventError, JournalError, MalformedRequest, TooLarge
from crossdock.journal.base import Mail
from crossdock.relay.asked import MAX_ACK_BYTES, answers_of, visitor_of, wait_seconds
from crossdock.relay.desk import Desk, TooOften
from crossdock.telemetry import Log, log

SCRIPT_PATH = "/relay/sharpspring-ads.js"
COMMANDS_PATH = "/relay/v1/commands"
ACK_PATH = "/relay/v1/ack"
SCRIPT = resources.files("crossdock.relay").joinpath("relay.js").read_bytes()
_SCRIPT_SECONDS = 30 * 60  # the vendor's tag is cached as long
_BODY_SECONDS = 10.0
_IDLE_MS = 500
_RETRY_SECONDS = 5

Handler = Callable[[web.Request], Awaitable[web.Response]]


def add_routes(app: web.Application, desk: Desk) -> None:
    """Add the relay's paths to an application."""

    async def commands(request: web.Request) -> web.Response:
        visitor = visitor_of(request.query)
        seconds = wait_seconds(request.query)
        boxes = desk.admit(visitor, *_page(request))
        mails = await desk.commands(boxes, visitor.anonymous_id, seconds, lambda: _gone(request))
        found = [_shown(mail) for mail in mails]
        return _json({"commands": found, "retryAfterMs": 0 if found else _IDLE_MS})

    async def ack(request: web.Request) -> web.Response:
        visitor, answers = answers_of(await _body(request))
        boxes = desk.admit(visitor, *_page(request))
        await desk.settle(boxes, visitor.anonymous_id, answers)
        return web.Response(status=204)

    app.router.add_get(SCRIPT_PATH, _script)
    app.router.add_get(COMMANDS_PATH, _answering(desk, commands))
    app.router.add_post(ACK_PATH, _answering(desk, ack))
    for path in (COMMANDS_PATH, ACK_PATH):
        app.router.add_route("OPTIONS", path, _answering(desk, _preflight))


def _answering(desk: Desk, handler: Handler) -> Handler:
    """Turn errors into answers, and put on each what its page needs to read it."""

    async def answer(request: web.Request) -> web.Response:
        try:
            response = await handler(request)
        except EventError as error:
            response = _refusal(desk, error)
        except JournalError as error:
            log(Log.REQUEST_FAILED, code="unavailable", path=request.path, reason=str(error)[:300])
            response = _failure(503, "unavailable", "come back later", _RETRY_SECONDS)
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = "Origin"
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and desk.knows(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
        return response

    return answer


def _refusal(desk: Desk, error: EventError) -> web.Response:
    desk.metrics.requests_refused.labels(error.code).inc()
    retry = error.retry_seconds if isinstance(error, TooOften) else None
    if retry is None:
        log(Log.REQUEST_REFUSED, code=error.code, path="/relay", status=error.status, reason=error.message)
    return _failure(error.status, error.code, error.message, retry)


def _failure(status: int, code: str, message: str, retry_seconds: float | None) -> web.Response:
    body: dict[str, Any] = {"success": False, "code": code, "message": message}
    if retry_seconds is None:
        return _json(body, status)
    # In the body too: a page of another origin reads no header that CORS does not name.
    response = _json({**body, "retryAfterMs": math.ceil(retry_seconds * 1000)}, status)
    response.headers["Retry-After"] = str(math.ceil(retry_seconds))
    return response


async def _preflight(_: web.Request) -> web.Response:
    headers = {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "content-type",
        "Access-Control-Max-Age": "86400",
    }
    return web.Response(status=204, headers=headers)


_SCRIPT_TAG = f'"{sha256(SCRIPT).hexdigest()[:16]}"'


async def _script(request: web.Request) -> web.Response:
    headers = {
        "Cache-Control": f"public, max-age={_SCRIPT_SECONDS}",
        "Content-Type": "text/javascript; charset=utf-8",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "ETag": _SCRIPT_TAG,
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get(hdrs.IF_NONE_MATCH) == _SCRIPT_TAG:
        return web.Response(status=304, headers=headers)
    return web.Response(body=SCRIPT, headers=headers)


async def _body(request: web.Request) -> bytes:
    """Read a body of bounded size and patience."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while part := await request.content.readany():
                parts.append(part)
                size += len(part)
                if size > MAX_ACK_BYTES:
                    raise TooLarge(f"the body is over {MAX_ACK_BYTES:,} bytes", "too_large")
    except TimeoutError:
        raise MalformedRequest("the body took too long", "body_incomplete") from None
    return b"".join(parts)


def _page(request: web.Request) -> tuple[str | None, str | None]:
    return request.headers.get(hdrs.ORIGIN), request.headers.get("Sec-Fetch-Site")


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _shown(mail: Mail) -> dict[str, Any]:
    return {
        "id": mail.id,
        "seq": mail.seq,
        "cmd": orjson.Fragment(mail.command),
        "queuedAt": timestamp.write(mail.queued_at),
        "expiresAt": timestamp.write(mail.expires_at),
    }


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
