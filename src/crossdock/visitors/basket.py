"""A visitor's last basket, as the events of a cart and a checkout tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

FILLING: Final = frozenset(
    {
        "Cart Viewed",
        "Viewed Cart",
        "Checkout Started",
        "Started Checkout",
        "Started Order",
        "Checkout Step Viewed",
        "Viewed Checkout Step",
        "Checkout Step Completed",
        "Completed Checkout Step",
        "Payment Info Entered",
    }
)
"""Events whose products, where they list any, are the whole basket."""
EMPTYING: Final = frozenset({"Order Completed", "Completed Order"})

PRODUCTS_KEPT: Final = 200
_TEXT_KEPT: Final = 256
"""Longer texts, such as descriptions, are no use later, and each event of a checkout carries a copy."""


def basket_in(properties: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the basket an event tells of; ``None`` where it lists no products."""
    products = properties.get("products")
    if products.__class__ is not list:
        return None
    kept = [_slim(each) for each in products[:PRODUCTS_KEPT] if each.__class__ is dict]
    if not kept:
        return None
    told = {
        "products": kept,
        "total": _first(properties, "total", "value", "revenue"),
        "currency": properties.get("currency"),
        "cart_url": _first(properties, "cart_url", "cartUrl"),
    }
    return {name: value for name, value in told.items() if value is not None}


def cart_id_in(properties: Mapping[str, Any]) -> str | None:
    """Give the cart's id, which product and cart events carry and no checkout event does."""
    given = _first(properties, "cart_id", "cartId")
    return given if given.__class__ is str and 0 < len(given) <= _TEXT_KEPT else None


def _slim(product: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in product.items() if _is_kept(value)}


def _is_kept(value: Any) -> bool:
    return (value.__class__ is str and len(value) <= _TEXT_KEPT) or value.__class__ in (int, float, bool)


def _first(properties: Mapping[str, Any], *names: str) -> Any:
    for name in names:
        if _is_kept(value := properties.get(name)):
            return value
    return None
