"""
Orders: the confirmation of ``POST /v1/event/``.

Source: help.vtcdn.net/kb/serverside-integration, read 2026-11-22. Names are case-sensitive there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from crossdock.destinations.base import Rejected
from crossdock.destinations.vibetrace import values
from crossdock.destinations.vibetrace.draft import Draft


class Order(NamedTuple):
    """A valid order."""

    generic: dict[str, Any]
    items: list[dict[str, Any]]


def read(draft: Draft, payload: dict[str, Any]) -> Order | Rejected:
    """Read an order; what is optional and wrong is left out and named, what is needed refuses it."""
    order_id = values.text(payload.get("orderId"))
    if order_id is None:
        return Rejected("orderId: missing", "order_id_missing")
    total = values.number(payload.get("total"))
    if total is None:
        return Rejected("total: missing, and nothing to reckon it from", "total_missing")
    items = _items(draft, payload.get("items"))
    if not items:
        return Rejected("items: none with an id and a quantity", "no_items")
    generic: dict[str, Any] = {"orderId": order_id, "total": total}
    draft.texts(generic, payload, ("status", "phone", "currency"))
    _coupons(draft, generic, payload.get("coupons"))
    if (stated := payload.get("total_shipping")) is not None:
        shipping = values.number(stated)
        if shipping is None:
            draft.dropped.append("total_shipping")
        else:
            generic["total_shipping"] = shipping
    return Order(generic, items)


def _items(draft: Draft, given: Any) -> list[dict[str, Any]]:
    items = []
    for one in given if given.__class__ is list else ():
        identity = values.item_id(one.get("id")) if one.__class__ is dict else None
        if identity is None:
            draft.dropped.append("items[].id")
            continue
        stated = one.get("quantity")
        quantity = 1 if stated is None or stated == "" else values.number(stated)
        if quantity is None:  # a word where a number belongs: the product was bought all the same
            draft.dropped.append("items[].quantity")
            quantity = 1
        if quantity > 0:
            items.append({"id": identity, "quantity": quantity})
        else:
            draft.dropped.append("items[].quantity")
    return items


def _coupons(draft: Draft, into: dict[str, Any], given: Any) -> None:
    if given is None:
        return
    stated = given if given.__class__ is list else [given]
    coupons = [found for found in map(values.text, stated) if found is not None]
    if coupons:
        into["coupons"] = coupons
    if any(one.__class__ in (dict, list, bool) for one in stated):
        draft.dropped.append("coupons")
