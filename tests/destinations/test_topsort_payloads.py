"""What `Topsort.prepare` lets pass, mends, leaves out, skips and rejects (topsort-api-v2.yml)."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson
import pytest

from crossdock.destinations.base import Prepared, Rejected, Skipped
from crossdock.destinations.topsort import Topsort

TOPSORT = Topsort(api_key="key")
COMMON = {"id": "m1", "occurredAt": "2026-11-20T10:00:00.123Z", "opaqueUserId": "anon"}
CLICK = {**COMMON, "resolvedBidId": "bid"}
LINE = {"productId": "p1", "unitPrice": 9.5, "quantity": 2, "vendorId": "v1"}


def sent(
    payload: Any, action: str = "click", topsort: Topsort = TOPSORT
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Give what goes to Topsort, and the names of what was left out."""
    prepared = topsort.prepare(action, payload)
    assert isinstance(prepared, Prepared), prepared
    return orjson.loads(prepared.body), prepared.dropped


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("click", {**CLICK, "clickType": "add-to-cart"}),
        ("impression", {**COMMON, "entity": {"type": "vendor", "id": "v"}, "channel": "instore"}),
        ("click", {**CLICK, "resolvedBidId": "b" * 239}),
        (
            "impression",
            {
                **CLICK,
                "deviceType": "mobile",
                "channel": "onsite",
                "additionalAttribution": {"type": "product", "id": "p"},
                "placement": {
                    "path": "/c",
                    "position": 1,
                    "page": 2,
                    "pageSize": 24,
                    "productId": "p",
                    "categoryIds": ["c"],
                    "searchQuery": "q",
                },
                "page": {"type": "PDP", "pageId": "p", "value": "p"},
                "object": {"type": "listing", "clickType": "like"},
                "externalCampaignId": "c",
                "externalVendorId": "v",
                "dsp_metadata": {"gclid": "g"},
            },
        ),
        ("purchase", {**COMMON, "items": [LINE, {"productId": "p2", "unitPrice": 0.01}]}),
        ("pageview", {**COMMON, "page": {"type": "cart", "pageId": "cart", "value": ["p1", "p2"]}}),
    ],
)
def test_a_legal_payload_is_sent_as_it_is(action: str, payload: dict[str, Any]) -> None:
    """Nothing is added to, or taken from, what the schema allows."""
    assert (payload, ()) == sent(payload, action)


@pytest.mark.parametrize(
    ("field", "bad", "dropped"),
    [
        ("deviceType", "tv", "deviceType"),
        ("channel", "app", "channel"),
        ("clickType", "purchase", "clickType"),
        ("additionalAttribution", {"type": "user", "id": "u"}, "additionalAttribution"),
        ("additionalAttribution", {"type": "product"}, "additionalAttribution"),
        ("placement", {"position": 3}, "placement"),
        ("placement", "top", "placement"),
        ("page", {"type": "landing", "pageId": "x"}, "page"),
        ("page", {"type": "home"}, "page"),
        ("object", {"type": "video"}, "object"),
        ("externalCampaignId", {"id": 1}, "externalCampaignId"),
        ("externalVendorId", [], None),
        ("dsp_metadata", "gclid", "dsp_metadata"),
        ("order_id", "o1", "order_id"),
    ],
)
def test_a_bad_optional_field_is_left_out_and_named(field: str, bad: Any, dropped: str | None) -> None:
    """One bad value must not cost the event, nor its 199 neighbours."""
    assert (CLICK, (dropped,) if dropped else ()) == sent({**CLICK, field: bad})


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("position", 0),
        ("position", True),
        ("page", -1),
        ("pageSize", 2.5),
        ("pageSize", 2**60),
        ("productId", {}),
        ("categoryIds", "c"),
        ("categoryIds", [{"id": 1}]),
        ("searchQuery", ["q"]),
        ("slot", 1),
    ],
)
def test_a_bad_field_of_a_placement_leaves_the_placement(field: str, bad: Any) -> None:
    """Only a placement without a path goes as a whole."""
    dropped = () if bad == {} else (f"placement.{field}",)
    expected = {**CLICK, "placement": {"path": "/c"}}
    assert (expected, dropped) == sent({**CLICK, "placement": {"path": "/c", field: bad}})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"deviceType": "Desktop"}, {"deviceType": "desktop"}),
        ({"channel": " OnSite "}, {"channel": "onsite"}),
        ({"clickType": "add_to_cart"}, {"clickType": "add-to-cart"}),
        (
            {"object": {"type": "listing", "clickType": "add_to_cart"}},
            {"object": {"type": "listing", "clickType": "add-to-cart"}},
        ),
        ({"object": {"type": "listing", "assetId": "a"}}, {"object": {"type": "listing"}}),
        ({"placement": {"path": "/c", "position": "3"}}, {"placement": {"path": "/c", "position": 3}}),
        (
            {"placement": {"path": "/c", "categoryIds": ["", 7, None]}},
            {"placement": {"path": "/c", "categoryIds": ["7"]}},
        ),
        ({"resolvedBidId": 42}, {"resolvedBidId": "42"}),
        ({"placement": {}, "page": None, "channel": " "}, {}),
        ({"occurredAt": "2026-11-20T10:00:00"}, {"occurredAt": "2026-11-20T10:00:00+00:00"}),
        ({"occurredAt": "2026-11-20 10:00+02:00"}, {"occurredAt": "2026-11-20T10:00:00+02:00"}),
        ({"occurredAt": "2028-02-29T00:00:00+05:30"}, {"occurredAt": "2028-02-29T00:00:00+05:30"}),
        (
            {"dsp_metadata": {"a": "x", "n": 42, "t": True, "o": {"k": [1]}, "z": None}},
            {"dsp_metadata": {"a": "x", "n": "42", "t": "true", "o": '{"k":[1]}'}},
        ),
        ({"dsp_metadata": {"z": None}}, {}),
    ],
)
def test_what_means_a_legal_value_becomes_one(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Spelling, blanks and numbers as text are mended; an unknown detail of an open object just goes."""
    mended, _ = sent({**CLICK, **given})
    assert {**CLICK, **expected} == mended


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": None}, "id: missing"),
        ({"id": {"a": 1}}, "id: not a value Topsort takes"),
        ({"opaqueUserId": " "}, "opaqueUserId: missing"),
        ({"occurredAt": None}, "occurredAt: missing"),
        ({"occurredAt": "yesterday"}, "occurredAt: not an RFC 3339 time with offset"),
        ({"occurredAt": "2026-02-30T10:00:00Z"}, "occurredAt: not an RFC 3339 time with offset"),
        ({"occurredAt": 1_700_000_000}, "occurredAt: not an RFC 3339 time with offset"),
    ],
)
def test_a_required_field_that_is_bad_rejects_the_payload(change: dict[str, Any], reason: str) -> None:
    """The reason names the field and says what is wrong."""
    assert Rejected(reason) == TOPSORT.prepare("click", {**CLICK, **change})


@pytest.mark.parametrize("payload", [None, "text", [CLICK], 3])
def test_what_is_no_object_is_rejected(payload: Any) -> None:
    """A mapping may yield anything; nothing of it raises."""
    assert Rejected("payload: not an object") == TOPSORT.prepare("click", payload)


@pytest.mark.parametrize("action", ["impression", "click"])
@pytest.mark.parametrize("extra", [{}, {"resolvedBidId": " "}, {"entity": {"type": "product"}}])
def test_neither_bid_nor_entity_is_skipped(action: str, extra: dict[str, Any]) -> None:
    """OpenAPI's prose demands one of the two; such an event is no error of anyone."""
    assert Skipped("no_bid_or_entity") == TOPSORT.prepare(action, {**COMMON, **extra})


def test_an_entity_beside_a_bid_is_left_out() -> None:
    """OpenAPI: the entity is ignored when resolvedBidId is set; this is nothing to count."""
    assert (CLICK, ()) == sent({**CLICK, "entity": {"type": "product", "id": "p"}})


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        (
            {"additionalAttribution": {"type": "vendor", "id": "v", "utm_1": 1}, "slot": 1},
            "additionalAttribution.*",
        ),
        ({"dsp_metadata": {"gclid": "g", "utm_2": float("nan")}}, None),
        ({"page": {"type": "home", "pageId": "h", "utm_3": 1}, "slot": 1}, "page.*"),
    ],
)
def test_names_of_what_is_left_out_are_few(extra: dict[str, Any], named: str | None) -> None:
    """They are counted by name, so keys that a sender invents are not among them."""
    _, dropped = sent({**CLICK, **extra})
    assert ({named, "slot"} if named else set()) == set(dropped)


def test_half_an_emoji_never_raises() -> None:
    """The door mends such text; what comes another way is rejected with a reason."""
    outcome = TOPSORT.prepare("click", {**CLICK, "dsp_metadata": {"a": "\ud83d"}})
    assert isinstance(outcome, Rejected)
    assert "UTF-8" in outcome.reason


def test_organic_events_can_be_dropped() -> None:
    """With `organic: drop` only what won an auction is sent."""
    topsort = Topsort(api_key="key", organic="drop")
    organic = {**COMMON, "entity": {"type": "product", "id": "p"}}
    assert Skipped("organic") == topsort.prepare("click", organic)
    assert (CLICK, ()) == sent(CLICK, topsort=topsort)


def test_dsp_metadata_can_be_switched_off() -> None:
    """The OpenAPI does not know the field, so an account may refuse it."""
    topsort = Topsort(api_key="key", dsp_metadata=False)
    assert (CLICK, ()) == sent({**CLICK, "dsp_metadata": {"gclid": "g"}}, topsort=topsort)


@pytest.mark.parametrize(
    ("line", "kept", "dropped"),
    [
        ({**LINE, "unitPrice": 0}, False, "items.unitPrice"),
        ({**LINE, "unitPrice": -1}, False, "items.unitPrice"),
        ({**LINE, "unitPrice": None}, False, "items.unitPrice"),
        ({**LINE, "unitPrice": "free"}, False, "items.unitPrice"),
        ({**LINE, "unitPrice": True}, False, "items.unitPrice"),
        ({**LINE, "productId": ""}, False, "items.productId"),
        ({**LINE, "quantity": 0}, False, "items.quantity"),
        ({**LINE, "quantity": -2}, False, "items.quantity"),
        ({**LINE, "quantity": "some"}, True, "items.quantity"),
        ({**LINE, "coupon": "X"}, True, "items.coupon"),
        ("p1", False, "items"),
    ],
)
def test_an_order_line_that_topsort_would_refuse_goes_alone(line: Any, kept: bool, dropped: str) -> None:
    """A line without product, price or quantity is left out; a bad detail of it goes by itself."""
    expected, names = sent({**COMMON, "items": [line, {"productId": 2, "unitPrice": "3.50"}]}, "purchase")
    assert ["p1", "2"] if kept else ["2"] == [item["productId"] for item in expected["items"]]
    assert (dropped,) == names


@pytest.mark.parametrize("items", [None, [], "p1", [{"productId": "p1", "unitPrice": 0}], [{}]])
def test_an_order_without_a_line_left_is_skipped(items: Any) -> None:
    """Topsort answers `no_purchase_items` to an empty list, and stores none of the neighbours."""
    assert Skipped("no_items") == TOPSORT.prepare("purchase", {**COMMON, "items": items})


def test_nothing_but_items_is_legal_on_a_purchase() -> None:
    """OpenAPI refuses bid ids, entities and order ids on purchases."""
    extra = {
        "resolvedBidId": "b",
        "entity": {"type": "product", "id": "p"},
        "order_id": "o",
        "currency": "EUR",
    }
    body, dropped = sent({**COMMON, "items": [LINE], **extra}, "purchase")
    assert {**COMMON, "items": [LINE]} == body
    assert tuple(extra) == dropped


@pytest.mark.parametrize("page", [None, {"type": "home"}, {"type": "landing", "pageId": "x"}])
def test_a_pageview_needs_its_page(page: Any) -> None:
    """Here the page is what it is about."""
    outcome = TOPSORT.prepare("pageview", {**COMMON, "page": page})
    assert isinstance(outcome, Rejected)
    assert outcome.reason.startswith("page")


def test_only_a_cart_has_a_list_of_values() -> None:
    """The value of any other page is one text, so a list goes and the page stays."""
    page = {"type": "search", "pageId": "s"}
    assert ({**COMMON, "page": page}, ("page.value",)) == sent(
        {**COMMON, "page": {**page, "value": ["a", "b"]}}, "pageview"
    )


def test_a_long_id_becomes_a_uuid_made_of_it() -> None:
    """The same event gives the same id on every retry, and another event another one."""
    long = "x" * 129
    assert str(uuid5(NAMESPACE_URL, long)) == sent({**CLICK, "id": long})[0]["id"]
    assert "x" * 128 == sent({**CLICK, "id": "x" * 128})[0]["id"]


@pytest.mark.parametrize("mail", ["jo@shop.example", " Jo@Shop.Example "])
def test_an_email_never_leaves_in_the_clear(mail: str) -> None:
    """Whatever the setting, an id that looks like an e-mail is hashed, trimmed and in lower case."""
    digest = sha256(b"jo@shop.example").hexdigest()
    for how in ("verbatim", "sha256"):
        topsort = Topsort(api_key="key", opaque_user_id=how)
        assert digest == sent({**CLICK, "opaqueUserId": mail}, topsort=topsort)[0]["opaqueUserId"]


def test_other_ids_are_hashed_only_on_request() -> None:
    """The id must equal the one the site sends to auctions."""
    hashing = Topsort(api_key="key", opaque_user_id="sha256")
    assert "a@b" == sent({**CLICK, "opaqueUserId": "a@b"})[0]["opaqueUserId"]
    assert sha256(b"anon").hexdigest() == sent(CLICK, topsort=hashing)[0]["opaqueUserId"]
