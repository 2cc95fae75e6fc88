"""The $date directive: every timestamp form that real Segment clients send, to the form a vendor wants."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from crossdock.errors import MappingError
from crossdock.mapping.coercion import to_number
from crossdock.mapping.compiler import At, Compiler, Scope, Value
from crossdock.mapping.directive import Directive, Example, kind_of, value_and_options, value_at
from crossdock.mapping.values import MISSING

_FORM: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,12}))?\s*(Z|z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
# Go's time.String(), which its Segment library sends in delete events.
_GO_SUFFIX: Final = re.compile(r" [A-Z]{1,5}(?: m=[+-][\d.]+)?$")
_MILLISECONDS_FROM: Final = 100_000_000_000
"""As seconds this is the year 5138, as milliseconds 1973."""
_DIRECTIVES: Final = frozenset("YmdHMSfjyzZbBaAIp%")
_UTC_MILLISECONDS: Final = 24


def parse_timestamp(value: Any) -> datetime | None:
    """Read a timestamp text or epoch number (seconds or milliseconds); without an offset it is UTC."""
    if value.__class__ is str:
        text = _GO_SUFFIX.sub("", value.strip())
        found = _FORM.fullmatch(text)
        if found is None:
            return _from_epoch(to_number(text))
        day, time, fraction, offset = found.groups()
        stamp = f"{day}T{time or '00:00:00'}"
        stamp += f".{fraction[:6]:0<6}" if fraction and time.count(":") == 2 else ""
        try:
            parsed = datetime.fromisoformat(stamp + (offset or "").upper())
        except ValueError:
            return None
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return _from_epoch(value) if value.__class__ in (int, float) else None


def _from_epoch(number: float | None) -> datetime | None:
    if number is None:
        return None
    seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None


def compile_date(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Write a timestamp as RFC 3339 or by format (strftime, epoch, epoch_ms), in a zone; UTC by default."""
    parts = value_and_options(operand, ("format", "zone"))
    zone = _zone(parts["zone"]) if "zone" in parts else None
    write = _writer(parts.get("format"), zone)
    value = compiler.value(parts["value"], scope, value_at(operand, at), "None")
    plain = zone is None and "format" not in parts

    def date(given: Any) -> Any:
        # The form nearly every client sends is the form we write: check it, and keep it.
        if plain and given.__class__ is str and len(given) == _UTC_MILLISECONDS and _is_usual(given):
            return given
        moment = parse_timestamp(given)
        if moment is None:
            return MISSING
        try:
            return write(moment.astimezone(zone or UTC))
        except (OverflowError, ValueError):
            return MISSING

    return compiler.call(date, value.name)


def _is_usual(text: str) -> bool:
    """Tell whether 24 characters are a UTC timestamp in milliseconds; 2026-W01-1 is a week date."""
    if text[10] != "T" or text[19] != "." or text[23] != "Z" or text[5] == "W":
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _zone(name: Any) -> tzinfo:
    if not isinstance(name, str):
        raise MappingError(f"zone must be a name such as Europe/Berlin, but this is {kind_of(name)}")
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise MappingError(f"zone {name!r} is not known; write a name such as Europe/Berlin or UTC") from None


def _writer(pattern: Any, zone: tzinfo | None) -> Callable[[datetime], Any]:
    if pattern is None:
        if zone is None or zone is UTC:
            return lambda moment: moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return lambda moment: moment.isoformat(timespec="milliseconds")
    if pattern == "epoch":
        return lambda moment: int(moment.timestamp())
    if pattern == "epoch_ms":
        return lambda moment: round(moment.timestamp() * 1000)
    if not isinstance(pattern, str):
        raise MappingError(f"format must be a pattern such as %Y-%m-%d, but this is {kind_of(pattern)}")
    marks = re.findall(r"%(.?)", pattern)
    unknown = [mark for mark in marks if mark not in _DIRECTIVES or not mark]
    if unknown or not marks:
        what = f"%{unknown[0]} is not known" if unknown else "it has no % part"
        raise MappingError(
            f"format {pattern!r}: {what}; write for example %Y-%m-%d %H:%M:%S, epoch or epoch_ms"
        )
    return lambda moment: moment.strftime(pattern)


DIRECTIVES = (
    Directive(
        "date",
        compile_date,
        (
            Example({"$date": "$.t"}, {"t": "2026-01-02T03:04:05.678Z"}, "2026-01-02T03:04:05.678Z"),
            Example({"$date": "$.t"}, {"t": "2026-01-02T03:04:05.123456+02:00"}, "2026-01-02T01:04:05.123Z"),
            Example(
                {"$date": {"value": "$.t", "zone": "Europe/Berlin", "format": "%d.%m.%Y %H:%M"}},
                {"t": 1767323045},
                "02.01.2026 04:04",
            ),
            Example({"$date": {"value": "$.t", "format": "epoch"}}, {"t": "2026-01-02 03:04:05"}, 1767323045),
            Example({"$date": "$.t"}, {"t": "yesterday"}),
        ),
    ),
)
