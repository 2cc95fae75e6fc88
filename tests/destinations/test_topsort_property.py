"""Whatever event comes, what leaves for Topsort is legal there."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.destinations.base import Batch, Payload, Prepared
from crossdock.destinations.topsort import Topsort
from crossdock.simulators.topsort import TopsortSimulator
from tests.destinations.contract import every_preset

TEXTS = st.sampled_from(["", " ", "p1", "/c", "https://shop.example/a?b", "é", "x" * 200, "a@b.co", "12.5"])
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


ENTITY = objects(type=mostly("product", "vendor"), id=mostly("p1"))
PRODUCT = objects(
    product_id=mostly("p1", 7),
    sku=mostly("s1"),
    price=mostly(9.5, "3.20"),
    quantity=mostly(2, "3"),
    brand=mostly("acme"),
    resolvedBidId=mostly("bid"),
    position=mostly(1),
    entity=ENTITY,
)
PAGE = objects(
    type=mostly("home", "cart", "PDP"), pageId=mostly("x"), value=mostly("v", ["v"]), path=mostly("/c")
)
CLICK_TYPE = mostly("like", "add_to_cart")
PROPERTIES = objects(
    product_id=mostly("p1", 7),
    resolvedBidId=mostly("bid"),
    entity=ENTITY,
    additionalAttribution=ENTITY,
    placement=objects(
        path=mostly("/own"),
        position=mostly(3),
        page=mostly(2),
        categoryIds=mostly(["c"]),
        searchQuery=mostly("q"),
        productId=mostly("p2"),
    ),
    position=mostly(1, "2"),
    pageNumber=mostly(1),
    pageSize=mostly(24),
    page=PAGE,
    object=objects(type=mostly("listing", "banner"), assetId=mostly("a"), clickType=CLICK_TYPE),
    clickType=CLICK_TYPE,
    channel=mostly("onsite", "OffSite"),
    category_id=mostly("c"),
    query=mostly("red"),
    dspMetadata=mostly({"gclid": "g"}, {"n": 1, "o": {"a": []}}),
    externalCampaignId=mostly("c"),
    products=mostly(st.lists(PRODUCT, max_size=3)),
    price=mostly(5),
    path=mostly("/c"),
)
CONTEXT = objects(
    page=PAGE,
    device=objects(type=mostly("iOS", "tablet")),
    os=objects(name=mostly("Windows")),
    userAgentData=objects(mobile=mostly(True)),
)
NAMES = (
    "Product Viewed",
    "Product Clicked",
    "Order Completed",
    "Product List Viewed",
    "Product Added",
    "Banner Impression",
    "Banner Click",
)
KINDS = [{"type": "page"}, {"type": "screen"}, *({"type": "track", "event": name} for name in NAMES)]
EVENTS = st.builds(
    lambda kind, fields: {**kind, **fields},
    st.sampled_from(KINDS),
    st.fixed_dictionaries(
        {
            "messageId": mostly("m1", "m2"),
            "timestamp": mostly("2026-11-20T10:00:00.123Z", "2026-11-20T10:00:00"),
            "anonymousId": mostly("anon"),
            "properties": PROPERTIES,
            "context": CONTEXT,
        },
        optional={"name": mostly("Home"), "category": mostly("Cart"), "userId": mostly("u")},
    ),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(event=EVENTS)
def test_no_event_makes_an_illegal_request(event: dict[str, Any]) -> None:
    """Through presets and schema into the strict simulator: no violation, whatever the event holds."""
    topsort = Topsort(api_key="key")
    event = orjson.loads(orjson.dumps(event))
    payloads = []
    for preset in every_preset("topsort").matching(event):
        for mapped in preset.payloads(event):
            prepared = topsort.prepare(preset.action, mapped.payload)
            if isinstance(prepared, Prepared):
                payloads.append(Payload(1, mapped.index, "m", preset.action, preset.name, prepared.body))
    if not payloads:
        return
    request = topsort.request(Batch(tuple(payloads)))
    verdict = TopsortSimulator(api_key="key").judge("/v2/events", request.headers, request.body)
    assert verdict.violation is None
    assert verdict.status == 204
