"""One vendor's trouble is no other's: each destination reads the journal for itself."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from crossdock.gateway import Gateway
from crossdock.settings import parse
from crossdock.simulators import load
from tests.delivery.dock import eventually, order

EVENTS = 60
KEYS: dict[str, dict[str, Any]] = {
    "topsort": {"api_key": "k"},
    "segmentify": {"api_key": "k"},
    "blueshift": {"event_api_key": "k"},
    "vibetrace": {"api_key": "k"},
}
SETTINGS = """
server: {{port: 0}}
journal: {{url: 'sqlite:///{folder}/journal.db', shards: 4}}
sources: {{web: {{write_key: wk, allowed_origins: ["https://shop.example"]}}}}
destinations:
  topsort:
    settings: {{api_key: k, base_url: '{topsort}'}}
  segmentify:
    settings: {{api_key: wrong, origin: 'https://shop.example', base_url: '{segmentify}'}}
  blueshift:
    settings: {{event_api_key: k, base_url: '{blueshift}'}}
  vibetrace:
    settings: {{api_key: k, base_url: '{vibetrace}'}}
    delivery: {{requests_per_second: 1000}}
  sharpspring_ads: {{}}
"""


async def lags(gateway: Gateway) -> Mapping[str, int]:
    """Add up what waits, a destination."""
    waiting: dict[str, int] = {}
    for lane, lag in (await gateway.journal.status()).lags.items():
        waiting[lane.destination] = waiting.get(lane.destination, 0) + lag
    return waiting


async def test_one_down_and_one_halted_leave_three_without_a_lag(tmp_path: Path) -> None:
    """With Topsort gone and Segmentify's key wrong, the other three settle every event all the same."""
    async with AsyncExitStack() as stack:
        simulators = {
            name: await stack.enter_async_context(load(name)(**options)) for name, options in KEYS.items()
        }
        await simulators["topsort"].hang_up()
        urls = {name: simulator.url for name, simulator in simulators.items()}
        gateway = await Gateway.open(parse(SETTINGS.format(folder=tmp_path, **urls), "crossdock.yaml", {}))
        stack.push_async_callback(gateway.stop)
        await gateway.start()
        events = [
            {"type": "track", "messageId": f"m{i}", "userId": f"u{i}", **order(f"a{i}", f"o{i}")}
            for i in range(EVENTS)
        ]
        for event in events:
            event["context"] = {"traits": {"email": f"{event['userId']}@shop.example"}}
        async with aiohttp.ClientSession() as client:
            body = {"writeKey": "wk", "batch": events}
            async with client.post(f"{gateway.url}/v1/batch", json=body) as answer:
                assert 200 == answer.status

        async def three_are_through() -> bool:
            waiting = await lags(gateway)
            return not any(waiting[name] for name in ("blueshift", "vibetrace", "sharpspring_ads"))

        await eventually(three_are_through)
        waiting = await lags(gateway)
        assert (EVENTS, EVENTS) == (waiting["topsort"], waiting["segmentify"])
        assert EVENTS == simulators["vibetrace"].count("confirmations")
        assert EVENTS == simulators["blueshift"].count("purchase")
