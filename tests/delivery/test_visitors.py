"""Visitor facts on the way of an event, and their erasure, in a whole gateway."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from crossdock.gateway import Gateway
from crossdock.journal.base import Command, Lane
from crossdock.settings import parse
from crossdock.simulators.base import Simulator
from crossdock.simulators.segmentify import SegmentifySimulator
from crossdock.simulators.topsort import TopsortSimulator
from tests.delivery.dock import eventually

SECRET = b"shared"
WEB = {"writeKey": "wk-web"}
SERVER = {"writeKey": "wk-web", "channel": "server"}


@asynccontextmanager
async def gateway(folder: Path, destination: str) -> AsyncIterator[Gateway]:
    """Run a gateway with one destination."""
    settings = parse(
        "server: {port: 0}\n"
        f"journal: {{url: 'sqlite:///{folder}/journal.db', shards: 4}}\n"
        "sources: {web: {write_key: wk-web}, segment: {webhook_secret: shared}}\n"
        f"destinations: {{{destination}}}\n",
        "crossdock.yaml",
        {},
    )
    opened = await Gateway.open(settings)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.stop()


def topsort(simulator: Simulator) -> str:
    """Write the settings of a Topsort account."""
    return (
        f"topsort: {{settings: {{api_key: k, base_url: '{simulator.url}'}}, "
        "delivery: {batch_wait: 5ms, requests_per_second: 1000}}"
    )


def segmentify(simulator: Simulator, id_mode: str = "own") -> str:
    """Write the settings of a Segmentify account."""
    return (
        f"segmentify: {{settings: {{api_key: k, base_url: '{simulator.url}', id_mode: {id_mode}, "
        "origin: 'https://shop.example'}, delivery: {batch_wait: 5ms, requests_per_second: 1000}}"
    )


async def send(running: Gateway, name: str, *, path: str = "t", **fields: Any) -> None:
    """Send a track event as a browser does (``t``) or as a server does (``track``)."""
    event = {"event": name, "type": "track", **WEB, **fields}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{running.url}/v1/{path}", data=orjson.dumps(event)) as answer,
    ):
        assert 200 == answer.status


async def webhook(running: Gateway, event: dict[str, Any]) -> None:
    """Send an event as Segment's webhook does, signed."""
    body = orjson.dumps(event)
    headers = {"X-Signature": hmac.new(SECRET, body, hashlib.sha1).hexdigest()}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{running.url}/webhook/segment", data=body, headers=headers) as answer,
    ):
        assert 200 == answer.status


def order(order_id: str) -> dict[str, Any]:
    """Make the properties of an order."""
    return {"order_id": order_id, "products": [{"product_id": "p", "price": 5, "quantity": 1}]}


@pytest.fixture
async def vendor() -> AsyncIterator[TopsortSimulator]:
    """Run Topsort's double."""
    async with TopsortSimulator(api_key="k") as simulator:
        yield simulator


async def test_a_servers_order_is_of_the_browser_that_was_seen(
    tmp_path: Path, vendor: TopsortSimulator
) -> None:
    """With a userId alone an order keeps the visitor's own anonymousId, also after a restart."""
    async with gateway(tmp_path, topsort(vendor)) as running:
        await send(running, "Product Viewed", anonymousId="a", userId="u", properties={"product_id": "p"})
        await eventually(running.settled)
    async with gateway(tmp_path, topsort(vendor)) as running:
        await send(running, "Order Completed", path="track", userId="u", properties=order("o-1"))
        await eventually(lambda: vendor.received("purchases"))
    (purchase,) = vendor.received("purchases")
    assert "a" == purchase["opaqueUserId"]


async def test_a_browsers_and_a_servers_copy_of_an_order_count_once(
    tmp_path: Path, vendor: TopsortSimulator
) -> None:
    """The first processed goes; the other, in another shard, is shown as its duplicate."""
    async with gateway(tmp_path, topsort(vendor)) as running:
        await send(
            running, "Order Completed", messageId="m1", anonymousId="a", userId="u", properties=order("o")
        )
        await eventually(lambda: vendor.received("purchases"))
        await send(
            running, "Order Completed", path="track", messageId="m2", userId="u", properties=order("o")
        )
        await eventually(running.settled)
        (copy,) = await running.journal.find("m2")
        claims = await running.journal.claims_of("topsort", copy.sequence)
    assert 1 == len(vendor.received("purchases"))
    assert [("m1", False)] == [(owner, owns) for _, owner, owns in claims]


async def test_payment_has_the_basket_of_before_the_restart(tmp_path: Path) -> None:
    """An event without products goes out with the visitor's last basket."""
    async with SegmentifySimulator() as simulator:
        cart = {"products": [{"product_id": "p", "price": 5, "quantity": 2}], "total": 10, "currency": "EUR"}
        async with gateway(tmp_path, segmentify(simulator)) as running:
            await send(running, "Cart Viewed", anonymousId="a", properties=cart)
            await eventually(lambda: 1 == len(simulator.received("CHECKOUT")))
        async with gateway(tmp_path, segmentify(simulator)) as running:
            await send(
                running, "Payment Info Entered", anonymousId="a", properties={"payment_method": "card"}
            )
            await eventually(lambda: 2 == len(simulator.received("CHECKOUT")))
        basket, payment = simulator.received("CHECKOUT")
    assert ["basket", "payment"] == [basket["step"], payment["step"]]
    for field in ("totalPrice", "productList", "userId", "sessionId", "currency"):
        assert basket[field] == payment[field]


async def test_vendor_keys_are_fetched_once_and_kept(tmp_path: Path) -> None:
    """Each visitor and session has one key, whatever comes later and also after a restart."""
    async with SegmentifySimulator() as simulator:
        for turn in range(2):
            async with gateway(tmp_path, segmentify(simulator, "vendor")) as running:
                for visitor in ("a", "b"):
                    await send(running, f"Custom {turn}", anonymousId=visitor)
                await eventually(partial(_holds, simulator, 2 * (turn + 1)))
        users = [event["userId"] for event in simulator.received("CUSTOM_EVENT")]
    assert 2 == len(set(users))
    assert {"a", "b"}.isdisjoint(users)


async def test_without_a_key_events_wait(tmp_path: Path) -> None:
    """A vendor that gives no keys leaves the events queued, and they go once it does."""
    async with SegmentifySimulator() as simulator:
        simulator.switches.next_statuses = [500, 500]
        async with gateway(tmp_path, segmentify(simulator, "vendor")) as running:
            await send(running, "Custom", anonymousId="a")
            await eventually(lambda: simulator.received("CUSTOM_EVENT"))
            status = await running.journal.status()
            assert {} == status.dead_letters
            forgotten = await running.journal.forget({"a"}, [], _nothing)
            assert 2 == forgotten.counts["vendor_keys"]


def _holds(simulator: Simulator, events: int) -> bool:
    return events == len(simulator.received("CUSTOM_EVENT"))


async def _nothing(_: Any) -> None:
    """Stand for lanes that hold nothing."""


class TestErasure:
    """A signed delete event, and the command."""

    async def test_a_signed_delete_erases(self, tmp_path: Path, vendor: TopsortSimulator) -> None:
        """The user's events go, and last the delete event itself; others' stay."""
        async with gateway(tmp_path, topsort(vendor)) as running:
            await send(running, "Product Viewed", anonymousId="a", userId="u", properties={"product_id": "p"})
            await send(running, "Product Viewed", anonymousId="b", properties={"product_id": "p"})
            await webhook(running, {"type": "delete", "userId": "u", "messageId": "d", "context": None})
            journal = running.journal

            async def gone() -> bool:
                left = [event.document.get("anonymousId") for event in await journal.read(None, 0, 10)]
                return left == ["b"]

            await eventually(gone)
            await eventually(running.settled)
            assert set() == {lag for lag in (await journal.status()).lags.values() if lag}

    async def test_a_browsers_delete_does_nothing(self, tmp_path: Path, vendor: TopsortSimulator) -> None:
        """With a write key it stands in the quarantine and nothing is erased."""
        async with gateway(tmp_path, topsort(vendor)) as running:
            await send(running, "Product Viewed", anonymousId="a", userId="u", properties={"product_id": "p"})
            await send(running, "", path="batch", batch=[{"type": "delete", "userId": "u", "messageId": "d"}])
            (row,) = await running.journal.quarantined()
            assert "delete_not_allowed" == row.refusal.code
            assert [] == await running.journal.commands()
            assert 1 == len(await running.journal.read(None, 0, 10))

    async def test_what_waits_for_a_vendor_is_not_sent_any_more(
        self, tmp_path: Path, vendor: TopsortSimulator
    ) -> None:
        """Of events in a lane's hands while the vendor is down only those of others go out later."""
        vendor.switches.down = True
        async with gateway(tmp_path, topsort(vendor)) as running:
            for visitor in ("a", "b", "a"):
                await send(running, "Product Viewed", anonymousId=visitor, properties={"product_id": "p"})
            id_ = await running.journal.submit(Command("forget", {"user": "a"}))
            await eventually(lambda: _done(running, id_))
            vendor.switches.down = False
            await eventually(running.settled)
            lags = (await running.journal.status()).lags
            assert {Lane("topsort", shard): 0 for shard in range(4)} == lags
            assert 0 == (await running.journal.status()).asides.get("topsort", 0)
        assert ["b"] == [one["opaqueUserId"] for one in vendor.received("impressions")]


async def _done(running: Gateway, id_: int) -> bool:
    return await running.journal.command_result(id_) is not None
