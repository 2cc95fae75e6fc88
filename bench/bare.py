"""The anchor: a bare aiohttp handler that only reads and parses the body."""

from __future__ import annotations

import sys

import orjson
import uvloop
from aiohttp import web


async def accept(request: web.Request) -> web.Response:
    orjson.loads(await request.read())
    return web.Response(body=b'{"success": true}', headers={"Content-Type": "application/json"})


async def ready(_: web.Request) -> web.Response:
    return web.Response()


def main() -> None:
    app = web.Application(client_max_size=1_000_000)
    app.router.add_post("/v1/track", accept)
    app.router.add_post("/v1/batch", accept)
    app.router.add_get("/readyz", ready)
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
