"""
Bytes in, parsed, matched, mapped, validated, bytes out: one event at a time on one core, no I/O.

The bar: RudderStack's transformer takes 38,000 and Segment's engine 23,000 such events/s on one core of a
2-core machine, in process, for the same kind of events.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

import orjson
from load import event
from machine import describe

from crossdock.delivery.plan import Route, plan
from crossdock.destinations import load as load_vendor
from crossdock.journal.base import Stored
from crossdock.mapping.compiled import compile_file
from crossdock.mapping.preset import load_mapping, shipped_mapping_path

NOW = datetime.now(UTC)


def route() -> Route:
    vendor = load_vendor("topsort").model_validate({"api_key": "bench"})
    mapping = compile_file(load_mapping(shipped_mapping_path("topsort")))
    return Route("topsort", vendor, mapping, frozenset({"web"}), ("Topsort",))


def events() -> dict[str, list[bytes]]:
    rng = random.Random(7)

    def several(number: int) -> list[bytes]:
        return [orjson.dumps(event(number, rng)) for _ in range(500)]

    ten = []
    for _ in range(500):
        order = event(2, rng)
        products = [
            {"product_id": f"p{i}", "name": "Blue Mug", "price": 10.5 + i, "quantity": 2, "brand": "Acme"}
            for i in range(10)
        ]
        ten.append(orjson.dumps({**order, "properties": {"order_id": "o1", "products": products}}))
    other = [orjson.dumps({**event(0, rng), "event": "Coupon Entered"}) for _ in range(500)]
    mix = [body for trio in zip(several(0), several(1), several(2), strict=True) for body in trio]
    return {
        "mix of impression, click, purchase": mix,
        "Product Clicked": several(1),
        "Order Completed, 2 items": several(2),
        "Order Completed, 10 items": ten,
        "matches no preset": other,
    }


def rate(step: Callable[[bytes], object], bodies: list[bytes], seconds: float) -> float:
    deadline = time.perf_counter() + seconds
    done, started = 0, time.perf_counter()
    while time.perf_counter() < deadline:
        for body in bodies:
            step(body)
        done += len(bodies)
    return done / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    topsort = route()

    def whole(body: bytes) -> object:
        document = orjson.loads(body)
        made = plan(topsort, Stored(1, 0, "web", document["messageId"], NOW, document))
        return [owed.payload.body for owed in made.owed]

    print(f"match, map, validate · {describe()}")
    for name, bodies in events().items():
        parse_only = rate(orjson.loads, bodies, options.seconds / 2)
        full = rate(whole, bodies, options.seconds)
        print(
            f"  {name:36} {full:9,.0f} events/s  {1e6 / full:6.2f} µs   "
            f"(JSON parse alone {1e6 / parse_only:.2f} µs)"
        )


if __name__ == "__main__":
    main()
