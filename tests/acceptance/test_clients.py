"""Real Segment libraries, pointed at a real gateway: what a shopper does arrives at Topsort once."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import async_playwright

from tests.acceptance.harness import (
    CHROMIUM,
    CLIENTS,
    WRITE_KEY,
    Gateway,
    RecordingTopsort,
    node,
    run,
    until,
)

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


async def assert_one_of_each(topsort: RecordingTopsort, name: str) -> None:
    """Check what Topsort stored: an impression, a click, and a purchase of two items, each once."""
    kinds = ("impressions", "clicks", "purchases")
    await until(lambda: all(topsort.count(kind) for kind in kinds), f"one of each of {kinds}")
    [impression], [clicked], [purchase] = (topsort.received(kind) for kind in kinds)
    assert impression["entity"] == {"id": "p-1", "type": "product"}
    assert f"bid-{name}" == clicked["resolvedBidId"]
    assert purchase["items"] == [
        {"productId": "p-1", "unitPrice": 9.5, "quantity": 2},
        {"productId": "p-2", "unitPrice": 20.0, "quantity": 1},
    ]
    visitors = {event["opaqueUserId"] for event in (impression, clicked, purchase)}
    assert 1 == len(visitors), "all three name the same visitor"
    assert [] == topsort.violations
    assert 0 == topsort.duplicates.total()


async def test_python(gateway: Gateway, topsort: RecordingTopsort) -> None:
    """Segment's Python library delivers a shopper's story, each action once."""
    code, output = await run(sys.executable, str(CLIENTS / "shopper.py"), gateway.url, WRITE_KEY)
    assert (0, "") == (code, output)
    await assert_one_of_each(topsort, "python")
    assert {"anon-python"} == {event["opaqueUserId"] for event in topsort.received()}


async def test_node(gateway: Gateway, topsort: RecordingTopsort) -> None:
    """Segment's Node library delivers a shopper's story, each action once."""
    code, output = await run(node(), str(CLIENTS / "shopper.mjs"), gateway.url, WRITE_KEY)
    assert (0, "") == (code, output)
    await assert_one_of_each(topsort, "node")
    assert {"anon-node"} == {event["opaqueUserId"] for event in topsort.received()}


@pytest.fixture
async def shop() -> AsyncIterator[str]:
    """A shop on a port of its own, so that the gateway is another origin: its product page's URL."""
    node()
    bundle = CLIENTS / "node_modules/@segment/analytics-next/dist/umd"
    app = web.Application()
    app.add_routes([web.static("/segment", bundle), web.get("/{page}.html", _page)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port: int = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}/shop.html"
    await runner.cleanup()


async def _page(request: web.Request) -> web.StreamResponse:
    if request.match_info["page"] == "shop":
        return web.FileResponse(CLIENTS / "shop.html")
    return web.Response(text="<!doctype html><title>Elsewhere</title>", content_type="text/html")


@pytest.fixture(scope="module")
def chromium() -> str:
    """Where Debian's Chromium is; a machine without it fails, and says how to get it."""
    if not Path(CHROMIUM).exists():
        raise AssertionError(
            f"no {CHROMIUM}: `make test` installs it when run as root; else: sudo apt-get install chromium"
        )
    return CHROMIUM


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Any]:
    """Debian's Chromium, driven by playwright."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        await browser.close()


@pytest.mark.parametrize("strategy", ["standard", "batching"])
async def test_browser(
    gateway: Gateway, topsort: RecordingTopsort, shop: str, browser: Any, strategy: str
) -> None:
    """Segment's browser library delivers a shopper's story across origins, also when the page is left."""
    page = await browser.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    asked: list[tuple[str, str]] = []
    page.on("request", lambda made: asked.append((made.method, made.url)))
    await page.goto(f"{shop}?gateway={gateway.url}&key={WRITE_KEY}&strategy={strategy}")
    assert await page.evaluate("window.shopped")
    if strategy == "batching":
        assert 0 == len(topsort.received()), "the library still holds everything"
        await page.goto(shop.replace("/shop.html", "/elsewhere.html"))
    await assert_one_of_each(topsort, "browser")
    await page.close()
    no_icon = [fault for fault in faults if "favicon" not in fault]
    assert [] == [fault for fault in no_icon if "404" not in fault]
    assert ("GET", f"{gateway.url}/v1/projects/{WRITE_KEY}/settings") in asked
