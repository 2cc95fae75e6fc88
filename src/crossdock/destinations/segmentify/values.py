"""
Readers of single values: each gives what Segmentify takes, or ``None`` where the value cannot mean it.

Types and words: https://segmentify.github.io/segmentify-dev-doc/integration_rest (read 2026-11-22). Where it
says nothing (symbols in a price, the spelling of a flag) the rule is ours and says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from crossdock import timestamp

Number = int | float

MOST_ENTRIES = 50
"""The most keys of a custom map; the vendor documents no limit."""

_PLAIN = re.compile(r"[0-9]{1,15}\.[0-9]{1,15}")
_LONGEST_AMOUNT = 64
_AMOUNT = re.compile(r"[^0-9+.,-]*([+-]?)[^0-9+.,-]*([0-9][0-9.,'\s\u00a0]*|[.,][0-9]+)[^0-9+.,-]*")
_NO_LETTERS = re.compile(r"[^a-z]+")
_SPACES = re.compile(r"['\s\u00a0]")
_GERMAN_DAY = re.compile(r"\s*([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})\s*")
_EPOCH = re.compile(r"\s*-?[0-9]{1,15}(?:\.[0-9]{0,9})?\s*")
_MILLISECONDS_FROM = 100_000_000_000
"""As seconds this is the year 5138, as milliseconds 1973."""
_PRODUCT_GENDERS = {
    **dict.fromkeys(("m", "male", "man", "men", "mens", "men's", "boy", "boys"), "M"),
    **dict.fromkeys(("f", "female", "woman", "women", "womens", "women's", "girl", "girls"), "F"),
}
_USER_GENDERS = {
    **dict.fromkeys(("m", "male", "man"), "M"),
    **dict.fromkeys(("f", "female", "woman"), "F"),
}
_WORDS = {
    **dict.fromkeys(("true", "yes", "1", "on"), True),
    **dict.fromkeys(("false", "no", "0", "off"), False),
}
_STOCK = {
    **dict.fromkeys(
        ("instock", "available", "limitedavailability", "onlineonly", "instoreonly", "lowstock", "preorder"),
        True,
    ),
    **dict.fromkeys(("outofstock", "unavailable", "soldout", "discontinued", "backorder"), False),
}


def blank(value: Any) -> bool:
    """Tell whether a value says nothing: null, a blank text, an empty list or object."""
    return value is None or (value.__class__ is str and not value.strip()) or value in ([], {})


def text(value: Any) -> str | None:
    """Give a text as it is; shops write ids as numbers, so those become text."""
    if value.__class__ is str:
        return value if value and not value.isspace() else None
    if value.__class__ is int:
        return str(value)
    if value.__class__ is float and math.isfinite(value):
        return str(int(value)) if value.is_integer() else str(value)
    return None


def trimmed(value: Any) -> str | None:
    """Give a text without blanks around it."""
    read = text(value)
    return read.strip() if read is not None else None


def number(value: Any) -> Number | None:
    """Give a finite number, also one written as text."""
    if value.__class__ is int:
        return value if abs(value) < 2**63 else float(value)  # JSON writers go no further
    if value.__class__ is float:
        return value if math.isfinite(value) else None
    return _written_number(value) if value.__class__ is str else None


def _written_number(value: str) -> Number | None:
    """Read ``€1.299,90``, ``1,299.90 EUR`` or ``19.9``: symbols go, the last separator marks the fraction."""
    if _PLAIN.fullmatch(value):
        return float(value)
    found = _AMOUNT.fullmatch(value) if len(value) <= _LONGEST_AMOUNT else None
    if found is None:
        return None
    sign, digits = found[1], _SPACES.sub("", found[2]).rstrip(".,")
    mark = max(digits.rfind("."), digits.rfind(","))
    if mark < 0:
        return number(int(sign + digits))
    repeated = digits.count(digits[mark]) > 1
    # One comma before three digits groups thousands (1,299); one dot is a decimal point, as in every program.
    grouping = repeated or (
        digits[mark] == "," and "." not in digits and len(digits) - mark == 4 and digits[0] != "0"
    )
    whole = (digits if grouping else digits[:mark]).replace(".", "").replace(",", "")
    return number(int(sign + whole)) if grouping else float(f"{sign}{whole or 0}.{digits[mark + 1 :]}")


def price(value: Any) -> Number | None:
    """Give an amount: a finite number from 0."""
    read = number(value)
    return read if read is not None and read >= 0 else None


def quantity(value: Any) -> Number | None:
    """Give a number above 0; decimals are allowed."""
    read = number(value)
    return read if read is not None and read > 0 else None


def boolean(value: Any) -> bool | None:
    """Give true or false, also where it is written as a word or a digit."""
    if value.__class__ is bool:
        return value
    read = text(value)
    return _WORDS.get(read.strip().lower()) if read is not None else None


def stock(value: Any) -> bool | None:
    """Give whether a product is in stock, also from schema.org's availability."""
    if value.__class__ is str:
        word = _NO_LETTERS.sub("", value.rsplit("/", 1)[-1].lower())
        if word in _STOCK:
            return _STOCK[word]
    return boolean(value)


def currency(value: Any) -> str | None:
    """Give an ISO 4217 code; the vendor says "short format", our reading of it."""
    if value.__class__ is not str:
        return None
    code = value.strip().upper()
    return code if len(code) == 3 and code.isascii() and code.isalpha() else None


def category(value: Any) -> str | None:
    """Give a category path as ``A > B > C``, from a text or a list."""
    if value.__class__ is list:
        return " > ".join(filter(None, map(trimmed, value))) or None
    read = trimmed(value)
    return " > ".join([part.strip() for part in read.split(">")]) if read and ">" in read else read


def sub_category(value: Any) -> str | None:
    """Give a page's category path as it is; a list becomes ``A>B>C``, the form of the vendor's example."""
    return ">".join(filter(None, map(trimmed, value))) or None if value.__class__ is list else text(value)


def product_gender(value: Any) -> str | None:
    """Give M, F or U; every other word counts as unisex."""
    read = text(value)
    if read is None:
        return None
    return _PRODUCT_GENDERS.get(read.strip().lower(), "U")


def user_gender(value: Any) -> str | None:
    """Give M or F; users have no third value, so every other word is left out."""
    return _USER_GENDERS.get(value.strip().lower()) if value.__class__ is str else None


def texts(value: Any) -> list[str] | None:
    """Give a list of texts; one alone becomes a list of one."""
    listed = value if value.__class__ is list else [value]
    return [read for read in map(text, listed) if read is not None] or None


def split_texts(value: Any) -> list[str] | None:
    """Give a list of texts, from a list or from a text with commas."""
    listed = value.split(",") if value.__class__ is str else value
    return [read for read in map(trimmed, listed) if read] or None if listed.__class__ is list else None


def birthdate(value: Any) -> str | None:
    """Give ``DD.MM.YYYY``: a bare date as it stands, a date-time's day in UTC."""
    if value.__class__ is not str:
        return moment(value)
    if found := _GERMAN_DAY.fullmatch(value):
        value = f"{found[3]}-{found[2]:0>2}-{found[1]:0>2}"
    return _day(timestamp.read(value.strip()))


def moment(value: Any) -> str | None:
    """Give ``DD.MM.YYYY`` in UTC, from a timestamp or an epoch in seconds or milliseconds."""
    if value.__class__ is str and not _EPOCH.fullmatch(value):
        return birthdate(value)
    epoch = float(value) if value.__class__ is str else number(value)
    if epoch is None:
        return None
    seconds = epoch / 1000 if abs(epoch) >= _MILLISECONDS_FROM else epoch
    try:
        return _day(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))
    except OverflowError:
        return None


def _day(when: datetime | None) -> str | None:
    return f"{when.day:02}.{when.month:02}.{when.year:04}" if when is not None else None


def flat(value: Any) -> dict[str, str] | None:
    """Give a flat map of texts: nested values as JSON, nulls and all beyond the 50th key left out."""
    if value.__class__ is not dict:
        return None
    entries: dict[str, str] = {}
    for key, member in value.items():
        written = _written(member)
        if written is None or len(entries) == MOST_ENTRIES:
            continue
        entries[str(key)] = written
    return entries or None


def _written(member: Any) -> str | None:
    if member.__class__ is bool:
        return "true" if member else "false"
    if member is None or member.__class__ is str:
        return member
    if member.__class__ in (dict, list):
        try:
            return orjson.dumps(member).decode()
        except TypeError:  # nested deeper than JSON is written
            return None
    return text(member)


def total(amounts: Any) -> Number | None:
    """
    Give an order's total including tax and shipping, from an amount or an object of Segment's amounts.

    Segment's `total` is all; `value` on Checkout Started likewise; `revenue` and `subtotal` lack tax and
    shipping (https://segment.com/docs/connections/spec/ecommerce/v2/, read 2026-11-22).
    """
    if not isinstance(amounts, Mapping):
        return price(amounts)
    for name in ("total", "value"):
        if (read := price(amounts.get(name))) is not None:
            return read
    for name in ("revenue", "subtotal"):
        if (read := price(amounts.get(name))) is not None:
            return added([read, price(amounts.get("tax")) or 0, price(amounts.get("shipping")) or 0])
    return None


def added(amounts: Iterable[Number]) -> Number:
    """Add amounts exactly: 0.1 + 0.2 in binary is a wrong amount at the vendor."""
    return plain(sum((Decimal(str(amount)) for amount in amounts), Decimal(0)))


def plain(amount: Decimal) -> Number:
    """Give a decimal as the JSON number that people would write."""
    whole = int(amount)
    return whole if amount == whole and abs(whole) < 2**53 else float(amount)
