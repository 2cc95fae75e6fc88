"""
The older event call, ``GET /event/<account_id>/<event_type>``: browsing, sent only on request.

Sources, read 2026-11-22: help.vibetrace.com/knowledge-base/how-to-send-events-through-the-api/ for the call;
github.com/vibetrace/api for the names of fields (a retired API, a guide and no more);
help.vtcdn.net/kb/consider-user-sessions-user-browser/ for the session's 12 hours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

import orjson

from crossdock import timestamp
from crossdock.destinations.base import Payload, Prepared, Rejected, Skipped
from crossdock.destinations.vibetrace import values
from crossdock.destinations.vibetrace.draft import Draft
from crossdock.destinations.vibetrace.order import Order
from crossdock.destinations.vibetrace.user import NO_EMAIL

OWN: Final = ("viewitem", "viewcategory", "search", "addtocart", "checkout", "login")
"""The types that Vibetrace knows by itself, and that are actions here."""

_TAKEN: Final = frozenset({*OWN, "confirmation", "update", "event"})
_SESSION: Final = timedelta(hours=12)
_LONGEST: Final = 2_000
"""Bytes of JSON; percent-encoded they are up to three times as many, and a URL holds some 8,000."""
_MOST_UNITS: Final = 20
_SLUG: Final = re.compile(r"[^a-z0-9]+")

Fields = dict[str, Any] | Skipped | Rejected


def event(action: str, payload: dict[str, Any]) -> Prepared | Skipped | Rejected:
    """Make one event of a payload; *action* is one of `OWN`, or ``custom`` for the event's own name."""
    kind: Any = action
    if action == "custom":
        name = values.text(payload.get("type"))
        kind = _SLUG.sub("_", name.lower()).strip("_")[:64] if name is not None else ""
        if not kind:
            return Rejected("type: the event's name holds no letter and no digit", "event_name")
        if kind in _TAKEN:
            return Skipped("event_name_taken")
    who = {"email": _email(payload)} if action == "login" else identity(payload)
    if who is None or None in who.values():
        return NO_EMAIL
    draft = Draft()
    fields = _FIELDS[action](draft, payload) if action in _FIELDS else {}
    if not isinstance(fields, dict):
        return fields
    units = fields.pop("units", 1)
    return _finished(draft, kind, [{"type": kind, **who, **fields}] * units)


def confirmation(draft: Draft, payload: dict[str, Any], order: Order) -> Prepared | Skipped | Rejected:
    """Make an order's event for a visitor who is known by the browser's session alone."""
    who = identity(payload)
    if who is None:
        return NO_EMAIL
    generic = {name: order.generic[name] for name in ("orderId", "total")}
    return _finished(
        draft, "confirmation", [{"type": "confirmation", **who, "items": order.items, "generic": generic}]
    )


def identity(payload: dict[str, Any]) -> dict[str, Any] | None:
    """
    Say who the visitor is: the browser's own ids while its session lasts, else the e-mail address.

    The ids are those of the cookie ``_vt_user``, which the site passes on; Segment's are never sent.
    """
    session = payload.get("session")
    if session.__class__ is dict and not _late(payload):
        found = {name: values.text(session.get(name)) for name in ("userId", "sessionId")}
        if None not in found.values():
            return found
    email = _email(payload)
    return None if email is None else {"email": email}


def _email(payload: dict[str, Any]) -> str | None:
    return values.first_address(payload.get("email"))


def _late(payload: dict[str, Any]) -> bool:
    """Tell whether an event arrived after its session had ended, as a phone that was offline sends it."""
    happened, arrived = (timestamp.read(payload.get(name)) for name in ("timestamp", "receivedAt"))
    return happened is not None and arrived is not None and arrived - happened > _SESSION


def _finished(draft: Draft, kind: str, data: list[dict[str, Any]]) -> Prepared | Rejected:
    prepared = draft.finished({"type": kind, "data": data})
    if isinstance(prepared, Prepared) and len(prepared.body) > _LONGEST:
        return Rejected(
            f"data: {len(prepared.body)} bytes; more than {_LONGEST} do not fit a URL", "too_long"
        )
    return prepared


def url(base: str, account: str, payload: Payload) -> str:
    """Build the address of one call; its `ts` stands for a random number, and is the same on every retry."""
    body = orjson.loads(payload.body)
    data = quote(orjson.dumps(body.get("data", [])), safe="")
    identity = f"{payload.message_id}:{payload.index}".encode("utf-8", "replace")
    ts = int.from_bytes(sha256(identity).digest()[:4], "big")
    return f"{base}/event/{quote(account, safe='')}/{quote(body['type'], safe='')}?data={data}&ts={ts}"


def _product(_: Draft, payload: dict[str, Any]) -> Fields:
    found = values.item_id(payload.get("itemId"))
    return {"itemId": found} if found is not None else Rejected("itemId: missing", "item_id_missing")


def _category(_: Draft, payload: dict[str, Any]) -> Fields:
    found = values.item_id(payload.get("category"))
    return {"category": found} if found is not None else Rejected("category: missing", "category_missing")


def _search(_: Draft, payload: dict[str, Any]) -> Fields:
    found = values.text(payload.get("query"))
    return {"query": found} if found is not None else Rejected("query: missing", "query_missing")


def _added(draft: Draft, payload: dict[str, Any]) -> Fields:
    """One event a unit, as the retired API wanted it; the units travel in one call."""
    cart = values.text(payload.get("cartId"))
    product = _product(draft, payload)
    if not isinstance(product, dict):
        return product
    if cart is None:
        return Skipped("no_cart_id")
    stated = payload.get("quantity")
    units = 1 if stated is None else values.whole(stated)
    if units is None or not 0 < units <= _MOST_UNITS:
        draft.dropped.append("quantity")
        units = _MOST_UNITS if units is not None and units > _MOST_UNITS else 1
    return {"cartId": cart, **product, "units": units}


def _checkout(draft: Draft, payload: dict[str, Any]) -> Fields:
    cart = values.text(payload.get("cartId"))
    if cart is None:
        return Skipped("no_cart_id")
    fields: dict[str, Any] = {"cartId": cart}
    stated = payload.get("step")
    if stated is not None:
        step = values.whole(stated)
        if step is None:
            draft.dropped.append("step")
        else:
            fields["step"] = step
    return fields


def _login(draft: Draft, payload: dict[str, Any]) -> Fields:
    fields: dict[str, Any] = {}
    draft.texts(fields, payload, ("source",))
    return fields


_FIELDS: Final[dict[str, Callable[[Draft, dict[str, Any]], Fields]]] = {
    "viewitem": _product,
    "viewcategory": _category,
    "search": _search,
    "addtocart": _added,
    "checkout": _checkout,
    "login": _login,
}
