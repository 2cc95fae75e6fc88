"""
What Vibetrace's fields may hold: addresses, texts, numbers, consent, and ids as the product feed writes them.

Sources: help.vtcdn.net/knowledge-base/how-to-update-an-user-through-api/ and help.vtcdn.net/?p=591 (the
product feed), read 2026-11-22.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

_ADDRESS: Final = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+\.[^@\s.\x00-\x1f\x7f]+").fullmatch
_ADDRESS_LENGTH: Final = 254  # RFC 5321, section 4.5.3.1.3
_SPACE: Final = re.compile(r"\s")
_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})", re.ASCII).fullmatch
_WHOLE: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII).fullmatch
_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}
_INT64: Final = 2**63


def first_address(given: Any) -> str | None:
    """Give the first of some texts that looks like an e-mail address, trimmed and in lower case."""
    for one in given if given.__class__ is list else (given,):
        if one.__class__ is str and (found := address(one)) is not None:
            return found
    return None


def address(text: str) -> str | None:
    """Give a text as an e-mail address, trimmed and in lower case; ``None`` when it is none."""
    found = text.strip().lower()
    # Most ids are no address; to look for the one sign is cheaper than an expression.
    return found if "@" in found and len(found) <= _ADDRESS_LENGTH and _ADDRESS(found) else None


def text(value: Any) -> str | None:
    """Read a text or a number as text; ``None`` for anything else, and for a blank."""
    if value.__class__ is str:
        return value.strip() or None
    if value.__class__ is int:
        return str(value)
    if value.__class__ is float and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)
    return None


def number(value: Any) -> float | None:
    """Read a number, or a text that holds one; what is whole comes as an ``int``."""
    if value.__class__ is str and _NUMBER(value.strip()):
        value = float(value)
    if value.__class__ is int:
        return value if abs(value) < _INT64 else None
    if value.__class__ is not float or not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 1e15 else float(value)


def whole(value: Any) -> int | None:
    """Read a whole number, or a text that holds one; ``None`` for 12.5."""
    if value.__class__ is str and _WHOLE(value.strip()):
        return int(value)
    found = number(value)
    return int(found) if found.__class__ is int else None


def flag(value: Any) -> bool | None:
    """
    Read a boolean, 1, 0, or one of them as text; ``None`` for anything else.

    *yes* and *on* are not among them: consent is written only where it is stated plainly.
    """
    if value.__class__ is bool:
        return bool(value)
    if value.__class__ in (int, float):
        return bool(value) if value in (0, 1) else None
    return _FLAGS.get(value.strip().lower()) if value.__class__ is str else None


def item_id(value: Any) -> str | None:
    """
    Write a product's or category's id as the feed does: lower case, each space an underscore.

    help.vtcdn.net/?p=591: ``FLV-GV 12`` becomes ``flv-gv_12``; feed and events must agree.
    """
    found = text(value)
    return _SPACE.sub("_", found.lower().strip()) or None if found is not None else None


__all__ = ["address", "first_address", "flag", "item_id", "number", "text", "whole"]
