"""Segment's calls to Blueshift's events through the shipped presets: every row of the event table."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson
import pytest

from crossdock.destinations.base import Prepared, Skipped
from crossdock.destinations.blueshift import Blueshift
from crossdock.mapping.compiled import compile_file
from tests.destinations.contract import preset_named, shipped

BLUESHIFT = Blueshift(event_api_key="e", user_api_key="u")
UUID = "1f0c8e1a-7d1e-4cbe-8a1f-0f6ae3b4c001"
COOKIE = "0b54ff3c-55d2-4a60-8c8c-5d1c2f7d8e01"

ROWS = [
    # Segment type, names (the first is the current one), Blueshift event, on as shipped
    ("page", [], "pageload", True),
    ("screen", [], "pageload", True),
    ("screen", [], "screen_viewed", True),
    ("identify", [], "identify", True),
    ("group", [], "identify", True),
    ("alias", [], "merge", False),
    ("track", ["Product Viewed", "Viewed Product"], "view", True),
    ("track", ["Product Added", "Added Product"], "add_to_cart", True),
    ("track", ["Product Removed", "Removed Product"], "remove_from_cart", True),
    ("track", ["Checkout Started", "Started Order"], "checkout", True),
    ("track", ["Checkout Step Viewed", "Viewed Checkout Step"], "checkout", False),
    ("track", ["Order Completed", "Completed Order"], "purchase", True),
    ("track", ["Products Searched"], "search", True),
    ("track", ["Order Cancelled"], "cancel", False),
    ("track", ["Order Refunded"], "return", False),
    ("track", ["Subscription Started"], "subscription_start", True),
    ("track", ["Subscription Upgraded"], "subscription_upgrade", True),
    ("track", ["Subscription Downgraded"], "subscription_downgrade", True),
    ("track", ["Subscription Billing", "Subscription Billed"], "subscription_billing", True),
    ("track", ["Subscription Cancelled", "Subscription Canceled"], "subscription_cancel", True),
    ("track", ["Subscribe Interest"], "subscribe_interest", True),
    ("track", ["Unsubscribe Interest"], "unsubscribe_interest", True),
    ("track", ["Any Other"], "Any_Other", True),
]


def call(kind: str, event_name: str | None = None, /, **fields: Any) -> dict[str, Any]:
    """Make a call as it stands in the journal."""
    event = {
        "type": kind,
        "messageId": UUID,
        "timestamp": "2026-11-20T10:00:00.123Z",
        "userId": "user-1",
        **fields,
    }
    return event if event_name is None else {**event, "event": event_name}


def sent(event: dict[str, Any], blueshift: Blueshift = BLUESHIFT, /, **presets: bool) -> list[dict[str, Any]]:
    """Give what Blueshift gets of an event with the presets on that are shipped so, or switched on here."""
    switched = {name.replace("_", " "): on for name, on in presets.items()}
    made = []
    for preset in compile_file(shipped("blueshift"), switched).matching(event):
        for mapped in preset.payloads(event):
            prepared = blueshift.prepare(preset.action, mapped.payload)
            assert isinstance(prepared, Prepared), prepared
            made.append(orjson.loads(prepared.body))
    return made


def one(event: dict[str, Any], blueshift: Blueshift = BLUESHIFT, /, **presets: bool) -> dict[str, Any]:
    """Give the one event that is sent."""
    (made,) = sent(event, blueshift, **presets)
    return made


@pytest.mark.parametrize(("kind", "names", "event", "on"), ROWS)
def test_every_row_has_an_example_that_gives_its_event(
    kind: str, names: list[str], event: str, on: bool
) -> None:
    """Under every name of the row; shipped on or off as the table says."""
    action = "custom" if event == "Any_Other" else "group" if kind == "group" else event
    presets = [
        preset
        for preset in shipped("blueshift").presets
        if preset.action == action and preset.examples[0].event["type"] == kind
        if not names or event == "Any_Other" or preset.name == names[0]
    ]
    assert [on] == [preset.enabled for preset in presets]
    told = [example.event.get("event") for example in presets[0].examples]
    if event != "Any_Other":
        assert set(names) == {name for name in told if name is not None}
    for example in presets[0].examples:
        for mapped in preset_named("blueshift", presets[0].name).payloads(example.event):
            prepared = BLUESHIFT.prepare(action, mapped.payload)
            assert isinstance(prepared, Prepared)
            wire = orjson.loads(prepared.body)
            if action not in ("custom", "merge"):
                assert ("identify" if kind == "group" else event) == wire["event"]


def test_the_rows_are_all_the_presets() -> None:
    """Nothing is shipped that the table does not have."""
    assert len(ROWS) == len(shipped("blueshift").presets)


@pytest.mark.parametrize("name", ["Checkout Step Viewed", "Order Cancelled", "Order Refunded"])
def test_what_is_off_goes_under_its_own_name(name: str) -> None:
    """Switched on, it is the event of Blueshift's own and nothing beside it."""
    event = call("track", name, properties={"order_id": "o"})
    assert name.replace(" ", "_") == one(event)["event"]
    own = {"Checkout Step Viewed": "checkout", "Order Cancelled": "cancel", "Order Refunded": "return"}
    assert own[name] == one(event, **{name.replace(" ", "_"): True})["event"]


def test_an_alias_is_skipped_until_it_is_switched_on() -> None:
    """A merge cannot be undone."""
    event = call("alias", previousId="old")
    assert [] == sent(event)
    assert {"customer_id": "old", "bsft_new_customer_id": "user-1"} == one(event, Alias=True)


def test_an_anonymous_alias_is_no_merge() -> None:
    """The anonymousId was never a customer's."""
    payload = {"customer_id": "anon", "bsft_new_customer_id": "user-1", "anonymous_id": "anon"}
    assert Skipped("anonymous_alias") == BLUESHIFT.prepare("merge", payload)
    alone = Blueshift(event_api_key="e")
    assert Skipped("no_user_api_key") == alone.prepare("merge", payload)


def test_a_screen_is_a_pageload_and_then_a_screen_viewed() -> None:
    """In this order, under two ids, and the pageload names the screen as Blueshift's own libraries do."""
    first, second = sent(call("screen", name="Cart", properties={"items": 2}))
    assert ("pageload", "screen_viewed") == (first["event"], second["event"])
    assert ("Cart", "Cart", 2) == (first["screen_viewed"], second["screen_viewed"], second["items"])
    assert (UUID, str(uuid5(NAMESPACE_URL, f"{UUID}:screen_viewed"))) == (
        first["event_uuid"],
        second["event_uuid"],
    )


def test_a_page_on_the_wire() -> None:
    """What S shows for a pageload, whole."""
    event = call(
        "page",
        name="Home",
        anonymousId="anon",
        userId=None,
        context={
            "ip": "203.0.113.7",
            "userAgent": "Mozilla/5.0",
            "page": {"url": "https://shop.example/", "referrer": "https://r.example/", "path": "/"},
        },
        properties={"title": "Shop"},
    )
    assert {
        "event": "pageload",
        "cookie": str(uuid5(NAMESPACE_URL, "anon")),
        "event_uuid": UUID,
        "timestamp": "2026-11-20T10:00:00.123000Z",
        "ip": "203.0.113.7",
        "user_agent": "Mozilla/5.0",
        "url": "https://shop.example/",
        "referrer": "https://r.example/",
        "title": "Shop",
        "path": "/",
        "name": "Home",
    } == one(event)


def test_a_phone_on_the_wire() -> None:
    """An iOS device's ids and token under all the names Blueshift has for them."""
    device = {
        "id": "IDFV",
        "type": "ios",
        "manufacturer": "Apple",
        "token": "t",
        "advertisingId": "IDFA",
        "adTrackingEnabled": True,
    }
    event = call(
        "track",
        "Coupon Applied",
        context={
            "device": device,
            "os": {"name": "iOS"},
            "network": {"carrier": "Telco"},
            "location": {"latitude": 52.5, "longitude": "13.4"},
        },
    )
    assert {
        "event": "Coupon_Applied",
        "customer_id": "user-1",
        "device_id": "IDFV",
        "event_uuid": UUID,
        "timestamp": "2026-11-20T10:00:00.123000Z",
        "device_type": "ios",
        "device_manufacturer": "Apple",
        "device_token": "t",
        "os_name": "iOS",
        "network_carrier": "Telco",
        "latitude": "52.5",
        "longitude": "13.4",
        "device_idfv": "IDFV",
        "device_idfa": "IDFA",
        "device_tokens": "t",
    } == one(event)


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"type": "Android"}, {"advertising_id": "A"}),
        ({"type": "iPadOS"}, {"device_idfa": "A", "device_idfv": "D"}),
        ({"type": "ios", "adTrackingEnabled": False}, {"device_idfv": "D"}),
        ({"type": "android", "adTrackingEnabled": False}, {}),
        ({"type": "ios", "advertisingId": "00000000-0000-0000-0000-000000000000"}, {"device_idfv": "D"}),
        ({}, {}),
    ],
)
def test_ids_are_named_by_the_devices_system(context: dict[str, Any], expected: dict[str, str]) -> None:
    """RudderStack sends device_idfv for Android too; who refused tracking is not tracked."""
    device = {"id": "D", "advertisingId": "A", **context}
    made = one(call("track", "X", context={"device": device}))
    names = ("advertising_id", "device_idfa", "device_idfv")
    assert expected == {name: made[name] for name in names if name in made}
    assert "D" == made["device_id"]


def test_coordinates_may_stand_in_the_address() -> None:
    """Where RudderStack looks for them."""
    made = one(call("track", "X", context={"address": {"latitude": 1, "longitude": -2.5}}))
    assert ("1", "-2.5") == (made["latitude"], made["longitude"])


def test_an_identify_on_the_wire() -> None:
    """Traits go before context.traits, under Blueshift's names; no id is copied into them."""
    event = call(
        "identify",
        anonymousId=COOKIE,
        context={"traits": {"plan": "free", "city": "Berlin", "anonymousId": COOKIE}},
        traits={
            "id": "user-1",
            "userId": "user-1",
            "email": " Jo@shop.example ",
            "firstName": "Jo",
            "lastName": "Doe",
            "name": "Johanna Doe",
            "phone": "+49 30-123456",
            "gender": "F",
            "createdAt": "2026-01-02",
            "address": {"city": "Bonn", "street": None},
            "plan": "pro",
            "vip": True,
            "nothing": None,
        },
    )
    assert {
        "event": "identify",
        "customer_id": "user-1",
        "email": "Jo@shop.example",
        "cookie": COOKIE,
        "event_uuid": UUID,
        "timestamp": "2026-11-20T10:00:00.123000Z",
        "city": "Berlin",
        "plan": "pro",
        "firstname": "Jo",
        "lastname": "Doe",
        "name": "Johanna Doe",
        "address_city": "Bonn",
        "vip": True,
        "phone_number": "+4930123456",
        "gender": "female",
        "joined_at": "2026-01-02",
    } == one(event)


def test_a_group_on_the_wire() -> None:
    """An identify of the person with the group's id; the group's traits are prefixed, its address too."""
    traits = {
        "id": "g-1",
        "name": "Acme",
        "email": "hi@acme.example",
        "address": {"city": "Bonn"},
        "gone": None,
    }
    assert {
        "event": "identify",
        "customer_id": "user-1",
        "group_id": "g-1",
        "event_uuid": UUID,
        "timestamp": "2026-11-20T10:00:00.123000Z",
        "group_name": "Acme",
        "group_email": "hi@acme.example",
        "group_address_city": "Bonn",
    } == one(call("group", groupId="g-1", traits=traits))


def test_a_profile_on_the_wire() -> None:
    """With the option an identify is a customer's record: no event, no cookie, no device."""
    blueshift = Blueshift(event_api_key="e", user_api_key="u", profile_api=True)
    event = call("identify", anonymousId="anon", traits={"email": "jo@shop.example", "firstName": "Jo"})
    event["context"] = {"ip": "::1", "device": {"id": "d", "type": "ios"}}
    expected = {"customer_id": "user-1", "email": "jo@shop.example", "firstname": "Jo"}
    assert expected == one(event, blueshift)
    nobody = {"anonymous_id": "anon", "attributes": {"plan": "pro"}}
    assert Skipped("no_profile_identifier") == blueshift.prepare("identify", nobody)


def test_a_view_on_the_wire() -> None:
    """Flat, with the list of one product that Blueshift's page of events shows."""
    properties = {
        "product_id": "p-1",
        "name": "Cup",
        "price": "9.50",
        "quantity": "2",
        "list": "home",
        "url": "u",
    }
    made = one(call("track", "Product Viewed", properties=properties))
    assert {
        "event": "view",
        "customer_id": "user-1",
        "event_uuid": UUID,
        "timestamp": "2026-11-20T10:00:00.123000Z",
        "product_id": "p-1",
        "sku": "p-1",
        "price": 9.5,
        "quantity": 2,
        "url": "u",
        "name": "Cup",
        "list": "home",
        "products": [
            {"sku": "p-1", "product_id": "p-1", "price": 9.5, "quantity": 2, "name": "Cup", "url": "u"}
        ],
    } == made


@pytest.mark.parametrize(
    ("key", "product", "expected"),
    [
        ("auto", {"product_id": "p", "sku": "s"}, ("p", "s")),
        ("auto", {"sku": "s"}, ("s", "s")),
        ("auto", {"productId": 7}, ("7", "7")),
        ("auto", {"id": "v1"}, ("v1", "v1")),
        ("product_id", {"product_id": "p", "sku": "s"}, ("p", "p")),
        ("product_id", {"sku": "s"}, ("s", "s")),
        ("sku", {"product_id": "p", "sku": "s"}, ("s", "s")),
        ("sku", {"product_id": "p"}, ("p", "p")),
    ],
)
def test_the_catalogues_key_is_a_setting(
    key: str, product: dict[str, Any], expected: tuple[str, str]
) -> None:
    """In flat events and in lists of products alike."""
    blueshift = Blueshift.model_validate({"event_api_key": "e", "catalog_key": key})
    flat = one(call("track", "Product Added", properties=product), blueshift)
    listed = one(call("track", "Order Completed", properties={"products": [product]}), blueshift)
    assert [expected] * 2 == [(made["product_id"], made["sku"]) for made in (flat, *listed["products"])]
    assert "products" not in flat


def test_a_purchase_on_the_wire() -> None:
    """Money as it is, nothing made up; the address is the visitor's where the event has none."""
    properties = {
        "order_id": "o-1",
        "value": 31,
        "shipping": 4,
        "tax": "2.10",
        "discount": 1.5,
        "coupon": "TEN",
        "products": [
            {"product_id": "p", "sku": "s", "price": "9.5", "quantity": 2.0, "brand": "b", "x": None},
            "no",
        ],
    }
    event = call("track", "Order Completed", properties=properties, visitor={"email": "jo@shop.example"})
    assert {
        "event": "purchase",
        "customer_id": "user-1",
        "email": "jo@shop.example",
        "event_uuid": UUID,
        "timestamp": "2026-11-20T10:00:00.123000Z",
        "total": 31,
        "order_id": "o-1",
        "value": 31,
        "shipping": 4,
        "tax": "2.10",
        "discount": 1.5,
        "coupon": "TEN",
        "products": [{"brand": "b", "product_id": "p", "sku": "s", "price": 9.5, "quantity": 2}],
    } == one(event)


def test_an_order_is_guarded_by_its_id() -> None:
    """A browser's and a server's report of one order start one campaign."""
    preset = preset_named("blueshift", "Order Completed")
    keys = {
        preset.payloads(call("track", "Order Completed", messageId=m, properties={"order_id": "o"}))[
            0
        ].once_key
        for m in ("a", "b")
    }
    assert 1 == len(keys)
    assert None not in keys
    assert preset.payloads(call("track", "Order Completed", properties={}))[0].once_key is None


def test_a_search_on_the_wire() -> None:
    """Blueshift's own names first, those of its phone libraries beside them."""
    made = one(
        call("track", "Products Searched", properties={"query": {"q": "cup"}, "products": [{"sku": 1}]})
    )
    assert ('{"q":"cup"}', {"q": "cup"}) == (made["keywords"], made["query"])
    assert (["1"], ["1"]) == (made["product_ids"], made["skus"])


def test_a_subscription_on_the_wire() -> None:
    """The names of Blueshift's own in its spelling, the rest verbatim; the address of whom it is about."""
    properties = {
        "subscriptionPeriodType": "month",
        "subscriptionPeriodLength": 1,
        "subscriptionPlanType": "gold",
        "subscriptionAmount": 9,
        "subscriptionStartedAt": "2026-01-01",
        "subscriptionEndAt": "2027-01-01",
        "subscriptionCanceledAt": "2026-02-01",
        "billingDate": "2016-14-01",
        "trialDays": 3,
    }
    event = call("track", "Subscription Started", properties=properties, visitor={"email": "jo@shop.example"})
    made = one(event)
    assert {
        "email": "jo@shop.example",
        "subscription_period_type": "month",
        "subscription_period_length": 1,
        "subscription_plan_type": "gold",
        "subscription_amount": 9,
        "subscription_started_at": "2026-01-01",
        "subscription_end_at": "2027-01-01",
        "subscription_canceled_at": "2026-02-01",
        "billing_date": "2016-14-01",
        "trialDays": 3,
    }.items() <= made.items()
    assert not [key for key in made if key.startswith("subscriptionP")]


def test_the_visitors_remembered_address_stays_out_of_other_events() -> None:
    """Whoever identifies next on this browser may be somebody else."""
    for kind, name in (("identify", None), ("page", None), ("track", "Product Viewed")):
        assert "email" not in one(call(kind, name, visitor={"email": "old@shop.example"}))
