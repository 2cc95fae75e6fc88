"""
Single values as Blueshift wants them: names, ids, times, addresses, numbers.

Each function gives the value to send, or ``None`` for one that cannot be sent. Sources, read 2026-11-22:
developer.blueshift.com/reference/post_api-v1-event and ``…-customers`` (*REF* below);
help.blueshift.com article 8509190224019 (*HELP*).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha1, sha256
from typing import Any
from uuid import NAMESPACE_URL

from crossdock import timestamp

SYSTEM_EVENTS = frozenset(
    {
        "add_to_cart",
        "app_open",
        "cancel",
        "checkout",
        "identify",
        "pageload",
        "purchase",
        "remove_from_cart",
        "return",
        "screen_viewed",
        "search",
        "subscribe_interest",
        "subscription_billing",
        "subscription_cancel",
        "subscription_downgrade",
        "subscription_start",
        "subscription_upgrade",
        "unsubscribe_interest",
        "view",
    }
)
"""Names with a meaning of their own: the event data page, and Blueshift's Android and iOS libraries."""

MAX_NAME = 64
MAX_EMAIL = 64
"""REF says 64, an older version of the page 256."""
MAX_CUSTOMER_ID = 128
"""REF's two versions say 64 and 128; what lies between is sent."""

_BREAKS = re.compile(r"[\s.]+")
# Ruby, which Blueshift's answers show it runs on, reads 1_000 and 1e5 as numbers too.
_NUMERIC = re.compile(r"[+-]?\d[\d_]*(?:[eE][+-]?\d+)?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+").fullmatch
_UUID = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
).fullmatch
_MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII).fullmatch
_PHONE = re.compile(r"\+[1-9][0-9]{5,13}").fullmatch
_GENDERS = {"m": "male", "f": "female", "u": "unknown", "male": "male", "female": "female"}
_GENDERS["unknown"] = "unknown"
_SPACE = sha1(NAMESPACE_URL.bytes, usedforsecurity=False)
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_MILLISECONDS_FROM = 100_000_000_000
"""As seconds this is the year 5138, as milliseconds 1973."""


def event_name(name: Any, *, truncate: bool) -> str | None:
    """
    Write a custom event's name as REF demands: no dot, no whitespace, not a number, at most 64 characters.

    Upper and lower case stay, so `Custom Events` is `Custom_Events`, as RudderStack sends it. ``None`` for
    what is no name, or too long and not to be truncated; a truncated one ends in a digest of the whole.
    """
    if name.__class__ is not str:
        return None
    clean = _BREAKS.sub("_", name.strip())
    if _NUMERIC.fullmatch(clean):
        clean = f"event_{clean}"
    if len(clean) > MAX_NAME:
        if not truncate:
            return None
        digest = sha256(clean.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return f"{clean[: MAX_NAME - 9]}_{digest}"
    return clean or None


def text(value: Any) -> str | None:
    """Give a text that is not blank, or a number as text."""
    if value.__class__ is str:
        return str(value) if value and not value.isspace() else None
    return str(value) if value.__class__ in (int, float) else None


def email(value: Any) -> str | None:
    """Give a trimmed address of at most 64 characters."""
    if value.__class__ is not str:
        return None
    address = str(value.strip())
    return address if len(address) <= MAX_EMAIL and _EMAIL(address) else None


def uuid(value: str) -> str:
    """Give the value itself where it is an RFC 4122 UUID, else the version 5 UUID made of it."""
    return value if len(value) == 36 and _UUID(value) else name_uuid(value)


def name_uuid(name: str) -> str:
    """Make the version 5 UUID of *name* in the URL namespace, at a third of the price of `uuid.uuid5`."""
    digest = _SPACE.copy()
    digest.update(name.encode("utf-8", "surrogatepass"))
    code = digest.hexdigest()
    return f"{code[:8]}-{code[8:12]}-5{code[13:16]}-{_VARIANT[code[16]]}{code[17:20]}-{code[20:32]}"


@lru_cache(maxsize=10_000)
def visitor_uuid(name: str) -> str:
    """Do the same for an id that comes again with every event of its visitor."""
    return name_uuid(name)


def moment(value: Any) -> str | None:
    """Write a time as REF's history answer does: UTC, six decimals, ``Z``."""
    if value.__class__ is str and _MILLISECONDS(value):
        return f"{value[:23]}000Z"
    read = timestamp.read(value)
    return None if read is None else _written(read)


def date(value: Any) -> Any:
    """Give a date as it is (HELP: ISO 8601, and any other is stored as text); an epoch number becomes one."""
    if value.__class__ not in (int, float):
        return value
    seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
    try:
        return _written(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))
    except (OverflowError, ValueError):
        return None


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def number(value: Any) -> float | None:
    """Give a finite number, also of a text that holds one."""
    if value.__class__ is str:
        try:
            value = float(value)
        except ValueError:
            return None
        value = int(value) if value.is_integer() and abs(value) < 2**53 else value
    if value.__class__ is int:
        return int(value)
    return value if value.__class__ is float and abs(value) < float("inf") else None


def whole(value: Any) -> int | None:
    """Give a whole number, also of a text that holds one."""
    found = number(value)
    return None if found is None or found != int(found) else int(found)


def phone(value: Any) -> str | None:
    """Give an E.164 number (REF: ``+``, no leading 0, 6 to 14 digits) without blanks and dashes."""
    found = text(value)
    clean = re.sub(r"[\s-]", "", found) if found else ""
    return clean if _PHONE(clean) else None


def gender(value: Any) -> str | None:
    """Give one of the three words REF knows."""
    return _GENDERS.get(value.strip().casefold()) if value.__class__ is str else None


def subscription_groups(value: Any) -> list[dict[str, Any]] | None:
    """Give the groups that have an id and say whether they are subscribed to."""
    if value.__class__ is not list:
        return None
    return [
        {**group, "id": name}
        for group in value
        if group.__class__ is dict
        and group.get("subscribed").__class__ is bool
        and (name := text(group.get("id"))) is not None
    ] or None
