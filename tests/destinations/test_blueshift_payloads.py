"""What `Blueshift.prepare` lets pass, mends, leaves out, skips and rejects."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson
import pytest

from crossdock.destinations.base import Prepared, Rejected, Skipped
from crossdock.destinations.blueshift import Blueshift

BLUESHIFT = Blueshift(event_api_key="e", user_api_key="u")
WHO = {"customer_id": "user-1"}
UUID = "1f0c8e1a-7d1e-4cbe-8a1f-0f6ae3b4c001"
COOKIE = "0b54ff3c-55d2-4a60-8c8c-5d1c2f7d8e01"


def sent(
    payload: Any, action: str = "view", blueshift: Blueshift = BLUESHIFT
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Give what is sent, but for the event's name and customer, and the names of what was left out."""
    prepared = blueshift.prepare(action, {**WHO, **payload})
    assert isinstance(prepared, Prepared), prepared
    made = orjson.loads(prepared.body)
    known = {"event": action, **WHO}
    return {key: value for key, value in made.items() if known.get(key) != value}, prepared.dropped


def named(name: Any, **settings: Any) -> str | Rejected:
    """Give the name a custom event gets."""
    outcome = Blueshift(event_api_key="e", **settings).prepare("custom", {**WHO, "event": name})
    if isinstance(outcome, Rejected):
        return outcome
    assert isinstance(outcome, Prepared)
    return str(orjson.loads(outcome.body)["event"])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Custom Events", "Custom_Events"),
        (" Foo ", "Foo"),
        ("a . b\t\n c..d", "a_b_c_d"),
        ("Step 2 Done", "Step_2_Done"),
        ("12", "event_12"),
        ("2.5", "event_2_5"),
        ("-3", "event_-3"),
        ("1e5", "event_1e5"),
        ("v2", "v2"),
        ("Purchase", "Purchase"),
        ("x" * 64, "x" * 64),
        ("Größe geändert", "Größe_geändert"),
    ],
)
def test_names_are_normalised(given: str, expected: str) -> None:
    """Blanks and dots become one line each, case stays, a number gets a word before it."""
    assert expected == named(given)


def test_a_long_name_is_rejected_or_cut() -> None:
    """Cut, it ends in a digest of the whole, so that two long names stay two."""
    refused = named("x" * 65)
    assert Rejected("event: missing, or longer than 64 characters", "event_name") == refused
    cut = {named("x" * 65, long_names="truncate"), named("x" * 66, long_names="truncate")}
    assert 2 == len(cut)
    assert {64} == {len(str(name)) for name in cut}
    assert {"x" * 55} == {str(name)[:55] for name in cut}


@pytest.mark.parametrize("name", [None, "", "  ", 7, ["a"]])
def test_what_is_no_name_is_rejected(name: Any) -> None:
    """An event without a name cannot be sent."""
    assert isinstance(named(name), Rejected)


@pytest.mark.parametrize("name", ["purchase", " identify ", "add to cart", "app_open", "subscription.start"])
def test_an_event_of_blueshifts_own_must_be_mapped(name: str) -> None:
    """A track call that happens to be called so would count as the real thing."""
    refused = named(name)
    assert isinstance(refused, Rejected)
    assert "system_event" == refused.code


@pytest.mark.parametrize(
    ("given", "expected", "dropped"),
    [
        ({"email": " jo@shop.example "}, {"email": "jo@shop.example"}, ()),
        ({"email": "nobody"}, {}, ("email",)),
        ({"email": "x" * 60 + "@a.co"}, {}, ("email",)),
        ({"email": ""}, {}, ()),
        ({"email": 7}, {}, ("email",)),
        ({"cookie": COOKIE, "anonymous_id": "anon"}, {"cookie": COOKIE}, ()),
        ({"cookie": "", "anonymous_id": COOKIE}, {"cookie": COOKIE}, ()),
        ({"cookie": {}, "anonymous_id": COOKIE}, {"cookie": COOKIE}, ("cookie",)),
        ({"anonymous_id": "anon"}, {"cookie": str(uuid5(NAMESPACE_URL, "anon"))}, ()),
        ({"anonymous_id": 7}, {"cookie": str(uuid5(NAMESPACE_URL, "7"))}, ()),
        ({"device_id": "d"}, {"device_id": "d"}, ()),
        ({"device_id": []}, {}, ("device_id",)),
        ({"group_id": 7}, {"group_id": "7"}, ()),
        ({"event_uuid": UUID}, {"event_uuid": UUID}, ()),
        ({"event_uuid": UUID.upper()}, {"event_uuid": UUID.upper()}, ()),
        ({"event_uuid": "f" * 36}, {"event_uuid": str(uuid5(NAMESPACE_URL, "f" * 36))}, ()),
        ({"event_uuid": "ajs-next-1"}, {"event_uuid": str(uuid5(NAMESPACE_URL, "ajs-next-1"))}, ()),
        ({"event_uuid": None}, {}, ()),
        ({"timestamp": "2020-12-14T13:35:34.034Z"}, {"timestamp": "2020-12-14T13:35:34.034000Z"}, ()),
        ({"timestamp": "2020-12-14T13:35:34+02:00"}, {"timestamp": "2020-12-14T11:35:34.000000Z"}, ()),
        ({"timestamp": "yesterday"}, {}, ("timestamp",)),
        ({"ip": 7, "url": "", "os_name": " "}, {"ip": "7"}, ()),
        ({"url": ["a"], "latitude": True}, {}, ("latitude", "url")),
        ({"latitude": 212.99333}, {"latitude": "212.99333"}, ()),
        ({"device_token": "t"}, {"device_token": "t", "device_tokens": "t"}, ()),
        ({"advertising_id": "A", "device_type": "tv"}, {"device_type": "tv"}, ()),
    ],
)
def test_who_when_and_where(
    given: dict[str, Any], expected: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    """Typed fields have their type or go; what goes is named."""
    made, names = sent(given)
    assert (expected, dropped) == (made, tuple(sorted(names)))


@pytest.mark.parametrize(("given", "expected"), [("x" * 64, True), ("x" * 128, True), ("x" * 129, False)])
def test_a_customer_id_has_at_most_128_characters(given: str, expected: bool) -> None:
    """The documents say 64 and 128: what lies between is sent."""
    outcome = BLUESHIFT.prepare("view", {"customer_id": given})
    assert expected == isinstance(outcome, Prepared)
    if not expected:
        assert Rejected("customer_id: longer than 128 characters", "customer_id_too_long") == outcome


@pytest.mark.parametrize(
    "payload",
    [{}, {"customer_id": " "}, {"group_id": "g"}, {"email": "no"}, {"attributes": {"customer_id": "x"}}],
)
@pytest.mark.parametrize("action", ["view", "identify", "group", "purchase"])
def test_an_event_about_nobody_is_skipped(action: str, payload: dict[str, Any]) -> None:
    """Blueshift answers 200 and loses it later; the name alone identifies nobody."""
    assert Skipped("no_identifier") == BLUESHIFT.prepare(action, payload)


def test_the_cookie_is_a_setting() -> None:
    """A real cookie is sent always; what an anonymousId becomes can be chosen."""
    off = Blueshift(event_api_key="e", cookie="off")
    verbatim = Blueshift(event_api_key="e", cookie="verbatim")
    assert Skipped("no_identifier") == off.prepare("view", {"anonymous_id": "anon"})
    assert ({"cookie": COOKIE}, ()) == sent({"cookie": COOKIE, "anonymous_id": "anon"}, blueshift=off)
    assert ({"cookie": "anon"}, ()) == sent({"anonymous_id": "anon"}, blueshift=verbatim)


def test_the_timestamp_is_a_setting() -> None:
    """The reference does not list it among what a request may hold."""
    silent = Blueshift(event_api_key="e", timestamp=False)
    assert ({}, ()) == sent({"timestamp": "2020-12-14T13:35:34.034Z"}, blueshift=silent)


def test_properties_lie_below_the_fields() -> None:
    """RudderStack lets them overwrite the checked name and the visitor."""
    attributes = {
        "event": "purchase",
        "customer_id": "intruder",
        "email": "intruder@shop.example",
        "timestamp": "now",
        "event_uuid": "u",
        "cookie": "c",
        "ip": "6.6.6.6",
        "_bsft_source": "segment.com",
        "nothing": None,
        "kept": {"deep": [None]},
        "zero": 0,
        "user_agent": 7,
    }
    made, dropped = sent({"ip": "::1", "attributes": attributes}, "pageload")
    assert {"ip": "::1", "kept": {"deep": [None]}, "zero": 0, "user_agent": "7"} == made
    assert ("timestamp", "event_uuid") == dropped
    assert {"customer_id": "intruder"}.items().isdisjoint(made.items())


@pytest.mark.parametrize("attributes", [None, [], "text", 7])
@pytest.mark.parametrize("action", ["view", "identify", "group"])
def test_properties_that_are_no_object_are_ignored(action: str, attributes: Any) -> None:
    """The door refuses them; a mapping may still yield anything."""
    prepared = BLUESHIFT.prepare(action, {**WHO, "attributes": attributes})
    assert isinstance(prepared, Prepared)


@pytest.mark.parametrize(
    ("groups", "expected", "dropped"),
    [
        ([{"id": "g", "subscribed": True}], [{"id": "g", "subscribed": True}], ()),
        ([{"id": 7, "subscribed": False}, {"id": "g"}, "g"], [{"id": "7", "subscribed": False}], ()),
        ([{"id": "g", "subscribed": "yes"}], None, ("subscription_groups",)),
        ({"id": "g"}, None, ("subscription_groups",)),
    ],
)
def test_subscription_groups_have_an_id_and_a_yes_or_no(
    groups: Any, expected: Any, dropped: tuple[str, ...]
) -> None:
    """What has not both goes."""
    for action in ("identify", "custom"):
        payload = {"attributes": {"subscription_groups": groups}} | (
            {"event": "x"} if action == "custom" else {}
        )
        made, names = sent(payload, action)
        assert (expected, dropped) == (made.get("subscription_groups"), names)


@pytest.mark.parametrize(
    ("product", "expected", "dropped"),
    [
        ({"price": "free", "quantity": "some"}, {}, ("price", "quantity")),
        ({"price": True, "quantity": 2.5}, {}, ("price", "quantity")),
        ({"price": "1e999"}, {}, ("price",)),
        ({"price": " 7 ", "quantity": "3"}, {"price": 7, "quantity": 3}, ()),
        ({"price": 0, "quantity": 0}, {"price": 0, "quantity": 0}, ()),
    ],
)
def test_amounts_are_numbers(
    product: dict[str, Any], expected: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    """Blueshift silently stores any other value as text."""
    assert (expected, dropped) == sent({"attributes": product}, "add_to_cart")
    made, names = sent({"attributes": {"products": [{"sku": "s", **product}]}}, "purchase")
    line = {"product_id": "s", "sku": "s", **expected}
    assert ([line], tuple(f"products.{name}" for name in dropped)) == (made["products"], names)


@pytest.mark.parametrize(
    ("products", "expected"),
    [([], None), ({"sku": "s"}, ["s"]), ("p", None), ([None, 7, {"sku": "s"}], ["s"]), ([{}], None)],
)
def test_products_are_a_list_of_objects(products: Any, expected: Any) -> None:
    """One object is a list of one; what is no product goes."""
    made, _ = sent({"attributes": {"products": products}}, "checkout")
    assert expected == ([one["sku"] for one in made["products"]] if "products" in made else None)


@pytest.mark.parametrize(
    ("traits", "expected", "dropped"),
    [
        ({"firstname": "Ann", "firstName": "Jo"}, {"firstname": "Ann"}, ()),
        ({"first_name": "Jo", "last_name": "Doe"}, {"firstname": "Jo", "lastname": "Doe"}, ()),
        ({"name": "Jo van Doe"}, {"name": "Jo van Doe", "firstname": "Jo", "lastname": "van Doe"}, ()),
        ({"name": "Jo"}, {"name": "Jo", "firstname": "Jo"}, ()),
        ({"firstName": False, "lastname": 7}, {"lastname": "7"}, ("firstname",)),
        ({"name": "Jo Doe", "lastName": "Roe"}, {"name": "Jo Doe", "lastname": "Roe"}, ()),
        ({"created_at": 1_700_000_000}, {"joined_at": "2023-11-14T22:13:20.000000Z"}, ()),
        ({"createdAt": 1_700_000_000_000}, {"joined_at": "2023-11-14T22:13:20.000000Z"}, ()),
        ({"createdAt": 1e300}, {}, ("joined_at",)),
        ({"joined_at": "2016-14-01"}, {"joined_at": "2016-14-01"}, ()),
        ({"phone": "+49 30 123-456"}, {"phone_number": "+4930123456"}, ()),
        ({"phone": "92374162212"}, {}, ("phone_number",)),
        ({"phone": "+0301234567"}, {}, ("phone_number",)),
        ({"phone": "+491"}, {}, ("phone_number",)),
        ({"phone_number": {}}, {}, ("phone_number",)),
        ({"gender": " M "}, {"gender": "male"}, ()),
        ({"gender": "Unknown"}, {"gender": "unknown"}, ()),
        ({"gender": "x"}, {}, ("gender",)),
        ({"address": "Bonn"}, {"address": "Bonn"}, ()),
        ({"id": "user-1", "anonymousId": "a"}, {}, ()),
        ({"id": "other"}, {"id": "other"}, ()),
        ({"unsubscribed": False, "tags": ["a"]}, {"unsubscribed": False, "tags": ["a"]}, ()),
        ({"latitude": 1.5}, {"latitude": "1.5"}, ()),
    ],
)
def test_traits_have_blueshifts_names(
    traits: dict[str, Any], expected: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    """In events and in the customers API alike."""
    assert (expected, dropped) == sent({"attributes": traits}, "identify")
    profiles = Blueshift(event_api_key="e", user_api_key="u", profile_api=True)
    assert (expected, dropped) == sent({"attributes": traits}, "identify", profiles)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"customer_id": "a", "bsft_new_customer_id": 7}, {"customer_id": "a", "bsft_new_customer_id": "7"}),
        (
            {"email": "jo@shop.example", "bsft_new_customer_id": "b"},
            {"email": "jo@shop.example", "bsft_new_customer_id": "b"},
        ),
        ({"customer_id": "a", "bsft_new_customer_id": "a"}, Skipped("same_customer")),
        ({"bsft_new_customer_id": "a"}, Skipped("no_identifier")),
        ({"customer_id": "a"}, None),
        ({"customer_id": "a", "bsft_new_customer_id": "x" * 129}, None),
        ({"customer_id": "x" * 129, "bsft_new_customer_id": "a"}, None),
    ],
)
def test_a_merge_has_two_customers(payload: dict[str, Any], expected: Any) -> None:
    """An old one, by id or address, and the new one."""
    outcome = BLUESHIFT.prepare("merge", payload)
    if isinstance(outcome, Prepared):
        assert expected == orjson.loads(outcome.body)
    else:
        assert (expected is None and isinstance(outcome, Rejected)) or expected == outcome


@pytest.mark.parametrize("payload", [None, "text", [WHO], 3])
def test_what_is_no_object_is_rejected(payload: Any) -> None:
    """A mapping may yield anything; nothing of it raises."""
    assert Rejected("payload: not an object") == BLUESHIFT.prepare("view", payload)


def test_what_cannot_be_written_is_rejected() -> None:
    """Half a surrogate pair is no text of JSON's."""
    outcome = BLUESHIFT.prepare("view", {**WHO, "attributes": {"a": "\ud800"}})
    assert isinstance(outcome, Rejected)
    assert "JSON" in outcome.reason
