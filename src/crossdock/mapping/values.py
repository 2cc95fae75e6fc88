"""What a mapped value can be, and how Segment's JavaScript engine turns values into text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from crossdock.errors import MappingFailed

MAX_TEXT: Final = 65_536
"""The longest text one directive may make; an event is at most 64 KiB, so only a runaway is longer."""

MAX_NODES: Final = 100_000
"""The most values one directive may hand on, so that nested directives cannot multiply without end."""


class Missing:
    """The one value that means: leave this key out."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()


def is_empty(value: Any) -> bool:
    """Tell whether *value* is missing, null or a blank string; 0, false, [] and {} are values."""
    return value is MISSING or value is None or (value.__class__ is str and is_blank(value))


def is_blank(text: str) -> bool:
    """Tell whether a text is empty or holds blanks only; what sorts below "!" begins with a blank."""
    return text < "!" and (not text or text.isspace())


def bounded_text(text: str) -> str:
    """
    Give *text* back unless it is longer than any honest value.

    Raises:
        MappingFailed: It is longer than `MAX_TEXT`.
    """
    if len(text) > MAX_TEXT:
        raise MappingFailed(f"a directive made a text of {len(text)} characters; the most is {MAX_TEXT}")
    return text


def bounded(value: Any) -> Any:
    """
    Give *value* back unless it holds more values than any honest payload.

    Raises:
        MappingFailed: It holds more than `MAX_NODES`; shared parts count each time they appear.
    """
    left = MAX_NODES
    pending: list[Iterator[Any]] = [iter((value,))]
    while pending:
        for member in pending[-1]:
            left -= 1 if member.__class__ is not str else 1 + len(member) // 64
            if left < 0:
                raise MappingFailed(f"a directive made more than {MAX_NODES} values")
            if member.__class__ is dict and member:
                pending.append(iter(member.values()))
                break
            if member.__class__ is list and member:
                pending.append(iter(member))
                break
        else:
            pending.pop()
    return value


def without_missing(value: Any) -> Any:
    """Drop keys whose value is missing, at every depth; missing list items become null."""
    if value.__class__ is dict:
        return {key: without_missing(member) for key, member in value.items() if member is not MISSING}
    if value.__class__ is list:
        return [None if member is MISSING else without_missing(member) for member in value]
    return value


def text_of(value: Any) -> str:
    """Turn a value into text as JavaScript's ``String()`` does; missing and null give ''."""
    if value.__class__ is str:
        return str(value)
    if value is None or value is MISSING:
        return ""
    if value.__class__ is bool:
        return "true" if value else "false"
    if value.__class__ is list:
        return bounded_text(",".join(text_of(member) for member in value))
    if value.__class__ is dict:
        return "[object Object]"
    return number_text(value)


def number_text(value: float) -> str:
    """Write a number as JavaScript does: 42.0 is 42, and exponents begin at 1e21."""
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124
    sign, digits, exponent = Decimal(repr(float(value)) if abs(value) >= 1e15 else repr(value)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    point = len(digits) + int(exponent)
    if not -6 < point <= 21:
        power = point - 1
        mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
        body = f"{mantissa}e{'+' if power >= 0 else '-'}{abs(power)}"
    elif point <= 0:
        body = "0." + "0" * -point + text
    elif len(text) <= point:
        body = text + "0" * (point - len(text))
    else:
        body = f"{text[:point]}.{text[point:]}"
    return f"-{body}" if sign else body


def json_text(value: Any) -> str:
    """Write compact JSON as JavaScript's ``JSON.stringify`` does."""
    if value.__class__ is dict:
        members = (
            f"{json_text(key)}:{json_text(member)}" for key, member in value.items() if member is not MISSING
        )
        return bounded_text("{" + ",".join(members) + "}")
    if value.__class__ is list:
        return bounded_text("[" + ",".join(json_text(member) for member in value) + "]")
    if value is None or value is MISSING:
        return "null"
    if value.__class__ is str:
        return json.dumps(value, ensure_ascii=False)
    if value.__class__ is bool:
        return "true" if value else "false"
    return number_text(value)


def length_of(text: str) -> int:
    """Count the UTF-16 units of *text*, as JavaScript's ``length`` does."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
