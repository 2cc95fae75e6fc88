"""What every simulator shows and obeys, tried on Topsort's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from crossdock import simulators
from crossdock.errors import ConfigError
from crossdock.simulators import Simulator
from crossdock.simulators._store import Event, Store
from crossdock.simulators.topsort import TopsortSimulator

CLICK = {
    "id": "m1",
    "occurredAt": "2026-11-20T10:00:00Z",
    "opaqueUserId": "<b>anon</b>",
    "resolvedBidId": "b",
}


@pytest.fixture
async def simulator() -> AsyncIterator[TopsortSimulator]:
    """A simulator that holds three clicks and one violation."""
    async with TopsortSimulator() as running:
        running.store.add(Event("clicks", f"m{n}", {**CLICK, "id": f"m{n}"}) for n in range(3))
        running.store.violate("bad_request: <i>", b'{"clicks": [{}]}')
        yield running


@pytest.fixture
async def client(simulator: TopsortSimulator) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client of that simulator."""
    async with aiohttp.ClientSession(simulator.url) as session:
        yield session


def test_the_folder_is_the_registry() -> None:
    """The file's name is the vendor's name."""
    assert "topsort" in simulators.names()
    assert simulators.load("topsort") is TopsortSimulator
    with pytest.raises(ConfigError, match=r"choose one of: .*topsort"):
        simulators.load("nobody")


async def test_received_is_paged(client: aiohttp.ClientSession) -> None:
    """Counters first, then events after an order number."""
    async with client.get(
        "/_simulator/received", params={"kind": "clicks", "after": 1, "limit": 1}
    ) as answer:
        told = await answer.json()
    assert 3 == told["received"]["clicks"]
    assert [(2, "m1")] == [(event["order"], event["event"]["id"]) for event in told["events"]]
    assert 2 == told["next"]
    async with client.get("/_simulator/received", params={"after": "x"}) as answer:
        assert 400 == answer.status


async def test_violations_are_told(client: aiohttp.ClientSession) -> None:
    """Each with its reason and the request."""
    async with client.get("/_simulator/violations") as answer:
        assert {
            "count": 1,
            "violations": [{"reason": "bad_request: <i>", "request": '{"clicks": [{}]}'}],
        } == await answer.json()


async def test_reset_forgets_and_keeps_the_switches(
    client: aiohttp.ClientSession, simulator: TopsortSimulator
) -> None:
    """So that a test can begin again."""
    simulator.switches.slow_ms = 1
    async with client.post("/_simulator/reset") as answer:
        assert 0 == (await answer.json())["violations"]
    assert [] == simulator.received()
    assert 1 == simulator.switches.slow_ms


async def test_an_unknown_switch_is_refused(client: aiohttp.ClientSession) -> None:
    """And changes nothing."""
    for body in ({"slow": 1}, {"slow_ms": -1}, [1]):
        async with client.post("/_simulator/switches", json=body) as answer:
            assert 400 == answer.status
    async with client.get("/_simulator/switches") as answer:
        assert 0 == (await answer.json())["slow_ms"]


async def test_the_page_is_for_people(client: aiohttp.ClientSession) -> None:
    """It shows counts, events and violations, escaped, and loads nothing from elsewhere."""
    async with client.get("/") as answer:
        page = await answer.text()
    assert "<b>3</b>clicks" in page
    assert "&lt;b&gt;anon&lt;/b&gt;" in page
    assert "bad_request: &lt;i&gt;" in page
    assert "http" not in page.replace("http-equiv", "")


async def test_it_can_hang_up_and_listen_again(simulator: TopsortSimulator) -> None:
    """On the same port, as a vendor that was away."""
    port = simulator.port
    async with aiohttp.ClientSession() as client:
        async with client.get(simulator.url) as answer:
            await answer.read()  # the connection stays open for the next request
        await simulator.hang_up()
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.get(simulator.url)
        await simulator.listen()
        async with client.get(simulator.url) as answer:
            assert (200, port) == (answer.status, simulator.port)


@pytest.mark.parametrize(("keep", "held"), [(True, 10), (4, 4), (False, 0)])
def test_memory_is_bounded_and_counters_are_not(keep: bool | int, held: int) -> None:
    """Benches hold no events; duplicates are found all the same."""
    store = Store(keep=keep)
    for _ in range(2):
        store.add(Event("clicks", str(n), {"id": n}) for n in range(10))
    assert (10, 10, held) == (store.counts["clicks"], store.duplicates.total(), len(store.events))


async def test_run_serves_until_cancelled() -> None:
    """All of them listen before their addresses are shown."""
    shown: asyncio.Future[list[Simulator]] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(
        simulators.run(["topsort"], on_ready=lambda running, _: shown.set_result(running))
    )
    (simulator,) = await shown
    async with aiohttp.ClientSession() as client, client.get(simulator.url) as answer:
        assert 200 == answer.status
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
