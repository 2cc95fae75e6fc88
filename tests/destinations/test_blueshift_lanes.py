"""Blueshift through the lanes: caps that are learned and remembered, order over endpoints, odd counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from crossdock.assembly import assemble
from crossdock.delivery.plan import Route
from crossdock.journal import open_journal
from crossdock.settings import parse
from crossdock.simulators.blueshift import BlueshiftSimulator
from tests.delivery.dock import Dock


def route_to(url: str, **settings: Any) -> Route:
    """Make the shipped route, quick enough for tests."""
    known = {"event_api_key": "e", "user_api_key": "u", "base_url": url, **settings}
    written = ", ".join(f"{key}: {str(value).lower()}" for key, value in known.items())
    text = (
        "sources: {web: {write_key: k}}\n"
        f"destinations: {{topsort: {{vendor: blueshift, settings: {{{written}}}}}}}\n"
    )
    route = assemble(parse(text, "crossdock.yaml", {}))["topsort"]
    return replace(route, batch_wait=timedelta(milliseconds=50), requests_per_second=1_000.0)


@asynccontextmanager
async def docked(folder: Path, switches: dict[str, Any], **settings: Any) -> AsyncIterator[Dock]:
    """Run the lanes of one account against its double; lanes start with `Dock.open`."""
    journal = await open_journal(f"sqlite:///{folder / 'journal.db'}", shards=4)
    options = {"event_api_key": "e", "user_api_key": "u", "calls_per_second": None, **switches}
    async with BlueshiftSimulator(**options) as simulator:
        dock = Dock(journal, cast("Any", simulator), route_to(simulator.url, **settings))
        await dock.open()
        yield dock
        await dock.lanes.stop(5)
    await journal.close()


def viewed(number: int) -> dict[str, Any]:
    """Make a Product Viewed of one of seven visitors."""
    return {
        "event": "Product Viewed",
        "anonymousId": f"v{number % 7}",
        "properties": {"product_id": f"p{number}"},
    }


def products(dock: Dock) -> list[str]:
    """List the products viewed, in order of arrival."""
    return [event["product_id"] for event in dock.simulator.received("view")]


@pytest.mark.parametrize(
    ("switches", "refused"), [({}, 1), ({"name_the_limit": False}, 2)], ids=["named", "unnamed"]
)
async def test_a_cap_is_learned_once(tmp_path: Path, switches: dict[str, Any], refused: int) -> None:
    """100 events are too many: after the answer that says so no call is, and order stays."""
    async with docked(tmp_path, {"strict30": True, **switches}) as dock:
        await dock.accept(*(viewed(number) for number in range(150)))
        await dock.settled()
        assert refused == dock.simulator.store.answers[413]
        await dock.accept(*(viewed(number) for number in range(150, 250)))
        await dock.settled()
        assert refused == dock.simulator.store.answers[413]
        assert [f"p{number}" for number in range(250)] == products(dock)
        assert (0, []) == (dock.simulator.duplicates.total(), dock.simulator.violations)


async def test_a_pinned_30_is_never_refused(tmp_path: Path) -> None:
    """The setting spares the answer."""
    async with docked(tmp_path, {"strict30": True}, strict30=True) as dock:
        await dock.accept(*(viewed(number) for number in range(100)))
        await dock.settled()
        assert {200} == set(dock.simulator.store.answers)
        assert [f"p{number}" for number in range(100)] == products(dock)


async def test_profiles_keep_their_place_among_events(tmp_path: Path) -> None:
    """An identify goes to another endpoint after what was before it and before what comes after."""
    async with docked(tmp_path, {}, profile_api=True) as dock:
        identify = {"type": "identify", "userId": "u1", "traits": {"plan": "pro"}}
        await dock.accept(viewed(0), identify, viewed(1), {**identify, "traits": {"plan": "gold"}}, viewed(2))
        await dock.settled()
        order = [event.get("plan") or event["product_id"] for event in dock.simulator.received()]
        assert ["p0", "pro", "p1", "gold", "p2"] == order
        assert {"delivered.view": 3, "delivered.identify": 2} == await dock.totals()


async def test_one_bad_profile_becomes_a_dead_letter(tmp_path: Path) -> None:
    """The others of its call are delivered."""
    async with docked(tmp_path, {"refuse": ["u1"]}, profile_api=True) as dock:
        await dock.accept(*({"type": "identify", "userId": f"u{number}"} for number in range(3)))
        await dock.settled()
        assert ["u0", "u2"] == [one["customer_id"] for one in dock.simulator.received("customers")]
        (letter,) = await dock.journal.dead_letters("topsort")
        assert ("m1", "refused_profile") == (letter.message_id, letter.code)


async def test_a_count_below_what_was_sent_is_logged(tmp_path: Path) -> None:
    """As a warning; nothing is sent twice."""
    with capture_logs() as logs:
        async with docked(tmp_path, {"count_less": 1}) as dock:
            await dock.accept(viewed(0), viewed(1))
            await dock.settled()
            assert ["p0", "p1"] == products(dock)
    (noted,) = [entry for entry in logs if entry["event"] == "delivery.noted"]
    assert ("warning", True) == (noted["log_level"], "1 of 2" in noted["note"])
