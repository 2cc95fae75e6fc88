"""Times as the tables keep them: whole microseconds since 1970 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Give a time as microseconds since 1970."""
    return round(moment.timestamp() * 1_000_000)


def micros_of(span: timedelta) -> int:
    """Give a span in microseconds."""
    return span // _MICROSECOND


def moment(micros_: int) -> datetime:
    """Give microseconds since 1970 as a time in UTC."""
    return EPOCH + timedelta(microseconds=micros_)


def now() -> datetime:
    """Give the time, in UTC."""
    return datetime.now(UTC)
