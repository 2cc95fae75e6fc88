"""A journal with a mailbox, and a clock to be moved by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crossdock.journal import open_journal
from crossdock.journal.base import Journal, Lane

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
DESTINATION = "ads"


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
async def journal(tmp_path: Path, clock: Clock) -> AsyncIterator[Journal]:
    """A new journal on which the destination has a lane."""
    opened = await open_journal(
        f"sqlite:///{tmp_path}/journal.db", shards=2, clock=clock, wait_for_lock=False
    )
    for shard in range(2):
        await opened.open_lane(Lane(DESTINATION, shard), 1)
    yield opened
    await opened.close()
