"""
Segment's HTTP Tracking API, on every path a client library calls.

Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/ (read 2026-08-20), and
the libraries' own sources for the short paths. Each path also answers with a trailing slash (Java).
"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any, Literal

from aiohttp import hdrs, web

from crossdock.errors import EventError, JournalError, MalformedRequest, UnknownSource
from crossdock.ingest import answers
from crossdock.ingest.address import client_ipv4, public_base
from crossdock.ingest.answers import Handler
from crossdock.ingest.auth import body_key, check_origin, header_key
from crossdock.ingest.body import decode_data, load, unflatten
from crossdock.ingest.door import NO_ENVELOPE, Door, Envelope
from crossdock.ingest.limits import TRACKING, read_body
from crossdock.reception import Reception
from crossdock.telemetry import Log, log

Channel = Literal["client", "server"]

TYPES = ("track", "identify", "page", "screen", "group", "alias")

# The short paths and /v1/b are what browsers and phones call; only for them is the connection's address the
# visitor's (https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/#batch)
SINGLE: dict[str, tuple[str, Channel]] = {
    **{f"/v1/{type_}": (type_, "server") for type_ in TYPES},
    **{f"/v1/{type_[0]}": (type_, "client") for type_ in TYPES},
}
BATCH: dict[str, Channel] = {
    "/v1/batch": "server",
    "/v1/import": "server",
    "/v1/b": "client",
    "/beacon/v1/batch": "client",  # RudderStack's browser library when a page closes
}
PIXEL = {
    **{f"/v1/pixel/{type_}": type_ for type_ in TYPES},
    "/pixel/v1/track": "track",
    "/pixel/v1/page": "page",
}
SETTINGS = "/v1/projects/{write_key}/settings"
METRICS = "/v1/m"


def routes(door: Door) -> Iterator[tuple[str, str, Handler]]:
    """Give method, path and handler of each route, without the trailing slashes."""
    for path, (type_, channel) in SINGLE.items():
        yield "POST", path, _single(door, type_, channel)
    for path, channel in BATCH.items():
        yield "POST", path, _batch(door, channel)
    for path, type_ in PIXEL.items():
        yield "GET", path, _pixel(door, type_)
    yield "GET", SETTINGS, _settings(door)
    yield "POST", METRICS, _own_metrics


def _single(door: Door, type_: str, channel: Channel) -> Handler:
    observe = door.metrics.accept_seconds.observe

    async def single(request: web.Request) -> web.StreamResponse:
        begun = perf_counter()
        door.refuse_when_draining()
        body = await read_body(request, TRACKING.event_bytes, "one event")
        document, source = _identify(door, request, body)
        how = _reception(door, request, source, channel, type_)
        refused = await door.accept([document], how, TRACKING, body_bytes=len(body))
        observe(perf_counter() - begun)
        return answers.accepted(request, refused)

    return single


def _batch(door: Door, channel: Channel) -> Handler:
    observe = door.metrics.accept_seconds.observe

    async def batch(request: web.Request) -> web.StreamResponse:
        begun = perf_counter()
        door.refuse_when_draining()
        body = await read_body(request, TRACKING.body_bytes, "one batch")
        document, source = _identify(door, request, body)
        items = document.get("batch") if isinstance(document, dict) else None
        if not isinstance(items, list):
            raise MalformedRequest("a batch is an object with an array in `batch`", "malformed_batch")
        refused = await door.accept(
            items,
            _reception(door, request, source, channel),
            TRACKING,
            body_bytes=len(body),
            envelope=_envelope(document),
        )
        observe(perf_counter() - begun)
        return answers.accepted(request, refused)

    return batch


def _identify(door: Door, request: web.Request, body: bytes) -> tuple[Any, str]:
    """Give the parsed body and the source whose write key it came with; a key in the header wins."""
    source = door.keys.source_of_header(request.headers.get(hdrs.AUTHORIZATION))
    document = load(body)
    if source is None:
        source = door.keys.source(body_key(document) or request.query.get("writeKey"))
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None:
        check_origin(door.source(source), origin)
    return document, source


def _reception(
    door: Door, request: web.Request, source: str, channel: Channel, type_: str | None = None
) -> Reception:
    # A server may say that it passes a visitor's own connection on (context.direct), so both need the address
    ip = client_ipv4(request, door.trusted_proxies)
    return Reception(door.now(), type_, source, channel, ip)


def _envelope(document: dict[str, Any]) -> Envelope:
    context, integrations = document.get("context"), document.get("integrations")
    sent_at = document.get("sentAt")
    if not context and not integrations and sent_at is None:
        return NO_ENVELOPE
    return Envelope(
        context if isinstance(context, dict) else None,
        integrations if isinstance(integrations, dict) else None,
        sent_at,
    )


def _pixel(door: Door, type_: str) -> Handler:
    async def pixel(request: web.Request) -> web.Response:
        """Take a beacon from an e-mail or image; it sees the same image whatever came of it."""
        try:
            await _accept_beacon(door, request, type_)
        except (EventError, JournalError) as error:
            code = error.code if isinstance(error, EventError) else "unavailable"
            log(Log.REQUEST_REFUSED, code=code, path=request.path[:100], status=200, reason=str(error))
            door.metrics.requests_refused.labels(code).inc()
        return answers.pixel(request)

    return pixel


async def _accept_beacon(door: Door, request: web.Request, type_: str) -> None:
    door.refuse_when_draining()
    query = request.query
    data = query.get("data")
    flat = unflatten((key, value) for key, value in query.items() if key != "data")
    document = flat if data is None else decode_data(data)
    key = header_key(request.headers.get(hdrs.AUTHORIZATION)) or body_key(document) or query.get("writeKey")
    source = door.keys.source(key)
    how = _reception(door, request, source, "client", type_)
    await door.accept([document], how, TRACKING, body_bytes=len(request.raw_path))


def _settings(door: Door) -> Handler:
    async def settings(request: web.Request) -> web.Response:
        """Tell a browser or mobile library where to send; Segment's own tools test a key by it."""
        key = request.match_info["write_key"]
        try:
            door.keys.source(key)
        except EventError:
            raise UnknownSource("the write key is not known here", "unknown_write_key") from None
        scheme, host = public_base(request, door.trusted_proxies)
        headers = answers.cors(request)
        headers["Cache-Control"] = "no-cache"
        return answers.json_answer(_library_settings(key, scheme, host), headers)

    return settings


def _library_settings(key: str, scheme: str, host: str) -> dict[str, Any]:
    """
    Give the least that analytics-next starts with, measured.

    A second integration would send it to Segment's CDN for code; `apiHost` here is what lets a site change
    only `cdnURL`; a sample rate of 0 silences its own metrics.
    """
    enabled = {"__default": {"enabled": True}}
    return {
        "integrations": {"Segment.io": {"apiKey": key, "apiHost": f"{host}/v1", "protocol": scheme}},
        "plan": {
            "track": {"__default": {"enabled": True, "integrations": {}}},
            "identify": enabled,
            "group": enabled,
        },
        "edgeFunction": {},
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }


async def _own_metrics(request: web.Request) -> web.StreamResponse:
    """Take and drop the browser library's measurements of itself."""
    await read_body(request, TRACKING.body_bytes, "metrics")
    return answers.accepted(request)
