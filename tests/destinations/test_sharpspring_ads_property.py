"""Whatever event comes, the commands it becomes are ones the tag documents."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.destinations.base import Payload, Prepared
from crossdock.destinations.sharpspring_ads import SharpSpringAds
from crossdock.simulators.sharpspring_ads import SharpSpringAdsSimulator
from tests.destinations.contract import every_preset

ADS = SharpSpringAds(page_events=True, track_list_products=True, event_map={"Order Completed": "purchase"})
TEXTS = st.sampled_from(["", " ", "p1", "o-1", "$1,200.50", "a@b.co", "12.5", "-3", "é", "x" * 300])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 3), st.sampled_from([2**63, -0.5, 1e300, 7.0]), TEXTS
)
ANYTHING = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(TEXTS, SCALARS, max_size=2)
IDS = dict.fromkeys(("product_id", "productId", "id", "sku"), ANYTHING)
PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        **IDS,
        **dict.fromkeys(("order_id", "orderId", "total", "revenue", "value", "currency"), ANYTHING),
        "products": st.lists(st.fixed_dictionaries({}, optional=IDS) | ANYTHING, max_size=4) | ANYTHING,
    },
)
NAMES = st.sampled_from(
    [
        *("Product Viewed", "Product Added", "Cart Viewed", "Checkout Started", "Product List Viewed"),
        *("Order Completed", "Order Updated", "Order Refunded", "Order Cancelled", "Anything", " odd "),
    ]
)
EVENTS = st.builds(
    lambda kind, fields: {**kind, **fields},
    st.one_of(
        st.builds(lambda name: {"type": "track", "event": name}, NAMES),
        st.builds(lambda name: {"type": "page", "name": name}, ANYTHING),
    ),
    st.fixed_dictionaries(
        {"properties": PROPERTIES | ANYTHING, "anonymousId": st.just("anon") | ANYTHING},
        optional={"visitor": st.fixed_dictionaries({"anonymousId": ANYTHING})},
    ),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(event=EVENTS)
def test_no_event_makes_an_unknown_command(event: dict[str, Any]) -> None:
    """Through presets and checks into the strict simulator: no violation, whatever the event holds."""
    event = orjson.loads(orjson.dumps(event))
    posted = []
    for preset in every_preset("sharpspring_ads").matching(event):
        for mapped in preset.payloads(event):
            prepared = ADS.prepare(preset.action, mapped.payload)
            if isinstance(prepared, Prepared):
                payload = Payload(1, mapped.index, "m", preset.action, preset.name, prepared.body)
                posted.append(ADS.posted(payload))
    if not posted:
        return
    assert all(0 < len(one.visitor) <= 256 for one in posted)
    body = b'{"commands":[%s]}' % b",".join(b'{"cmd":%s}' % one.command for one in posted)
    verdict = SharpSpringAdsSimulator().judge("/commands", {}, body)
    assert verdict.violation is None
    assert verdict.status == 204
