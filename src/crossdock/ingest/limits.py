"""
How much one request may hold, and reading no more than that.

Sizes are measured after decompression. Sources: HTTP Tracking API, "Max request size" and "Batch"
(https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/, read 2026-08-20). The
webhook's are wider, because Segment gives an event up for good on a 4xx.
"""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass

from aiohttp import ClientPayloadError, StreamReader, hdrs, web

from crossdock.errors import MalformedRequest, TooLarge

READ_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold."""

    event_bytes: int
    body_bytes: int
    events: int
    """Events past this count are refused, each for itself; the request is still answered 200."""


TRACKING = Limits(event_bytes=32 * 1024, body_bytes=512_000, events=2_500)
# Segment's webhook batches hold at most 4,000 events; at 16 KiB each that is what we hold in memory
WEBHOOK = Limits(event_bytes=64 * 1024, body_bytes=64 * 1024 * 1024, events=4_000)


async def read_body(request: web.Request, limit: int, what: str) -> bytes:
    """
    Read and inflate a body of at most `limit` bytes; `what` names the limit to the sender.

    Raises:
        TooLarge: It is longer, as sent or inflated.
        MalformedRequest: It breaks off, or its compression cannot be undone.
    """
    content = request.content
    if (request.content_length or 0) > limit:
        raise _too_large(limit, what)
    try:
        body = await content.readany()
        if not content.at_eof():
            body = await _read_rest(content, body, limit, what)
    except (web.RequestPayloadError, ClientPayloadError, ConnectionError):
        raise MalformedRequest("the body broke off", "body_incomplete") from None
    if len(body) > limit:
        raise _too_large(limit, what)
    # Some clients mislabel: gzip is known by its first bytes, which no JSON starts with
    if body[:2] == b"\x1f\x8b" or hdrs.CONTENT_ENCODING in request.headers:
        return inflate(body, request.headers.get(hdrs.CONTENT_ENCODING, "gzip"), limit, what)
    return body


async def _read_rest(content: StreamReader, body: bytes, limit: int, what: str) -> bytes:
    parts, size = [body], len(body)
    try:
        async with asyncio.timeout(READ_SECONDS):
            while not content.at_eof():
                part = await content.readany()
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise _too_large(limit, what)
    except TimeoutError:
        # Not 408: Chromium silently sends such a request again
        raise MalformedRequest(f"the body took over {READ_SECONDS:.0f} seconds", "body_incomplete") from None
    return b"".join(parts)


def inflate(body: bytes, encoding: str, limit: int, what: str) -> bytes:
    """
    Undo a body's compression, never producing more than `limit` bytes (a small bomb would fill the memory).

    Raises:
        TooLarge: It inflates to more.
        MalformedRequest: It is cut off or damaged, or the encoding is none we know.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or body.lstrip()[:1] in (b"{", b"["):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise MalformedRequest(
            f"Content-Encoding {encoding[:40]!r} is not understood; send gzip", "unsupported_encoding"
        )
    inflated = b""
    while body:  # a gzip file may have several members
        stream = zlib.decompressobj(zlib.MAX_WBITS | 32)
        try:
            inflated += stream.decompress(body, limit + 1 - len(inflated))
        except zlib.error:
            raise MalformedRequest(f"the body is not valid {encoding}", "bad_encoding") from None
        if len(inflated) > limit:
            raise _too_large(limit, what)
        if not stream.eof:
            raise MalformedRequest(f"the {encoding} body breaks off", "bad_encoding")
        body = stream.unused_data.lstrip(b"\0")
    return inflated


def _too_large(limit: int, what: str) -> TooLarge:
    return TooLarge(f"the body is over {limit:,} bytes, the limit for {what}", "too_large")
