"""
The shop's own pages in the demo: for a vendor that is told by the visitor's browser alone.

Each shopper's page asks the relay for the shopper's commands, hands them to the vendor's double as the tag
would, and answers what became of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from aiohttp import ClientSession

from crossdock.cli.demo.play import Door
from crossdock.simulators import Simulator

ORIGIN = "https://shop.example"
"""Where the demo's shop is: the relay serves listed origins only."""


async def visit(door: Door, shoppers: Iterable[str], simulator: Simulator) -> None:
    """Let each shopper come back once, and carry out all that waits for them."""
    async with ClientSession() as http:
        for shopper in shoppers:
            visitor = {"writeKey": door.write_key, "anonymousId": f"anonymous-{shopper}"}
            while commands := await _commands(http, door, visitor):
                await _carry_out(http, door, visitor, commands, simulator)


async def _commands(http: ClientSession, door: Door, visitor: dict[str, str]) -> list[dict[str, Any]]:
    url, asked = f"{door.url}/relay/v1/commands", {**visitor, "wait": "0"}
    async with http.get(url, params=asked, headers={"Origin": ORIGIN}) as answer:
        answer.raise_for_status()
        found: list[dict[str, Any]] = orjson.loads(await answer.read())["commands"]
        return found


async def _carry_out(
    http: ClientSession,
    door: Door,
    visitor: dict[str, str],
    commands: list[dict[str, Any]],
    simulator: Simulator,
) -> None:
    body = orjson.dumps({"commands": commands})
    async with http.post(f"{simulator.url}/commands", data=body) as answer:
        outcome = "fired" if answer.status == 204 else "error"
    said = {**visitor, "results": [{"id": command["id"], "outcome": outcome} for command in commands]}
    url, headers = f"{door.url}/relay/v1/ack", {"Origin": ORIGIN}
    async with http.post(url, data=orjson.dumps(said), headers=headers) as answer:
        answer.raise_for_status()
