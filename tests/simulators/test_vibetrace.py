"""The Vibetrace simulator: what it takes, what it refuses, and its switches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
from yarl import URL

from crossdock.simulators import load, names
from crossdock.simulators.base import Verdict
from crossdock.simulators.vibetrace import VibetraceSimulator

KEY = "vt-key"
HEADERS = {"Authorization": KEY, "Content-Type": "application/json"}
ANN = "/v1/user/ann@shop.example"
LEGACY = '/event/acc/viewitem?ts=7&data=[{"type":"viewitem","email":"a@b.co","itemId":"p-1"}]'


def order(**generic: Any) -> dict[str, Any]:
    """Give a valid order."""
    return {
        "user": {"email": "ann@shop.example", "city": "Cluj"},
        "event": {
            "confirmation": {
                "generic": {"orderId": "o-1", "total": 9.5, "currency": "RON", **generic},
                "items": [{"id": "flv-gv_12", "quantity": 1}],
            }
        },
    }


def changed(path: str, value: Any) -> dict[str, Any]:
    """Give a valid order with one part replaced, or taken away."""
    made = order()
    *way, last = path.split(".")
    target: Any = made
    for step in way:
        target = target[int(step) if step.isdigit() else step]
    if value is KeyError:
        del target[last]
    else:
        target[last] = value
    return made


@pytest.fixture
def simulator() -> VibetraceSimulator:
    """A simulator that does not listen."""
    return VibetraceSimulator(api_key=KEY, attributes={"plan": "string", "visits": "integer", "born": "date"})


def put(simulator: VibetraceSimulator, value: Any, target: str = f"{ANN}?upsert=true") -> Verdict:
    """Put a user."""
    return simulator.answer("PUT", target, HEADERS, orjson.dumps(value))


def shown(simulator: VibetraceSimulator, target: str = ANN) -> Any:
    """Get a user."""
    return orjson.loads(simulator.answer("GET", target, HEADERS, b"").body)


def test_it_is_registered() -> None:
    """The file's name is the vendor's."""
    assert "vibetrace" in names()
    assert load("vibetrace") is VibetraceSimulator


def test_a_user_is_made_changed_and_shown(simulator: VibetraceSimulator) -> None:
    """Attributes that are not named stay."""
    assert (200, None) == (put(simulator, {"city": "Cluj", "isSubscribed": True}).status, None)
    answer = put(simulator, {"city": "Gent"}, ANN)
    assert ["results", "object"] == list(orjson.loads(answer.body))
    assert {"email": "ann@shop.example", "city": "Gent", "isSubscribed": True} == shown(simulator)


def test_a_user_who_is_not_there_is_not_changed(simulator: VibetraceSimulator) -> None:
    """Without upsert, and for a question, it is a 404 with the documented body, and no violation."""
    for method, target in (("PUT", ANN), ("PUT", f"{ANN}?upsert=1"), ("GET", ANN)):
        verdict = simulator.answer(method, target, HEADERS, b'{"city":"x"}')
        assert (404, None) == (verdict.status, verdict.violation)
        assert "User not found" == orjson.loads(verdict.body)["errors"][0]["message"]


@pytest.mark.parametrize("path", ["/v1/user/", "/v1/user"])
def test_a_user_can_be_posted(simulator: VibetraceSimulator, path: str) -> None:
    """With or without the slash; again, it is a warning."""
    for _ in range(2):
        assert 200 == simulator.judge(path, HEADERS, b'{"email":"ann@shop.example","city":"Cluj"}').status
    assert "Cluj" == shown(simulator)["city"]
    assert ["POST of a user who is there: what becomes of it is documented nowhere"] == simulator.warnings
    assert 400 == simulator.judge(path, HEADERS, b'{"city":"Cluj"}').status


@pytest.mark.parametrize(
    ("headers", "violation"),
    [
        ({}, "wrong or missing"),
        ({"Authorization": "other"}, "wrong or missing"),
        ({"Authorization": f"Bearer {KEY}"}, "without Bearer"),
        ({"Authorization": f"basic {KEY}"}, "without basic"),
    ],
)
def test_the_key_must_be_exact(
    simulator: VibetraceSimulator, headers: dict[str, str], violation: str
) -> None:
    """And stands alone."""
    verdict = simulator.answer("GET", ANN, headers, b"")
    assert 401 == verdict.status
    assert violation in str(verdict.violation)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", ANN),
        ("DELETE", "/v1/event/"),
        ("PUT", "/v1/User/ann@shop.example"),
        ("PUT", f"{ANN}/"),
        ("PUT", "/v1/event/"),
        ("PATCH", ANN),
        ("GET", "/v1/event/"),
        ("POST", "/v1/events/"),
        ("POST", ANN),
        ("GET", "/event/acc"),
        ("POST", "/event/acc/viewitem"),
        ("GET", "/"),
    ],
)
def test_other_calls_are_violations(simulator: VibetraceSimulator, method: str, path: str) -> None:
    """A 404, also for DELETE, which is documented nowhere."""
    verdict = simulator.answer(method, path, HEADERS, b'{"city":"x"}')
    assert 404 == verdict.status
    assert verdict.violation


@pytest.mark.parametrize(
    ("target", "body"),
    [
        (ANN, b"{"),
        (ANN, b"[]"),
        (ANN, b""),
        ("/v1/user/ann", b"{}"),
        ("/v1/user/ann@shop", b"{}"),
        ("/v1/user/%20@shop.example", b"{}"),
        ("/v1/user/%ff@shop.example", b"{}"),
    ],
)
def test_bad_bodies_and_addresses_are_400(simulator: VibetraceSimulator, target: str, body: bytes) -> None:
    """With the documented body."""
    verdict = simulator.answer("PUT", f"{target}?upsert=true", HEADERS, body)
    assert 400 == verdict.status
    assert verdict.violation
    assert "Invalid data format/type" == orjson.loads(verdict.body)["errors"][0]["message"]


def test_json_must_be_declared(simulator: VibetraceSimulator) -> None:
    """As the overview page asks."""
    assert 400 == simulator.answer("PUT", ANN, {"Authorization": KEY}, b"{}").status


@pytest.mark.parametrize(
    ("name", "value", "violation"),
    [
        ("isSubscribed", "true", "boolean"),
        ("isSubscribed", 1, "boolean"),
        ("city", 7, "string"),
        ("visits", 1.5, "integer"),
        ("visits", True, "integer"),
        ("born", "01.05.1990", "date"),
        ("born", "1990-05-01T00:00:00Z", "date"),
        ("isSpam", True, "computed"),
        ("lastVisitDate", "2026-01-01", "computed"),
        ("email", "other@shop.example", "path alone"),
    ],
)
def test_what_is_ignored_is_a_violation(
    simulator: VibetraceSimulator, name: str, value: Any, violation: str
) -> None:
    """Vibetrace says 200 and changes nothing; a correct client would not have sent it."""
    verdict = put(simulator, {name: value})
    assert 200 == verdict.status
    assert violation in str(verdict.violation)
    assert {"email": "ann@shop.example"} == shown(simulator)


def test_right_types_are_stored(simulator: VibetraceSimulator) -> None:
    """Also the account's own attributes."""
    attributes = {"plan": "gold", "visits": 3, "born": "1990-05-01", "tel": "07"}
    assert put(simulator, attributes).violation is None
    assert attributes == {k: v for k, v in shown(simulator).items() if k != "email"}


def test_an_attribute_that_is_not_defined_is_a_warning(simulator: VibetraceSimulator) -> None:
    """The overview page says that unknown fields are ignored."""
    assert put(simulator, {"shoe": "42"}).violation is None
    assert ["shoe is not an attribute of the account; ignored"] == simulator.warnings


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/v1/user/a+b@shop.example?upsert=true", {"city": "x"}),
        ("/v1/user/Ann@shop.example?upsert=true", {"city": "x"}),
        (f"{ANN}?upsert=true", {}),
    ],
)
def test_careless_calls_are_violations(simulator: VibetraceSimulator, target: str, body: Any) -> None:
    """A plus that is not encoded, capital letters, and an object that says nothing."""
    verdict = put(simulator, body, target)
    assert 200 == verdict.status
    assert verdict.violation


def test_an_order_is_stored(simulator: VibetraceSimulator) -> None:
    """Without the slash it is as well, with a warning."""
    assert (200, 1) == (
        (taken := simulator.judge("/v1/event/", HEADERS, orjson.dumps(order()))).status,
        len(taken.events),
    )
    assert [] == simulator.warnings
    assert 200 == simulator.judge("/v1/event", HEADERS, orjson.dumps(order())).status
    assert 1 == len(simulator.warnings)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("user", KeyError),
        ("user.email", KeyError),
        ("user.email", "ann"),
        ("user.city", 3),
        ("event", {}),
        ("event", {"login": {}}),
        ("event.login", {}),
        ("event.confirmation", []),
        ("event.confirmation.generic", KeyError),
        ("event.confirmation.generic.orderId", KeyError),
        ("event.confirmation.generic.orderId", 7),
        ("event.confirmation.generic.orderId", " "),
        ("event.confirmation.generic.total", KeyError),
        ("event.confirmation.generic.total", "9.5"),
        ("event.confirmation.generic.total", True),
        ("event.confirmation.generic.total_shipping", "1"),
        ("event.confirmation.generic.coupons", "SPRING"),
        ("event.confirmation.generic.coupons", [1]),
        ("event.confirmation.generic.status", {}),
        ("event.confirmation.items", KeyError),
        ("event.confirmation.items", []),
        ("event.confirmation.items.0.id", KeyError),
        ("event.confirmation.items.0.id", 12),
        ("event.confirmation.items.0.id", "FLV-GV_12"),
        ("event.confirmation.items.0.id", "flv-gv 12"),
        ("event.confirmation.items.0.quantity", KeyError),
        ("event.confirmation.items.0.quantity", 0),
        ("event.confirmation.items.0.quantity", "1"),
    ],
)
def test_a_faulty_order_is_refused(simulator: VibetraceSimulator, path: str, value: Any) -> None:
    """Names and types are exact, ids are those of the feed."""
    verdict = simulator.judge("/v1/event/", HEADERS, orjson.dumps(changed(path, value)))
    assert 400 == verdict.status
    assert verdict.violation


def test_unknown_fields_of_an_order_are_warnings(simulator: VibetraceSimulator) -> None:
    """They are ignored."""
    assert 200 == simulator.judge("/v1/event/", HEADERS, orjson.dumps(order(note="hello"))).status
    assert ["note is not a field of a confirmation; ignored"] == simulator.warnings


def test_an_older_event_is_stored(simulator: VibetraceSimulator) -> None:
    """It needs no key; each element of the list is one event."""
    verdict = simulator.answer("GET", LEGACY, {}, b"")
    assert (200, None, 1) == (verdict.status, verdict.violation, len(verdict.events))


@pytest.mark.parametrize(
    "target",
    [
        "/event/acc/viewitem",
        "/event/acc/viewitem?ts=7&data=[]",
        '/event/acc/viewitem?ts=7&data={"type":"viewitem"}',
        '/event/acc/viewitem?ts=7&data=[{"type":"login","email":"a@b.co"}]',
        '/event/acc/viewitem?ts=7&data=[{"type":"viewitem","itemId":"p"}]',
        '/event/acc/viewitem?ts=7&data=[{"type":"viewitem","userId":"u","itemId":"p"}]',
        '/event/acc/viewitem?ts=7&data=[{"type":"viewitem","email":"a@b.co"}]',
        '/event/acc/viewitem?ts=7&data=[{"type":"viewitem","email":"a@b.co","itemId":"P 1"}]',
        '/event/acc/confirmation?ts=7&data=[{"type":"confirmation","email":"a@b.co"}]',
        LEGACY.replace("ts=7", "ts=x"),
        LEGACY.replace("ts=7&", ""),
        f"{LEGACY}&apiKey=k",
        LEGACY.replace("viewitem", "View%20Item"),
    ],
)
def test_a_faulty_older_event_is_refused(simulator: VibetraceSimulator, target: str) -> None:
    """The list, each event's type, who it is about, and what its type needs."""
    verdict = simulator.answer("GET", target, {}, b"")
    assert 400 == verdict.status
    assert verdict.violation


# Over HTTP.


@pytest.fixture
async def running() -> AsyncIterator[VibetraceSimulator]:
    """A simulator that listens."""
    async with VibetraceSimulator(api_key=KEY) as simulator:
        yield simulator


@pytest.fixture
async def client(running: VibetraceSimulator) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of it that sends the key."""
    async with aiohttp.ClientSession(running.url, headers=HEADERS) as session:
        yield session


async def test_methods_paths_and_queries_arrive(
    running: VibetraceSimulator, client: aiohttp.ClientSession
) -> None:
    """A percent-encoded plus stays one on the way."""
    target = URL("/v1/user/a%2Bb@shop.example?upsert=true", encoded=True)
    async with client.put(target, data=b'{"city":"Cluj"}') as answer:
        assert 200 == answer.status
    assert {"a+b@shop.example": {"city": "Cluj"}} == running.users
    assert [] == running.violations
    async with client.delete("/v1/user/a@shop.example") as answer:
        assert 404 == answer.status
    assert "DELETE /v1/user/a@shop.example: documented nowhere" == running.violations[0].reason


async def test_a_repeated_order_is_flagged(
    running: VibetraceSimulator, client: aiohttp.ClientSession
) -> None:
    """It is counted once, as a client that retries cannot know."""
    for _ in range(2):
        async with client.post("/v1/event/", data=orjson.dumps(order())) as answer:
            assert 200 == answer.status
    async with client.get("/_simulator/received") as answer:
        told = await answer.json()
    assert (1, ["o-1"]) == (told["received"]["confirmations"], told["repeated_orders"])
    assert 1 == running.duplicates.total()


async def test_a_repeated_put_is_no_duplicate(
    running: VibetraceSimulator, client: aiohttp.ClientSession
) -> None:
    """Subscribed, unsubscribed, subscribed: three calls."""
    for consent in (True, False, True):
        async with client.put(f"{ANN}?upsert=true", data=orjson.dumps({"isSubscribed": consent})) as answer:
            assert 200 == answer.status
    assert [True, False, True] == [user["attributes"]["isSubscribed"] for user in running.received("users")]
    assert 0 == running.duplicates.total()


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_statuses_can_be_asked_for(
    running: VibetraceSimulator, client: aiohttp.ClientSession, status: int
) -> None:
    """Nothing is stored with them, and no client is to blame."""
    running.switches.next_statuses = [status]
    async with client.put(f"{ANN}?upsert=true", data=b'{"city":"Cluj"}') as answer:
        assert status == answer.status
        assert (status in (429, 503)) is ("Retry-After" in answer.headers)
    assert ({}, []) == (running.users, running.violations)


@pytest.mark.parametrize("status", [401, 403])
async def test_the_status_of_a_wrong_key_is_a_switch(
    running: VibetraceSimulator, client: aiohttp.ClientSession, status: int
) -> None:
    """The documents of v1 name none."""
    running.switches.credential_status = status  # type: ignore[assignment]
    async with client.get(ANN, headers={"Authorization": "other"}) as answer:
        assert status == answer.status


async def test_it_can_hang(running: VibetraceSimulator, client: aiohttp.ClientSession) -> None:
    """One request gets no answer, the next one does."""
    running.switches.hang = 1
    with pytest.raises(TimeoutError):
        async with client.get(ANN, timeout=aiohttp.ClientTimeout(total=0.1)):
            pass
    async with client.get(ANN) as answer:
        assert 404 == answer.status


async def test_it_can_lose_its_answer(running: VibetraceSimulator, client: aiohttp.ClientSession) -> None:
    """The order is stored, and the client does not hear of it."""
    running.switches.drop_after_commit = 1
    with pytest.raises((aiohttp.ClientError, asyncio.IncompleteReadError)):
        async with client.post("/v1/event/", data=orjson.dumps(order())):
            pass
    assert 1 == running.count("confirmations")


@pytest.mark.parametrize(("quiet", "status"), [(False, 400), (True, 200)])
async def test_one_can_be_refused(
    running: VibetraceSimulator, client: aiohttp.ClientSession, quiet: bool, status: int
) -> None:
    """By address, order or product; with 400, or with errors in a 200."""
    running.switches.refuse = ["o-1", "ann@shop.example"]
    running.switches.errors_with_200 = quiet
    for method, target, body in (("POST", "/v1/event/", order()), ("PUT", ANN, {"city": "x"})):
        async with client.request(method, target, data=orjson.dumps(body)) as answer:
            assert (status, True) == (answer.status, "errors" in await answer.json())
    assert (0, []) == (running.store.order, running.violations)


async def test_one_can_be_choked_on(running: VibetraceSimulator, client: aiohttp.ClientSession) -> None:
    """It is answered 500 while others pass."""
    running.switches.choke = ["flv-gv_12"]
    async with client.post("/v1/event/", data=orjson.dumps(order())) as answer:
        assert 500 == answer.status


async def test_bodies_can_be_bounded(running: VibetraceSimulator, client: aiohttp.ClientSession) -> None:
    """A larger one is 413."""
    running.switches.max_body_bytes = 5
    async with client.put(f"{ANN}?upsert=true", data=b'{"city":"Cluj"}') as answer:
        assert 413 == answer.status


async def test_reset_forgets_users(running: VibetraceSimulator, client: aiohttp.ClientSession) -> None:
    """And warnings; its page shows what arrived until then."""
    async with client.put(f"{ANN}?upsert=true", data=b'{"shoe":"<b>42</b>"}') as answer:
        assert 200 == answer.status
    async with client.get("/") as answer:
        page = await answer.text()
    assert ("ann@shop.example" in page, "<b>42" in page) == (True, False)
    async with client.post("/_simulator/reset") as answer:
        told = await answer.json()
    assert (0, []) == (told["users"], told["warnings"])
