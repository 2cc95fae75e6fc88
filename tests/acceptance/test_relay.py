"""The browser relay in a real Chromium: an order comes back to the page and reaches the vendor's tag once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from aiohttp import web
from playwright.async_api import async_playwright

from crossdock.simulators.sharpspring_ads import SharpSpringAdsSimulator
from tests.acceptance.harness import CHROMIUM, CLIENTS, WRITE_KEY, Gateway, node
from tests.acceptance.test_clients import CHROMIUM_FLAGS

ORDER = {"order_id": "o-1", "total": 39.5, "products": [{"product_id": "p-1", "price": 39.5}]}
YEAR_2100 = 4_102_444_800_000_000
"""In microseconds, as the journal keeps times."""
Opens = Callable[..., Awaitable[Any]]


@pytest.fixture
async def vendor() -> AsyncIterator[SharpSpringAdsSimulator]:
    """The vendor: its tag, and the pixels that the tag requests."""
    async with SharpSpringAdsSimulator() as simulator:
        yield simulator


@pytest.fixture
async def shop() -> AsyncIterator[str]:
    """The origin of a shop whose pages have the tag and the relay."""
    node()
    app = web.Application()
    bundle = CLIENTS / "node_modules/@segment/analytics-next/dist/umd"
    app.add_routes([web.static("/segment", bundle), web.get("/relay.html", _page)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def _page(_: web.Request) -> web.StreamResponse:
    return web.FileResponse(CLIENTS / "relay.html")


@pytest.fixture
async def gateway(tmp_path: Path, shop: str, request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    """A gateway with a mailbox; a test may set how long a command waits."""
    ttl = getattr(request, "param", 86_400)
    settings = {
        "journal": {"url": f"sqlite:///{tmp_path}/data/crossdock.db"},
        "sources": {"web": {"write_key": WRITE_KEY, "allowed_origins": [shop]}},
        "destinations": {
            "sharpspring_ads": {"settings": {"ttl_seconds": ttl}, "delivery": {"batch_wait": "20ms"}}
        },
    }
    running = Gateway(tmp_path, settings)
    await running.start()
    yield running
    await running.kill()


@pytest.fixture
async def opens(shop: str, gateway: Gateway, vendor: SharpSpringAdsSimulator) -> AsyncIterator[Opens]:
    """Open a page of the shop in a browser that all tabs share."""
    tag = f"{vendor.url}/serve/{vendor.switches.site_id}.js"
    address = f"{shop}/relay.html?{urlencode({'gateway': gateway.url, 'key': WRITE_KEY, 'tag': tag})}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        context = await browser.new_context()

        async def open_page() -> Any:
            page = await context.new_page()
            await page.goto(address)
            await page.evaluate("window.ready")
            return page

        yield open_page
        await browser.close()


async def told(gateway: Gateway, message_id: str) -> dict[str, Any]:
    """Give what `why` says of an event and the destination."""
    said = await gateway.command("why", message_id)
    (delivery,) = said["stories"][0]["deliveries"]
    return dict(delivery)


async def becomes(gateway: Gateway, message_id: str, verdict: str, within_seconds: float = 40.0) -> None:
    """Wait until `why` says this of an event."""
    deadline = asyncio.get_running_loop().time() + within_seconds
    while (said := (await told(gateway, message_id))["verdict"]) != verdict:
        assert asyncio.get_running_loop().time() < deadline, f"still {said}\n{gateway.tail()}"
        await asyncio.sleep(0.2)


async def totals(gateway: Gateway) -> dict[str, int]:
    """Give the destination's totals."""
    (found,) = (await gateway.command("status"))["destinations"].values()
    return dict(found["totals"])


async def test_an_order_reaches_the_tag_once(
    gateway: Gateway, vendor: SharpSpringAdsSimulator, opens: Opens
) -> None:
    """Over two tabs, and a reload between the push and its answer."""
    lost = asyncio.Event()

    async def lose(route: Any) -> None:
        lost.set()
        await route.abort()

    page, _ = await opens(), await opens()
    for tab in page.context.pages:
        await tab.route("**/relay/v1/ack", lose)
    message_id = await page.evaluate("order => window.buy(order)", ORDER)
    await asyncio.wait_for(lost.wait(), 30)
    assert "queued" == (await told(gateway, message_id))["verdict"]
    for tab in page.context.pages:
        await tab.unroute("**/relay/v1/ack")
        await tab.reload()
        await tab.evaluate("window.ready")
    await becomes(gateway, message_id, "fired")

    (mail,) = (await told(gateway, message_id))["delivery"]["mailbox"]
    assert ["track", "Order Completed", {"orderId": "o-1", "revenue": 39.5}] == _json(mail["command"])
    (conversion,) = vendor.received("conversion")
    assert ("21", "o-1", "39.5") == (conversion["id"], conversion["order_id"], conversion["value"])
    (own,) = vendor.received("own_conversion")
    shared = ("id", "order_id", "value", "other")
    assert [conversion[name] for name in shared] == [own[name] for name in shared]
    assert [] == vendor.received("product"), "what was just bought is not advertised"
    assert (0, []) == (vendor.duplicates.total(), vendor.violations)
    assert {"queued.track": 1, "fired.track": 1} == await totals(gateway)


async def test_commands_come_in_order(
    gateway: Gateway, vendor: SharpSpringAdsSimulator, opens: Opens
) -> None:
    """A name the account does not know is told as unmatched; each product of a cart has a pixel."""
    page = await opens()
    ids = await page.evaluate(
        """async () => {
          const told = [
            await analytics.track("Product Viewed", { product_id: "p-1" }),
            await analytics.track("Cart Viewed", {
              products: [{ sku: "p-2" }, { sku: "p-3" }, { sku: "p-2" }],
            }),
          ];
          return told.map(({ event }) => event.messageId);
        }"""
    )
    await becomes(gateway, ids[0], "fired")
    await becomes(gateway, ids[1], "1 unmatched, 2 fired")
    ran = await page.evaluate("window.__tagRan")
    assert [
        ["track", "Product Viewed"],
        ["trackProduct", "p-1"],
        ["track", "Cart Viewed"],
        ["trackProduct", "p-2"],
        ["trackProduct", "p-3"],
    ] == ran
    assert ["1:p-1", "1:p-2", "1:p-3"] == sorted(pixel["add"] for pixel in vendor.received("product"))
    assert ["11"] == [pixel["add"] for pixel in vendor.received("audience")]
    assert [] == vendor.violations
    counted = await totals(gateway)
    assert (4, 1) == (counted["fired.track"] + counted["fired.trackProduct"], counted["unmatched.track"])


@pytest.mark.parametrize("gateway", [8], indirect=True)
async def test_without_a_tag_nothing_is_claimed(
    gateway: Gateway, vendor: SharpSpringAdsSimulator, opens: Opens
) -> None:
    """A blocked tag leaves the command queued until its time is over; it never counts as delivered."""
    vendor.switches.never_loads = True
    page = await opens()
    message_id = await page.evaluate("order => window.buy(order)", ORDER)
    await becomes(gateway, message_id, "queued")
    await becomes(gateway, message_id, "expired")
    assert await page.evaluate("Array.isArray(window._pq) && window._pq.length === 0")
    assert {"queued.track": 1, "expired.track": 1} == await totals(gateway)
    assert [] == vendor.received()


async def test_a_slow_tag_is_waited_for(
    gateway: Gateway, vendor: SharpSpringAdsSimulator, opens: Opens
) -> None:
    """What comes before it is active waits in the mailbox, not in the page."""
    vendor.switches.slow_load_ms = 2000
    page = await opens()
    message_id = await page.evaluate("order => window.buy(order)", ORDER)
    await becomes(gateway, message_id, "fired")
    assert 1 == vendor.count("conversion")


async def test_a_hostile_command_is_not_run(
    gateway: Gateway, vendor: SharpSpringAdsSimulator, opens: Opens
) -> None:
    """Were one to get into the queue, the page refuses it and goes on with the next."""
    page = await opens()
    visitor = await page.evaluate("window.ready")
    await page.close()
    await _plant(gateway, visitor, [["util.addScript", "/stolen.js"], ["track"], ["trackProduct", "p-9"]])
    page = await opens()
    deadline = asyncio.get_running_loop().time() + 30
    while "queued" in (states := _states(gateway)):
        assert asyncio.get_running_loop().time() < deadline, states
        await asyncio.sleep(0.1)
    assert ["error", "error", "fired"] == states
    assert [["trackProduct", "p-9"]] == await page.evaluate("window.__tagRan")
    assert 0 == await page.locator("script[src*=stolen]").count()


async def _plant(gateway: Gateway, visitor: str, commands: list[Any]) -> None:
    """Write commands into the stopped gateway's journal, as nothing of ours ever would."""
    await gateway.stop()
    with sqlite3.connect(gateway.folder / "data/crossdock.db") as db:
        db.executemany(
            "INSERT INTO mail (id, destination, visitor, sequence, payload, message_id, action, command,"
            " precious, queued_at, expires_at)"
            " VALUES (?, 'sharpspring_ads', ?, 900, ?, 'm', 'track', ?, 0, 0, ?)",
            [(f"h{n}", visitor, n, orjson.dumps(cmd).decode(), YEAR_2100) for n, cmd in enumerate(commands)],
        )
    db.close()
    await gateway.start()


def _states(gateway: Gateway) -> list[str]:
    db = sqlite3.connect(gateway.folder / "data/crossdock.db")
    found = [row[0] for row in db.execute("SELECT state FROM mail ORDER BY seq")]
    db.close()
    return found


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) else value


async def test_an_operator_is_warned_at_each_start(gateway: Gateway) -> None:
    """The vendor announced its end: what is queued may never reach anybody."""
    (warned,) = gateway.logged("destination.caution")
    assert ("warning", "sharpspring_ads") == (warned["level"], warned["destination"])
    assert "cannot be verified" in warned["caution"]
