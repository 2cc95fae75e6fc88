"""Whatever event comes, what leaves for Segmentify is legal there."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.destinations.base import Batch, Payload, Prepared
from crossdock.destinations.segmentify import Segmentify
from crossdock.simulators.segmentify import SegmentifySimulator
from tests.destinations.contract import every_preset, shipped

TEXTS = st.sampled_from(
    ["", " ", "p1", "/c", "https://shop.example/a?b", "é", "x" * 200, "a@b.co", "12.5", "1,5 €", "9" * 40]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 3), st.sampled_from([2**63, -0.5, 1e300]), TEXTS
)
ANYTHING = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(TEXTS, SCALARS, max_size=2)


def mostly(*good: Any) -> st.SearchStrategy[Any]:
    """One of these values (or strategies) four times out of five, else anything."""
    strategies = [value if isinstance(value, st.SearchStrategy) else st.just(value) for value in good]
    return st.sampled_from([*strategies * 4, *[ANYTHING] * len(strategies)]).flatmap(lambda chosen: chosen)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with some of these fields, and now and then something else altogether."""
    return mostly(st.fixed_dictionaries({}, optional=fields))


PRICE = mostly(9.5, "3,20 €", 0)
PRODUCT = objects(
    product_id=mostly("p1", 7),
    sku=mostly("s1"),
    price=PRICE,
    quantity=mostly(2, "0.5"),
    currency=mostly("eur"),
)
BASKET = objects(products=mostly(st.lists(PRODUCT, max_size=2)), total=PRICE, currency=mostly("EUR"))
TRAITS = objects(
    username=mostly("jo"),
    email=mostly("jo@shop.example"),
    name=mostly("Jo"),
    firstName=mostly("Jo"),
    lastName=mostly("Doe"),
    phone=mostly("+49", 49),
    gender=mostly("male", "x"),
    birthday=mostly("1990-05-17", "1990-02-30"),
    age=mostly(36, "36"),
    createdAt=mostly("2020-01-01T00:00:00Z", 1_700_000_000),
    address=objects(city=mostly("Berlin")),
    segments=mostly("a,b", ["a"]),
    isRegistered=mostly(True, "no"),
    isLogin=mostly(False),
    plan=mostly("gold", {"a": {"b": [1]}}),
)
# All in one, so that any event may carry anything.
PROPERTIES = objects(
    product_id=mostly("p1", 7),
    name=mostly("Shoe"),
    url=mostly("https://shop.example/p/1"),
    image_url=mostly("https://shop.example/i/1"),
    category=mostly("Men>Shoes", ["Men", "Shoes"]),
    price=PRICE,
    old_price=PRICE,
    currency=mostly("eur"),
    quantity=mostly(1),
    in_stock=mostly(True, "InStock"),
    gender=mostly("men"),
    color=mostly("red", ["red"]),
    sizes=mostly([42, "43"]),
    labels=mostly("new"),
    total=PRICE,
    revenue=PRICE,
    tax=PRICE,
    products=mostly(st.lists(PRODUCT, max_size=3)),
    order_id=mostly("o1", 1001),
    cart_url=mostly("https://shop.example/cart"),
    step=mostly(2, "2"),
    query=mostly("red", {"text": "red"}),
    promotion_id=mostly("x"),
    position=mostly(1, "top"),
)
CONTEXT = objects(
    page=objects(
        url=mostly("https://shop.example/a"), path=mostly("/"), referrer=mostly("https://a.example")
    ),
    device=objects(type=mostly("iOS", "tablet")),
    app=objects(name=mostly("Shop")),
    os=objects(name=mostly("Windows", "iOS"), version=mostly("17_2", 14)),
    userAgent=mostly("Mozilla/5.0 (iPhone; CPU iPhone OS 17_2) Mobile Safari/604.1"),
    locale=mostly("de-AT", "pl"),
    traits=TRAITS,
    sessionId=mostly("app"),
)
NAMES = sorted(
    {
        str(example.event["event"])
        for preset in shipped("segmentify").presets
        for example in preset.examples
        if "event" in example.event
    }
)
KINDS = [
    *({"type": kind} for kind in ("page", "screen", "identify", "alias", "group")),
    *({"type": "track", "event": name} for name in NAMES),
]
EVENTS = st.builds(
    lambda kind, fields: {**kind, **fields},
    st.sampled_from(KINDS),
    st.fixed_dictionaries(
        {
            "messageId": mostly("m1"),
            "timestamp": mostly("2026-11-20T10:00:00.123Z"),
            "anonymousId": mostly("anon"),
            "properties": PROPERTIES,
            "context": CONTEXT,
            "visitor": objects(
                key=mostly("anon"), sessionId=mostly("s"), basket=BASKET, email=mostly("a@b.co")
            ),
        },
        optional={
            "traits": TRAITS,
            "name": mostly("Home"),
            "category": mostly("Cart"),
            "userId": mostly("u"),
            "previousId": mostly("a"),
            "integrations": objects(Segmentify=objects(sessionId=mostly("mine"), testMode=mostly(True))),
        },
    ),
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "checkout_step_map": st.just({"2": "payment"}),
        "experimental_banners": st.just(True),
        "partial_product_view": st.just(True),
        "page_paths": st.just({"^/c": "Category Page"}),
    },
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(event=EVENTS, chosen=SETTINGS)
def test_no_event_makes_an_illegal_request(event: dict[str, Any], chosen: dict[str, Any]) -> None:
    """Through presets and schema into the strict simulator: no violation, whatever the event holds."""
    vendor = Segmentify(api_key="key", origin="https://shop.example", base_url="https://x.example", **chosen)
    event = orjson.loads(orjson.dumps(event))
    payloads = []
    for preset in every_preset("segmentify").matching(event):
        for mapped in preset.payloads(event):
            prepared = vendor.prepare(preset.action, mapped.payload)
            if isinstance(prepared, Prepared):
                payloads.append(Payload(1, mapped.index, "m", preset.action, preset.name, prepared.body))
    if not payloads:
        return
    request = vendor.request(Batch(tuple(payloads)))
    simulator = SegmentifySimulator(
        api_key="key",
        origin="https://shop.example",
        experimental=True,
        partial_product_view=vendor.partial_product_view,
    )
    verdict = simulator.judge_events("key", request.headers, request.body)
    assert verdict.violation is None
    assert 200 == verdict.status
    assert len(payloads) == len(verdict.events)
