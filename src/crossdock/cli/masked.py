"""Requests as they would go out, with every secret masked: what `try` and `doctor` may show."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

from crossdock.delivery.batching import cut
from crossdock.delivery.plan import Owed
from crossdock.destinations.base import Batch, Destination, Request

MASK = "•••"


@dataclass(slots=True)
class RequestTrace:
    """One HTTP request as it would go out, its secrets masked."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


def requests_of(vendor: Destination, owed: Sequence[Owed]) -> Iterator[RequestTrace]:
    """Give the requests that payloads go out in, were they alone."""
    left = list(owed)
    limits = vendor.limits
    if vendor.transport == "mailbox":  # nobody sends these: they wait for the visitor's browser
        for posted in (vendor.posted(one.payload) for one in left):
            yield RequestTrace("QUEUE", f"mailbox of visitor {posted.visitor}", {}, posted.command)
        return
    while left:
        most = min(limits.payloads, vendor.most_payloads(left[0].endpoint))
        batch = cut(left, limits, payloads=most, body_bytes=limits.body_bytes).owed
        left = left[len(batch) :]
        yield shown(vendor, vendor.request(Batch(tuple(one.payload for one in batch))))


def shown(vendor: Destination, request: Request) -> RequestTrace:
    """Mask a vendor's secrets in a request."""
    headers = {name: masked(vendor, value) for name, value in request.headers.items()}
    body = masked(vendor, request.body.decode("utf-8", "replace")).encode()
    return RequestTrace(request.method, masked(vendor, request.url), headers, body)


def masked(vendor: Destination, text: str) -> str:
    """Mask a vendor's secrets in a text."""
    for secret in _secrets(vendor):
        text = text.replace(secret, MASK)
    return text


def _secrets(vendor: Destination) -> list[str]:
    """Give every spelling a secret setting may have in a request, the longest first."""
    found: set[str] = set()
    for name in type(vendor).model_fields:
        value = getattr(vendor, name)
        if isinstance(value, SecretStr) and (secret := value.get_secret_value()):
            found |= {secret, quote(secret, safe=""), quote_plus(secret)}
            found |= {b64encode(text.encode()).decode() for text in (secret, f"{secret}:", f":{secret}")}
    return sorted(found, key=len, reverse=True)
