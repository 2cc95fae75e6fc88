"""Fixtures: a journal of its own, and a running dock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crossdock.journal import open_journal
from crossdock.journal.base import Journal
from crossdock.simulators.topsort import TopsortSimulator
from tests.delivery.dock import KEY, Dock, route_to


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """Open a journal of its own."""
    opened = await open_journal(f"sqlite:///{tmp_path / 'journal.db'}", shards=4)
    yield opened
    await opened.close()


@pytest.fixture
async def dock(journal: Journal) -> AsyncIterator[Dock]:
    """Run the lanes of one Topsort account against its double."""
    async with TopsortSimulator(api_key=KEY) as simulator:
        made = Dock(journal, simulator, route_to(simulator.url))
        await made.open()
        yield made
        await made.lanes.stop(5)
