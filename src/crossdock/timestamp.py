"""
Reading and writing the timestamps Segment's clients send.

Accepted: ISO 8601 with ``T`` or a space, 0 to 9 fraction digits, ``Z``, any offset or none (then UTC), a bare
date, and Go's debug format, which Segment's own delete events carry
(``2020-01-02 03:04:05.123456789 +0000 UTC m=+7.3``).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import orjson

_LOOSE = re.compile(
    r"\s*(\d{4}-\d\d-\d\d)[Tt ]\s*(\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?"  # date, time, fraction
    r"\s*([Zz]|[+-]\d\d(?::?\d\d)?)?"  # offset
    r"(?:\s+[A-Za-z0-9+-]{1,6})?(?:\s+m=[+-][\d.]+)?\s*",  # Go: zone name, monotonic clock
)


def read(value: Any) -> datetime | None:
    """Give the moment a timestamp names, in UTC; ``None`` where it cannot be read."""
    if value.__class__ is not str:
        return _aware(value) if isinstance(value, datetime) else None
    try:
        return _aware(datetime.fromisoformat(value))
    except ValueError:
        return _read_loose(value)


def write(moment: datetime) -> str:
    """Write a UTC moment as Segment does, ``2026-01-02T03:04:05.678Z``."""
    # orjson writes a datetime several times faster than isoformat; it leaves out a fraction of zero
    text = orjson.dumps(moment, option=orjson.OPT_UTC_Z).decode()
    return f"{text[1:24]}Z" if len(text) > 24 else f"{text[1:20]}.000Z"


def _read_loose(text: str) -> datetime | None:
    match = _LOOSE.fullmatch(text) if len(text) < 100 else None
    if match is None:
        return None
    day, clock, fraction, offset = match.groups()
    try:
        return _aware(
            datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}{(offset or 'Z').upper()}")
            if clock.count(":") == 2
            else datetime.fromisoformat(f"{day}T{clock}{(offset or 'Z').upper()}")
        )
    except ValueError:
        return None


def _aware(moment: datetime) -> datetime | None:
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # year 1 or 9999 at the wrong side of Greenwich
        return None
