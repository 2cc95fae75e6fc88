"""Durations and sizes as people write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crossdock.errors import ConfigError
from crossdock.units import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("200ms", 0.2), ("10s", 10), ("5m", 300), ("2h", 7200), ("7d", 604800), ("1.5h", 5400)],
)
def test_durations(text: str, seconds: float) -> None:
    """A number with ms, s, m, h or d is a duration."""
    assert timedelta(seconds=seconds) == parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("512KiB", 524288), ("20GiB", 21474836480), ("1MB", 1000000), ("5B", 5)]
)
def test_sizes(text: str, size: int) -> None:
    """A number with a unit is a size in bytes."""
    assert size == parse_size(text)


@pytest.mark.parametrize("wrong", ["10", "ten s", "", None, 5, "1w", "-1s", "9999999999d", "5 parsecs"])
def test_anything_else_is_refused_with_the_form(wrong: Any) -> None:
    """The message shows how it is written."""
    with pytest.raises(ConfigError):
        parse_duration(wrong)
    with pytest.raises(ConfigError):
        parse_size(wrong)
