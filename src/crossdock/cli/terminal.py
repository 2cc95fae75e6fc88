"""
What commands print: tables and text on a terminal, the same text plain in a pipe, JSON for programs.

What came from a sender is never trusted: control characters, which could rewrite an operator's screen, are
shown as escapes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from textwrap import indent
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_PIPE_WIDTH = 160
_JSON_OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z


def console(*, stderr: bool = False) -> Console:
    """Give the console of this moment's standard output; in a pipe lines are wide and plain."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False, soft_wrap=False)


def printable(text: str) -> str:
    """Write control characters as escapes, so that no event can steer a terminal."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def short(text: str, length: int = 60) -> str:
    """Cut a printable text for a table's cell."""
    line = " ".join(printable(text).split())
    return line if len(line) <= length else f"{line[: length - 1]}…"


def table(*columns: str, right: Iterable[str] = (), title: str | None = None) -> Table:
    """Make a table in the house's look; columns in `right` hold numbers."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for name in columns:
        justify = "right" if name in set(right) else "left"
        made.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    return made


def styled(text: str, style: str) -> Text:
    """Give a text with a colour that vanishes in a pipe."""
    return Text(printable(text), style=style)


def print_json(value: Any) -> None:
    """Write a value as indented JSON to standard output; bytes that hold JSON become its values."""
    sys.stdout.write(orjson.dumps(value, default=_plain, option=_JSON_OPTIONS).decode() + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return json_or_text(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, tuple):
        return value._asdict() if hasattr(value, "_asdict") else list(value)
    return sorted(value) if isinstance(value, set | frozenset) else str(value)


def json_or_text(body: bytes) -> Any:
    """Give a body's JSON value, or its text where it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")


def indented(value: Any, *, by: int = 4) -> str:
    """Write a JSON value over several lines, printable, each line indented."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return printable(indent(text, " " * by))


def moment(when: datetime) -> str:
    """Write a time in UTC to the millisecond."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ago(when: datetime, now: datetime) -> str:
    """Say how long ago a time is: ``12 s ago``, ``3 h ago``."""
    seconds = (now - when).total_seconds()
    return "now" if abs(seconds) < 1 else f"{span(abs(seconds))} {'ago' if seconds > 0 else 'ahead'}"


def span(seconds: float) -> str:
    """Write a duration in its largest unit."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def size(count: int) -> str:
    """Write a number of bytes: ``512 B``, ``1.4 MiB``."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def number(count: int) -> str:
    """Write a count: ``12,400``."""
    return f"{count:,}"
