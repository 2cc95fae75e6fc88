"""
A load generator that costs little: prepared HTTP requests over kept-alive sockets.

Every event has a random UUID of its own; a request that is not answered 200 counts as an error.
"""

from __future__ import annotations

import asyncio
import base64
import random
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import orjson
import uvloop


@dataclass(frozen=True)
class Result:
    """What one run of load saw."""

    events: int
    requests: int
    errors: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds


def event(number: int, rng: random.Random) -> dict[str, object]:
    """Make one event of the shop's mix: a third each of Product Viewed, Product Clicked, Order Completed."""
    visitor = f"anon-{rng.randrange(100_000)}"
    product = {"product_id": f"p{rng.randrange(5000)}", "name": "Blue Mug", "price": 12.5, "quantity": 1}
    common = {
        "type": "track",
        "messageId": str(uuid.UUID(int=rng.getrandbits(128))),
        "anonymousId": visitor,
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "context": {
            "page": {"path": "/mugs/blue", "url": "https://shop.example/mugs/blue", "title": "Blue Mug"},
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36",
            "locale": "en-GB",
            "library": {"name": "analytics.js", "version": "next-1.84.3"},
            "device": {"type": "desktop"},
        },
        "integrations": {},
    }
    match number % 3:
        case 0:
            return {**common, "event": "Product Viewed", "properties": product}
        case 1:
            clicked = {**product, "resolvedBidId": f"bid-{rng.getrandbits(64):x}", "position": 3}
            return {**common, "event": "Product Clicked", "properties": clicked}
        case _:
            order = {"order_id": f"o-{rng.getrandbits(64):x}", "total": 25.0, "currency": "USD"}
            return {
                **common,
                "event": "Order Completed",
                "properties": {**order, "products": [product, {**product, "product_id": "p-7"}]},
            }


def requests(url: str, key: str, *, events: int, batch: int, seed: int) -> list[bytes]:
    """Prepare the requests of one run."""
    host = urlsplit(url).netloc
    rng = random.Random(seed)
    authorization = base64.b64encode(f"{key}:".encode()).decode()
    path = "/v1/batch" if batch > 1 else "/v1/track"

    def bodies() -> Iterator[bytes]:
        for start in range(0, events, batch):
            made = [event(start + i, rng) for i in range(min(batch, events - start))]
            yield orjson.dumps({"batch": made} if batch > 1 else made[0])

    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {authorization}\r\n"
        "Content-Type: application/json\r\n"
    )
    return [f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies()]


async def run(url: str, prepared: list[bytes], *, batch: int, connections: int) -> Result:
    """Send the prepared requests over so many connections, each one request at a time."""
    parts = urlsplit(url)
    waiting = iter(prepared)
    latencies: list[float] = []
    errors = 0

    async def connection() -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for request in waiting:
            started = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - started)
            if not head.startswith(b"HTTP/1.1 200"):
                errors += 1
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(connections)))
    seconds = time.perf_counter() - started
    latencies.sort()
    return Result(
        events=len(prepared) * batch,
        requests=len(prepared),
        errors=errors,
        seconds=seconds,
        p50_ms=latencies[len(latencies) // 2] * 1000,
        p99_ms=latencies[int(len(latencies) * 0.99)] * 1000,
    )


def main() -> None:
    """Run as a process of its own: url, key, events, batch, connections, seed; prints the result as JSON."""
    url, key, events, batch, connections, seed = sys.argv[1:7]
    prepared = requests(url, key, events=int(events), batch=int(batch), seed=int(seed))
    print("ready", flush=True)
    sys.stdin.readline()
    result = uvloop.run(run(url, prepared, batch=int(batch), connections=int(connections)))
    sys.stdout.write(orjson.dumps(result).decode() + "\n")


if __name__ == "__main__":
    main()
