"""Segment's events to the tag's commands through the shipped presets: every row of the vendor's tables."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from crossdock.destinations.base import Prepared, Skipped
from crossdock.destinations.sharpspring_ads import SharpSpringAds
from crossdock.event import integrations_verdict
from crossdock.mapping.compiled import compile_file
from tests.destinations.contract import every_preset, preset_named, shipped

ADS = SharpSpringAds()
EVERYTHING = SharpSpringAds(page_events=True, track_list_products=True)

ROWS = {
    "any track not below": ["Any Event", "Order Updated"],
    "Product Viewed": ["Product Viewed", "Product Viewed, its product"],
    "Product Added, Wishlist Product Added to Cart": ["Product Added", "Product Added, its product"],
    "Cart Viewed, Checkout Started": [
        "Cart Viewed, Checkout Started",
        "Cart Viewed, Checkout Started, their products",
    ],
    "Product List Viewed": ["Product List Viewed", "Product List Viewed, its products"],
    "Order Completed": ["Order Completed"],
    "Order Refunded / Cancelled": ["Order Refunded, Order Cancelled"],
    "page_events: named page": ["Page Viewed"],
}
"""The rows of the vendor's event table, and the presets that make them; what is missing makes no command."""


def track(event: str, properties: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Make a track call as it stands in the journal."""
    call = {"type": "track", "event": event, "messageId": "m1", "anonymousId": "anon"}
    return {**call, "properties": properties or {}, **fields}


def commands(event: dict[str, Any], ads: SharpSpringAds = EVERYTHING) -> list[Any]:
    """Give the commands of an event, in order."""
    told = []
    for preset in every_preset("sharpspring_ads").matching(event):
        for mapped in preset.payloads(event):
            prepared = ads.prepare(preset.action, mapped.payload)
            if isinstance(prepared, Prepared):
                told.append(orjson.loads(prepared.body)["cmd"])
            else:
                assert isinstance(prepared, Skipped), prepared
    return told


def test_every_row_has_an_example() -> None:
    """And no preset stands for none of them."""
    presets = {preset.name: preset for preset in shipped("sharpspring_ads").presets}
    listed = [name for named in ROWS.values() for name in named]
    assert sorted(presets) == sorted(listed)
    assert [] == [row for row, named in ROWS.items() if not any(presets[name].examples for name in named)]


def test_every_event_of_a_row_has_an_example() -> None:
    """Also where one preset takes several."""
    shown = {
        example.event.get("event")
        for preset in shipped("sharpspring_ads").presets
        for example in preset.examples
    }
    named = {
        *("Product Viewed", "Product Added", "Wishlist Product Added to Cart", "Cart Viewed"),
        *("Checkout Started", "Product List Viewed", "Order Completed", "Order Refunded", "Order Cancelled"),
    }
    assert set() == named - shown


def test_all_presets_are_on() -> None:
    """What is off waits for a setting, so that one switch is enough."""
    assert len(shipped("sharpspring_ads").presets) == len(compile_file(shipped("sharpspring_ads")).presets)


ITEMS = [{"product_id": "p1"}, {"productId": "p2"}, {"id": "p3"}, {"sku": "p4"}, {"product_id": "p1"}]
FOUR = [["trackProduct", f"p{n}"] for n in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (track("Anything", {"id": "x", "price": 5}), [["track", "Anything"]]),
        (track("Anything", {"order_id": "o", "orderId": "p"}), [["track", "Anything", {"orderId": "o"}]]),
        (
            track("Anything", {"orderId": "o", "total": 5, "revenue": 4, "value": 3}),
            [["track", "Anything", {"orderId": "o", "revenue": 5}]],
        ),
        (track("Anything", {"revenue": 4, "value": 3}), [["track", "Anything", {"revenue": 4}]]),
        (track("Anything", {"value": 3}), [["track", "Anything"]]),
        (track("Anything", {"total": 0, "revenue": 4}), [["track", "Anything"]]),
        (
            track("Product Viewed", {"product_id": "p1", "id": "x", "revenue": 5, "order_id": "o"}),
            [["track", "Product Viewed"], ["trackProduct", "p1"]],
        ),
        (track("Product Viewed", {}), [["track", "Product Viewed"]]),
        (track("Viewed Product", {"id": 7}), [["track", "Viewed Product"], ["trackProduct", "7"]]),
        (track("Product Viewed", {"products": ITEMS}), [["track", "Product Viewed"], *FOUR]),
        (
            track("Product Added", {"sku": "p1", "cart_id": "c"}),
            [["track", "Product Added"], ["trackProduct", "p1"]],
        ),
        (track("Added Product", {"id": "p1"}), [["track", "Added Product"], ["trackProduct", "p1"]]),
        (
            track("Wishlist Product Added to Cart", {"product_id": "p1"}),
            [["track", "Wishlist Product Added to Cart"], ["trackProduct", "p1"]],
        ),
        (track("Product Added to Wishlist", {"product_id": "p1"}), [["track", "Product Added to Wishlist"]]),
        (track("Cart Viewed", {"id": "cart", "products": ITEMS}), [["track", "Cart Viewed"], *FOUR]),
        (
            track("Checkout Started", {"order_id": "o", "revenue": 9, "products": ITEMS[:1]}),
            [["track", "Checkout Started", {"orderId": "o", "revenue": 9}], FOUR[0]],
        ),
        (track("Started Order", {"value": 9}), [["track", "Started Order"]]),
        (track("Product List Viewed", {"products": ITEMS}), [["track", "Product List Viewed"], *FOUR]),
        (
            track("Order Completed", {"order_id": "o", "total": 9, "products": ITEMS}),
            [["track", "Order Completed", {"orderId": "o", "revenue": 9}]],
        ),
        (
            track("Completed Order", {"id": "o", "value": "$9"}),
            [["track", "Completed Order", {"orderId": "o", "revenue": 9}]],
        ),
        (track("Order Completed"), [["track", "Order Completed"]]),
        (
            track("Order Completed", {"order_id": "a@b.example", "total": 9}),
            [["track", "Order Completed", {"revenue": 9}]],
        ),
        (track("Order Updated", {"id": "o"}), [["track", "Order Updated", {"orderId": "o"}]]),
        (track("Order Refunded", {"order_id": "o", "total": 9}), [["track", "Order Refunded"]]),
        (track("Order Cancelled", {"order_id": "o", "revenue": 9}), [["track", "Order Cancelled"]]),
        ({"type": "page", "name": "Home", "anonymousId": "anon"}, [["track", "Viewed Home Page"]]),
        ({"type": "page", "anonymousId": "anon"}, []),
        ({"type": "page", "name": "", "anonymousId": "anon"}, []),
        ({"type": "screen", "name": "Home", "anonymousId": "anon"}, []),
        ({"type": "identify", "traits": {}, "anonymousId": "anon"}, []),
        ({"type": "group", "groupId": "g", "anonymousId": "anon"}, []),
        ({"type": "alias", "previousId": "p", "userId": "u"}, []),
    ],
)
def test_which_event_becomes_which_commands(event: dict[str, Any], told: list[Any]) -> None:
    """In this order, and nothing beside them."""
    assert told == commands(event)


def test_pages_and_lists_wait_for_their_settings() -> None:
    """As they stand, neither pages nor the products of lists are told of."""
    assert [] == commands({"type": "page", "name": "Home", "anonymousId": "anon"}, ADS)
    assert [["track", "Product List Viewed"]] == commands(
        track("Product List Viewed", {"products": ITEMS}), ADS
    )


def test_a_cart_tells_of_so_many_products() -> None:
    """Of different ones: repeats do not count."""
    items = [{"product_id": f"p{n // 2}"} for n in range(100)]
    told = commands(track("Cart Viewed", {"products": items}))
    assert ["track", "Cart Viewed"] == told[0]
    assert [["trackProduct", f"p{n}"] for n in range(20)] == told[1:]


def test_without_a_browser_nothing_is_queued() -> None:
    """A user's id opens no mailbox; a browser seen with that user does."""
    server = track("Order Completed", {"order_id": "o"}, anonymousId=None, userId="u")
    assert [] == commands(server)
    known = {**server, "visitor": {"anonymousId": "anon"}}
    assert [["track", "Order Completed", {"orderId": "o"}]] == commands(known)


def test_one_order_is_told_once() -> None:
    """Browser and server may each report it, with the id as a number or a text."""
    preset = preset_named("sharpspring_ads", "Order Completed")
    keys = {
        preset.payloads(track("Order Completed", told))[0].once_key
        for told in ({"order_id": "17"}, {"orderId": 17}, {"id": "17", "total": 5})
    }
    assert ['["17"]'] == list(keys)
    assert None is preset.payloads(track("Order Completed"))[0].once_key


@pytest.mark.parametrize("name", ["Perfect Audience", "SharpSpring Ads", "All"])
def test_senders_can_switch_it_off(name: str) -> None:
    """By either name of the vendor, or for all destinations."""
    assert integrations_verdict({"integrations": {name: False}}, SharpSpringAds.segment_names)
