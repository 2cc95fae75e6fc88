"""Whatever event comes, what leaves for Vibetrace is legal there."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from crossdock.destinations.base import Batch, Payload, Prepared
from crossdock.destinations.vibetrace import Vibetrace
from crossdock.simulators.vibetrace import VibetraceSimulator
from tests.destinations.contract import every_preset
from tests.destinations.test_vibetrace_mapping import EVENTS

KINDS: dict[str, Any] = {
    "plan": "string",
    "visits": "integer",
    "ratio": "float",
    "vip": "boolean",
    "birthday": "date",
}
VIBETRACE = Vibetrace(
    api_key="key",
    legacy_events=True,
    account_id="acc",
    attributes={name: {"tag": name, "type": kind} for name, kind in KINDS.items()},
)

EMAILS = st.sampled_from(
    [
        "ann@shop.example",
        " Ann+x@Shop.Example ",
        "ü/%?#&'\"@shop.example",
        "a@b",
        "@",
        "..@x.co",
        "a\u00a0@b.co",
    ]
)
TEXTS = st.sampled_from(
    [
        "",
        " ",
        "p1",
        "FLV-GV 12",
        "İstanbul\u2003X",
        "é",
        "x" * 300,
        "12.5",
        "7",
        "true",
        "1990-05-01",
        "a&b=c+d;%",
    ]
)
NUMBERS = st.sampled_from([0, 1, -3, 2.5, 2**63, 10**30, 1e300, -0.0])
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, EMAILS)
ANYTHING = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(TEXTS, SCALARS, max_size=2)


def mostly(*good: Any) -> st.SearchStrategy[Any]:
    """One of these values (or strategies) four times out of five, else anything."""
    strategies = [value if isinstance(value, st.SearchStrategy) else st.just(value) for value in good]
    return st.sampled_from([*strategies * 4, *[ANYTHING] * len(strategies)]).flatmap(lambda chosen: chosen)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with some of these fields, and now and then something else altogether."""
    return mostly(st.fixed_dictionaries({}, optional=fields))


TRAITS = objects(
    email=mostly(EMAILS),
    newsletter=mostly(True, "false"),
    gender=mostly("m"),
    firstName=mostly("Ann"),
    name=mostly("Ann de Vries"),
    phone=mostly("07"),
    address=objects(city=mostly("Cluj"), country=mostly("RO")),
    **{name: mostly("7", 7, True, "1990-05-01") for name in KINDS},
)
PRODUCT = objects(product_id=mostly("P 1"), sku=mostly(5), price=mostly(9.5), quantity=mostly(2, "3"))
PROPERTIES = objects(
    email=mostly(EMAILS),
    order_id=mostly("o-1", 7),
    checkout_id=mostly("k"),
    cart_id=mostly("c"),
    product_id=mostly("P 1"),
    category=mostly("Red Shoes"),
    query=mostly("red"),
    step=mostly(1),
    quantity=mostly(2),
    total=mostly(9.5, "9.5"),
    revenue=mostly(8),
    shipping=mostly(1),
    tax=mostly("0.5"),
    currency=mostly("ron"),
    coupon=mostly("A", ["A", "B"]),
    status=mostly("paid"),
    method=mostly("link"),
    products=mostly(st.lists(PRODUCT, max_size=3)),
)
NAMES = sorted({name for name, _, _ in EVENTS} - {"identify", "page", "screen", "group", "alias", "delete"})
CALLS = [
    {"type": "identify"},
    {"type": "delete"},
    *({"type": "track", "event": name} for name in [*NAMES, "Login", "Ünï 1", "★", "event"]),
]
ALL_EVENTS = st.builds(
    lambda call, fields: {**call, **fields},
    st.sampled_from(CALLS),
    st.fixed_dictionaries(
        {"messageId": mostly("m1"), "timestamp": mostly("2026-11-20T10:00:00.000Z")},
        optional={
            "userId": mostly("u-1", EMAILS),
            "traits": TRAITS,
            "properties": PROPERTIES,
            "context": objects(traits=TRAITS),
            "integrations": objects(Vibetrace=objects(userId=mostly("vu"), sessionId=mostly("vs"))),
            "receivedAt": mostly("2026-11-20T10:00:01.000Z", "2026-11-21T10:00:00.000Z"),
            "visitor": objects(email=mostly(EMAILS), basket=objects(cart_id=mostly("c"))),
        },
    ),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(event=ALL_EVENTS)
def test_no_event_makes_an_illegal_request(event: dict[str, Any]) -> None:
    """Through presets and checks into the strict simulator: no violation, no warning, whatever it holds."""
    try:
        event = orjson.loads(orjson.dumps(event))
    except TypeError:  # a number beyond JSON's reach here never passes the door
        return
    simulator = VibetraceSimulator(api_key="key", account_id="acc", attributes=KINDS)
    for preset in every_preset("vibetrace").matching(event):
        for mapped in preset.payloads(event):
            prepared = VIBETRACE.prepare(preset.action, mapped.payload)
            if not isinstance(prepared, Prepared):
                continue
            payload = Payload(1, mapped.index, "m", preset.action, preset.name, prepared.body)
            request = VIBETRACE.request(Batch((payload,)))
            target = URL(request.url).raw_path_qs  # what aiohttp makes of the address
            verdict = simulator.answer(request.method, target, request.headers, request.body)
            assert verdict.violation is None
            assert [] == simulator.warnings
            assert verdict.status == (404 if preset.action in ("unsubscribe", "spam", "forget") else 200)
