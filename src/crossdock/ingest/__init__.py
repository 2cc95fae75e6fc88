"""
Ingest: the door for events, as an aiohttp application.

`make_app` gives a whole one; `add_routes` adds the door to an application that has other routes beside.
"""

from __future__ import annotations

from aiohttp import web

from crossdock.ingest import answers, tracking_api, webhook
from crossdock.ingest.door import Door

__all__ = ["Door", "add_routes", "make_app"]

PREFIXES = ("/v1/", "/webhook/", "/pixel/", "/beacon/")


def make_app(door: Door) -> web.Application:
    """Make an application that answers as the door does; other routes may be added to it."""
    app = web.Application(
        # Bodies are read and inflated by the door, which holds them to its own limits and answers in JSON
        handler_args={
            "auto_decompress": False,
            "access_log": None,
            "max_line_size": 64 * 1024,  # a pixel's event stands in the request line, in base64
            "max_field_size": 32 * 1024,
        },
    )
    add_routes(app, door)
    return app


def add_routes(app: web.Application, door: Door) -> None:
    """Add the door's routes, with and without trailing slash, and the middleware that answers errors."""
    app.middlewares.append(answers.answering(door.metrics, _owned))
    seen = set()
    for method, path, handler in (*tracking_api.routes(door), *webhook.routes(door)):
        for each in (path, f"{path}/"):
            app.router.add_route(method, each, handler, expect_handler=_expect)
            if each not in seen:
                seen.add(each)
                app.router.add_route("OPTIONS", each, _preflight, expect_handler=_expect)


def _owned(request: web.Request) -> bool:
    """Tell whether the door answers for a request's errors: its own paths, and those that are nobody's."""
    return request.path.startswith(PREFIXES) or request.match_info.http_exception is not None


async def _preflight(request: web.Request) -> web.Response:
    return answers.preflight(request)


async def _expect(request: web.Request) -> None:
    """Ask for the body where the sender waits to be asked; any other expectation is no reason to refuse."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
