"""
What Vibetrace's user and event API takes, and what of it a correct client would never send.

Written from help.vtcdn.net (``/kb/api-overview``, ``/knowledge-base/how-to-update-an-user-through-api/``,
``/kb/serverside-integration``, ``/kb/dynamic-user-attributes-that-automatically-update-values``, ``/?p=591``)
and help.vibetrace.com/knowledge-base/how-to-send-events-through-the-api/, all read 2026-11-22.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Final, Literal

Kind = Literal["string", "integer", "float", "boolean", "date"]

RESERVED: Final = {
    *("emSubDate", "emUnsubDate", "createdOn", "isCustomer", "isSpam", "isHardBounced", "isSubscribedAlerts"),
    *("numberOfPurchases", "totalPurchasesValue", "lastPurchaseDate", "lastPurchaseValue", "lastVisitDate"),
    *("lastEmailOpenDate", "lastEmailClickDate", "source", "score", "activity1", "activity2", "activity3"),
}
BUILT_IN: Final[dict[str, Kind]] = {
    "isSubscribed": "boolean",
    **dict.fromkeys(("gender", "city", "country", "firstname", "lastname", "tel"), "string"),
}
_PERSON: Final = {"email", "tel", "firstname", "lastname", "country", "city"}
_GENERIC_TEXTS: Final = {"orderId", "status", "phone", "currency"}
_GENERIC: Final = _GENERIC_TEXTS | {"total", "total_shipping", "coupons"}
_TYPE: Final = re.compile(r"[a-z0-9_-]{1,64}", re.ASCII)


def is_address(value: Any) -> bool:
    """Tell whether a value looks like an e-mail address."""
    if not isinstance(value, str) or not 5 <= len(value) <= 254 or any(c.isspace() for c in value):
        return False
    mailbox, at, domain = value.partition("@")
    labels = domain.split(".")
    return bool(mailbox and at) and "@" not in domain and len(labels) > 1 and labels[-1] != ""


def is_of(kind: Kind, value: Any) -> bool:
    """Tell whether a value has an attribute's type."""
    return _IS[kind](value)


def _is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(value) == 10 and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_IS: Final[dict[Kind, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "date": _is_day,
}


def taken(
    given: Mapping[str, Any], defined: Mapping[str, Kind]
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Sort a user's attributes: what is stored, what is a violation, what is worth a warning."""
    stored: dict[str, Any] = {}
    violations, warnings = [], []
    kinds = {**defined, **BUILT_IN}
    for name, value in given.items():
        if name in RESERVED:
            violations.append(f"{name} is computed by the system and never written")
        elif name not in kinds:
            warnings.append(f"{name} is not an attribute of the account; ignored")
        elif not is_of(kinds[name], value):
            violations.append(f"{name} is not of the type {kinds[name]}; ignored")
        else:
            stored[name] = value
    return stored, violations, warnings


def confirmation_faults(body: Mapping[str, Any]) -> Iterator[str]:
    """Find what is wrong with an order confirmation."""
    user, event = body.get("user"), body.get("event")
    if not isinstance(user, dict) or not is_address(user.get("email")):
        yield "user.email: missing, or no address"
    else:
        yield from (f"user.{name}: not a text" for name in _PERSON & user.keys() if not _is_text(user[name]))
    if not isinstance(event, dict) or list(event) != ["confirmation"]:
        yield "event: must have exactly one key, confirmation"
        return
    confirmation = event["confirmation"]
    if not isinstance(confirmation, dict):
        yield "event.confirmation: not an object"
        return
    yield from _generic_faults(confirmation.get("generic"))
    yield from item_faults(confirmation.get("items"))


def _generic_faults(generic: Any) -> Iterator[str]:
    if not isinstance(generic, dict):
        yield "generic: not an object"
        return
    if "orderId" not in generic:
        yield "generic.orderId: missing"
    if not _is_number(generic.get("total")):
        yield "generic.total: not a number"
    yield from (
        f"generic.{name}: not a text"
        for name in _GENERIC_TEXTS & generic.keys()
        if not _is_text(generic[name])
    )
    if not _is_number(generic.get("total_shipping", 0)):
        yield "generic.total_shipping: not a number"
    coupons = generic.get("coupons", [])
    if not isinstance(coupons, list) or not all(map(_is_text, coupons)):
        yield "generic.coupons: not a list of texts"


def item_faults(items: Any) -> Iterator[str]:
    """Find what is wrong with the items of an order."""
    if not isinstance(items, list) or not items:
        yield "items: missing or empty"
        return
    for place, item in enumerate(items):
        if not isinstance(item, dict) or not _is_text(item.get("id")):
            yield f"items.{place}.id: missing, or not a text"
            continue
        if not is_normal(item["id"]):
            yield f"items.{place}.id: {item['id']!r} is not written as in the feed"
        if not _is_number(item.get("quantity")) or item["quantity"] <= 0:
            yield f"items.{place}.quantity: not a number above 0"


def unknown_fields(body: Mapping[str, Any]) -> Iterator[str]:
    """Find the fields of a valid confirmation that the help page does not show; they are ignored."""
    order = body["event"]["confirmation"]
    for where, known in (
        (body, {"user", "event"}),
        (body["user"], _PERSON),
        (order, {"generic", "items"}),
        (order["generic"], _GENERIC),
        *((item, {"id", "quantity"}) for item in order["items"]),
    ):
        yield from (
            f"{name} is not a field of a confirmation; ignored" for name in where if name not in known
        )


def legacy_faults(kind: str, data: Any) -> Iterator[str]:
    """Find what is wrong with the events of an older event call."""
    if not _TYPE.fullmatch(kind):
        yield f"{kind!r} is no event type"
    if not isinstance(data, list) or not data:
        yield "data: not a JSON list of events"
        return
    for place, event in enumerate(data):
        if not isinstance(event, dict) or event.get("type") != kind:
            yield f"data.{place}.type: not the type of the address"
            continue
        session = {"userId", "sessionId"} & event.keys()
        if session and not all(_is_text(event.get(name)) for name in ("userId", "sessionId")):
            yield f"data.{place}: userId and sessionId go together"
        if not session and not is_address(event.get("email")):
            yield f"data.{place}: neither an e-mail address nor a session"
        yield from (
            f"data.{place}.{name}: not written as in the feed"
            for name in {"itemId", "category"} & event.keys()
            if not _is_text(event[name]) or not is_normal(event[name])
        )
        if kind == "confirmation":
            yield from _generic_faults(event.get("generic"))
            yield from item_faults(event.get("items"))
        elif needed := _NEEDED.get(kind):
            yield from (f"data.{place}.{name}: missing" for name in needed if not event.get(name))


_NEEDED: Final = {
    "viewitem": ("itemId",),
    "viewcategory": ("category",),
    "search": ("query",),
    "addtocart": ("cartId", "itemId"),
    "checkout": ("cartId",),
    "login": ("email",),
}


def is_normal(identity: str) -> bool:
    """Tell whether an id is written as in the feed: lower case, no space."""
    return identity == identity.lower() and not any(c.isspace() for c in identity)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
