"""What is remembered of visitors: the fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.visitors import Memory
from crossdock.visitors.registers import LINKS_KEPT

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = START + timedelta(days=365)
ALL = Memory(frozenset({"*"}))
TOPSORT = Memory(frozenset({"anonymousId", "key"}))


class Records(dict[str, Mapping[str, Any]]):
    """A journal's records, without a journal."""

    def __missing__(self, key: str) -> Mapping[str, Any]:
        """Give an empty record."""
        return {}

    def fold(self, document: dict[str, Any], memory: Memory = ALL) -> dict[str, Any]:
        """Fold one event and keep what it changes; gives its facts."""
        changed, facts = memory.fold(document, LATER, self)
        self.update(changed)
        return facts or {}


def event(minute: float, *, name: str = "Product Viewed", **fields: Any) -> dict[str, Any]:
    """Make a track event, so many minutes after the start."""
    at = (START + timedelta(minutes=minute)).isoformat()
    return {"type": "track", "event": name, "timestamp": at, "channel": "client", "properties": {}, **fields}


def identify(minute: float, traits: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Make an identify call."""
    return {**event(minute, **fields), "type": "identify", "traits": traits}


def cart(minute: float, product: str, *, name: str = "Cart Viewed", **fields: Any) -> dict[str, Any]:
    """Make an event that tells of a basket of one product."""
    properties = {"products": [{"product_id": product, "price": 5}], "total": 5, "currency": "EUR"}
    return event(minute, name=name, properties=properties, **fields)


def ordered(minute: float, **fields: Any) -> dict[str, Any]:
    """Make an order without products."""
    return event(minute, name="Order Completed", **fields)


def product_of(facts: Mapping[str, Any]) -> str | None:
    """Give the product of a basket of one."""
    basket = facts.get("basket") or {}
    return basket["products"][0]["product_id"] if "products" in basket else None


class TestLinks:
    """Who is who."""

    def test_a_server_event_finds_the_browser(self) -> None:
        """An event with a userId alone gets the anonymousId the user was last seen with."""
        records = Records()
        records.fold(event(0, anonymousId="a1", userId="u"))
        records.fold(event(9, anonymousId="a2", userId="u"))
        records.fold(event(5, anonymousId="a3", userId="u"))
        assert "a2" == records.fold(event(10, userId="u", channel="server"))["anonymousId"]

    def test_an_anonymous_event_finds_the_user(self) -> None:
        """An event with an anonymousId alone gets the userId it was last seen with."""
        records = Records()
        records.fold(event(0, anonymousId="a", userId="u"))
        assert "u" == records.fold(event(1, anonymousId="a"))["userId"]

    def test_a_server_outranks_a_browser(self) -> None:
        """What a public key says, however new, does not undo what a server or a webhook said."""
        records = Records()
        records.fold(event(0, anonymousId="mine", userId="u", channel="server"))
        records.fold(event(9, anonymousId="forged", userId="u"))
        assert "mine" == records.fold(event(10, userId="u"))["anonymousId"]
        webhook: Any = {"_metadata": {"crossdock": {"webhook": True}}}
        records.fold(event(11, anonymousId="phone", userId="u", **webhook))
        assert "phone" == records.fold(event(12, userId="u"))["anonymousId"]

    def test_links_are_bounded(self) -> None:
        """A userId shared by many browsers keeps the newest of them."""
        records = Records()
        for number in range(LINKS_KEPT + 5):
            records.fold(event(number, anonymousId=f"a{number}", userId="u"), TOPSORT)
        assert LINKS_KEPT == len(records["uu"]["seen"])
        assert {"a4", "a0"}.isdisjoint(records["uu"]["seen"])

    def test_a_clock_that_is_ahead_does_not_hold_a_fact_for_ever(self) -> None:
        """An event from the future counts as of when it came in."""
        records = Records()
        changed, _ = TOPSORT.fold(
            {**event(0, anonymousId="a", userId="u"), "timestamp": "2999-01-01T00:00:00Z"}, START, records
        )
        records.update(changed)
        records.fold(event(1, anonymousId="b", userId="u"), TOPSORT)
        assert "b" == records.fold(event(2, userId="u"), TOPSORT)["anonymousId"]


class TestEmail:
    """The address."""

    def test_is_remembered_for_person_and_browser(self) -> None:
        """What identify said is known of later events that name either id."""
        records = Records()
        records.fold(identify(0, {"email": "ann@x.example"}, anonymousId="a", userId="u"))
        assert "ann@x.example" == records.fold(event(1, userId="u"))["email"]
        assert "ann@x.example" == records.fold(event(1, anonymousId="a"))["email"]

    def test_an_address_given_before_the_sign_in_is_the_users(self) -> None:
        """A newsletter's subscriber who signs in later is the same person."""
        records = Records()
        records.fold(identify(0, {"email": "ann@x.example"}, anonymousId="a"))
        records.fold(event(1, anonymousId="a", userId="u"))
        assert "ann@x.example" == records.fold(event(2, userId="u"))["email"]

    def test_taken_back_it_leaves_a_tombstone(self) -> None:
        """An identify with no address clears it, and an older event that comes late changes nothing."""
        records = Records()
        records.fold(identify(0, {"email": "ann@x.example"}, userId="u"))
        records.fold(identify(5, {"email": None}, userId="u"))
        records.fold(identify(3, {"email": "old@x.example"}, userId="u"))
        assert "email" not in records.fold(event(6, userId="u"))

    def test_a_companys_address_is_nobodys(self) -> None:
        """A group call's traits are the company's."""
        records = Records()
        company = {**identify(0, {"email": "info@company.example"}, userId="u"), "type": "group"}
        records.fold(company)
        assert "email" not in records.fold(event(1, userId="u"))


class TestBasket:
    """The last basket."""

    def test_events_without_products_get_it(self) -> None:
        """Payment Info Entered knows the basket that Checkout Started told of, and the cart's id."""
        records = Records()
        records.fold(event(0, name="Product Added", anonymousId="a", properties={"cart_id": "c-1"}))
        records.fold(cart(1, "p", name="Checkout Started", anonymousId="a"))
        facts = records.fold(event(2, name="Payment Info Entered", anonymousId="a"))
        expected = {
            "products": [{"product_id": "p", "price": 5}],
            "total": 5,
            "currency": "EUR",
            "cart_id": "c-1",
        }
        assert expected == facts["basket"]

    def test_an_order_has_the_basket_it_empties(self) -> None:
        """A server's order without products is of the browser's basket; after it there is none."""
        records = Records()
        records.fold(cart(0, "p", anonymousId="a", userId="u"))
        assert "p" == product_of(records.fold(ordered(1, userId="u", channel="server")))
        assert "basket" not in records.fold(event(2, anonymousId="a"))
        assert "p2" == product_of(records.fold(cart(3, "p2", anonymousId="a")))

    def test_a_late_event_does_not_refill_it(self) -> None:
        """A cart seen before the order, but told of after it, stays in the past."""
        records = Records()
        records.fold(ordered(5, anonymousId="a"))
        records.fold(cart(4, "p", anonymousId="a"))
        assert "basket" not in records.fold(event(6, anonymousId="a"))

    def test_long_texts_stay_behind(self) -> None:
        """What is copied to each event of a checkout is slim."""
        records = Records()
        products = [{"product_id": "p", "description": "x" * 1000, "nested": {"a": 1}}, "noise"]
        facts = records.fold(event(0, name="Cart Viewed", anonymousId="a", properties={"products": products}))
        assert [{"product_id": "p"}] == facts["basket"]["products"]


class TestSession:
    """Sessions."""

    def test_ends_after_idling(self) -> None:
        """Up to thirty minutes apart events are of one session, beyond of two."""
        records = Records()
        ids = [records.fold(event(minute, anonymousId="a"))["sessionId"] for minute in (0, 30, 60, 91)]
        assert 1 == len(set(ids[:3]))
        assert ids[3] not in ids[:3]

    def test_is_the_visitors_own(self) -> None:
        """Two visitors who come at one moment have two sessions; browser and server of one have one."""
        records = Records()
        mine = records.fold(event(0, anonymousId="a", userId="u"))["sessionId"]
        assert mine != records.fold(event(0, anonymousId="b"))["sessionId"]
        assert mine == records.fold(event(1, userId="u", channel="server"))["sessionId"]

    def test_a_retry_gives_the_same_id(self) -> None:
        """The id is made of the visitor and the session's start alone."""
        assert Records().fold(event(0, anonymousId="a")) == Records().fold(event(0, anonymousId="a"))

    def test_late_events_join_the_session_they_fall_into(self) -> None:
        """An event of a session before the one at hand changes nothing of it."""
        records = Records()
        now = records.fold(event(100, anonymousId="a"))["sessionId"]
        assert now == records.fold(event(80, anonymousId="a"))["sessionId"]
        assert now != records.fold(event(10, anonymousId="a"))["sessionId"]
        assert now == records.fold(event(110, anonymousId="a"))["sessionId"]


class TestCost:
    """Events that need nothing cost nothing."""

    @pytest.mark.parametrize("name", ["Product Viewed", "Product Clicked", "Order Completed"])
    def test_a_browsers_event_for_topsort_needs_no_record(self, name: str) -> None:
        """An anonymous browser event names no record where only ids are read."""
        assert () == TOPSORT.keys(event(0, name=name, anonymousId="a"))

    def test_nothing_is_remembered_that_nothing_reads(self) -> None:
        """Without a mapping that reads a fact no event names a record."""
        assert () == Memory(frozenset()).keys(
            identify(0, {"email": "a@x.example"}, anonymousId="a", userId="u")
        )

    def test_facts_go_only_into_events_whose_presets_read_them(self) -> None:
        """An event that no preset takes carries no copy of the basket."""
        memory = Memory(
            frozenset({"basket"}),
            lambda document: frozenset({"basket"} if document["event"] == "Payment Info Entered" else ()),
        )
        records = Records()
        assert {} == records.fold(cart(0, "p", anonymousId="a"), memory)
        assert {} == records.fold(event(1, anonymousId="a"), memory)
        assert "p" == product_of(records.fold(event(2, name="Payment Info Entered", anonymousId="a"), memory))

    def test_an_id_no_person_has_is_not_remembered(self) -> None:
        """A userId of a thousand characters makes no record."""
        assert () == ALL.keys(event(0, userId="u" * 1000))

    def test_a_delete_event_writes_nothing(self) -> None:
        """It may read what is known, and leaves nothing behind."""
        records = Records()
        records.fold(identify(0, {"email": "ann@x.example"}, userId="u"))
        before = dict(records)
        assert "ann@x.example" == records.fold({**event(1, userId="u"), "type": "delete"})["email"]
        assert before == records


IDS = st.sampled_from(
    [
        {"anonymousId": "a"},
        {"userId": "u"},
        {"anonymousId": "a", "userId": "u"},
        {"anonymousId": "b", "userId": "u"},
        {"anonymousId": "b"},
    ]
)
SAID = st.sampled_from(["view", "cart", "order", "mail", "unmail"])
SAYINGS = st.lists(
    st.tuples(IDS, SAID, st.sampled_from(["client", "server"]), st.integers(0, 2)), min_size=1, max_size=9
)


def _events(sayings: Iterable[tuple[dict[str, str], str, str, int]]) -> list[dict[str, Any]]:
    made = []
    for minute, (ids, said, channel, number) in enumerate(sayings):
        fields = {**ids, "channel": channel}
        match said:
            case "cart":
                made.append(cart(minute, f"p{number}", **fields))
            case "order":
                made.append(ordered(minute, **fields))
            case "mail":
                made.append(identify(minute, {"email": f"{number}@x.example"}, **fields))
            case "unmail":
                made.append(identify(minute, {"email": ""}, **fields))
            case _:
                made.append(event(minute, **fields))
    return made


@given(sayings=SAYINGS, data=st.data())
def test_the_order_of_arrival_does_not_matter(
    sayings: list[tuple[dict[str, str], str, str, int]], data: st.DataObject
) -> None:
    """Whatever order events of distinct times come in, links, address and basket end the same."""
    memory = Memory(frozenset({"email", "userId", "anonymousId", "basket"}))
    events = _events(sayings)
    straight, shuffled = Records(), Records()
    for one in events:
        straight.fold(one, memory)
    for one in data.draw(st.permutations(events)):
        shuffled.fold(one, memory)
    assert straight == shuffled


@given(sayings=SAYINGS, late=st.integers(-60, -1), number=st.integers(0, 2))
def test_an_older_event_never_undoes_a_tombstone(
    sayings: list[tuple[dict[str, str], str, str, int]], late: int, number: int
) -> None:
    """After an order a basket told of earlier stays gone, whatever else was said in between."""
    records = Records()
    for one in _events(sayings):
        records.fold(one)
    records.fold(ordered(1000, anonymousId="a"))
    records.fold(cart(1000 + late, f"p{number}", anonymousId="a"))
    assert None is product_of(records.fold(event(1001, anonymousId="a", name="Payment Info Entered")))
