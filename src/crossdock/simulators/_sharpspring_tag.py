"""
The vendor's tag as a Python double, for tests without a browser; ``_sharpspring_tag.js`` is the same for one.

Observed in generated tags of public archives, never promised by the vendor.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

_ALPHABET = string.ascii_letters + string.digits


@dataclass
class FakeTag:
    """A page's ``_pq``: a plain list until `load`, then an object that only has `push`."""

    audiences: Mapping[str, int] = field(default_factory=dict)
    conversions: Mapping[str, int] = field(default_factory=dict)
    all_visitors: int = 1
    advertiser: int = 7
    skips_pixels: bool = False
    """As on iOS and MSIE 7: it says it fired, and requests nothing."""
    order_id: str | None = None
    """The page's own ``_pa.orderId``, where a command has none."""
    revenue: float | None = None
    queue: list[list[Any]] = field(default_factory=list)
    loaded: bool = False
    pixels: list[str] = field(default_factory=list)
    """The requests it made, in order."""

    def push(self, command: list[Any]) -> bool | int:
        """Queue before it has loaded, and give the length; run after, and tell whether anything matched."""
        if not self.loaded:
            self.queue.append(command)
            return len(self.queue)
        return self._run(command)

    def load(self) -> None:
        """Run what was queued, in order; a command that throws ends it, and the queue stays a list."""
        for command in self.queue:
            self._run(command)
        self.loaded = True

    def _run(self, command: list[Any]) -> bool:
        name = command.pop(0)  # from the very list it was given
        known: dict[str, Callable[..., bool]] = {"track": self._track, "trackProduct": self._track_product}
        if name not in known:
            raise TypeError(f"_pa.{name} is not a function")
        return known[name](*command)

    def _track(self, event: str, order: Mapping[str, Any] | None = None, *_: Any) -> bool:
        told = order or {}
        segment = self.audiences.get(event)
        if segment is not None:
            worth = f":{told['segment_value']}" if told.get("segment_value") else ""
            self._request(f"/seg?t=2&add={segment}{worth}")
            self._request(f"/seg/?add={segment}&{self._own()}")
        conversion = self.conversions.get(event)
        if conversion is not None:
            query = f"id={conversion}{self._order(told)}&other={_other()}"
            self._request(f"/px?t=2&{query}")
            self._request(f"/px/?{query}&{self._own()}")
        return segment is not None or conversion is not None

    def _order(self, told: Mapping[str, Any]) -> str:
        order_id = str(told.get("orderId") or self.order_id or "").partition("@")[0]
        revenue = told.get("revenue") or self.revenue
        parts = [f"&order_id={quote(order_id, safe='')}"] if order_id else []
        return "".join([*parts, f"&value={revenue}"] if revenue else parts)

    def _track_product(self, product: str, *_: Any) -> bool:
        self._request(f"/seg/?add={self.all_visitors}:{quote(product, safe='')}&{self._own()}")
        return True

    def _own(self) -> str:
        return f"source=js_tag&a_id={self.advertiser}"

    def _request(self, pixel: str) -> None:
        if not self.skips_pixels:
            self.pixels.append(pixel)


def _other() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(16))
