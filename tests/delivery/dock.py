"""A journal, a vendor's double and the lanes between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from crossdock.assembly import assemble
from crossdock.delivery.lanes import Lanes
from crossdock.delivery.plan import Route
from crossdock.journal.base import Arrival, Journal, shard_of
from crossdock.settings import parse
from crossdock.simulators.topsort import TopsortSimulator
from crossdock.telemetry import Metrics

KEY = "test-key"


@dataclass
class Dock:
    """A small gateway without its door: `accept` appends as the door would."""

    journal: Journal
    simulator: TopsortSimulator
    route: Route
    metrics: Metrics = field(default_factory=Metrics)
    lanes: Lanes = field(init=False)
    _count: int = 0

    def __post_init__(self) -> None:
        self.lanes = Lanes(self.journal, self.metrics)

    async def open(self) -> None:
        """Open and start the lanes."""
        await self.lanes.open([self.route])
        self.lanes.start()

    async def restart(self) -> None:
        """Stop the lanes and start new ones from what is durable."""
        await self.lanes.stop(5)
        self.lanes = Lanes(self.journal, self.metrics)
        await self.open()

    async def accept(self, *events: dict[str, Any]) -> list[int]:
        """Append events, durably; gives their sequences."""
        now = datetime.now(UTC)
        arrivals = []
        for event in events:
            document = {
                "messageId": f"m{self._count}",
                "timestamp": now.isoformat(),
                "type": "track",
                **event,
            }
            self._count += 1
            visitor = document.get("anonymousId") or document["userId"]
            shard = shard_of(visitor, self.journal.shards)
            body = orjson.dumps(document)
            arrivals.append(Arrival(document["messageId"], "web", "topsort", shard, document, body, now))
        return [appended.sequence for appended in await self.journal.append(arrivals)]

    async def settled(self) -> None:
        """Wait until every lane is at the head and nothing is set aside."""
        await eventually(self._is_settled)

    async def _is_settled(self) -> bool:
        status = await self.journal.status()
        return not any(status.lags.values()) and not any(status.asides.values())

    async def totals(self) -> dict[str, int]:
        """Add up the cursors' totals."""
        totals: dict[str, int] = {}
        for cursor in (await self.journal.status()).cursors:
            for name, times in cursor.totals.items():
                totals[name] = totals.get(name, 0) + times
        return totals

    def ids(self, kind: str) -> list[str]:
        """List the ids the vendor holds, in order of arrival."""
        return [event["id"] for event in self.simulator.received(kind)]


async def eventually(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait for a condition, plain or awaitable, to hold."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        result = condition()
        if asyncio.iscoroutine(result):
            result = await result
        if result:
            return
        assert asyncio.get_running_loop().time() < deadline, "the condition did not come to hold"
        await asyncio.sleep(0.01)


def click(visitor: str, bid: str, **more: Any) -> dict[str, Any]:
    """Make a Product Clicked."""
    return {"event": "Product Clicked", "anonymousId": visitor, "properties": {"resolvedBidId": bid}, **more}


def view(visitor: str, product: str, **more: Any) -> dict[str, Any]:
    """Make a Product Viewed."""
    return {"event": "Product Viewed", "anonymousId": visitor, "properties": {"product_id": product}, **more}


def order(visitor: str, order_id: str, **more: Any) -> dict[str, Any]:
    """Make an Order Completed of one item."""
    products = [{"product_id": "p1", "price": 5, "quantity": 1}]
    return {
        "event": "Order Completed",
        "anonymousId": visitor,
        "properties": {"order_id": order_id, "products": products},
        **more,
    }


def route_to(url: str, *, key: str = KEY) -> Route:
    """Make the shipped Topsort route, quick enough for tests."""
    settings = parse(
        f"sources: {{web: {{write_key: k}}}}\n"
        f"destinations: {{topsort: {{settings: {{api_key: {key}, base_url: '{url}'}}}}}}\n",
        "crossdock.yaml",
        {},
    )
    route = assemble(settings)["topsort"]
    return replace(route, batch_wait=timedelta(milliseconds=5), requests_per_second=10_000.0)
