"""The Segmentify simulator is as strict as the documentation, and misbehaves only when told to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from crossdock.simulators.segmentify import SegmentifySimulator

ORIGIN = "https://shop.example"
HEADERS = {"Content-Type": "application/json", "Origin": ORIGIN}
WHO: dict[str, Any] = {"userId": "u", "sessionId": "s", "device": "PC"}
PAGE = {**WHO, "name": "PAGE_VIEW", "category": "Home Page"}
PRODUCT = {
    **WHO,
    "name": "PRODUCT_VIEW",
    "productId": "p1",
    "title": "Shoe",
    "url": "https://shop.example/p/1",
    "image": "https://shop.example/i/1",
    "category": "Men > Shoes",
    "price": 9.5,
}
BASKET = {**WHO, "name": "BASKET_OPERATIONS", "step": "add", "productId": "p1"}
LINE = {"productId": "p1", "price": 9.5, "quantity": 0.5, "currency": "EUR"}
CHECKOUT = {**WHO, "name": "CHECKOUT", "step": "basket", "totalPrice": 10, "productList": [LINE]}
PURCHASE = {**CHECKOUT, "step": "purchase", "orderNo": "o1"}
USER = {**WHO, "name": "USER_OPERATIONS", "step": "update", "username": "jo"}
CUSTOM = {**WHO, "name": "CUSTOM_EVENT", "type": "wish"}
BANNER = {**WHO, "name": "BANNER_OPERATIONS", "type": "click", "title": "Sale", "group": "top", "order": 1}


def judged(
    body: Any, *, key: str | None = "key", headers: dict[str, str] | None = None, **switches: Any
) -> tuple[int, str | None, str | None]:
    """Give status, statusCode and violation of one request."""
    simulator = SegmentifySimulator(api_key="key", origin=ORIGIN, **switches)
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    verdict = simulator.judge_events(key, HEADERS if headers is None else headers, raw)
    answer = orjson.loads(verdict.body) if verdict.body else {}
    return verdict.status, answer.get("statusCode"), verdict.violation


@pytest.mark.parametrize(
    "event",
    [
        PAGE,
        {**PAGE, "category": "Imprint", "subCategory": "Men>Shoes", "lang": "DE", "referrer": ""},
        {**PAGE, "browser": "Chrome", "os": "MacOS", "osversion": "10.13.2", "currency": "EUR"},
        {**PAGE, "testMode": "true", "params": {"query": "red", "n": 1}},
        PRODUCT,
        {**PRODUCT, "inStock": True, "oldPrice": 12, "gender": "U", "colors": ["red"], "imageXS": "x"},
        BASKET,
        {**BASKET, "step": "remove", "price": 0, "quantity": 0.25},
        CHECKOUT,
        {**CHECKOUT, "step": "customer", "cartUrl": "https://shop.example/cart"},
        {**CHECKOUT, "step": "payment"},
        PURCHASE,
        USER,
        {**USER, "gender": "M", "birthdate": "29.02.2024", "memberSince": "01.01.2020", "segments": ["a"]},
        {**USER, "step": "signup", "age": 36, "custom": {"plan": "gold"}},
        {**USER, "isRegistered": "true", "isLogin": False},
        {**USER, "step": "signin"},
        {**USER, "step": "signout"},
        CUSTOM,
    ],
)
def test_what_is_documented_is_taken(event: dict[str, Any]) -> None:
    """200 without a code, and no violation."""
    assert (200, None, None) == judged([event, PAGE])


@pytest.mark.parametrize(
    ("change", "of"),
    [
        ({"name": "PAGEVIEW"}, PAGE),
        ({"name": None}, PAGE),
        ({"name": []}, PAGE),
        ({"category": ""}, PAGE),
        ({"category": None}, PAGE),
        ({"device": "pc"}, PAGE),
        ({"device": None}, PAGE),
        ({"nextPage": True}, PAGE),
        ({"lang": "PL"}, PAGE),
        ({"lang": "de"}, PAGE),
        ({"currency": "eur"}, PAGE),
        ({"browser": "Lynx"}, PAGE),
        ({"os": "macOS"}, PAGE),
        ({"params": {"a": {"b": 1}}}, PAGE),
        ({"testMode": 1}, PAGE),
        ({"timestamp": "2026-11-20T10:00:00Z"}, PAGE),
        *(({field: None}, PRODUCT) for field in ("productId", "title", "url", "image", "category", "price")),
        ({"price": "9.5"}, PRODUCT),
        ({"price": -1}, PRODUCT),
        ({"gender": "m"}, PRODUCT),
        ({"sizes": "42"}, PRODUCT),
        ({"category": ["Men"]}, PRODUCT),
        ({"step": "update"}, BASKET),
        ({"quantity": 0}, BASKET),
        ({"productId": 7}, BASKET),
        ({"step": "view-basket"}, CHECKOUT),
        ({"productList": []}, CHECKOUT),
        ({"productList": [{"price": 1}]}, CHECKOUT),
        ({"productList": [{**LINE, "name": "Shoe"}]}, CHECKOUT),
        ({"totalPrice": None}, CHECKOUT),
        ({"orderNo": "o1"}, CHECKOUT),
        ({"cartUrl": "https://shop.example/cart"}, PURCHASE),
        ({"username": " "}, USER),
        ({"step": "login"}, USER),
        ({"gender": "U"}, USER),
        ({"birthdate": "1990-05-17"}, USER),
        ({"birthdate": "30.02.1990"}, USER),
        ({"birthdate": "17.5.1990"}, USER),
        ({"birthdate": "17.05.1990", "age": 36}, USER),
        ({"age": "36"}, USER),
        ({"step": "signin", "email": "a@b.co"}, USER),
        ({"step": "signup", "isLogin": True}, USER),
        ({"type": None}, CUSTOM),
        ({}, BANNER),
        ({"name": "INTERACTION", "type": "click"}, WHO),
        ({"name": "USER_FORM"}, WHO),
    ],
)
def test_what_is_not_documented_is_a_violation(change: dict[str, Any], of: dict[str, Any]) -> None:
    """BAD_INPUT for the whole request, and our words for it."""
    event = {field: value for field, value in {**of, **change}.items() if value is not None}
    status, code, violation = judged([PAGE, event])
    assert (200, "BAD_INPUT") == (status, code)
    assert violation is not None
    assert violation.startswith("BAD_INPUT: 1: ")


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"key": None, "body": b"{"}, "NO_API_KEY"),
        ({"key": "", "body": []}, "NO_API_KEY"),
        ({"key": "other", "body": []}, "NO_ACCOUNT"),
        ({"headers": {**HEADERS, "Origin": "https://other.example"}, "body": []}, "NO_DOMAIN_APIKEY_MATCH"),
        ({"headers": {"Content-Type": "application/json"}, "body": []}, "NO_DOMAIN_APIKEY_MATCH"),
        ({"headers": {**HEADERS, "Content-Type": "text/plain"}, "body": [PAGE]}, "BAD_INPUT"),
        ({"body": b""}, "BAD_INPUT"),
        ({"body": b"{"}, "BAD_INPUT"),
        ({"body": PAGE}, "BAD_INPUT"),
        ({"body": [PAGE, 1]}, "BAD_INPUT"),
        ({"body": []}, "NO_EVENT"),
        ({"body": [{**PAGE, "userId": ""}, {"name": "?"}]}, "NO_USERID"),
        ({"body": [{**PAGE, "userId": 7}]}, "NO_USERID"),
        ({"body": [{**PAGE, "sessionId": None}]}, "NO_SESSIONID"),
    ],
)
def test_each_code_in_its_order(request_: dict[str, Any], code: str) -> None:
    """Key, Origin, body, ids, and only then what is in an event."""
    status, told, violation = judged(request_.pop("body"), **request_)
    assert (200, code) == (status, told)
    assert violation is not None


@pytest.mark.parametrize(
    ("account", "code"), [("unverified", "UNVERIFIED_ACCOUNT"), ("failed", "FAILED_ACCOUNT")]
)
def test_an_account_can_be_out_of_order(account: str, code: str) -> None:
    """Its owner's affair, no violation; told before the Origin is looked at."""
    assert (200, code, None) == judged([PAGE], account=account, headers={})


def test_switches_that_open_questions_need() -> None:
    """Each both ways."""
    assert (200, None, None) == judged([{**CHECKOUT, "step": "view-basket"}], checkout_steps=SDK_STEPS)
    assert "BAD_INPUT" == judged([CHECKOUT], checkout_steps=SDK_STEPS)[1]
    partial = {**WHO, "name": "PRODUCT_VIEW", "productId": "p1"}
    assert (200, None, None) == judged([partial], partial_product_view=True)
    change, search = {**WHO, "name": "USER_CHANGE", "oldUserId": "a"}, {**WHO, "name": "SEARCH", "query": "x"}
    assert (200, None, None) == judged([BANNER, change, search], experimental=True)
    assert "BAD_INPUT" == judged([{**BANNER, "order": "1"}], experimental=True)[1]
    assert "BAD_INPUT" == judged([{**WHO, "name": "INTERACTION"}], experimental=True)[1]
    assert (200, None, None) == judged([{**PAGE, "lang": "PL"}], languages=["PL"])
    assert (200, "SUCCESS", None) == judged([PAGE], success_code=True)


SDK_STEPS = ("view-basket", "customer", "payment-info", "purchase")


@pytest.mark.parametrize("name", ["u", "s", "p1", "o1"])
def test_an_event_can_be_refused_by_name(name: str) -> None:
    """The client could not know, so it is no violation; the neighbours are refused with it."""
    assert (200, "BAD_INPUT", None) == judged([PURCHASE], refuse=[name])
    assert 500 == judged([PURCHASE], choke=[name])[0]


@pytest.fixture
async def simulator() -> AsyncIterator[SegmentifySimulator]:
    """A simulator that listens on a free port."""
    async with SegmentifySimulator(api_key="key", origin=ORIGIN) as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


async def post(
    client: aiohttp.ClientSession, simulator: SegmentifySimulator, *events: Any
) -> tuple[int, bytes]:
    """Send events and give status and body."""
    url = f"{simulator.url}/add/events/v1.json?apiKey=key"
    async with client.post(url, data=orjson.dumps(events), headers=HEADERS) as answer:
        return answer.status, await answer.read()


async def test_it_keeps_what_it_received(
    simulator: SegmentifySimulator, client: aiohttp.ClientSession
) -> None:
    """In order, with one inner list per event in the answer; what comes twice counts twice."""
    status, body = await post(client, simulator, PAGE, PURCHASE)
    answer = orjson.loads(body)
    assert (200, [[], []], [[], []]) == (status, answer["campaigns"], answer["responses"])
    assert isinstance(answer["timestamp"], int)
    await post(client, simulator, PURCHASE)
    assert [PAGE, PURCHASE, PURCHASE] == simulator.received()
    assert 2 == simulator.count("CHECKOUT")
    assert [] == simulator.violations


async def test_a_refused_request_stores_nothing(
    simulator: SegmentifySimulator, client: aiohttp.ClientSession
) -> None:
    """The body is that of the documentation's errors."""
    status, body = await post(client, simulator, PAGE, {**PAGE, "sessionId": ""})
    assert (200, {"timestamp": "", "responses": [], "statusCode": "NO_SESSIONID"}) == (
        status,
        orjson.loads(body),
    )
    assert [] == simulator.received()
    assert ["NO_SESSIONID: an event without sessionId"] == [fault.reason for fault in simulator.violations]


async def test_paths_and_methods(simulator: SegmentifySimulator, client: aiohttp.ClientSession) -> None:
    """A wrong path is 404, a wrong method 400."""
    async with client.post(f"{simulator.url}/add/events", json=[]) as answer:
        assert 404 == answer.status
    async with client.get(f"{simulator.url}/add/events/v1.json?apiKey=key") as answer:
        assert 400 == answer.status
    async with client.post(f"{simulator.url}/add/events/v1.json", json=[PAGE]) as answer:
        assert "NO_API_KEY" == orjson.loads(await answer.read())["statusCode"]
    assert 3 == len(simulator.violations)


async def test_it_makes_keys(simulator: SegmentifySimulator, client: aiohttp.ClientSession) -> None:
    """A bare array of as many as were asked for, each new, under both paths."""
    seen: list[str] = []
    for path in ("/get/key?count=2", "/get/key/v1.json?count=3", "/get/key"):
        async with client.get(simulator.url + path) as answer:
            assert 200 == answer.status
            seen += orjson.loads(await answer.read())
    assert 6 == len(set(seen))
    for path in ("/get/key?count=0", "/get/key?count=x"):
        async with client.get(simulator.url + path) as answer:
            assert 400 == answer.status
    async with client.post(f"{simulator.url}/get/key") as answer:
        assert 400 == answer.status


async def test_scripted_answers(simulator: SegmentifySimulator, client: aiohttp.ClientSession) -> None:
    """Faults by status, by code inside a 200, and a 200 that is no JSON: nothing of them is stored."""
    async with client.post(
        f"{simulator.url}/_simulator/switches",
        json={"next_statuses": [429, 500], "next_codes": ["FAILED_ACCOUNT"], "not_json": 1},
    ) as answer:
        assert 200 == answer.status
    assert [429, 500] == [(await post(client, simulator, PAGE))[0] for _ in range(2)]
    assert (200, b"<html>Welcome</html>") == await post(client, simulator, PAGE)
    assert b"FAILED_ACCOUNT" in (await post(client, simulator, PAGE))[1]
    assert [] == simulator.received()
    assert 200 == (await post(client, simulator, PAGE))[0]
    simulator.switches.max_body_bytes = 10
    assert 413 == (await post(client, simulator, PAGE))[0]
    assert [PAGE] == simulator.received()
    assert [] == simulator.violations


async def test_its_page_and_counters(simulator: SegmentifySimulator, client: aiohttp.ClientSession) -> None:
    """As every simulator has them."""
    await post(client, simulator, PAGE)
    async with client.get(simulator.url) as answer:
        assert "PAGE_VIEW" in await answer.text()
    async with client.get(f"{simulator.url}/_simulator/received?kind=PAGE_VIEW") as answer:
        counters = orjson.loads(await answer.read())
    assert (1, [PAGE]) == (counters["received"]["PAGE_VIEW"], [e["event"] for e in counters["events"]])
