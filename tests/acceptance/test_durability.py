"""Nothing accepted is lost and nothing is doubled unaccounted, through SIGKILL and outages."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

from tests.acceptance.harness import (
    Gateway,
    RecordingTopsort,
    Sender,
    click,
    in_flight,
    order,
    sender,
    unaccounted,
    until,
)

SEED = 20261122
KILLS = 10
VISITORS = 24
BATCH = 5

OUTAGE_SECONDS = float(os.environ.get("CROSSDOCK_OUTAGE_SECONDS", "15"))
"""The full minute is a matter of patience: ``CROSSDOCK_OUTAGE_SECONDS=60 make test``."""
CEILING_BYTES = 200_000_000
GROWTH_BYTES = 32_000_000
"""How much the second half of an outage may add, once caches of a fixed size have filled."""


class Shopper:
    """One visitor who clicks on and on; every batch is sent twice, the next one only after both."""

    def __init__(self, name: str, client: Sender) -> None:
        self.name = name
        self.client = client
        self.sent: list[str] = []

    async def click_until(self, over: asyncio.Event) -> None:
        """Send batches until told to stop; each is insisted on until it is accepted."""
        while not over.is_set():
            ids = [f"{self.name}-{len(self.sent) + i:05d}" for i in range(BATCH)]
            batch = [click(id_, self.name) for id_ in ids]
            await self.client.insist(batch)
            await self.client.insist(batch)
            self.sent += ids


async def test_ten_kills_under_load(gateway: Gateway, topsort: RecordingTopsort, client: Sender) -> None:
    """Through ten SIGKILLs every accepted event arrives, in order, and each double is accounted for by id."""
    chance = random.Random(SEED)
    topsort.switches.slow_ms = 15  # so that a kill finds requests in flight
    over = asyncio.Event()
    shoppers = [Shopper(f"visitor-{n:02d}", client) for n in range(VISITORS)]
    kills: list[float] = []
    async with asyncio.TaskGroup() as load:
        for shopper in shoppers:
            load.create_task(shopper.click_until(over))
        for _ in range(KILLS):
            enough = len(client.accepted) + chance.randint(50, 400)
            await until(partial(_holds, client.accepted, enough), "more load")
            await gateway.kill()
            kills.append(await topsort.drain())
            await gateway.start()
        over.set()

    accepted = {id_ for shopper in shoppers for id_ in shopper.sent}
    assert accepted == client.accepted
    await until(lambda: topsort.count("clicks") >= len(accepted), "every accepted click", 60)
    assert accepted == set(topsort.ids("clicks"))
    assert [] == topsort.violations

    by_visitor = _by_visitor(topsort.received("clicks"))
    assert {shopper.name: shopper.sent for shopper in shoppers} == by_visitor, "order per visitor"

    assert [] == unaccounted(topsort.arrived, kills)
    bound = sum(len(in_flight(topsort.arrived, kill)) for kill in kills)
    assert topsort.duplicates.total() <= bound


async def test_nothing_is_doubled_without_a_kill(
    gateway: Gateway, topsort: RecordingTopsort, client: Sender
) -> None:
    """The same batches sent twice arrive once, and a restart in good order doubles nothing."""
    batches = [[click(f"m-{b}-{i}", f"visitor-{i}") for i in range(20)] for b in range(10)]
    for batch in batches:
        await client.insist(batch)
    assert 0 == await gateway.stop()
    await gateway.start()
    for batch in batches:
        await client.insist(batch)
    await until(lambda: topsort.count("clicks") >= 200, "200 clicks")
    last = click("last", "visitor-0")
    await client.insist([last])
    await until(lambda: "last" in topsort.ids("clicks"), "the last click")
    assert 201 == topsort.count("clicks")
    assert 0 == topsort.duplicates.total()


async def test_one_order_reported_twice(gateway: Gateway, topsort: RecordingTopsort, client: Sender) -> None:
    """Two copies of one order under two visitor keys at one moment are one purchase, across kills too."""
    topsort.switches.slow_ms = 15
    orders = [f"order-{n}" for n in range(40)]
    kills = []
    for n, order_id in enumerate(orders):
        await asyncio.gather(
            client.insist([order(f"{order_id}-browser", f"anon-{n}", order_id)]),
            client.insist([order(f"{order_id}-server", f"user-{n}", order_id)]),
        )
        if n % 10 == 9:
            await gateway.kill()
            kills.append(await topsort.drain())
            await gateway.start()
    await client.insist([click("last", "anon-0"), *(click(f"last-{n}", f"user-{n}") for n in range(40))])
    await until(lambda: topsort.count("clicks") == 41, "the clicks behind the orders")
    await until(lambda: topsort.count("purchases") >= len(orders), "a purchase for each order")
    bought = Counter(id_.rpartition("-")[0] for id_ in topsort.ids("purchases"))
    assert dict.fromkeys(orders, 1) == bought
    assert [] == unaccounted(topsort.arrived, kills)


async def test_an_outage_under_load(gateway: Gateway, topsort: RecordingTopsort) -> None:
    """While Topsort is down events are accepted, memory stays flat, and all arrive in order afterwards."""
    async with sender(gateway) as client:
        await _load(client, "before", seconds=3)
        await until(lambda: topsort.count("clicks") == len(client.accepted), "the warm-up")
        await topsort.hang_up()
        topsort.switches.down = True  # connections that are open still
        memory = await _load(client, "during", seconds=OUTAGE_SECONDS, watched=gateway)
        await topsort.listen()
        topsort.switches.down = False
        await until(lambda: topsort.count("clicks") == len(client.accepted), "everything", 60)
    assert client.accepted == set(topsort.ids("clicks"))
    assert 0 == topsort.duplicates.total()
    arrived = _by_visitor(topsort.received("clicks"))
    assert {visitor: sorted(ids) for visitor, ids in arrived.items()} == arrived, "order per visitor"
    assert len(gateway.logged("destination.down")) >= 1
    assert max(memory) < CEILING_BYTES
    assert max(memory) - memory[len(memory) // 2] < GROWTH_BYTES


async def _load(client: Sender, name: str, *, seconds: float, watched: Gateway | None = None) -> list[int]:
    """Send batches of 20 for a while, one visitor each; gives the bytes the gateway held, over time."""
    deadline = time.monotonic() + seconds
    memory, n = [], 0
    while time.monotonic() < deadline:
        visitor = f"visitor-{n % 50}"
        await client.insist([click(f"{name}-{n:05d}-{i:02d}", visitor) for i in range(20)])
        n += 1
        if watched is not None:
            memory.append(watched.rss_bytes)
    return memory


def _holds(ids: set[str], number: int) -> bool:
    return len(ids) >= number


def _by_visitor(events: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for event in events:
        grouped[event["opaqueUserId"]].append(event["id"])
    return grouped
