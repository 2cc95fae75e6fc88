"""Segment's events to Vibetrace's calls through the shipped presets: what becomes what, and each field."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from crossdock.destinations.base import Batch, Payload, Prepared, Rejected, Skipped
from crossdock.destinations.vibetrace import Vibetrace
from crossdock.mapping.compiled import compile_file
from tests.destinations.contract import every_preset, shipped

ATTRIBUTES = {
    "plan": {"tag": "plan", "type": "string"},
    "visits": {"tag": "visits", "type": "integer"},
    "ratio": {"tag": "ratio", "type": "float"},
    "vip": {"tag": "vip", "type": "boolean"},
    "birthday": {"tag": "birthday", "type": "date"},
    "company.name": {"tag": "company", "type": "string"},
}
VIBETRACE = Vibetrace(api_key="k", legacy_events=True, account_id="acc", attributes=ATTRIBUTES)
QUIET = Vibetrace(api_key="k")
MISSING = object()
SESSION = {"Vibetrace": {"userId": "vu", "sessionId": "vs"}}
TIME = "2026-11-20T10:00:00.000Z"


def track(event: str, properties: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Make a track call of somebody whose address is known."""
    return {
        "type": "track",
        "event": event,
        "messageId": "m1",
        "timestamp": TIME,
        "anonymousId": "anon",
        "properties": properties or {},
        "context": {"traits": {"email": "ann@shop.example"}},
        **fields,
    }


def identify(**traits: Any) -> dict[str, Any]:
    """Make an identify call."""
    return {"type": "identify", "messageId": "m1", "timestamp": TIME, "userId": "u-1", "traits": traits}


def become(event: dict[str, Any], vibetrace: Vibetrace = VIBETRACE) -> list[Any]:
    """Give what an event is prepared to, with every preset on."""
    return [
        vibetrace.prepare(preset.action, mapped.payload)
        for preset in every_preset("vibetrace").matching(event)
        for mapped in preset.payloads(event)
    ]


def body(event: dict[str, Any]) -> dict[str, Any]:
    """Give the one body that an event becomes."""
    (prepared,) = become(event)
    assert isinstance(prepared, Prepared), prepared
    found: dict[str, Any] = orjson.loads(prepared.body)
    return found


def attributes(event: dict[str, Any]) -> dict[str, Any]:
    """Give the attributes that an event puts."""
    found: dict[str, Any] = body(event)["attributes"]
    return found


# Every row of the event table: the events, the preset that takes them, and what Vibetrace is asked.
ROWS: list[tuple[tuple[str, ...], str | None, str | None]] = [
    (("identify",), "User Identified", "PUT upsert"),
    (("Signed Up",), "Signed Up", "PUT upsert"),
    (("Signed In",), "Signed In", "GET login"),
    (("Unsubscribed", "Email Unsubscribed", "Newsletter Unsubscribed"), "Unsubscribed", "PUT"),
    (("Subscribed", "Email Subscribed", "Newsletter Subscribed"), "Subscribed", "PUT upsert"),
    (("Email Marked as Spam",), "Email Marked as Spam", "PUT"),
    (("delete",), "User Deleted", "PUT"),
    (("Order Completed", "Completed Order"), "Order Completed", "POST"),
    (("Order Updated", "Updated Order", "Order Refunded", "Order Cancelled"), None, None),
    (("Product Viewed", "Viewed Product"), "Product Viewed", "GET viewitem"),
    (("Product List Viewed", "Viewed Product Category"), "Product List Viewed", "GET viewcategory"),
    (("Products Searched",), "Products Searched", "GET search"),
    (("Product Added", "Added Product"), "Product Added", "GET addtocart"),
    (
        ("Cart Viewed", "Checkout Started", "Checkout Step Viewed", "Checkout Step Completed"),
        "Checkout",
        "GET checkout",
    ),
    (("Product Added to Wishlist",), "Other Event", "GET product_added_to_wishlist"),
    (("Coupon Applied",), "Other Event", "GET coupon_applied"),
    (("page", "screen", "group", "alias", "Signed Out"), None, None),
]
EVENTS = [(name, preset, call) for names, preset, call in ROWS for name in names]
CALLS = ("identify", "page", "screen", "group", "alias", "delete")
FULL = {
    "order_id": "o-1",
    "cart_id": "c-1",
    "product_id": "p-1",
    "category": "Shoes",
    "query": "red",
    "first_name": "Ann",
    "total": 9,
    "products": [{"product_id": "p-1"}],
}


def call_of(name: str) -> dict[str, Any]:
    """Make a call of a type, or a track call of a name."""
    made = track(name, FULL)
    return {**made, "type": name, "traits": {"city": "Cluj"}} if name in CALLS else made


@pytest.mark.parametrize(("name", "preset", "call"), EVENTS)
def test_which_event_becomes_what(name: str, preset: str | None, call: str | None) -> None:
    """Each row of the table, as the request that Vibetrace gets."""
    event = call_of(name)
    found = every_preset("vibetrace").matching(event)
    assert ([preset] if preset else []) == [each.name for each in found]
    if call is None:
        return
    (prepared,) = become(event)
    assert isinstance(prepared, Prepared)
    payload = Payload(1, 0, "m1", found[0].action, "preset", prepared.body)
    request = VIBETRACE.request(Batch((payload,)))
    told = request.url.partition("/event/acc/")[2].partition("?")[0] if request.method == "GET" else ""
    upsert = "upsert" if "upsert=true" in request.url else ""
    assert call == " ".join(filter(None, (request.method, upsert, told)))


@pytest.mark.parametrize(("name", "preset"), [(name, preset) for name, preset, _ in EVENTS if preset])
def test_every_row_has_an_example(name: str, preset: str) -> None:
    """The mapping file shows, for each event of a row that is sent, what becomes of it."""
    examples = [each.event for each in shipped("vibetrace").preset(preset).examples if each.sends]
    assert name in {event["event"] if event["type"] == "track" else event["type"] for event in examples}


@pytest.mark.parametrize(("name", "preset", "call"), EVENTS)
def test_browsing_is_not_sent_unless_asked_for(name: str, preset: str | None, call: str | None) -> None:
    """It is counted under the name of the setting that would send it."""
    sent = [one if isinstance(one, Skipped) else "sent" for one in become(call_of(name), QUIET)]
    wanted = Skipped("legacy_events_off") if call and call.startswith("GET") else "sent"
    assert ([wanted] if call else []) == sent


def test_all_but_deletion_are_on() -> None:
    """A request to delete unsubscribes only where the operator asks for it."""
    on = {preset.name for preset in compile_file(shipped("vibetrace")).presets}
    assert {"User Deleted"} == {preset.name for preset in shipped("vibetrace").presets} - on


def test_a_switch_for_orders_and_one_for_complaints() -> None:
    """What is switched off is counted under its reason."""
    quiet = Vibetrace(api_key="k", send_orders=False, spam_unsubscribes=False)
    assert [Skipped("send_orders_off")] == become(call_of("Order Completed"), quiet)
    assert [Skipped("spam_unsubscribes_off")] == become(call_of("Email Marked as Spam"), quiet)


# Who.


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"traits": {"email": " Ann@Shop.Example "}}, "ann@shop.example"),
        ({"traits": {"email": "ann@shop.example"}, "userId": "b@shop.example"}, "ann@shop.example"),
        ({"properties": {"email": "ann@shop.example"}, "context": {}}, "ann@shop.example"),
        ({"context": {"traits": {"email": "ann@shop.example"}}}, "ann@shop.example"),
        ({"traits": {"email": "not one"}, "userId": "ann@shop.example"}, "ann@shop.example"),
        ({"traits": {"email": ["x"]}, "userId": "Ann@shop.example"}, "ann@shop.example"),
        ({"visitor": {"email": "ann@shop.example"}}, "ann@shop.example"),
        ({"userId": "b@shop.example", "visitor": {"email": "ann@shop.example"}}, "b@shop.example"),
        ({"userId": "u-1"}, None),
        ({"traits": {"email": "ann"}}, None),
        ({"traits": {"email": "ann@shop"}}, None),
        ({"traits": {"email": "ann@@shop.example"}}, None),
        ({"traits": {"email": "ann b@shop.example"}}, None),
        ({"traits": {"email": "ann@shop.example."}}, None),
        ({"traits": {"email": f"{'a' * 250}@shop.example"}}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("name", ["identify", "Unsubscribed", "Order Completed", "Product Viewed"])
def test_whom_it_is_about(name: str, fields: dict[str, Any], expected: str | None) -> None:
    """The first of the places that holds an address; without one nothing is sent."""
    event = {**call_of(name), "context": {}, **fields}
    event["traits"] = {"city": "Cluj", **event.get("traits", {})}
    event["properties"] = {**FULL, **event["properties"]}
    if expected is None:
        assert [Skipped("no_email")] == become(event)
    else:
        assert expected in orjson.dumps(body(event)).decode()


def test_an_address_that_changes_is_reported() -> None:
    """Vibetrace cannot rename: the new address is a user of its own."""
    event = identify(email="new@shop.example", city="Cluj")
    known = {"key": "anon", "email": "OLD@shop.example"}
    assert "cannot rename" in body({**event, "visitor": known})["note"]
    assert "cannot rename" in body({**event, "context": {"traits": {"email": "old@shop.example"}}})["note"]
    assert "note" not in body({**event, "visitor": {**known, "email": "NEW@shop.example"}})


def test_a_deletion_is_reported() -> None:
    """Somebody must erase the user by hand."""
    found = body({"type": "delete", "messageId": "m", "userId": "ann@shop.example"})
    assert {"isSubscribed": False} == found["attributes"]
    assert "dashboard" in found["note"]


# A user's fields.


@pytest.mark.parametrize(
    ("traits", "field", "expected"),
    [
        ({"isSubscribed": True}, "isSubscribed", True),
        ({"is_subscribed": "false"}, "isSubscribed", False),
        ({"subscribed": 1}, "isSubscribed", True),
        ({"newsletter": 0}, "isSubscribed", False),
        ({"marketing_opt_in": "TRUE"}, "isSubscribed", True),
        ({"newsletter": "1"}, "isSubscribed", True),
        ({"isSubscribed": False, "newsletter": True}, "isSubscribed", False),
        ({"newsletter": "yes"}, "isSubscribed", MISSING),
        ({"newsletter": 2}, "isSubscribed", MISSING),
        ({"newsletter": ["weekly"]}, "isSubscribed", MISSING),
        ({"newsletter": ""}, "isSubscribed", MISSING),
        ({}, "isSubscribed", MISSING),
        ({"gender": "M"}, "gender", "male"),
        ({"gender": "male"}, "gender", "male"),
        ({"gender": "F"}, "gender", "female"),
        ({"gender": "Female"}, "gender", "female"),
        ({"gender": "x"}, "gender", MISSING),
        ({"address": {"city": "Gent"}, "city": "Cluj"}, "city", "Gent"),
        ({"address": "a text"}, "city", "Cluj"),
        ({"address": {"country": "BE"}}, "country", "BE"),
        ({"country": "RO"}, "country", "RO"),
        ({"firstName": "Ann"}, "firstname", "Ann"),
        ({"first_name": " Ann "}, "firstname", "Ann"),
        ({"lastName": "Example"}, "lastname", "Example"),
        ({"last_name": "Example"}, "lastname", "Example"),
        ({"name": "Ann de  Vries"}, "firstname", "Ann"),
        ({"name": "Ann de  Vries"}, "lastname", "de  Vries"),
        ({"name": "Ann"}, "lastname", MISSING),
        ({"name": "Ann Other", "firstName": "Bea"}, "lastname", MISSING),
        ({"phone": 40700}, "tel", "40700"),
        ({"phone": "+40 700"}, "tel", "+40 700"),
        # The account's own attributes
        ({"plan": "gold"}, "plan", "gold"),
        ({"plan": 7}, "plan", "7"),
        ({"plan": True}, "plan", "true"),
        ({"plan": " "}, "plan", MISSING),
        ({"plan": {"a": 1}}, "plan", MISSING),
        ({"visits": 3}, "visits", 3),
        ({"visits": "3"}, "visits", 3),
        ({"visits": 3.0}, "visits", 3),
        ({"visits": 3.5}, "visits", MISSING),
        ({"visits": True}, "visits", MISSING),
        ({"ratio": "0.5"}, "ratio", 0.5),
        ({"ratio": "half"}, "ratio", MISSING),
        ({"vip": "true"}, "vip", True),
        ({"vip": "yes"}, "vip", MISSING),
        ({"birthday": "1990-05-01"}, "birthday", "1990-05-01"),
        ({"birthday": "1990-05-01T00:00:00+02:00"}, "birthday", "1990-05-01"),
        ({"birthday": "1990-05-01T23:00:00.000Z"}, "birthday", "1990-05-01"),
        ({"birthday": "01.05.1990"}, "birthday", MISSING),
        ({"birthday": 641520000}, "birthday", MISSING),
        ({"company": {"name": "Acme"}}, "company", "Acme"),
        ({"company.name": "Acme"}, "company", "Acme"),
        ({"company": "Acme"}, "company", MISSING),
        ({"shoe": "42"}, "shoe", MISSING),
        ({"score": 9}, "score", MISSING),
    ],
)
def test_fields_of_a_user(traits: dict[str, Any], field: str, expected: Any) -> None:
    """Each by its own rule; nothing that is not stated."""
    found = attributes(identify(**{"email": "a@b.co", "city": "Cluj", **traits}))
    assert expected == found.get(field, MISSING)


@pytest.mark.parametrize(
    ("traits", "dropped"),
    [
        ({"newsletter": "yes"}, ("isSubscribed",)),
        ({"city": {}}, ("city",)),
        ({"visits": "many", "birthday": 1}, ("attributes.visits", "attributes.birthday")),
    ],
)
def test_what_does_not_fit_is_counted(traits: dict[str, Any], dropped: tuple[str, ...]) -> None:
    """By its name; the rest goes."""
    (prepared,) = become(identify(email="a@b.co", country="RO", **traits))
    assert isinstance(prepared, Prepared)
    assert dropped == prepared.dropped


def test_nothing_to_say_is_not_sent() -> None:
    """An empty object must never be put."""
    assert [Skipped("no_attributes")] == become(identify(email="a@b.co"))
    assert [Skipped("no_attributes")] == become(identify(email="a@b.co", newsletter="perhaps"))


def test_old_traits_are_no_consent() -> None:
    """A phone sends the traits it remembers in the context: they must not undo an unsubscription."""
    event = {**identify(email="a@b.co", city="Cluj"), "context": {"traits": {"newsletter": True}}}
    assert {"city": "Cluj"} == attributes(event)
    del event["traits"]
    event["context"]["traits"] |= {"email": "a@b.co"}
    assert {"isSubscribed": True} == attributes(event)


@pytest.mark.parametrize(
    "event",
    [
        track("Signed Up", {"email": "a@b.co", "first_name": "Ann", "phone": "07", "plan": "gold"}),
        track(
            "Signed Up",
            context={"traits": {"email": "a@b.co", "firstName": "Ann", "phone": "07", "plan": "gold"}},
        ),
    ],
)
def test_a_sign_up_makes_a_user(event: dict[str, Any]) -> None:
    """Of its properties and of the traits beside it."""
    assert {"firstname": "Ann", "tel": "07", "plan": "gold"} == attributes(event)


def test_a_preset_may_not_invent_fields() -> None:
    """An attribute of the account belongs into the settings, where its type stands."""
    prepared = VIBETRACE.prepare("user", {"email": "a@b.co", "city": "Cluj", "shoe": 42})
    assert isinstance(prepared, Prepared)
    assert ("shoe",) == prepared.dropped


# Orders.


def ordered(
    properties: dict[str, Any] | None = None, traits: dict[str, Any] | None = None, **fields: Any
) -> Any:
    """Give what becomes of an order with these properties."""
    whole = {"order_id": "o-1", "total": 9.5, "products": [{"product_id": "p-1"}], **(properties or {})}
    context = {"traits": {"email": "ann@shop.example", **(traits or {})}}
    (prepared,) = become(track("Order Completed", whole, **{"context": context, **fields}))
    return prepared


def order_body(
    properties: dict[str, Any] | None = None, traits: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Give the body of that order."""
    prepared = ordered(properties, traits)
    assert isinstance(prepared, Prepared), prepared
    found: dict[str, Any] = orjson.loads(prepared.body)
    return found


def test_an_order_as_a_whole() -> None:
    """All that there is of one, in Vibetrace's words."""
    properties = {"currency": "ron", "shipping": "5", "coupon": "SPRING", "status": "paid", "phone": "07"}
    assert {
        "user": {"email": "ann@shop.example", "firstname": "Ann", "lastname": "de Vries", "tel": "07"},
        "event": {
            "confirmation": {
                "generic": {
                    "orderId": "o-1",
                    "total": 9.5,
                    "status": "paid",
                    "phone": "07",
                    "currency": "RON",
                    "coupons": ["SPRING"],
                    "total_shipping": 5,
                },
                "items": [{"id": "p-1", "quantity": 1}],
            }
        },
    } == order_body(properties, {"name": "Ann de Vries"})


@pytest.mark.parametrize(
    ("properties", "field", "expected"),
    [
        ({"order_id": 1002}, "orderId", "1002"),
        ({"order_id": None, "orderId": "x"}, "orderId", "x"),
        ({"total": "400.33"}, "total", 400.33),
        ({"total": 0}, "total", 0),
        ({"total": None, "value": 7}, "total", 7),
        ({"total": "free", "value": 7}, "total", 7),
        ({"total": None, "revenue": 0.1, "shipping": 0.2, "tax": "1"}, "total", 1.3),
        ({"total": None, "revenue": 8}, "total", 8),
        ({"total": None, "products": [{"sku": "s", "price": 0.1, "quantity": 3}]}, "total", 0.3),
        ({"total": None, "products": [{"sku": "s", "price": "2"}, {"id": "i"}]}, "total", 2),
        ({"currency": "eur"}, "currency", "EUR"),
        ({"currency": ["EUR"]}, "currency", MISSING),
        ({"shipping": "none"}, "total_shipping", MISSING),
        ({"coupon": ["A", " ", "B"]}, "coupons", ["A", "B"]),
        ({"coupon": ""}, "coupons", MISSING),
        ({"coupon": {"id": 1}}, "coupons", MISSING),
        ({"status": {}}, "status", MISSING),
        ({}, "status", MISSING),
        ({}, "phone", MISSING),
    ],
)
def test_fields_of_an_order(properties: dict[str, Any], field: str, expected: Any) -> None:
    """Each by its own rule."""
    assert expected == order_body(properties)["event"]["confirmation"]["generic"].get(field, MISSING)


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        ({"product_id": "FLV-GV 12", "id": "i", "sku": "s"}, {"id": "flv-gv_12", "quantity": 1}),
        ({"id": " I 1 ", "sku": "s"}, {"id": "i_1", "quantity": 1}),
        ({"sku": 15, "quantity": 2.0}, {"id": "15", "quantity": 2}),
        ({"sku": "s", "quantity": "2.5"}, {"id": "s", "quantity": 2.5}),
        ({"sku": "s", "quantity": "some"}, {"id": "s", "quantity": 1}),
        ({"sku": "s", "quantity": None}, {"id": "s", "quantity": 1}),
    ],
)
def test_items_of_an_order(product: dict[str, Any], expected: dict[str, Any]) -> None:
    """The feed's spelling of the id; one, where no number is said."""
    found = order_body({"products": [product]})["event"]["confirmation"]["items"]
    assert [expected] == found


def test_items_that_cannot_be_are_left_out() -> None:
    """They are counted, and the others go."""
    products = [{"name": "no id"}, {"sku": "a", "quantity": 0}, {"sku": "b", "quantity": -1}, {"sku": "c"}]
    prepared = ordered({"products": products})
    assert isinstance(prepared, Prepared)
    assert ("items[].id", "items[].quantity") == prepared.dropped
    assert b'"items":[{"id":"c","quantity":1}]' in prepared.body


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"order_id": None}, "order_id_missing"),
        ({"order_id": " "}, "order_id_missing"),
        ({"order_id": {}}, "order_id_missing"),
        ({"total": None}, "total_missing"),
        ({"products": []}, "no_items"),
        ({"products": None}, "no_items"),
        ({"products": [{"name": "x"}]}, "no_items"),
        ({"products": "p-1"}, "no_items"),
    ],
)
def test_an_order_without_its_essentials_is_refused(properties: dict[str, Any], code: str) -> None:
    """The same order would be refused again."""
    prepared = ordered(properties)
    assert isinstance(prepared, Rejected)
    assert code == prepared.code


def test_an_order_counts_once() -> None:
    """Guarded by its id, whoever reports it and however the id is written; without one there is no guard."""
    (preset,) = every_preset("vibetrace").matching(track("Order Completed"))
    keys = [
        preset.payloads(track("Order Completed", properties))[0].once_key
        for properties in ({"order_id": "7"}, {"orderId": 7}, {"order_id": "8"}, {})
    ]
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]
    assert keys[3] is None
    assert preset.once_within is not None
    assert 30 == preset.once_within.days


# The older events.


def older(event: dict[str, Any]) -> Any:
    """Give the events of one call, or why there is none."""
    (prepared,) = become(event)
    return orjson.loads(prepared.body)["data"] if isinstance(prepared, Prepared) else prepared


ANN = {"email": "ann@shop.example"}
BROWSER = {"userId": "vu", "sessionId": "vs"}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (track("Product Viewed", {"product_id": "P 1"}), [{"type": "viewitem", **ANN, "itemId": "p_1"}]),
        (
            track("Product List Viewed", {"category": "Red Shoes"}),
            [{"type": "viewcategory", **ANN, "category": "red_shoes"}],
        ),
        (track("Products Searched", {"query": " red "}), [{"type": "search", **ANN, "query": "red"}]),
        (
            track("Product Added", {"cart_id": "c", "sku": "S", "quantity": 2}),
            [{"type": "addtocart", **ANN, "cartId": "c", "itemId": "s"}] * 2,
        ),
        (
            track("Checkout Step Viewed", {"checkout_id": "k", "step": "2"}),
            [{"type": "checkout", **ANN, "cartId": "k", "step": 2}],
        ),
        (
            track("Checkout Started", {"order_id": "o"}, visitor={"basket": {"cart_id": "c"}}),
            [{"type": "checkout", **ANN, "cartId": "c"}],
        ),
        (track("Signed In", {"method": "link"}), [{"type": "login", **ANN, "source": "link"}]),
        (track("Promo: 3 Für 2!"), [{"type": "promo_3_f_r_2", **ANN}]),
        (
            track("Product Viewed", {"sku": "s"}, integrations=SESSION),
            [{"type": "viewitem", **BROWSER, "itemId": "s"}],
        ),
        (
            track("Product Viewed", {"sku": "s"}, integrations={"Vibetrace": {"userId": "vu"}}),
            [{"type": "viewitem", **ANN, "itemId": "s"}],
        ),
        (track("Signed In", integrations=SESSION), [{"type": "login", **ANN, "source": "segment"}]),
        (
            track(
                "Product Viewed",
                {"sku": "s"},
                integrations=SESSION,
                receivedAt="2026-11-20T22:00:01.000Z",
            ),
            [{"type": "viewitem", **ANN, "itemId": "s"}],
        ),
    ],
)
def test_older_events(event: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    """By the browser's own ids while its session of 12 hours lasts, else by address; one event a unit."""
    assert expected == older(event)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (track("Product Viewed"), Rejected("itemId: missing", "item_id_missing")),
        (track("Product List Viewed"), Rejected("category: missing", "category_missing")),
        (track("Products Searched", {"query": {"q": 1}}), Rejected("query: missing", "query_missing")),
        (track("Product Added", {"sku": "s"}), Skipped("no_cart_id")),
        (track("Product Added", {"cart_id": "c"}), Rejected("itemId: missing", "item_id_missing")),
        (track("Cart Viewed"), Skipped("no_cart_id")),
        (track("Confirmation"), Skipped("event_name_taken")),
        (track("Login"), Skipped("event_name_taken")),
        (
            track("★★★"),
            Rejected("type: the event's name holds no letter and no digit", "event_name"),
        ),
        (track("Signed In", context={}, integrations=SESSION), Skipped("no_email")),
    ],
)
def test_older_events_that_cannot_be(event: dict[str, Any], expected: Any) -> None:
    """What a type needs, and names that mean something else to Vibetrace."""
    assert expected == older(event)


@pytest.mark.parametrize(("quantity", "units"), [(0, 1), ("x", 1), (20, 20), (500, 20)])
def test_units_are_bounded(quantity: Any, units: int) -> None:
    """They must fit a URL."""
    assert units == len(older(track("Product Added", {"cart_id": "c", "sku": "s", "quantity": quantity})))


def test_what_does_not_fit_a_url_is_refused() -> None:
    """It would be refused again."""
    refused = older(track("Products Searched", {"query": "x" * 3000}))
    assert isinstance(refused, Rejected)
    assert "too_long" == refused.code


def test_an_order_of_a_visitor_without_an_address() -> None:
    """The browser's ids are enough for the older call, where it is asked for."""
    prepared = ordered(context={}, integrations=SESSION)
    assert isinstance(prepared, Prepared)
    assert {
        "type": "confirmation",
        "data": [
            {
                "type": "confirmation",
                **BROWSER,
                "items": [{"id": "p-1", "quantity": 1}],
                "generic": {"orderId": "o-1", "total": 9.5},
            }
        ],
    } == orjson.loads(prepared.body)
    request = VIBETRACE.request(Batch((Payload(1, 0, "m", "confirmation", "p", prepared.body),)))
    assert "GET" == request.method
    assert "https://app.vtcdn.net/event/acc/confirmation" == request.url.partition("?")[0]
