"""The shipped Segmentify presets: every row of the event table, what is once, and which fields win."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from crossdock.delivery.plan import Route, plan
from crossdock.destinations.base import Batch, Payload, Prepared, Skipped
from crossdock.destinations.segmentify import Segmentify
from crossdock.journal.base import Stored
from crossdock.mapping.compiled import compile_file
from tests.destinations.contract import every_preset, preset_named, shipped

SEGMENTIFY = Segmentify(
    api_key="key",
    origin="https://shop.example",
    base_url="https://x.example",
    checkout_step_map={"2": "payment"},
)
AS_SHIPPED = compile_file(shipped("segmentify"))

ROWS = [
    ("page", "Page Viewed", "PAGE_VIEW", None),
    ("screen", "Page Viewed", "PAGE_VIEW", None),
    ("Product List Viewed", "Product List Viewed", "PAGE_VIEW", None),
    ("Product List Filtered", "Product List Viewed", "PAGE_VIEW", None),
    ("Products Searched", "Products Searched", "PAGE_VIEW", None),
    ("Product Viewed", "Product Page Viewed", "PAGE_VIEW", None),
    ("Product Viewed", "Product Viewed", "PRODUCT_VIEW", None),
    ("Product Added", "Product Added", "BASKET_OPERATIONS", "add"),
    ("Wishlist Product Added to Cart", "Product Added", "BASKET_OPERATIONS", "add"),
    ("Product Removed", "Product Removed", "BASKET_OPERATIONS", "remove"),
    ("Cart Viewed", "Cart Viewed", "CHECKOUT", "basket"),
    ("Checkout Started", "Checkout Started", "CHECKOUT", "customer"),
    ("Checkout Step Viewed", "Checkout Step", "CHECKOUT", "payment"),
    ("Checkout Step Completed", "Checkout Step", "CHECKOUT", "payment"),
    ("Payment Info Entered", "Payment Info Entered", "CHECKOUT", "payment"),
    ("Order Completed", "Order Completed", "CHECKOUT", "purchase"),
    ("identify", "Identify", "USER_OPERATIONS", "update"),
    ("Signed Up", "Signed Up", "USER_OPERATIONS", "signup"),
    ("Signed In", "Signed In", "USER_OPERATIONS", "signin"),
    ("Logged In", "Signed In", "USER_OPERATIONS", "signin"),
    ("Signed Out", "Signed Out", "USER_OPERATIONS", "signout"),
    ("Logged Out", "Signed Out", "USER_OPERATIONS", "signout"),
    ("Product Clicked", "Product Clicked", "CUSTOM_EVENT", None),
    ("Promotion Viewed", "Promotion Viewed", "CUSTOM_EVENT", None),
    ("Promotion Clicked", "Promotion Clicked", "CUSTOM_EVENT", None),
    ("Form Submitted", "Form Submitted", "CUSTOM_EVENT", None),
    ("Order Updated", "Other Events", "CUSTOM_EVENT", None),
    ("Order Refunded", "Other Events", "CUSTOM_EVENT", None),
    ("Order Cancelled", "Other Events", "CUSTOM_EVENT", None),
    ("Coupon Applied", "Other Events", "CUSTOM_EVENT", None),
    ("Product Added to Wishlist", "Other Events", "CUSTOM_EVENT", None),
    ("Product Shared", "Other Events", "CUSTOM_EVENT", None),
    ("Product Reviewed", "Other Events", "CUSTOM_EVENT", None),
    ("Size Guide Opened", "Other Events", "CUSTOM_EVENT", None),
    ("alias", "Alias", "USER_CHANGE", None),
]
"""Segment's event, the preset that takes it, the vendor's event and its step."""


def example_of(event: str, preset: str) -> dict[str, Any]:
    """Give the example event by that name or type."""
    for example in shipped("segmentify").preset(preset).examples:
        if event in (example.event.get("event"), example.event["type"]):
            return example.event
    raise AssertionError(f"{preset} has no example of {event}")


def made(event: dict[str, Any], *, every: bool = False) -> list[dict[str, Any]]:
    """Give all that is sent for an event, in order."""
    events = []
    for preset in (every_preset("segmentify") if every else AS_SHIPPED).matching(event):
        for mapped in preset.payloads(event):
            prepared = SEGMENTIFY.prepare(preset.action, mapped.payload)
            if isinstance(prepared, Prepared):
                events.append(orjson.loads(prepared.body))
    return events


@pytest.mark.parametrize(("event", "preset", "name", "step"), ROWS)
def test_every_row_has_an_example(event: str, preset: str, name: str, step: str | None) -> None:
    """It matches its preset, and becomes the vendor's event with its step."""
    example = example_of(event, preset)
    compiled = preset_named("segmentify", preset)
    assert compiled.matches(example)
    prepared = SEGMENTIFY.prepare(compiled.action, compiled.payloads(example)[0].payload)
    assert isinstance(prepared, Prepared)
    sent = orjson.loads(prepared.body)
    assert (name, step) == (sent["name"], sent.get("step"))


@pytest.mark.parametrize("kind", ["group", "alias"])
def test_some_calls_are_not_for_segmentify(kind: str) -> None:
    """Group never is, alias only on request."""
    event = {"type": kind, "userId": "u", "groupId": "g", "previousId": "a", "messageId": "m"}
    assert [] == list(AS_SHIPPED.matching(event))


def test_a_product_view_brings_its_page_first() -> None:
    """Both in one request."""
    events = made(example_of("Product Viewed", "Product Viewed"))
    assert ["PAGE_VIEW", "PRODUCT_VIEW"] == [event["name"] for event in events]
    payloads = [Payload(1, n, "m", e["name"], "preset", orjson.dumps(e)) for n, e in enumerate(events)]
    request = SEGMENTIFY.request(Batch(tuple(payloads)))
    assert events == orjson.loads(request.body)


def guards(event: dict[str, Any]) -> list[tuple[str, Any]]:
    """Give action and key of each guarded payload."""
    return [
        (preset.action, mapped.once_key)
        for preset in AS_SHIPPED.matching(event)
        for mapped in preset.payloads(event)
        if mapped.once_key is not None
    ]


def test_a_page_and_its_product_count_as_one_view() -> None:
    """The page call and Product Viewed of one address share a guard; another address has another."""
    context = {"page": {"url": "https://shop.example/p/1"}}
    shared = {"visitor": {"key": "a"}, "anonymousId": "a", "context": context}
    page = {**shared, "type": "page", "name": "Product"}
    viewed = {**shared, "type": "track", "event": "Product Viewed", "properties": {}}
    assert 1 == len(guards(page))
    assert guards(page) == guards(viewed)
    elsewhere = {**page, "context": {"page": {"url": "https://shop.example/p/2"}}}
    assert guards(page) != guards(elsewhere)
    assert [] == guards({**page, "context": {}})
    within = preset_named("segmentify", "Page Viewed").once_within
    assert within == preset_named("segmentify", "Product Page Viewed").once_within
    assert within is not None
    assert 10 == within.total_seconds()


@pytest.mark.parametrize(("word", "expected"), [("Product", False), ("Home", True), ("Anything", True)])
def test_a_page_of_another_kind_keeps_no_product_page_back(word: str, expected: bool) -> None:
    """It gives way to the product page of the same address, but not the other way round."""
    event = {"type": "page", "name": word, "anonymousId": "a"}
    preset = preset_named("segmentify", "Page Viewed")
    prepared = SEGMENTIFY.prepare("PAGE_VIEW", preset.payloads(event)[0].payload)
    assert isinstance(prepared, Prepared)
    assert expected == prepared.yields


def test_the_plan_knows_which_claims_yield() -> None:
    """From the vendor's word to the guard's claim."""
    route = Route("segmentify", SEGMENTIFY, AS_SHIPPED, frozenset({"web"}), ("Segmentify",))

    def yields(**event: Any) -> list[bool]:
        document = {"anonymousId": "a", "messageId": "m", "context": {"page": {"url": "https://a"}}, **event}
        stored = Stored(1, 0, "web", "m", datetime(2026, 11, 20, tzinfo=UTC), document)
        return [owed.claim.yields for owed in plan(route, stored).owed if owed.claim is not None]

    assert [True] == yields(type="page", name="Anything")
    assert [False] == yields(type="page", name="Product")
    assert [False] == yields(type="track", event="Product Viewed", properties={"product_id": "p"})


def test_an_order_counts_once_whoever_reports_it() -> None:
    """By its id alone, for 30 days; other checkout steps and orders without an id are not guarded."""
    browser = {"type": "track", "event": "Order Completed", "anonymousId": "a", "visitor": {"key": "a"}}
    server = {"type": "track", "event": "Completed Order", "userId": "u", "visitor": {"key": "u"}}
    first = guards({**browser, "properties": {"order_id": "o1"}})
    assert 1 == len(first)
    assert first == guards({**server, "properties": {"orderId": "o1"}})
    assert [] == guards({**browser, "properties": {}})
    assert [] == guards({**browser, "event": "Checkout Started", "properties": {"order_id": "o1"}})
    within = preset_named("segmentify", "Order Completed").once_within
    assert within is not None
    assert 30 == within.days


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"anonymousId": "a", "userId": "u", "visitor": {"anonymousId": "b"}}, "a"),
        ({"userId": "u", "visitor": {"anonymousId": "b"}}, "b"),
        ({"userId": "u", "visitor": {}}, "u"),
    ],
)
def test_the_visitor_never_changes_at_sign_in(event: dict[str, Any], expected: str) -> None:
    """The browser's id, the one last seen with the user, and only then the user."""
    (sent,) = made({**event, "type": "track", "event": "Signed In"})
    assert expected == sent["userId"]


@pytest.mark.parametrize(
    ("integrations", "context", "expected"),
    [
        ({"Segmentify": {"sessionId": "mine"}}, {"sessionId": "app"}, "mine"),
        ({"Segmentify": True}, {"sessionId": "app"}, "app"),
        ({}, {}, "facts"),
    ],
)
def test_which_session(integrations: Any, context: Any, expected: str) -> None:
    """The sender's for Segmentify, the app's, then the one we keep."""
    event = {"type": "page", "anonymousId": "a", "visitor": {"sessionId": "facts"}, "messageId": "m"}
    assert expected == made({**event, "integrations": integrations, "context": context})[0]["sessionId"]


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"device": {"type": "ios"}}, "IOS"),
        ({"device": {"type": "Android"}}, "ANDROID"),
        ({"device": {"type": "tablet"}}, "TABLET"),
        ({"app": {"name": "Shop"}, "os": {"name": "Android"}}, "ANDROID"),
        ({"app": {"name": "Shop"}, "os": {"name": "iPadOS"}}, "IOS"),
        ({"os": {"name": "Android"}, "userAgent": "(Linux; Android 14) Mobile"}, "MOBILE"),
        ({"os": {"name": "iOS"}}, "PC"),
        ({"device": {"type": "toaster"}, "userAgent": "(iPad; CPU OS 12_5)"}, "TABLET"),
    ],
)
def test_which_device(context: Any, expected: str) -> None:
    """An app's by its device or system, a browser's by its user agent."""
    assert expected == made({"type": "screen", "anonymousId": "a", "context": context})[0]["device"]


def test_payment_without_a_basket_is_left_out() -> None:
    """The event carries no products, and nobody remembers any."""
    event = {"type": "track", "event": "Payment Info Entered", "anonymousId": "a", "visitor": {"key": "a"}}
    preset = preset_named("segmentify", "Payment Info Entered")
    assert Skipped("no_basket") == SEGMENTIFY.prepare("CHECKOUT", preset.payloads(event)[0].payload)


def test_an_anonymous_identify_is_left_out() -> None:
    """It names nobody."""
    event = {"type": "identify", "anonymousId": "a", "traits": {"plan": "gold"}, "visitor": {"key": "a"}}
    preset = preset_named("segmentify", "Identify")
    assert Skipped("no_username") == SEGMENTIFY.prepare("USER_OPERATIONS", preset.payloads(event)[0].payload)


def test_a_search_goes_in_two_forms_on_request() -> None:
    """The page always, the SDKs' event beside it with its preset on."""
    event = {
        "type": "track",
        "event": "Products Searched",
        "anonymousId": "a",
        "properties": {"query": "red"},
    }
    assert ["PAGE_VIEW"] == [sent["name"] for sent in made(event)]
    assert ["PAGE_VIEW", "SEARCH"] == [sent["name"] for sent in made(event, every=True)]
    assert {"query": "red"} == made(event)[0]["params"]
