"""
Segment's ``X-Signature``: lower-case hex HMAC-SHA1 with the shared secret.

It covers the raw body of a single event, of an array only its first element, and of an Extensible Webhook's
array the object inside the first element's ``{"json": …}``. Verified over the bytes as sent: a parsed and
re-written object differs in numbers and escapes between languages.
Source: https://segment.com/docs/connections/destinations/catalog/actions-webhook/ (read 2026-08-20); measured
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator

LONGEST_ELEMENT = 512 * 1024
"""How far an array's first element is looked for: whoever sends it is not known to be Segment yet."""

_SPACE = rb"[ \t\r\n]*+"
# Strings whole, so that brackets inside them do not count; possessive, so that no body makes it backtrack
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[{}\[\]]', re.DOTALL)
_START = re.compile(_SPACE)
_WRAPPER = re.compile(_SPACE + rb"\{" + _SPACE + rb'"json"' + _SPACE + rb":" + _SPACE)
_WRAPPER_END = re.compile(_SPACE + rb"\}")


def sign(secret: bytes, signed: bytes) -> str:
    """Give the signature Segment would send."""
    return hmac.digest(secret, signed, "sha1").hex()


def verify(secret: bytes, body: bytes, signature: str) -> bool:
    """Tell whether a webhook body carries its secret's signature, in constant time."""
    given = signature.strip().lower().encode("utf-8", "replace")
    fits = False
    for signed in _signed_parts(body):
        fits |= hmac.compare_digest(sign(secret, signed).encode(), given)
    return fits


def _signed_parts(body: bytes) -> Iterator[bytes]:
    """Give the slices of a raw body that Segment may have signed."""
    first = body
    if body.lstrip()[:1] == b"[":
        start = body.index(b"[") + 1
        end = element_end(body, _skip(body, start))
        if end is None:
            return
        first = body[_skip(body, start) : end]
    yield first
    wrapper = _WRAPPER.match(first)
    if wrapper is None:
        return
    inner_end = element_end(first, wrapper.end())
    if inner_end is not None and _WRAPPER_END.fullmatch(first, inner_end):
        yield first[wrapper.end() : inner_end]


def element_end(body: bytes, start: int) -> int | None:
    """Give where the object or array that starts at `start` ends; ``None`` where it does not, or too far."""
    if body[start : start + 1] not in (b"{", b"["):
        return None
    depth = 0
    for token in _TOKEN.finditer(body, start, start + LONGEST_ELEMENT):
        mark = token[0]
        if mark in (b"{", b"["):
            depth += 1
        elif mark in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                return token.end()
    return None


def _skip(body: bytes, start: int) -> int:
    found = _START.match(body, start)
    return found.end() if found else start
