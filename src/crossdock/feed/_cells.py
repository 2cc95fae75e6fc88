"""Reads what catalogues hold in their cells: amounts, stocks, lists, and text over several lines."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

_CURRENCY: Final = r"(?:[A-Za-z]{2,4}|[€$£])"
_AMOUNT: Final = re.compile(rf"{_CURRENCY}?\s*(\d[\d.,' \u00a0\u202f]*)\s*{_CURRENCY}?")
_DECIMAL_COMMA: Final = re.compile(r"\d*,\d{1,2}")
_COUNT: Final = re.compile(r"-?\d{1,15}(?:\.0*)?", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\s]+")
_STOCKS: Final = {
    **dict.fromkeys(("in stock", "available", "limited availability", "preorder", "backorder"), "1"),
    **dict.fromkeys(("out of stock", "unavailable", "sold out", "discontinued"), "0"),
    **dict.fromkeys(("true", "yes"), "1"),
    **dict.fromkeys(("false", "no"), "0"),
}


class Unusable(ValueError):
    """Why a product cannot be written."""


def words(value: Any) -> str:
    """Give a text or number on one line; nothing for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return _CONTROL.sub(" ", str(value)).strip()


def listed(value: Any, separators: str) -> list[str]:
    """Give a list's texts, or a text split by the first of the separators that it holds."""
    if isinstance(value, list):
        return [one for one in map(words, value) if one]
    text = words(value)
    separator = next((one for one in separators if one in text), None)
    pieces = [text] if separator is None else text.split(separator)
    return [piece.strip() for piece in pieces if piece.strip()]


def amount(value: Any, column: str) -> Decimal | None:
    """
    Give an amount, whatever its currency; ``None`` where there is none.

    Of two kinds of separators the last is the decimal one. A comma alone is, before one or two digits; a
    point alone always is.

    Raises:
        Unusable: It is no amount, or below zero.
    """
    text = words(value)
    if not text:
        return None
    found = _AMOUNT.fullmatch(text)
    number = re.sub(r"[' \u00a0\u202f]", "", found[1]) if found else ""
    if "," in number and (number.rfind(",") > number.rfind(".") >= 0 or _DECIMAL_COMMA.fullmatch(number)):
        number = number.replace(".", "").replace(",", ".")
    number = number.replace(",", "")
    if not re.fullmatch(r"\d{1,15}(?:\.\d{0,15})?", number, re.ASCII):
        raise Unusable(f"{column}: {text[:40]!r} is no amount")
    return Decimal(number.rstrip("."))


def stock(value: Any) -> str:
    """Give a whole number; words for a yes or no become 1 and 0, and what is neither is left blank."""
    if isinstance(value, bool):
        return str(int(value))
    text = words(value)
    if _COUNT.fullmatch(text):
        return str(max(int(text.partition(".")[0]), 0))
    return _STOCKS.get(text.lower().replace("_", " ").replace("-", " "), "")
