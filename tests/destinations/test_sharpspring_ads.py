"""SharpSpring Ads as a destination: exact commands, what is left out of them, and whose they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from crossdock.destinations import load, names
from crossdock.destinations.base import Payload, Posted, Prepared, Rejected, Skipped
from crossdock.destinations.sharpspring_ads import SharpSpringAds
from tests.destinations.contract import MailboxContract

ADS = SharpSpringAds()


class TestContract(MailboxContract):
    """What every destination with a mailbox promises."""

    destination = SharpSpringAds(
        page_events=True, track_list_products=True, visitor_token_secret="a secret of our own"
    )


def test_the_folder_is_the_registry() -> None:
    """The file's name is the vendor's name in settings."""
    assert "sharpspring_ads" in names()
    assert load("sharpspring_ads") is SharpSpringAds


def made(payload: dict[str, Any], action: str = "track", ads: SharpSpringAds = ADS) -> Any:
    """Give the command of a payload, or why there is none."""
    prepared = ads.prepare(action, {"visitor": "anon", "event": "Bought", **payload})
    return orjson.loads(prepared.body)["cmd"] if isinstance(prepared, Prepared) else prepared


def dropped(payload: dict[str, Any], ads: SharpSpringAds = ADS) -> tuple[str, ...]:
    """Give what was left out of a payload."""
    prepared = ads.prepare("track", {"visitor": "anon", "event": "Bought", **payload})
    assert isinstance(prepared, Prepared)
    return prepared.dropped


@pytest.mark.parametrize(
    ("payload", "command"),
    [
        ({}, ["track", "Bought"]),
        ({"orderId": "o-1", "revenue": 20}, ["track", "Bought", {"orderId": "o-1", "revenue": 20}]),
        ({"orderId": "o-1"}, ["track", "Bought", {"orderId": "o-1"}]),
        ({"orderId": 17, "revenue": 0.5}, ["track", "Bought", {"orderId": "17", "revenue": 0.5}]),
        ({"orderId": 17.0}, ["track", "Bought", {"orderId": "17"}]),
        ({"revenue": "$1,234.50"}, ["track", "Bought", {"revenue": 1234.5}]),
        ({"revenue": " 12 "}, ["track", "Bought", {"revenue": 12.0}]),
        ({"event": " Odd  Name "}, ["track", " Odd  Name "]),
        ({"event": "ünïcode"}, ["track", "ünïcode"]),
    ],
)
def test_commands_are_exact(payload: dict[str, Any], command: list[Any]) -> None:
    """The name as it is, and an order only where there is something to tell of it."""
    assert command == made(payload)
    assert () == dropped(payload)


@pytest.mark.parametrize(
    ("payload", "left_out"),
    [
        ({"orderId": "jane@shop.example"}, ("orderId",)),
        ({"orderId": {"a": 1}}, ("orderId",)),
        ({"orderId": True}, ("orderId",)),
        ({"orderId": " "}, ("orderId",)),
        ({"revenue": 0}, ("revenue",)),
        ({"revenue": -5}, ("revenue",)),
        ({"revenue": "free"}, ("revenue",)),
        ({"revenue": "1.234,50"}, ("revenue",)),
        ({"revenue": "12,50"}, ("revenue",)),
        ({"revenue": float("nan")}, ("revenue",)),
        ({"revenue": float("inf")}, ("revenue",)),
        ({"revenue": True}, ("revenue",)),
        ({"revenue": [1], "orderId": []}, ("orderId", "revenue")),
    ],
)
def test_what_the_tag_would_misread_is_left_out(payload: dict[str, Any], left_out: tuple[str, ...]) -> None:
    """And named, so that it is counted; the event goes all the same, without an empty object."""
    assert left_out == dropped(payload)
    assert ["track", "Bought"] == made(payload)


@pytest.mark.parametrize(
    ("currency", "told"),
    [("EUR", True), (" eur", True), (None, True), ("", True), (7, True), ("USD", False)],
)
def test_revenue_in_another_currency_is_left_out(currency: Any, told: bool) -> None:
    """The tag takes no currency: dollars would count as euros."""
    ads = SharpSpringAds(account_currency="eur")
    assert (() if told else ("revenue",)) == dropped({"revenue": 5, "currency": currency}, ads)
    assert () == dropped({"revenue": 5, "currency": currency})


@pytest.mark.parametrize(
    ("payload", "action", "outcome"),
    [
        ({"visitor": None}, "track", Skipped("no_visitor")),
        ({"visitor": "  "}, "track", Skipped("no_visitor")),
        ({"visitor": {}}, "trackProduct", Skipped("no_visitor")),
        ({"visitor": "x" * 257}, "track", Rejected("visitor: longer than 256 characters")),
        ({"event": None}, "track", Rejected("event: not a name")),
        ({"event": 7}, "track", Rejected("event: not a name")),
        ({"event": " "}, "track", Rejected("event: not a name")),
        ({"page": True}, "track", Skipped("page_events_off")),
        ({"list": True, "productId": "p"}, "trackProduct", Skipped("track_list_products_off")),
        ({"productId": " "}, "trackProduct", Skipped("no_product")),
        ({"productId": "p", "place": 20}, "trackProduct", Skipped("max_products")),
    ],
)
def test_what_makes_no_command(payload: dict[str, Any], action: str, outcome: Any) -> None:
    """Each is counted under its reason."""
    assert outcome == made(payload, action)


def test_half_an_emoji_refuses_one_payload() -> None:
    """It has no place in JSON."""
    assert isinstance(made({"event": "\ud83d"}), Rejected)


def test_names_are_mapped_and_filtered() -> None:
    """Goals are compared letter by letter: `event_map` renames, `allowed_events` keeps out the rest."""
    ads = SharpSpringAds(event_map={"Bought": "purchase"}, allowed_events=["Seen"])
    assert ["track", "purchase"] == made({}, ads=ads)
    assert ["track", "Seen"] == made({"event": "Seen"}, ads=ads)
    assert Skipped("filtered") == made({"event": "seen"}, ads=ads)
    assert ["trackProduct", "p"] == made({"productId": "p"}, "trackProduct", ads)
    assert ["track", "Other"] == made({"event": "Other"}, ads=SharpSpringAds(event_map={"Bought": "x"}))


def test_switches_open_pages_and_lists() -> None:
    """Both are off unless asked for."""
    ads = SharpSpringAds(page_events=True, track_list_products=True, max_products=2)
    assert ["track", "Viewed Home Page"] == made({"event": "Viewed Home Page", "page": True}, ads=ads)
    assert ["trackProduct", "p"] == made({"list": True, "productId": "p", "place": 1}, "trackProduct", ads)
    assert Skipped("max_products") == made({"productId": "p", "place": 2}, "trackProduct", ads)


@pytest.mark.parametrize(("product", "told"), [("p-1", "p-1"), (4711, "4711"), (4711.0, "4711")])
def test_a_product_is_one_id(product: Any, told: str) -> None:
    """As text, whatever the shop's own type for it is."""
    assert ["trackProduct", told] == made({"productId": product, "place": 0}, "trackProduct")


def test_a_payload_goes_to_its_visitors_mailbox() -> None:
    """What tells of an order or revenue goes last where the mailbox is full."""

    def posted(payload: dict[str, Any]) -> Posted:
        prepared = ADS.prepare("track", {"visitor": "anon", "event": "Bought", **payload})
        assert isinstance(prepared, Prepared)
        return ADS.posted(Payload(1, 0, "m", "track", "preset", prepared.body))

    assert Posted("anon", b'["track","Bought"]', precious=False) == posted({})
    assert Posted("anon", b'["track","Bought",{"revenue":5}]', precious=True) == posted({"revenue": 5})


def test_the_terms_of_the_mailbox() -> None:
    """A hundred commands, a day, and a token only where there is a secret."""
    terms = ADS.mailbox_terms()
    assert (100, timedelta(days=1), None) == (terms.capacity, terms.ttl, terms.token_secret)
    ads = SharpSpringAds(ttl_seconds=60, visitor_token_secret="a secret of our own")
    assert timedelta(minutes=1) == ads.mailbox_terms().ttl
    assert b"a secret of our own" == ads.mailbox_terms().token_secret


def test_the_probe_asks_for_the_tag() -> None:
    """Only where the account is known: nothing else can be asked."""
    assert None is ADS.probe()
    request = SharpSpringAds(site_id="0123456789abcdef01234567", base_url="http://localhost:9/").probe()
    assert request is not None
    expected = ("GET", "http://localhost:9/serve/0123456789abcdef01234567.js")
    assert expected == (request.method, request.url)


def test_an_operator_is_warned() -> None:
    """The platform announced its end, and nothing can tell whether anybody still listens."""
    assert "cannot be verified" in SharpSpringAds.caution
    assert "15 August 2024" in SharpSpringAds.caution


@pytest.mark.parametrize(
    "settings",
    [
        {"account_currency": "euro"},
        {"ttl_seconds": 0},
        {"max_products": -1},
        {"site_id": "not-24-hex"},
        {"base_url": "tag.perfectaudience.com"},
        {"visitor_token_secret": "short"},
        {"api_key": "there is none"},
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    """At start, not with the first event."""
    with pytest.raises(ValidationError):
        SharpSpringAds(**settings)
