"""Journals to test, and events to put into them."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from crossdock.journal import open_journal
from crossdock.journal.base import Arrival, Journal, shard_of

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
_numbers = itertools.count(1)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """Give the time."""
        return self.now

    def move(self, **by: float) -> datetime:
        """Move on and give the new time."""
        self.now += timedelta(**by)
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock to be moved by hand."""
    return Clock()


@pytest.fixture
def arrive(clock: Clock) -> Callable[..., Arrival]:
    """Make an arrival at the clock's time."""

    def make(message_id: str | None = None, *, visitor: str = "v1", **changes: Any) -> Arrival:
        message_id = message_id or f"m{next(_numbers)}"
        document = {"type": "track", "messageId": message_id, "anonymousId": visitor, "name": "Zoë"}
        fields: dict[str, Any] = {
            "message_id": message_id,
            "source": "web",
            "scope": "all",
            "shard": shard_of(visitor, 4),
            "document": document,
            "body": orjson.dumps(document),
            "received_at": clock(),
        }
        return Arrival(**fields | changes)

    return make


OpenJournal = Callable[..., Awaitable[Journal]]


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the journal under test lies; a further journal is one more parameter."""
    assert request.param == "sqlite"
    return f"sqlite:///{tmp_path}/data/journal.db"


@pytest.fixture
async def opens(url: str, clock: Clock) -> AsyncIterator[OpenJournal]:
    """Open the journal under test, again if asked; closes what is open at the end."""
    opened: list[Journal] = []

    async def open_one(**changes: Any) -> Journal:
        settings: dict[str, Any] = {"shards": 4, "clock": clock, "wait_for_lock": False}
        journal = await open_journal(url, **settings | changes)
        opened.append(journal)
        return journal

    yield open_one
    for journal in opened:
        await journal.close()


@pytest.fixture
async def journal(opens: OpenJournal) -> Journal:
    """The journal under test, new."""
    return await opens()
