"""The strict Topsort simulator as a process of its own, keeping counts but no events."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from crossdock.simulators import load


async def main(port: int) -> None:
    async with load("topsort")(port=port, keep_events=False, api_key="bench"):
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
