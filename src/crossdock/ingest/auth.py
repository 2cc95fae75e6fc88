"""
Who sends: write keys, and the origins a source allows.

A write key comes as Basic user name (with or without the colon), in the body, or both, and then the header
wins; ``Bearer`` needs the key in the body (tokens are not checked: the write key is the credential).
Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/#authentication
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, ClassVar

from crossdock.errors import Unauthorized
from crossdock.settings import SourceSettings

MAX_KNOWN_HEADERS = 1_000


class OriginRefused(Unauthorized):
    """A browser page of another origin may not send to this source."""

    status: ClassVar[int] = 403


class WriteKeys:
    """The write keys in force."""

    def __init__(self, sources: Mapping[str, SourceSettings]) -> None:
        # Looked up by digest, so that the time taken tells nothing about how much of a key was right
        self._by_digest = {
            _digest(key): (key, name)
            for name, source in sources.items()
            if source.write_key is not None
            for key in [source.write_key.get_secret_value().encode()]
        }
        self._headers: dict[str, str] = {}

    def source_of_header(self, authorization: str | None) -> str | None:
        """
        Give the source whose write key an ``Authorization`` header carries; ``None`` where it carries none.

        Raises:
            Unauthorized: Nobody has that key.
        """
        # Headers that were right once are known whole: a lookup by Python's keyed hash tells no timing either
        known = self._headers.get(authorization or "")
        if known is None and (key := header_key(authorization)) is not None:
            known = self.source(key)
            if len(self._headers) < MAX_KNOWN_HEADERS:
                self._headers[authorization or ""] = known
        return known

    def source(self, key: str | None) -> str:
        """
        Give the source a write key belongs to.

        Raises:
            Unauthorized: There is no key, or nobody has it.
        """
        if not key:
            raise Unauthorized(
                "no write key: send it as the Basic user name or as `writeKey` in the body", "no_write_key"
            )
        given = key.encode("utf-8", "replace")
        known, name = self._by_digest.get(_digest(given), (b"", ""))
        if not hmac.compare_digest(known, given) or not name:
            raise Unauthorized("the write key is not known here", "unknown_write_key")
        return name


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def header_key(authorization: str | None) -> str | None:
    """Read the write key from an ``Authorization`` header; ``None`` where it carries none."""
    if not authorization or authorization[:6].lower() != "basic ":
        return None
    try:
        # More padding than needed is ignored, so a key sent without any is read too
        decoded = base64.b64decode(authorization[6:].strip() + "==", validate=False)
    except (binascii.Error, ValueError):
        return None
    return decoded.partition(b":")[0].decode("utf-8", "replace").strip() or None


def body_key(document: Any) -> str | None:
    """Read the write key from an event or a batch's envelope."""
    key = document.get("writeKey") if isinstance(document, dict) else None
    return key.strip() if isinstance(key, str) else None


def check_origin(source: SourceSettings, origin: str) -> None:
    """
    Let a page's request pass unless the source lists origins, and not this one.

    Raises:
        OriginRefused: The origin is not in `allowed_origins`.
    """
    if source.allowed_origins is None or "*" in source.allowed_origins:
        return
    if _plain(origin) not in map(_plain, source.allowed_origins):
        raise OriginRefused("this origin is not in the source's allowed_origins", "origin_not_allowed")


def _plain(origin: str) -> str:
    return origin.strip().rstrip("/").lower()
