"""The commands the Segmenting API documents, and nothing beside them."""

from __future__ import annotations

import math
from typing import Any


def fault_of(command: Any) -> str | None:
    """Say why the tag's documentation does not know a command; ``None`` where it does."""
    if not isinstance(command, list) or not command:
        return "a command is a list"
    name, *arguments = command
    if name == "track":
        return _track_fault(arguments)
    if name == "trackProduct":
        return None if len(arguments) == 1 and _is_text(arguments[0]) else "trackProduct takes one id, a text"
    return f"there is no command {name!r}"


def _track_fault(arguments: list[Any]) -> str | None:
    if not 1 <= len(arguments) <= 2 or not _is_text(arguments[0]):
        return "track takes a name and perhaps an order"
    if len(arguments) == 1:
        return None
    order = arguments[1]
    if not isinstance(order, dict) or not order or set(order) - {"orderId", "revenue"}:
        return "an order has orderId or revenue or both, and nothing else"
    if "orderId" in order and (not _is_text(order["orderId"]) or "@" in order["orderId"]):
        return "orderId is a text, and no e-mail address"
    if "revenue" in order and not _is_amount(order["revenue"]):
        return "revenue is a number above 0"
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
