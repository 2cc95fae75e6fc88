"""What is printed cannot steer a terminal, and JSON is JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from crossdock.cli import terminal
from crossdock.journal.base import Lane, Refusal

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)


def test_control_characters_are_shown() -> None:
    """An escape sequence in an event's name is text, not an instruction."""
    assert "\\x1b[2Jhi\\x07\\x202e" == terminal.printable("\x1b[2Jhi\x07\u202e")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "now"),
        (12, "12 s ago"),
        (600, "10 min ago"),
        (-30, "30 s ahead"),
        (7200, "2 h ago"),
        (864000, "10 d ago"),
    ],
)
def test_ago(seconds: int, expected: str) -> None:
    """A time is told in its largest fitting unit."""
    assert expected == terminal.ago(NOW - timedelta(seconds=seconds), NOW)


@pytest.mark.parametrize(("count", "expected"), [(3, "3 B"), (1536, "1.5 KiB"), (20 * 1024**3, "20.0 GiB")])
def test_size(count: int, expected: str) -> None:
    """Bytes are told in binary units."""
    assert expected == terminal.size(count)


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Rows become JSON; a body that is JSON is its value, any other its text."""
    row = Refusal("web", None, "c", "r", b'{"a":1}', NOW)
    terminal.print_json({"row": row, "raw": b"\xff", "lane": Lane("d", 1), "for": timedelta(seconds=2)})
    printed = orjson.loads(capsys.readouterr().out)
    assert {"a": 1} == printed["row"]["body"]
    assert "2026-11-20T10:00:00Z" == printed["row"]["received_at"]
    assert ("\ufffd", 2.0) == (printed["raw"], printed["for"])
