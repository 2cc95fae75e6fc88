"""
Segment's Webhook destination, all three generations: one event, an array, or an array of ``{"json": event}``.

Segment retries 408, 423, 429 and 5xx for four hours and gives every other refusal up for good, so only what
can never be right is answered 4xx here. Source (and .../actions-webhook/, read 2026-08-20):
https://segment.com/docs/connections/destinations/catalog/webhooks/
"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from crossdock.errors import MalformedRequest, Unauthorized, UnknownSource
from crossdock.ingest import answers
from crossdock.ingest.answers import Handler
from crossdock.ingest.body import load, unflatten
from crossdock.ingest.door import Door
from crossdock.ingest.limits import WEBHOOK, read_body
from crossdock.ingest.signature import verify
from crossdock.reception import Reception

WRAPPER = "json"
FORM = "application/x-www-form-urlencoded"


def routes(door: Door) -> Iterator[tuple[str, str, Handler]]:
    """Give method, path and handler of each route."""
    handler = _webhook(door)
    for method in ("POST", "PUT", "PATCH"):
        yield method, "/webhook/{source}", handler


def _webhook(door: Door) -> Handler:
    async def webhook(request: web.Request) -> web.StreamResponse:
        begun = perf_counter()
        door.refuse_when_draining()
        name = request.match_info["source"]
        secret = _secret(door, name)
        signature = request.headers.get("X-Signature")
        if secret is not None and not signature:  # told before the body is read
            raise Unauthorized("X-Signature is missing: give Segment the shared secret", "no_signature")
        body = await read_body(request, WEBHOOK.body_bytes, "one webhook request")
        if secret is not None and not verify(secret, body, signature or ""):
            raise Unauthorized("X-Signature does not fit the body and the secret", "bad_signature")
        how = Reception(received_at=door.now(), source=name, webhook=True, signed=secret is not None)
        items = _items(body, request.headers.get("Content-Type", ""))
        refused = await door.accept(items, how, WEBHOOK, body_bytes=len(body))
        door.metrics.accept_seconds.observe(perf_counter() - begun)
        return answers.accepted(request, refused)

    return webhook


def _secret(door: Door, name: str) -> bytes | None:
    """Give a source's secret, ``None`` where it takes unsigned requests; else there is no webhook."""
    source = door.settings.sources.get(name)
    if source is None or (source.webhook_secret is None and not source.allow_unsigned):
        raise UnknownSource("no webhook answers under this name", "unknown_webhook")
    return None if source.webhook_secret is None else source.webhook_secret.get_secret_value().encode()


def _items(body: bytes, content_type: str) -> list[Any]:
    """Give the events of a body, out of their wrappers."""
    if FORM in content_type.lower() and body.lstrip()[:1] not in (b"{", b"["):
        return [_from_form(body)]
    document = load(body)
    return [_unwrapped(each) for each in (document if isinstance(document, list) else [document])]


def _unwrapped(item: Any) -> Any:
    if isinstance(item, dict) and len(item) == 1:
        if isinstance(inner := item.get(WRAPPER), dict):
            return inner
        if isinstance(form := item.get("body"), str):  # an Extensible Webhook's batch in form mode
            return _from_form(form.encode("utf-8", "replace"))
    return item


def _from_form(body: bytes) -> Any:
    """Read a form-encoded event; a field that holds a JSON object or array is taken as that."""
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10_000)
    except ValueError:
        raise MalformedRequest("the form has too many fields", "malformed_form") from None
    document = unflatten(pairs)
    for key, value in document.items():
        if isinstance(value, str) and value[:1] in ("{", "["):
            document[key] = load(value.encode("utf-8", "replace"))
    inner = document.get(WRAPPER)
    return inner if len(document) == 1 and isinstance(inner, dict) else document
