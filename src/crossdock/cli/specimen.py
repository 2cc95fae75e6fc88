"""An event with every field the Segment spec names, to see what a preset can make of the best of cases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

from crossdock.mapping.preset import Preset
from crossdock.mapping.subscription import Pair

_PRODUCT: Final = {
    "product_id": "p-1",
    "sku": "sku-1",
    "category": "Shoes",
    "name": "Red shoe",
    "brand": "Acme",
    "variant": "red",
    "price": 19.9,
    "quantity": 1,
    "coupon": "SPRING",
    "position": 1,
    "url": "https://shop.example/p/1",
    "image_url": "https://shop.example/p/1.jpg",
}
_PROPERTIES: Final = {
    **_PRODUCT,
    "currency": "EUR",
    "value": 19.9,
    "total": 19.9,
    "revenue": 19.9,
    "subtotal": 19.9,
    "shipping": 1.0,
    "tax": 1.0,
    "discount": 1.0,
    "order_id": "o-1",
    "checkout_id": "c-1",
    "cart_id": "cart-1",
    "list_id": "l-1",
    "query": "shoe",
    "promotion_id": "pr-1",
    "creative": "banner",
    "path": "/p/1",
    "title": "Red shoe",
    "referrer": "https://shop.example/",
    "email": "ann@shop.example",
    "products": [_PRODUCT],
}
_TRAITS: Final = {
    "email": "ann@shop.example",
    "name": "Ann Example",
    "firstName": "Ann",
    "lastName": "Example",
}
_EVENT: Final = {
    "messageId": "m-1",
    "timestamp": "2026-11-20T10:00:00.000Z",
    "originalTimestamp": "2026-11-20T10:00:00.000Z",
    "receivedAt": "2026-11-20T10:00:00.100Z",
    "sentAt": "2026-11-20T10:00:00.050Z",
    "anonymousId": "anon-1",
    "userId": "user-1",
    "channel": "client",
    "properties": _PROPERTIES,
    "traits": _TRAITS,
    "context": {
        "ip": "192.0.2.1",
        "locale": "en-GB",
        "timezone": "Europe/London",
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "traits": _TRAITS,
        "device": {"id": "d-1", "type": "ios", "manufacturer": "Apple", "model": "iPhone"},
        "os": {"name": "iOS", "version": "18.5"},
        "app": {"name": "Shop", "version": "1.0"},
        "campaign": {"name": "spring", "source": "mail", "medium": "email", "term": "t", "content": "c"},
        "page": {
            "path": "/p/1",
            "url": "https://shop.example/p/1",
            "title": "Red shoe",
            "referrer": "https://shop.example/",
            "search": "?q=shoe",
        },
        "screen": {"width": 390, "height": 844, "density": 3},
    },
}
_PATH: Final = re.compile(r"\$\.((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)")


def specimen(preset: Preset, pair: Pair) -> dict[str, Any]:
    """Give a full event of a type and name, with a text at every further plain path the preset reads."""
    kind, name = pair
    event: dict[str, Any] = deepcopy(_EVENT)
    event["type"] = kind or "track"
    event["event" if event["type"] == "track" else "name"] = name or "Home"
    for path in _paths(preset.mapping):
        _fill(event, path.split("."))
    return event


def _paths(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for member in node.values():
            yield from _paths(member)
    elif isinstance(node, list):
        for member in node:
            yield from _paths(member)
    elif isinstance(node, str) and (found := _PATH.fullmatch(node)):
        yield found[1]


def _fill(event: dict[str, Any], keys: list[str]) -> None:
    holder: Any = event
    for key in keys[:-1]:
        holder = holder.setdefault(key, {})
        if not isinstance(holder, dict):
            return
    holder.setdefault(keys[-1], "1")
