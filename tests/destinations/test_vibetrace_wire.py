"""Vibetrace's requests over real HTTP: what is encoded arrives as it was meant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from crossdock.delivery.sender import Sender
from crossdock.destinations.base import Batch, Delivered, Outcome, Payload, Prepared, Request, Response
from crossdock.destinations.vibetrace import Vibetrace
from crossdock.simulators.vibetrace import VibetraceSimulator

KEY = "vt-key"


class Wire:
    """A destination, a sender and the simulator it sends to."""

    def __init__(self, simulator: VibetraceSimulator, sender: Sender) -> None:
        self.simulator = simulator
        self.sender = sender
        self.vibetrace = Vibetrace(
            api_key=KEY,
            base_url=simulator.url,
            legacy_events=True,
            account_id="acc",
            legacy_base_url=simulator.url,
        )

    async def ask(self, request: Request) -> Response:
        """Send one request."""
        response = await self.sender.send(request, timedelta(seconds=5))
        assert isinstance(response, Response)
        return response

    async def deliver(self, action: str, **payload: Any) -> Outcome:
        """Prepare, send and read one payload."""
        prepared = self.vibetrace.prepare(action, payload)
        assert isinstance(prepared, Prepared), prepared
        batch = Batch((Payload(1, 0, "m1", action, action, prepared.body),))
        response = await self.ask(self.vibetrace.request(batch))
        return self.vibetrace.outcomes(batch, response)[0]


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """A simulator that listens, and a sender to it."""
    async with VibetraceSimulator(api_key=KEY) as simulator:
        sender = Sender()
        yield Wire(simulator, sender)
        await sender.close()


@pytest.mark.parametrize(
    "email", ["ann@shop.example", "ann+news@shop.example", "o'hara!#%&=?@shop.example", "ü@shop.example"]
)
async def test_addresses_arrive(wire: Wire, email: str) -> None:
    """Whatever letters an address has."""
    assert Delivered() == await wire.deliver("user", email=email, city="Cluj")
    assert {email: {"city": "Cluj"}} == wire.simulator.users
    assert Delivered() == await wire.deliver("unsubscribe", email=email)
    assert {email: {"city": "Cluj", "isSubscribed": False}} == wire.simulator.users
    assert [] == wire.simulator.violations


async def test_nobody_is_made_to_be_unsubscribed(wire: Wire) -> None:
    """A 404 is as good."""
    assert Delivered() == await wire.deliver("unsubscribe", email="nobody@shop.example")
    assert ({}, 1) == (wire.simulator.users, wire.simulator.store.answers[404])


async def test_older_events_arrive(wire: Wire) -> None:
    """Their JSON stands in the query, whatever it holds."""
    query = 'a&b=c+d;%é " #?/'
    assert Delivered() == await wire.deliver("search", email="ann+x@shop.example", query=query)
    assert [{"type": "search", "email": "ann+x@shop.example", "query": query}] == wire.simulator.received()
    assert [] == wire.simulator.violations


@pytest.mark.parametrize(("key", "accepted"), [(KEY, True), ("another", False)])
async def test_the_probe_finds_out_about_the_key(wire: Wire, key: str, accepted: bool) -> None:
    """Without a trace at the vendor."""
    wire.simulator.switches.api_key = key
    response = await wire.ask(wire.vibetrace.probe())
    assert accepted is wire.vibetrace.probed(response).key_accepted
    assert {} == wire.simulator.users
