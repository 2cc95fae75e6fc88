"""What `Segmentify.prepare` sends, mends, leaves out, skips and rejects."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from crossdock.destinations.base import Prepared, Rejected, Skipped
from crossdock.destinations.segmentify import Segmentify

NEEDED = {"api_key": "key", "origin": "https://shop.example", "base_url": "https://x.example"}
SEGMENTIFY = Segmentify(**NEEDED)
WHO = {"userId": "u", "sessionId": "s"}
PRODUCT = {
    **WHO,
    "productId": "p1",
    "title": "Shoe",
    "url": "https://shop.example/p/1",
    "image": "https://shop.example/i/1",
    "category": "Shoes",
    "price": 9.5,
}
LINE = {"productId": "p1", "price": 10, "quantity": 2}
CHECKOUT = {**WHO, "step": "basket", "totalPrice": {"total": 20}, "productList": [LINE]}
USER = {**WHO, "step": "update", "username": "jo"}
BASKET = {"productList": [LINE], "totalPrice": 21, "currency": "EUR", "cartUrl": "https://shop.example/cart"}


def sent(action: str, payload: Any, **settings: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Give what goes to Segmentify, and the names of what was left out."""
    prepared = Segmentify(**{**NEEDED, **settings}).prepare(action, payload)
    assert isinstance(prepared, Prepared), prepared
    return orjson.loads(prepared.body), prepared.dropped


def page(**fields: Any) -> dict[str, Any]:
    """Give the page view that comes of these fields."""
    return sent("PAGE_VIEW", {**WHO, **fields})[0]


class TestEveryEvent:
    """What all events have in common."""

    def test_least(self) -> None:
        """Name, visitor, session and a device are always there."""
        expected = {"name": "PAGE_VIEW", **WHO, "device": "PC", "category": "Other"}
        assert (expected, ()) == sent("PAGE_VIEW", WHO)

    @pytest.mark.parametrize("user", [None, "", " ", {}, True])
    def test_without_a_visitor_nothing_is_sent(self, user: Any) -> None:
        """Segmentify would refuse the whole request with NO_USERID."""
        assert Rejected("userId: missing") == SEGMENTIFY.prepare("PAGE_VIEW", {**WHO, "userId": user})

    def test_a_session_never_lacks(self) -> None:
        """Without one it is made of visitor and time slice: the same again on a retry, another one later."""

        def session(when: Any, **settings: Any) -> str:
            payload = {"userId": "u", "sessionId": None, "timestamp": when}
            return str(sent("PAGE_VIEW", payload, **settings)[0]["sessionId"])

        first = session("2026-11-20T10:00:00.000Z")
        assert first == session("2026-11-20T10:29:59.000Z") == session("2026-11-20T11:00:00+01:00")
        assert first != session("2026-11-20T10:30:00.000Z")
        assert first == session("2026-11-20T10:00:00.000Z", session_idle_seconds=1800)
        assert session("2026-11-20T23:00:00Z", session_idle_seconds=86_400) == session(
            "2026-11-20T01:00:00Z", session_idle_seconds=86_400
        )
        other = {"userId": "v", "timestamp": "2026-11-20T10:00:00.000Z"}
        assert first != sent("PAGE_VIEW", other)[0]["sessionId"]
        assert session("nonsense") == session(None)

    @pytest.mark.parametrize(
        ("fields", "expected", "dropped"),
        [
            ({"device": "IOS", "os": "ipados", "osversion": "17_2"}, ("IOS", "iOS", "17.2"), ()),
            ({"device": "watch"}, ("PC", None, None), ("device",)),
            ({"device": {}}, ("PC", None, None), ("device",)),
            ({"userAgent": "(Linux; Android 14) Mobile"}, ("MOBILE", "Android", "14"), ()),
            (
                {"userAgent": "(Linux; Android 14) Mobile", "device": "ANDROID"},
                ("ANDROID", "Android", "14"),
                (),
            ),
            ({"userAgent": "(Linux; Android 14) Mobile", "os": "Plan 9"}, ("MOBILE", "Other", None), ()),
            ({"userAgent": {}}, ("PC", None, None), ()),
        ],
    )
    def test_device_and_system(self, fields: Any, expected: Any, dropped: Any) -> None:
        """What the event tells wins over what its user agent does."""
        event, names = sent("PAGE_VIEW", {**WHO, **fields})
        assert (expected, dropped) == ((event["device"], event.get("os"), event.get("osversion")), names)

    def test_a_device_by_default(self) -> None:
        """For servers' events."""
        assert "MOBILE" == sent("PAGE_VIEW", WHO, default_device="MOBILE")[0]["device"]

    @pytest.mark.parametrize(("given", "expected"), [("safari", "Safari"), ("Lynx", None)])
    def test_a_browser_may_be_named(self, given: str, expected: str | None) -> None:
        """By a mapping of one's own."""
        assert expected == page(browser=given).get("browser")

    @pytest.mark.parametrize(
        ("given", "expected", "dropped"),
        [
            ("de-AT", "DE", ()),
            ("tr_TR", "TR", ()),
            ("en", "EN", ()),
            ("pl", None, ("lang",)),
            (7, None, ("lang",)),
        ],
    )
    def test_a_language_must_be_enabled(self, given: Any, expected: Any, dropped: Any) -> None:
        """Others are left out and counted."""
        event, names = sent("PAGE_VIEW", {**WHO, "lang": given})
        assert (expected, dropped) == (event.get("lang"), names)
        assert "PL" == sent("PAGE_VIEW", {**WHO, "lang": "pl"}, languages=["pl"])[0]["lang"]

    def test_tests_are_marked(self) -> None:
        """By the event or by the settings; never told as false."""
        assert page(testMode=True)["testMode"]
        assert sent("PAGE_VIEW", WHO, test_mode=True)[0]["testMode"]
        assert "testMode" not in page(testMode=False)

    def test_what_the_vendor_does_not_know_is_left_out(self) -> None:
        """`nextPage` among it: only a browser can defer an event."""
        payload = {**WHO, "nextPage": True, "basketId": "b", "currency": "euro", "referrer": ""}
        event, dropped = sent("PAGE_VIEW", payload)
        assert {"name", "userId", "sessionId", "device", "category"} == set(event)
        assert ("currency", "basketId", "nextPage") == dropped

    def test_broken_text_is_rejected(self) -> None:
        """JSON cannot carry half a character."""
        assert isinstance(SEGMENTIFY.prepare("PAGE_VIEW", {**WHO, "pageUrl": "\ud800"}), Rejected)


class TestPages:
    """PAGE_VIEW."""

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["Home"], "Home Page"),
            (["index"], "Home Page"),
            (["PDP"], "Product Page"),
            (["Shop", "Collection"], "Category Page"),
            (["plp"], "Category Page"),
            (["cart"], "Basket Page"),
            (["Checkout"], "Checkout Page"),
            (["search"], "Search Page"),
            (["Not Found"], "404 Page"),
            (["404"], "404 Page"),
            (["product page"], "Product Page"),
        ],
    )
    def test_words_name_a_page(self, words: list[str], expected: str) -> None:
        """The first that does decides, whatever its case."""
        assert expected == page(category=words)["category"]

    def test_then_the_path_then_the_name(self) -> None:
        """The expressions of the settings, the root, the name as given, the default."""
        rules = {"^/p/": "Product Page", "^/blog": "Blog"}

        def kind(**fields: Any) -> Any:
            return sent("PAGE_VIEW", {**WHO, **fields}, page_paths=rules)[0]["category"]

        assert "Product Page" == kind(category=["Shoe"], pageName="Shoe", path="/p/1")
        assert "Blog" == kind(path="/blog/p/1")
        assert "Basket Page" == kind(category=["Cart"], path="/p/1")
        assert "Home Page" == kind(path="/", pageName="Welcome")
        assert "Imprint" == kind(path="/imprint", pageName=" Imprint ")
        assert "Other" == kind(path="/imprint")
        assert "Misc" == sent("PAGE_VIEW", WHO, default_page_category="Misc")[0]["category"]

    def test_a_presets_own_word_stays(self) -> None:
        """Custom categories are allowed; ours are spelled as the vendor does."""
        assert "Landing" == page(category="Landing", path="/")["category"]
        assert "Product Page" == page(category="pdp")["category"]


class TestProducts:
    """PRODUCT_VIEW and BASKET_OPERATIONS."""

    def test_a_whole_product(self) -> None:
        """Nothing is added and nothing left out."""
        more = {
            "inStock": True,
            "mUrl": "https://m.shop.example/1",
            "imageXS": "https://shop.example/xs",
            "brand": "Acme",
            "oldPrice": 12,
            "gender": "U",
            "colors": ["red"],
            "sizes": ["42"],
            "labels": ["new"],
            "currency": "EUR",
        }
        event, dropped = sent("PRODUCT_VIEW", {**PRODUCT, **more})
        assert {"name": "PRODUCT_VIEW", "device": "PC", **PRODUCT, **more} == event
        assert () == dropped

    def test_what_lacks_is_named(self) -> None:
        """Six fields are mandatory; one with an illegal value lacks as well."""
        assert Rejected("PRODUCT_VIEW: missing title, image, price") == SEGMENTIFY.prepare(
            "PRODUCT_VIEW", {**PRODUCT, "title": "", "image": None, "price": "free"}
        )

    def test_a_partial_product_on_request(self) -> None:
        """The vendor's first sample has the id alone."""
        payload = {**WHO, "productId": 7, "price": "free"}
        event, dropped = sent("PRODUCT_VIEW", payload, partial_product_view=True)
        assert ({"name": "PRODUCT_VIEW", **WHO, "device": "PC", "productId": "7"}, ("price",)) == (
            event,
            dropped,
        )
        without = Segmentify(**NEEDED, partial_product_view=True)
        assert isinstance(without.prepare("PRODUCT_VIEW", {**PRODUCT, "productId": None}), Rejected)

    @pytest.mark.parametrize(
        ("fields", "expected", "dropped"),
        [
            ({"oldPrice": -1}, {}, ("oldPrice",)),
            ({"inStock": "soon"}, {}, ("inStock",)),
            ({"sizes": 42}, {"sizes": ["42"]}, ()),
            ({"colors": [{}]}, {}, ("colors",)),
            ({"category": ["Men", "Shoes"]}, {"category": "Men > Shoes"}, ()),
        ],
    )
    def test_a_bad_optional_field_is_left_out(self, fields: Any, expected: Any, dropped: Any) -> None:
        """And counted by name."""
        event, names = sent("PRODUCT_VIEW", {**PRODUCT, **fields})
        assert ({"name": "PRODUCT_VIEW", "device": "PC", **PRODUCT, **expected}, dropped) == (event, names)

    @pytest.mark.parametrize(
        ("given", "expected", "dropped"),
        [(None, 1, ()), (3, 3, ()), ("0.5", 0.5, ()), (0, 1, ("quantity",)), ("x", 1, ("quantity",))],
    )
    def test_a_basket_operation(self, given: Any, expected: Any, dropped: Any) -> None:
        """One piece, where the quantity does not tell."""
        payload = {**WHO, "step": "add", "productId": "p1", "quantity": given}
        event, names = sent("BASKET_OPERATIONS", payload)
        assert (expected, dropped) == (event["quantity"], names)

    def test_a_basket_operation_without_product_or_step(self) -> None:
        """A dead letter, as nobody can guess them."""
        assert Rejected("BASKET_OPERATIONS: missing productId") == SEGMENTIFY.prepare(
            "BASKET_OPERATIONS", {**WHO, "step": "add"}
        )
        assert isinstance(SEGMENTIFY.prepare("BASKET_OPERATIONS", {**WHO, "productId": "p"}), Rejected)


class TestCheckout:
    """CHECKOUT, with what the event tells or the visitor's last basket."""

    def test_lines(self) -> None:
        """One without a product goes; bad details go alone; a quantity is 1 where none is told."""
        lines = [{"productId": 7, "price": "9,50", "quantity": 0, "currency": "eur"}, {"price": 1}, "p1"]
        event, dropped = sent("CHECKOUT", {**CHECKOUT, "productList": lines})
        assert [{"productId": "7", "price": 9.5, "currency": "EUR", "quantity": 1}] == event["productList"]
        assert ("productList.quantity", "productList.productId") == dropped

    def test_the_sum_of_all_lines_is_a_total(self) -> None:
        """Only if each has a price: less would be a wrong amount."""
        lines = [{"productId": "a", "price": 0.1, "quantity": 3}, {"productId": "b", "price": 0.2}]
        assert 0.5 == sent("CHECKOUT", {**CHECKOUT, "totalPrice": {}, "productList": lines})[0]["totalPrice"]
        lines = [*lines, {"productId": "c"}]
        assert Rejected("CHECKOUT: missing totalPrice") == SEGMENTIFY.prepare(
            "CHECKOUT", {**CHECKOUT, "totalPrice": {}, "productList": lines}
        )

    def test_the_last_basket_stands_in(self) -> None:
        """The same details, only the step changes."""
        event, dropped = sent("CHECKOUT", {**WHO, "step": "payment", "basket": BASKET})
        expected = {**BASKET, "productList": [LINE], "step": "payment", "name": "CHECKOUT", "device": "PC"}
        assert ({**expected, **WHO}, ()) == (event, dropped)

    def test_the_event_wins_over_the_last_basket(self) -> None:
        """As far as it tells something; of a basket not used, nothing is taken."""
        own = {
            **WHO,
            "step": "payment",
            "totalPrice": {"total": 5},
            "currency": "USD",
            "cartUrl": "https://c",
        }
        event, _ = sent("CHECKOUT", {**own, "basket": BASKET})
        assert (5, "USD", "https://c") == (event["totalPrice"], event["currency"], event["cartUrl"])
        event, _ = sent("CHECKOUT", {**CHECKOUT, "totalPrice": {}, "basket": BASKET})
        assert 20 == event["totalPrice"]
        assert "cartUrl" not in event

    @pytest.mark.parametrize("basket", [None, {}, {"productList": []}, "b"])
    def test_no_basket(self, basket: Any) -> None:
        """Nothing to report before the purchase; a purchase without products is one to look at."""
        for step in ("basket", "customer", "payment"):
            assert Skipped("no_basket") == SEGMENTIFY.prepare(
                "CHECKOUT", {**WHO, "step": step, "basket": basket}
            )
        purchase = SEGMENTIFY.prepare("CHECKOUT", {**WHO, "step": "purchase", "basket": basket})
        assert Rejected("CHECKOUT: missing productList") == purchase

    def test_order_number_and_cart_address_have_their_step(self) -> None:
        """The one on purchases only, the other on all else."""
        both = {**CHECKOUT, "orderNo": 1001, "cartUrl": "https://shop.example/cart"}
        event, dropped = sent("CHECKOUT", {**both, "step": "purchase"})
        assert ("1001", None, ("cartUrl",)) == (event["orderNo"], event.get("cartUrl"), dropped)
        event, dropped = sent("CHECKOUT", both)
        assert (None, "https://shop.example/cart", ("orderNo",)) == (
            event.get("orderNo"),
            event["cartUrl"],
            dropped,
        )
        event, _ = sent("CHECKOUT", {**WHO, "step": "purchase", "basket": BASKET})
        assert "cartUrl" not in event

    @pytest.mark.parametrize(
        ("table", "event", "step", "expected"),
        [
            ({"2": "payment"}, "Checkout Step Viewed", 2, "payment"),
            ({"2": "payment"}, "Completed Checkout Step", "2", "payment"),
            ({"viewed:2": "customer"}, "Viewed Checkout Step", 2, "customer"),
            ({"viewed:2": "customer"}, "Checkout Step Completed", 2, None),
            ({"completed:2": "payment", "2": "customer"}, "Checkout Step Completed", 2, "payment"),
            ({}, "Checkout Step Viewed", 2, None),
            ({"2": "payment"}, "Checkout Step Viewed", None, None),
        ],
    )
    def test_steps_are_mapped_by_the_settings(
        self, table: Any, event: str, step: Any, expected: str | None
    ) -> None:
        """What they do not name is left out."""
        payload = {**WHO, "checkoutEvent": event, "checkoutStep": step, "basket": BASKET}
        if expected is None:
            skipped = Segmentify(**NEEDED, checkout_step_map=table).prepare("CHECKOUT", payload)
            assert Skipped("checkout_step_not_mapped") == skipped
        else:
            assert expected == sent("CHECKOUT", payload, checkout_step_map=table)[0]["step"]

    def test_steps_may_have_other_words(self) -> None:
        """Those of the SDKs."""
        words = {"basket": "view-basket", "payment": "payment-info"}
        assert "view-basket" == sent("CHECKOUT", CHECKOUT, checkout_steps=words)[0]["step"]
        assert (
            "purchase" == sent("CHECKOUT", {**CHECKOUT, "step": "purchase"}, checkout_steps=words)[0]["step"]
        )

    def test_an_unknown_step(self) -> None:
        """Of a mapping of one's own."""
        assert isinstance(SEGMENTIFY.prepare("CHECKOUT", {**CHECKOUT, "step": "paid"}), Rejected)


class TestUsers:
    """USER_OPERATIONS."""

    @pytest.mark.parametrize("username", [None, " ", {}])
    def test_nobody(self, username: Any) -> None:
        """An anonymous identify has nobody to tell about."""
        skipped = SEGMENTIFY.prepare("USER_OPERATIONS", {**USER, "username": username})
        assert Skipped("no_username") == skipped

    def test_details(self) -> None:
        """In the vendor's words and forms."""
        given = {
            "fullName": " Jo Doe ",
            "email": " jo@shop.example ",
            "phone": 4930,
            "gender": "Female",
            "birthdate": "1990-05-17",
            "age": 36,
            "memberSince": 1_700_000_000_000,
            "location": "Berlin",
            "segments": "a,b",
            "custom": {"plan": "gold", "n": 1},
            "isRegistered": "true",
            "isLogin": False,
        }
        event, dropped = sent("USER_OPERATIONS", {**USER, **given})
        assert () == dropped
        assert {
            "name": "USER_OPERATIONS",
            "device": "PC",
            **USER,
            "fullName": "Jo Doe",
            "email": "jo@shop.example",
            "phone": "4930",
            "gender": "F",
            "birthdate": "17.05.1990",
            "memberSince": "14.11.2023",
            "location": "Berlin",
            "segments": ["a", "b"],
            "custom": {"plan": "gold", "n": "1"},
            "isRegistered": True,
            "isLogin": False,
        } == event

    @pytest.mark.parametrize(
        ("fields", "expected", "dropped"),
        [
            ({"birthdate": "May", "age": "36"}, {"age": 36}, ("birthdate",)),
            ({"age": -1}, {}, ("age",)),
            ({"gender": "x"}, {}, ("gender",)),
            ({"custom": {}}, {}, ()),
        ],
    )
    def test_one_of_birthdate_and_age(self, fields: Any, expected: Any, dropped: Any) -> None:
        """The date where it is one; a user's gender has no third value."""
        event, names = sent("USER_OPERATIONS", {**USER, **fields})
        assert ({"name": "USER_OPERATIONS", "device": "PC", **USER, **expected}, dropped) == (event, names)

    @pytest.mark.parametrize("step", ["signin", "signout"])
    def test_a_sign_in_carries_no_details(self, step: str) -> None:
        """They belong to signup and update."""
        event, dropped = sent("USER_OPERATIONS", {**USER, "step": step, "email": "a@b.co", "isLogin": True})
        assert {"name", "userId", "sessionId", "device", "step", "username"} == set(event)
        assert ("email", "isLogin") == dropped

    def test_two_flags_belong_to_updates(self) -> None:
        """Not to a signup."""
        event, dropped = sent("USER_OPERATIONS", {**USER, "step": "signup", "isLogin": True, "age": 7})
        assert (None, 7, ("isLogin",)) == (event.get("isLogin"), event["age"], dropped)

    def test_an_unknown_step(self) -> None:
        """Of a mapping of one's own."""
        assert isinstance(SEGMENTIFY.prepare("USER_OPERATIONS", {**USER, "step": "deleted"}), Rejected)


class TestOthers:
    """CUSTOM_EVENT, and what only the SDKs know."""

    def test_a_custom_event(self) -> None:
        """A type and flat parameters."""
        payload = {**WHO, "type": "size_guide", "params": {"a": {"b": 1}, "c": None}}
        event, dropped = sent("CUSTOM_EVENT", payload)
        assert ("size_guide", {"a": '{"b":1}'}, ()) == (event["type"], event["params"], dropped)
        assert Rejected("CUSTOM_EVENT: missing type") == SEGMENTIFY.prepare("CUSTOM_EVENT", WHO)

    def test_events_without_a_preset_can_be_kept(self) -> None:
        """Those of a preset of their own go all the same."""
        keeping = Segmentify(**NEEDED, forward_unmapped=False)
        payload = {**WHO, "type": "size_guide"}
        assert Skipped("unmapped") == keeping.prepare("CUSTOM_EVENT", {**payload, "unmapped": True})
        assert isinstance(keeping.prepare("CUSTOM_EVENT", payload), Prepared)

    @pytest.mark.parametrize(
        ("order", "expected"), [(1, 1), ("2", 2), (3.0, 3), ("home_top", None), (1.5, None), (None, None)]
    )
    def test_a_banner_on_request(self, order: Any, expected: int | None) -> None:
        """In the SDKs' form; a promotion's position is a number now and then."""
        payload = {**WHO, "type": "click", "title": "Sale", "order": order}
        event, _ = sent("BANNER_OPERATIONS", payload, experimental_banners=True, banner_group="top")
        assert ("BANNER_OPERATIONS", "click", "Sale", "top", expected) == (
            event["name"],
            event["type"],
            event["title"],
            event["group"],
            event.get("order"),
        )

    def test_a_promotion_is_a_custom_event_otherwise(self) -> None:
        """By default, and where a banner has no title."""
        otherwise = {"type": "promotion_viewed", "params": {"promotion_id": "x"}}
        payload = {**WHO, "type": "impression", "title": "Sale", "otherwise": otherwise}
        expected = {"name": "CUSTOM_EVENT", **WHO, "device": "PC", **otherwise}
        assert (expected, ()) == sent("BANNER_OPERATIONS", payload)
        untitled = {**payload, "title": None}
        assert (expected, ()) == sent("BANNER_OPERATIONS", untitled, experimental_banners=True)
        assert isinstance(SEGMENTIFY.prepare("BANNER_OPERATIONS", WHO), Rejected)

    def test_the_presets_that_are_off(self) -> None:
        """Need their one field."""
        assert "a" == sent("USER_CHANGE", {**WHO, "oldUserId": "a"})[0]["oldUserId"]
        assert "shoes" == sent("SEARCH", {**WHO, "query": "shoes"})[0]["query"]
        assert Rejected("USER_CHANGE: missing oldUserId") == SEGMENTIFY.prepare("USER_CHANGE", WHO)
        assert Rejected("SEARCH: missing query") == SEGMENTIFY.prepare("SEARCH", {**WHO, "query": {}})
