"""Whatever event comes, what leaves for Blueshift is legal there."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.destinations.base import Batch, Payload, Prepared
from crossdock.destinations.blueshift import Blueshift
from crossdock.mapping.compiled import CompiledMapping, compile_file
from crossdock.simulators.blueshift import BlueshiftSimulator
from tests.destinations.contract import every_preset, shipped

TEXTS = st.sampled_from(
    ["", " ", "p1", "a.b c", "https://shop.example/a?b", "é", "x" * 200, "a@b.co", "12.5", "1e5", "\x1c", "²"]
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


PRODUCT = objects(
    product_id=mostly("p1", 7),
    productId=mostly("p2"),
    id=mostly("p3"),
    sku=mostly("s1", 8),
    price=mostly(9.5, "3.20"),
    quantity=mostly(2, "3", 2.0),
    name=mostly("Cup"),
)
GROUPS = mostly([{"id": "g", "subscribed": True}], [{"id": 7, "subscribed": False}, {"id": "x"}])
PROPERTIES = objects(
    product_id=mostly("p1", 7),
    sku=mostly("s1", 8),
    price=mostly(9.5, "3.20"),
    quantity=mostly(2, "3"),
    products=mostly(st.lists(PRODUCT, max_size=3), PRODUCT),
    email=mostly("jo@shop.example", "x" * 70 + "@a.co"),
    cookie=mostly("0b54ff3c-55d2-4a60-8c8c-5d1c2f7d8e01"),
    url=mostly("https://shop.example/"),
    query=mostly("red", {"text": "red"}),
    total=mostly(9.5, "9.5"),
    value=mostly(9),
    order_id=mostly("o1", 7),
    event=mostly("pageload"),
    customer_id=mostly("intruder"),
    timestamp=mostly("2026-11-20"),
    event_uuid=mostly("u"),
    device_id=mostly("d"),
    latitude=mostly(52.5),
    ip=mostly("::1"),
    device_token=mostly("t"),
    device_tokens=mostly(["t"]),
    device_idfa=mostly("i"),
    subscription_groups=GROUPS,
    _bsft_source=mostly("segment.com"),
    subscriptionAmount=mostly(9),
    billingDate=mostly("2026-14-01"),
)
TRAITS = objects(
    email=mostly("jo@shop.example", " jo@shop.example "),
    firstName=mostly("Jo"),
    lastName=mostly("Doe"),
    name=mostly("Jo Doe"),
    phone=mostly("+49 30 123-4567", "030 1234"),
    phone_number=mostly("+49301234567"),
    gender=mostly("F", "male"),
    createdAt=mostly("2026-01-01", 1_700_000_000, 1_700_000_000_000),
    address=objects(city=mostly("Bonn"), street=mostly({"name": "A"})),
    id=mostly("user-1"),
    userId=mostly("user-1"),
    firstname=mostly("Ann"),
    cookie=mostly("c"),
    event=mostly("e"),
    device_id=mostly("d"),
    latitude=mostly(1.5),
    subscription_groups=GROUPS,
    _bsft_x=mostly(1),
)
CONTEXT = objects(
    traits=TRAITS,
    cookie=mostly("c" * 36),
    ip=mostly("203.0.113.7"),
    userAgent=mostly("Mozilla/5.0"),
    page=objects(
        url=mostly("https://shop.example/"), referrer=mostly(""), title=mostly("T"), path=mostly("/")
    ),
    device=objects(
        id=mostly("D-1", 7),
        type=mostly("ios", "Android", "tablet"),
        manufacturer=mostly("Apple"),
        token=mostly("t"),
        advertisingId=mostly("A-1"),
        adTrackingEnabled=mostly(True, False),
    ),
    os=objects(name=mostly("iPadOS")),
    network=objects(carrier=mostly("Telco")),
    location=objects(latitude=mostly(52.5), longitude=mostly("13.4")),
    address=objects(latitude=mostly(1)),
)
NAMES = sorted(
    {"Cart Viewed", "purchase", "12", "a . b", "x" * 70, " ", "identify "}
    | {name for preset in shipped("blueshift").presets for name in (preset.name, *preset.aliases)}
)
KINDS = [
    *({"type": kind} for kind in ("page", "screen", "identify", "group", "alias")),
    *({"type": "track", "event": name} for name in NAMES),
]
EVENTS = st.builds(
    lambda kind, fields: {**kind, **fields},
    st.sampled_from(KINDS),
    st.fixed_dictionaries(
        {
            "messageId": mostly("1f0c8e1a-7d1e-4cbe-8a1f-0f6ae3b4c001", "ajs-next-1", "F" * 36),
            "timestamp": mostly("2026-11-20T10:00:00.123Z", "2026-11-20T10:00:00+02:00"),
            "anonymousId": mostly("anon", "0b54ff3c-55d2-4a60-8c8c-5d1c2f7d8e01"),
            "properties": PROPERTIES,
            "traits": TRAITS,
            "context": CONTEXT,
        },
        optional={
            "name": mostly("Home"),
            "category": mostly("Cart"),
            "userId": mostly("u", "x" * 129),
            "previousId": mostly("old"),
            "groupId": mostly("g"),
        },
    ),
)
ACCOUNTS = {
    "events": Blueshift(event_api_key="e", user_api_key="u"),
    "profiles": Blueshift(
        event_api_key="e", user_api_key="u", profile_api=True, long_names="truncate", catalog_key="sku"
    ),
    "plain": Blueshift(event_api_key="e", cookie="off", timestamp=False, catalog_key="product_id"),
}


@cache
def without_fallback() -> CompiledMapping:
    """Compile the presets with only those on that are on as shipped."""
    return compile_file(shipped("blueshift"))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("account", ACCOUNTS)
@given(event=EVENTS)
def test_no_event_makes_an_illegal_request(account: str, event: dict[str, Any]) -> None:
    """Through presets and checks into the strict simulator: no violation, whatever the event holds."""
    blueshift = ACCOUNTS[account]
    event = orjson.loads(orjson.dumps(event))
    payloads = []
    for mapping in (every_preset("blueshift"), without_fallback()):
        for preset in mapping.matching(event):
            for mapped in preset.payloads(event):
                prepared = blueshift.prepare(preset.action, mapped.payload)
                if isinstance(prepared, Prepared):
                    payloads.append(Payload(1, 0, "m", preset.action, preset.name, prepared.body))
    simulator = BlueshiftSimulator(event_api_key="e", user_api_key="u", calls_per_second=None)
    for _, group in groupby(payloads, lambda payload: blueshift.endpoint(payload.action)):
        for batch in ([one] for one in group):
            request = blueshift.request(Batch(tuple(batch)))
            path = request.url.removeprefix("https://api.getblueshift.com")
            verdict = simulator.judge(path, request.headers, request.body)
            assert (200, None) == (verdict.status, verdict.violation), request.body
