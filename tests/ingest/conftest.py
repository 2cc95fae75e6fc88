"""The door on a real SQLite journal, as an application and a client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from crossdock.ingest import Door, make_app
from crossdock.journal import open_journal
from crossdock.journal.base import Journal, Quarantined, Stored
from crossdock.settings import Settings
from crossdock.telemetry import Metrics

NOW = datetime(2026, 1, 2, 11, 30, 2, 100_000, UTC)
KEY = "web-write-key"
SECRET = "shared-secret"
BASIC = {"Authorization": "Basic d2ViLXdyaXRlLWtleTo="}

SETTINGS = Settings.model_validate(
    {
        "server": {"trusted_proxies": ["127.0.0.0/8"]},
        "sources": {
            "web": {"write_key": KEY},
            "shop": {"write_key": "shop-key", "allowed_origins": ["https://shop.example"]},
            "segment": {"webhook_secret": SECRET},
            "open": {"allow_unsigned": True},
        },
    }
)

Client = TestClient[web.Request, web.Application]


@dataclass
class Bench:
    """The door under test, its journal, and a client to call it."""

    door: Door
    journal: Journal
    client: Client

    async def stored(self) -> list[Stored]:
        """Give every event the journal holds."""
        return await self.journal.read(None, 0, 100_000)

    async def documents(self) -> list[dict[str, Any]]:
        """Give every stored event's document."""
        return [stored.document for stored in await self.stored()]

    async def refused(self) -> list[Quarantined]:
        """Give every quarantined event, oldest first."""
        return list(reversed(await self.journal.quarantined(limit=100_000)))

    async def codes(self) -> list[str]:
        """Give the codes of quarantined events, oldest first."""
        return [each.refusal.code for each in await self.refused()]


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """Open a journal of the test's own."""
    journal = await open_journal(f"sqlite:///{tmp_path}/journal.db", clock=lambda: NOW)
    yield journal
    await journal.close()


@pytest.fixture
async def bench(journal: Journal, aiohttp_client: Callable[[web.Application], Awaitable[Client]]) -> Bench:
    """Give the door, served on loopback."""
    door = Door.from_settings(SETTINGS, journal, Metrics())
    door.now = lambda: NOW
    return Bench(door, journal, await aiohttp_client(make_app(door)))


def event(**changes: Any) -> dict[str, Any]:
    """Give a valid track event with changes."""
    return {"type": "track", "event": "Product Viewed", "userId": "u1", **changes}
