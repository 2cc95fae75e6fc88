"""The Blueshift simulator is as strict as the documents, and misbehaves only when told to."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from crossdock.simulators.base import Verdict
from crossdock.simulators.blueshift import BlueshiftSimulator

UUID = "1f0c8e1a-7d1e-4cbe-8a1f-0f6ae3b4c001"
EVENT = {"event": "view", "customer_id": "user-1"}
BULK = "/api/v1/bulkevents"
SUMMARY = "/api/v1/event/summary.json"
PROFILES = "/api/v1/customers/bulk"


def headers(key: str = "event-key", *, colon: str = ":") -> dict[str, str]:
    """Give the headers a correct client sends."""
    code = b64encode(f"{key}{colon}".encode()).decode()
    return {"Authorization": f"Basic {code}", "Content-Type": "application/json"}


def simulator(**switches: Any) -> BlueshiftSimulator:
    """Make one that knows both keys."""
    options = {"event_api_key": "event-key", "user_api_key": "user-key", **switches}
    return BlueshiftSimulator(**options)


def judged(body: Any, path: str = BULK, **switches: Any) -> Verdict:
    """Give the verdict on one request with the right key."""
    key = "user-key" if "customers" in path else "event-key"
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return simulator(**switches).judge(path, headers(key), raw)


def bulk(*events: Any, **switches: Any) -> Verdict:
    """Give the verdict on these events."""
    return judged({"events": list(events)}, **switches)


@pytest.mark.parametrize(
    "event",
    [
        {"event": "pageload", "cookie": "c", "url": "https://shop.example/", "referrer": "", "ip": "::1"}
        | {"referrer": "r"},
        {"event": "identify", "email": "jo@shop.example", "joined_at": "2016-14-01", "anything": {"a": [1]}},
        {"event": "view", "device_id": "d", "products": [{"sku": "s"}], "latitude": "212.99333"},
        {
            "event": "purchase",
            "customer_id": "1",
            "total": "31.24",
            "products": [{"sku": "s", "price": "9.5"}],
        },
        {
            "event": "Step_2_Done",
            "cookie": "c",
            "event_uuid": UUID,
            "timestamp": "2020-12-14T13:35:34.034000Z",
        },
        {"event": "x" * 64, "cookie": "c", "subscription_groups": [{"id": "g", "subscribed": False}]},
    ],
)
def test_what_the_documents_show_is_stored(event: dict[str, Any]) -> None:
    """Numeric texts, odd dates and odd latitudes too: the vendor's own samples hold them."""
    verdict = bulk(event)
    assert (200, None) == (verdict.status, verdict.violation)
    assert {"status": "ok", "count": 1} == orjson.loads(verdict.body)
    assert [event["event"] if event["event"] in BlueshiftSimulator.kinds else "custom"] == [
        one.kind for one in verdict.events
    ]


@pytest.mark.parametrize(
    "name", [None, "", 7, "Order Completed", "a.b", "12", "1e5", "-3.5", "x" * 65, "a\tb"]
)
def test_a_bad_name_is_refused(name: Any) -> None:
    """400 that tells which event; the profile `silent` takes it and counts an error."""
    verdict = bulk(EVENT, {**EVENT, "event": name})
    assert 400 == verdict.status
    assert "events.1" in verdict.body.decode()
    assert verdict.violation
    silent = bulk({**EVENT, "event": name}, silent=True)
    assert (200, ["invalid_user_attributes"]) == (silent.status, [one.kind for one in silent.events])
    assert silent.violation


def test_a_nameless_person_is_lost_later() -> None:
    """200, and then it stands under the errors: the name alone is no identifier."""
    verdict = bulk({"event": "view", "group_id": "g"})
    assert (200, ["missing_identifier"]) == (verdict.status, [one.kind for one in verdict.events])
    assert verdict.violation


@pytest.mark.parametrize(
    "fields",
    [
        {"customer_id": 7},
        {"customer_id": "x" * 129},
        {"email": "x" * 60 + "@a.co"},
        {"email": "nobody"},
        {"event_uuid": "ajs-next-1"},
        {"timestamp": "2026-11-20T10:00:00.000Z"},
        {"latitude": 52.5},
        {"device_token": ["t"]},
        {"coupon": None},
        {"_bsft_source": "segment.com"},
        {"subscription_groups": ["news"]},
        {"products": {"sku": "s"}},
        {"products": [{"sku": 7}]},
        {"products": [{"sku": "s", "price": "free"}]},
        {"price": True},
    ],
)
def test_what_blueshift_would_store_wrong_is_a_violation(fields: dict[str, Any]) -> None:
    """It is answered 200 all the same, and counted as an error."""
    verdict = bulk({**EVENT, **fields})
    assert (200, ["invalid_user_attributes"]) == (verdict.status, [one.kind for one in verdict.events])
    assert verdict.violation


@pytest.mark.parametrize(
    "body", [b"", b"[", [], {}, {"events": {}}, {"events": []}, {"events": [EVENT], "a": 1}]
)
def test_what_is_no_list_of_events_is_refused(body: Any) -> None:
    """400, and a violation."""
    verdict = judged(body)
    assert 400 == verdict.status
    assert verdict.violation


def test_the_key_must_be_of_the_right_class_with_its_colon() -> None:
    """The Event key for events, the User key for customers, either for the summary."""
    body = orjson.dumps({"events": [EVENT]})
    good = [
        (BULK, "event-key"),
        (SUMMARY, "user-key"),
        (SUMMARY, "event-key"),
    ]
    bad = [(BULK, "user-key"), (BULK, "other"), (PROFILES, "event-key")]
    assert [200] * 3 == [simulator().judge(path, headers(key), body).status for path, key in good]
    assert [401] * 3 == [simulator().judge(path, headers(key), body).status for path, key in bad]
    for wrong in (headers(colon=""), headers(colon=":x"), {**headers(), "Authorization": "Bearer event-key"}):
        assert 401 == simulator().judge(BULK, wrong, body).status
    anyone = BlueshiftSimulator(user_api_key="user-key")
    assert (200, 401) == (
        anyone.judge(BULK, headers("any"), body).status,
        anyone.judge(BULK, headers("user-key"), body).status,
    )


def test_too_much_is_413() -> None:
    """100 events or 1 MB; 30 with the switch, which the client cannot know; 50 customers."""
    many = bulk(*[EVENT] * 101)
    assert (413, True) == (many.status, bool(many.violation))
    assert "maximum 100 events" in many.body.decode()
    strict = bulk(*[EVENT] * 31, strict30=True)
    assert (413, None) == (strict.status, strict.violation)
    assert "maximum 30 events" in strict.body.decode()
    assert "30" not in bulk(*[EVENT] * 31, strict30=True, name_the_limit=False).body.decode()
    heavy = bulk({**EVENT, "pad": "x" * 1_000_000})
    assert (413, True) == (heavy.status, bool(heavy.violation))
    profiles = judged({"customers": [{"customer_id": str(n)} for n in range(51)]}, PROFILES)
    assert (413, True) == (profiles.status, "maximum 50 customers" in profiles.body.decode())


def test_five_calls_a_second() -> None:
    """The sixth is answered 429 with one line and no header; a second later five more pass."""
    running = simulator()
    now = 100.0
    running.clock = lambda: now
    body = orjson.dumps({"events": [EVENT]})
    assert [200] * 5 + [429] == [running.judge(BULK, headers(), body).status for _ in range(6)]
    assert b'{"message":"Rate limit exceeded"}' == running.judge(BULK, headers(), body).body
    now += 1.0
    assert [200] * 5 + [429] == [running.judge(BULK, headers(), body).status for _ in range(6)]
    assert {} == dict(running.scripted(429).headers)


def test_customers_fail_one_by_one() -> None:
    """200 lists the failed records beside their errors; the others are stored."""
    good, bad = {"customer_id": "1", "plan": "pro"}, {"firstname": "Jo"}
    phone = {"email": "jo@shop.example", "phone_number": "0301234567"}
    verdict = judged({"customers": [good, bad, phone]}, PROFILES)
    answer = orjson.loads(verdict.body)
    assert (200, [bad, phone]) == (verdict.status, answer["customers"])
    assert ["user_identifier_missing"] == list(answer["errors"][0]["error_data"])
    assert [good] == [one.value for one in verdict.events]
    assert verdict.violation
    assert {"customers": [], "errors": []} == orjson.loads(judged({"customers": [good]}, PROFILES).body)
    refused = judged({"customers": [good]}, PROFILES, refuse=["1"])
    assert ([good], None) == (orjson.loads(refused.body)["customers"], refused.violation)


def test_one_event_one_customer_one_merge() -> None:
    """The calls that take one each."""
    assert b'{"status":"OK"}' == judged(EVENT, "/api/v1/event").body
    assert 400 == judged({"event": "a b", "cookie": "c"}, "/api/v1/event").status
    one = judged({"email": "jo@shop.example"}, "/api/v1/customers")
    assert ({"customer": {"email": "jo@shop.example"}}, ["customers"]) == (
        orjson.loads(one.body),
        [event.kind for event in one.events],
    )
    assert 400 == judged({"firstname": "Jo"}, "/api/v1/customers").status
    merge = "/api/v1/customers/merge"
    assert 200 == judged({"customer_id": "1", "bsft_new_customer_id": "2"}, merge).status
    assert 400 == judged({"customer_id": "1"}, merge).status
    assert 400 == judged({"bsft_new_customer_id": "2"}, merge).status


def test_a_payload_can_be_refused_by_name() -> None:
    """By its own id, its customer's, or a product's; the client could not know, so it is no violation."""
    event = {**EVENT, "event_uuid": UUID, "products": [{"sku": "s-9"}]}
    for name in (UUID, "user-1", "s-9"):
        verdict = bulk(event, refuse=[name])
        assert (400, None) == (verdict.status, verdict.violation)
    assert 1 == orjson.loads(bulk(event, event, count_less=1).body)["count"]


@pytest.fixture
async def running() -> AsyncIterator[BlueshiftSimulator]:
    """A simulator that listens on a free port."""
    async with simulator() as listening:
        yield listening


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


async def test_it_tells_what_it_saw(running: BlueshiftSimulator, client: aiohttp.ClientSession) -> None:
    """The last event of each name, counts and errors; what comes again is stored and counted again."""
    first, second = {**EVENT, "event_uuid": UUID}, {**EVENT, "event_uuid": UUID, "sku": "s"}
    events = [first, second, {"event": "Coupon_Applied", "cookie": "c"}, {"event": "search"}]
    async with client.post(running.url + BULK, json={"events": events}, headers=headers()) as answer:
        assert 200 == answer.status
        assert answer.headers["X-Request-Id"]
    async with client.get(f"{running.url}/api/v1/event/debug", headers=headers()) as answer:
        assert [second, events[2]] == await answer.json()
    async with client.post(f"{running.url}/api/v1/event/summary.json", json={}, headers=headers()) as answer:
        summary = await answer.json()
    assert {"view": 2, "Coupon_Applied": 1} == {name: one["count"] for name, one in summary["stats"].items()}
    assert {"missing_identifier": [1], "invalid_user_attributes": [0]} == summary["events_chart_stats"][
        "error"
    ]
    assert (1, [first, second]) == (running.duplicates["view", UUID], running.received("view"))
    assert 1 == running.count("view")


async def test_looking_needs_the_event_key(
    running: BlueshiftSimulator, client: aiohttp.ClientSession
) -> None:
    """And a scripted answer is not spent on it."""
    running.switches.next_statuses = [503]
    async with client.get(f"{running.url}/api/v1/event/debug", headers=headers("user-key")) as answer:
        assert 401 == answer.status
    async with client.post(running.url + BULK, json={"events": [EVENT]}, headers=headers()) as answer:
        assert 503 == answer.status
