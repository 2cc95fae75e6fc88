"""Segment's fields to Topsort's through the shipped presets, and what peers get wrong there."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from crossdock.destinations.base import Prepared, Rejected, Skipped
from crossdock.destinations.topsort import Topsort
from crossdock.mapping.compiled import compile_file
from crossdock.mapping.preset import load_mapping
from tests.destinations.contract import every_preset, preset_named, shipped

TOPSORT = Topsort(api_key="key")
MISSING = object()


def track(event: str, properties: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Make a track call as it stands in the journal."""
    return {
        "type": "track",
        "event": event,
        "messageId": "m1",
        "timestamp": "2026-11-20T10:00:00.000Z",
        "anonymousId": "anon",
        "properties": {"product_id": "p1", "resolvedBidId": "bid"} if properties is None else properties,
        **fields,
    }


def sent(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Give what Topsort gets of an event with every preset on."""
    made = []
    for preset in every_preset("topsort").matching(event):
        for mapped in preset.payloads(event):
            prepared = TOPSORT.prepare(preset.action, mapped.payload)
            if isinstance(prepared, Prepared):
                made.append(orjson.loads(prepared.body))
            else:
                assert isinstance(prepared, Skipped), prepared
    return made


def clicked(**fields: Any) -> dict[str, Any]:
    """Give what becomes of a Product Clicked with these fields."""
    (click,) = sent(track("Product Clicked", **fields))
    return click


def placed(placement: Any = None, **properties: Any) -> dict[str, Any]:
    """Give the placement of a click on a page."""
    properties |= {"resolvedBidId": "b"} | ({"placement": placement} if placement is not None else {})
    return dict(clicked(properties=properties, context={"page": {"path": "/c"}})["placement"])


@pytest.mark.parametrize(
    ("event", "preset", "action"),
    [
        (track("Product Viewed"), "Product Viewed", "impression"),
        (track("Viewed Product"), "Product Viewed", "impression"),
        (track("Product Clicked"), "Product Clicked", "click"),
        (track("Clicked Product"), "Product Clicked", "click"),
        (track("Order Completed"), "Order Completed", "purchase"),
        (track("Completed Order"), "Order Completed", "purchase"),
        (track("Product List Viewed"), "Product List Viewed", "impression"),
        (track("Viewed Product Category"), "Product List Viewed", "impression"),
        (track("Product Added"), "Product Added", "click"),
        (track("Added Product"), "Product Added", "click"),
        (track("Banner Impression"), "Banner Impression", "impression"),
        (track("Banner Click"), "Banner Click", "click"),
        ({"type": "page"}, "Page Viewed", "pageview"),
        ({"type": "screen"}, "Page Viewed", "pageview"),
        ({"type": "identify"}, None, None),
        ({"type": "group"}, None, None),
        ({"type": "alias"}, None, None),
        (track("Product Removed"), None, None),
        (track("product clicked"), None, None),
    ],
)
def test_which_event_becomes_what(event: dict[str, Any], preset: str | None, action: str | None) -> None:
    """Names match exactly, version 1 names stand as aliases, and what has no preset is no error."""
    found = [(each.name, each.action) for each in every_preset("topsort").matching(event)]
    assert ([(preset, action)] if preset else []) == found


def test_three_presets_are_on() -> None:
    """The three that every Topsort shop needs; the others would count some shops' events twice."""
    on = [preset.name for preset in compile_file(shipped("topsort")).presets]
    assert ["Product Viewed", "Product Clicked", "Order Completed"] == on
    assert 8 == len(shipped("topsort").presets)


def test_a_shop_can_add_names_of_its_own() -> None:
    """A file that extends the shipped one states only what differs."""
    preset = "{name: Product Clicked, aliases: [Tile Tapped]}"
    text = f"destination: topsort\nextends: topsort\npresets:\n  - {preset}\n"
    mapping = compile_file(load_mapping(text))
    assert ["Product Clicked"] == [preset.name for preset in mapping.matching(track("Tile Tapped"))]


@pytest.mark.parametrize(
    ("fields", "field", "expected"),
    [
        # id and occurredAt
        ({}, "id", "m1"),
        ({}, "occurredAt", "2026-11-20T10:00:00.000Z"),
        (
            {"timestamp": None, "originalTimestamp": "2026-01-01T00:00:00Z"},
            "occurredAt",
            "2026-01-01T00:00:00Z",
        ),
        ({"timestamp": None, "receivedAt": "2026-01-01T00:00:00"}, "occurredAt", "2026-01-01T00:00:00+00:00"),
        # opaqueUserId: SEG and RS read only anonymousId, and lose server events
        ({}, "opaqueUserId", "anon"),
        ({"anonymousId": None, "userId": "u"}, "opaqueUserId", "u"),
        ({"anonymousId": "", "userId": 17}, "opaqueUserId", "17"),
        ({"anonymousId": None, "userId": "u", "visitor": {"anonymousId": "a"}}, "opaqueUserId", "a"),
        # resolvedBidId
        ({"properties": {"resolved_bid_id": "b"}}, "resolvedBidId", "b"),
        ({"properties": {"resolvedBidId": " ", "sku": "s"}}, "resolvedBidId", MISSING),
        # entity: only without a bid id
        ({}, "entity", MISSING),
        ({"properties": {"productId": "p"}}, "entity", {"type": "product", "id": "p"}),
        ({"properties": {"sku": 5}}, "entity", {"type": "product", "id": "5"}),
        ({"properties": {"entity": {"type": "vendor", "id": "v"}}}, "entity", {"type": "vendor", "id": "v"}),
        # deviceType: SEG's table is case sensitive and has no Android
        ({"context": {"device": {"type": "iOS"}}}, "deviceType", "mobile"),
        ({"context": {"device": {"type": "tablet"}}}, "deviceType", "mobile"),
        ({"context": {"device": {"type": "desktop"}}}, "deviceType", "desktop"),
        ({"context": {"device": {"type": "tv"}, "os": {"name": "Android"}}}, "deviceType", "mobile"),
        ({"context": {"os": {"name": "macOS"}}}, "deviceType", "desktop"),
        ({"context": {"os": {"name": "Tizen"}}}, "deviceType", MISSING),
        ({"context": {"userAgentData": {"mobile": True}}}, "deviceType", "mobile"),
        ({"context": {"userAgentData": {"mobile": False}}}, "deviceType", "desktop"),
        # channel and clickType
        ({"properties": {"sku": "s", "channel": "OffSite"}}, "channel", "offsite"),
        ({"properties": {"sku": "s", "channel": "app"}}, "channel", MISSING),
        ({"properties": {"sku": "s", "clickType": "add_to_cart"}}, "clickType", "add-to-cart"),
        ({"properties": {"sku": "s", "clickType": "image"}}, "clickType", MISSING),
        # what is passed on
        (
            {"properties": {"sku": "s", "additionalAttribution": {"type": "vendor", "id": "v"}}},
            "additionalAttribution",
            {"type": "vendor", "id": "v"},
        ),
        (
            {"properties": {"sku": "s", "additionalAttribution": {"type": "user", "id": "v"}}},
            "additionalAttribution",
            MISSING,
        ),
        ({"properties": {"sku": "s", "object": {"type": "listing"}}}, "object", {"type": "listing"}),
        ({"properties": {"sku": "s", "externalCampaignId": "c"}}, "externalCampaignId", "c"),
        ({"properties": {"sku": "s", "externalVendorId": "v"}}, "externalVendorId", "v"),
        # page: only if it is an object that says its type and id
        (
            {"properties": {"sku": "s", "page": {"type": "home", "pageId": "h"}}},
            "page",
            {"type": "home", "pageId": "h"},
        ),
        ({"properties": {"sku": "s", "page": {"type": "home"}}}, "page", MISSING),
        ({"properties": {"sku": "s", "page": 2}}, "page", MISSING),
        # dsp_metadata
        ({"properties": {"sku": "s", "dspMetadata": {"gclid": "g"}}}, "dsp_metadata", {"gclid": "g"}),
        (
            {"properties": {"sku": "s", "dsp_metadata": {"a": 42, "b": True, "c": None, "d": [1]}}},
            "dsp_metadata",
            {"a": "42", "b": "true", "d": "[1]"},
        ),
        ({"properties": {"sku": "s", "dsp_metadata": {}}}, "dsp_metadata", MISSING),
    ],
)
def test_fields_of_a_click(fields: dict[str, Any], field: str, expected: Any) -> None:
    """The first that is not empty wins; an illegal value leaves the field out."""
    assert expected == clicked(**fields).get(field, MISSING)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"properties": {"sku": "s", "placement": {"path": "/own"}}, "context": {"page": {"path": "/c"}}},
            "/own",
        ),
        ({"context": {"page": {"path": "/c"}}}, "/c"),
        ({"context": {"page": {"url": "https://shop.example/a/b?q=1#x"}}}, "/a/b"),
        ({"name": "Search"}, "/Search"),
        ({}, MISSING),
        ({"properties": {"sku": "s", "position": 3}}, MISSING),
    ],
)
def test_a_placement_needs_a_path(fields: dict[str, Any], expected: Any) -> None:
    """RS sends placements without one, which Topsort refuses; we then send none."""
    assert expected == clicked(**fields).get("placement", {}).get("path", MISSING)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"position": 3}, {"position": 3}),
        ({"position": "3"}, {"position": 3}),
        ({"position": 0}, {}),
        ({"position": 3, "placement": {"position": 5}}, {"position": 5}),
        ({"pageNumber": 2, "pageSize": 24}, {"page": 2, "pageSize": 24}),
        ({"page": "4"}, {"page": 4}),
        ({"category_id": "c"}, {"categoryIds": ["c"]}),
        ({"category_id": " "}, {}),
        ({"placement": {"categoryIds": ["a", "", "b"]}}, {"categoryIds": ["a", "b"]}),
        ({"query": "red shoes"}, {"searchQuery": "red shoes"}),
        ({"query": {"q": "red"}}, {}),
        ({"placement": {"searchQuery": "x", "productId": "p9"}}, {"searchQuery": "x", "productId": "p9"}),
        # RS fills in the tile's product: the field means the page's.
        ({"product_id": "p1"}, {}),
    ],
)
def test_fields_of_a_placement(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Position comes from the properties, where Segment's spec has it; SEG reads it elsewhere."""
    assert {"path": "/c", **expected} == placed(**given)


def test_an_event_about_nothing_is_skipped() -> None:
    """Neither a bid id nor a product."""
    assert [] == sent(track("Product Clicked", {"name": "Shoe"}))


def test_product_added_is_a_click_to_the_cart() -> None:
    """Unless the site says otherwise."""
    assert ["add-to-cart"] == [click["clickType"] for click in sent(track("Product Added"))]
    own = track("Product Added", {"sku": "s", "clickType": "like"})
    assert ["like"] == [click["clickType"] for click in sent(own)]


def test_a_list_is_mixed() -> None:
    """SEG refuses a list with one tile without a bid id, and gives all tiles the same id."""
    products = [
        {"product_id": "p1", "resolvedBidId": "b1"},
        {"name": "no id"},
        {"sku": "p3", "position": 9},
        "x",
    ]
    event = track(
        "Product List Viewed",
        {"resolvedBidId": "event's", "products": products},
        context={"page": {"path": "/c"}},
    )
    first, third = sent(event)
    assert ("m1:0", "b1", {"path": "/c", "position": 1}) == (
        first["id"],
        first["resolvedBidId"],
        first["placement"],
    )
    assert ("m1:2", {"type": "product", "id": "p3"}, 9) == (
        third["id"],
        third["entity"],
        third["placement"]["position"],
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"product_id": "p", "price": 9}, {"productId": "p", "unitPrice": 9.0}),
        ({"productId": 7, "price": "9.50"}, {"productId": "7", "unitPrice": 9.5}),
        ({"sku": "s", "price": 1, "quantity": 3}, {"productId": "s", "unitPrice": 1.0, "quantity": 3}),
        ({"sku": "s", "price": 1, "quantity": "many"}, {"productId": "s", "unitPrice": 1.0}),
        ({"sku": "s", "price": 1, "vendor_id": "v"}, {"productId": "s", "unitPrice": 1.0, "vendorId": "v"}),
        (
            {"sku": "s", "price": 1, "vendorId": "v", "brand": "b"},
            {"productId": "s", "unitPrice": 1.0, "vendorId": "v"},
        ),
        ({"sku": "s", "price": 1, "brand": "b"}, {"productId": "s", "unitPrice": 1.0, "vendorId": "b"}),
        ({"sku": "s", "price": 0}, None),
        ({"sku": "s"}, None),
        ({"price": 1}, None),
        ({"sku": "s", "price": 1, "quantity": 0}, None),
    ],
)
def test_order_lines(line: dict[str, Any], expected: dict[str, Any] | None) -> None:
    """A line Topsort would refuse is left out; the order with nothing left is skipped."""
    for properties in ({"order_id": "o", "products": [line]}, {"order_id": "o", **line}):
        orders = sent(track("Order Completed", properties))
        assert ([[expected]] if expected else []) == [order["items"] for order in orders]


def test_a_purchase_has_nothing_else() -> None:
    """RS adds bid ids and entities, which the OpenAPI refuses on purchases."""
    properties = {
        "order_id": "o",
        "currency": "EUR",
        "resolvedBidId": "b",
        "entity": {"type": "product", "id": "p"},
        "products": [{"sku": "s", "price": 1, "coupon": "X", "resolvedBidId": "b"}],
    }
    (order,) = sent(track("Order Completed", properties))
    assert {"id", "occurredAt", "opaqueUserId", "items"} == set(order)
    assert [{"productId": "s", "unitPrice": 1.0}] == order["items"]


@pytest.mark.parametrize(
    ("call", "page"),
    [
        ({"name": "Home", "properties": {"path": "/"}}, {"type": "home", "pageId": "/"}),
        ({"category": "Cart", "properties": {"path": "/k"}}, {"type": "cart", "pageId": "/k"}),
        ({"context": {"page": {"path": "/search"}}}, {"type": "search", "pageId": "/search"}),
        ({"context": {"page": {"path": "/products/p1"}}}, {"type": "PDP", "pageId": "/products/p1"}),
        ({"context": {"page": {"path": "/about"}}}, {"type": "other", "pageId": "/about"}),
        ({"type": "screen", "name": "Settings"}, {"type": "other", "pageId": "Settings"}),
        (
            {"properties": {"page": {"type": "PDP", "pageId": "p", "value": "v"}, "path": "/x"}},
            {"type": "PDP", "pageId": "p", "value": "v"},
        ),
        ({"properties": {"page": {"type": "landing"}, "path": "/x"}}, {"type": "other", "pageId": "/x"}),
    ],
)
def test_a_plain_page_call_is_a_pageview(call: dict[str, Any], page: dict[str, Any]) -> None:
    """SEG needs a page type that standard page calls do not have, so nearly all of them fail there."""
    event = {
        "type": "page",
        "messageId": "m",
        "timestamp": "2026-11-20T10:00:00Z",
        "anonymousId": "a",
        **call,
    }
    assert [page] == [view["page"] for view in sent(event)]


def once(event: dict[str, Any]) -> list[str | None]:
    """Give the keys of the guards an event meets."""
    found = every_preset("topsort").matching(event)
    return [mapped.once_key for preset in found for mapped in preset.payloads(event)]


def test_a_click_has_one_key_whoever_reports_it() -> None:
    """Product Clicked and Product Added of one visitor for one bid, within 10 seconds."""
    visitor = {"visitor": {"key": "anon"}}
    assert once(track("Product Clicked", **visitor)) == once(track("Product Added", **visitor))
    assert once(track("Product Clicked", **visitor)) != once(
        track("Product Clicked", visitor={"key": "other"})
    )
    assert [None] == once(track("Product Clicked"))
    assert {10.0} == {
        preset.once_within.total_seconds()
        for preset in every_preset("topsort").presets
        if preset.action == "click" and preset.once_within
    }


def test_a_purchase_has_one_key_whoever_reports_it() -> None:
    """The order id alone, without the visitor: browser and server know different ones."""
    line = {"sku": "s", "price": 1}
    browser = track("Order Completed", {"order_id": "o1", **line}, visitor={"key": "a"}, messageId="m1")
    server = track("Completed Order", {"orderId": "o1", **line}, visitor={"key": "b"}, messageId="m2")
    assert once(browser) == once(server) != [None]
    assert [None] == once(track("Order Completed", line))
    within = preset_named("topsort", "Order Completed").once_within
    assert within is not None
    assert 30 == within.days


def test_an_event_without_a_visitor_is_rejected() -> None:
    """With a reason that names the field."""
    (preset,) = every_preset("topsort").matching(track("Product Clicked"))
    (mapped,) = preset.payloads(track("Product Clicked", anonymousId=None))
    assert Rejected("opaqueUserId: missing") == TOPSORT.prepare("click", mapped.payload)
