"""Segmentify as a destination: the contract, its one request, what its answers mean, and its keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from crossdock.destinations import load, names
from crossdock.destinations.base import (
    Batch,
    Delivered,
    Halt,
    Outcome,
    Payload,
    Rejected,
    Request,
    Response,
    Retry,
    Split,
)
from crossdock.destinations.segmentify import Segmentify
from tests.destinations.contract import DestinationContract

KEY = "0f3c secret/key"
QUOTED = "0f3c%20secret%2Fkey"
TAKEN = {"campaigns": [[]], "responses": [[]], "timestamp": 1_700_000_000_000}


def segmentify(**settings: Any) -> Segmentify:
    """Make a destination with these settings beside the required ones."""
    needed = {"api_key": KEY, "origin": "https://shop.example", "base_url": "https://dce1.segmentify.example"}
    return Segmentify(**{**needed, **settings})


SEGMENTIFY = segmentify()


class TestContract(DestinationContract):
    """What every destination promises."""

    destination = segmentify(checkout_step_map={"2": "payment"})
    accepted = Response(200, orjson.dumps(TAKEN))
    body_limit_bytes = 256 * 1024


def batch(count: int = 2) -> Batch:
    """Make a batch of small payloads."""
    bodies = [b'{"userId":"u%d","sessionId":"s"}' % number for number in range(count)]
    return Batch(
        tuple(Payload(n, 0, f"m{n}", "PAGE_VIEW", "Page Viewed", body) for n, body in enumerate(bodies))
    )


def answered(status: int, body: Any, *, payloads: int = 2) -> Outcome:
    """Give the outcome that all payloads of a batch share."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    outcomes = SEGMENTIFY.outcomes(batch(payloads), Response(status, raw))
    assert payloads == len(outcomes)
    assert 1 == len(set(map(repr, outcomes)))
    return outcomes[0]


def refusal(code: str) -> dict[str, Any]:
    """Give the error answer that the documentation shows."""
    return {"timestamp": "", "responses": [], "statusCode": code}


def test_the_folder_is_the_registry() -> None:
    """Its parts are no vendors."""
    assert "segmentify" in names()
    assert Segmentify is load("segmentify")


def test_one_request_is_an_array_in_order() -> None:
    """With the key in the query and the account's domain as Origin."""
    request = SEGMENTIFY.request(batch())
    address = f"https://dce1.segmentify.example/add/events/v1.json?apiKey={QUOTED}"
    assert ("POST", address) == (request.method, request.url)
    assert [{"userId": "u0", "sessionId": "s"}, {"userId": "u1", "sessionId": "s"}] == orjson.loads(
        request.body
    )
    assert {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "Origin": "https://shop.example",
    } == request.headers


def test_the_key_in_the_address_is_not_shown() -> None:
    """Whoever prints a request sees where it goes, not with which key."""
    request = SEGMENTIFY.request(batch(1))
    shown = repr(request)
    assert "https://dce1.segmentify.example/add/events/v1.json?…" in shown
    assert QUOTED not in shown
    assert "Request(GET https://a.example/b, 0 bytes)" == repr(Request("GET", "https://a.example/b", b""))


@pytest.mark.parametrize("code", [None, "", "SUCCESS", " SUCCESS ", ...])
@pytest.mark.parametrize("status", [200, 201])
def test_a_good_body_is_success(status: int, code: Any) -> None:
    """The documentation calls any statusCode an error; the SDKs get SUCCESS."""
    body = TAKEN if code is ... else {**TAKEN, "statusCode": code}
    assert Delivered() == answered(status, body)


@pytest.mark.parametrize(
    "code",
    ["NO_API_KEY", "NO_ACCOUNT", "UNVERIFIED_ACCOUNT", "FAILED_ACCOUNT", "NO_DOMAIN_APIKEY_MATCH"],
)
@pytest.mark.parametrize("payloads", [1, 3])
def test_an_account_fault_halts(code: str, payloads: int) -> None:
    """A human can cure it; the events wait."""
    outcome = answered(200, refusal(code), payloads=payloads)
    assert isinstance(outcome, Halt)
    assert outcome.reason.startswith(f"{code}: ")


@pytest.mark.parametrize("code", ["NO_USERID", "NO_SESSIONID", "BAD_INPUT", "NO_EVENT", "TEAPOT", 7])
def test_a_refused_batch_is_taken_apart(code: Any) -> None:
    """The answer does not say who is guilty; alone, the guilty one is rejected with the body kept."""
    split = answered(200, refusal(code))
    assert isinstance(split, Split)
    assert str(code) == split.code
    alone = answered(200, refusal(code), payloads=1)
    assert isinstance(alone, Rejected)
    assert str(code) == alone.code
    assert orjson.dumps(refusal(code)).decode() in alone.reason


@pytest.mark.parametrize("body", [b"", b"<html>Welcome</html>", b"[]", b"null", b'"SUCCESS"'])
def test_an_answer_that_cannot_be_read_is_retried(body: bytes) -> None:
    """Something stood between us and the vendor."""
    assert isinstance(answered(200, body), Retry)


@pytest.mark.parametrize("status", [400])
def test_a_wrong_request_is_refused(status: int) -> None:
    """The documentation: the request type is wrong."""
    assert isinstance(answered(status, b"no"), Split)
    assert isinstance(answered(status, b"no", payloads=1), Rejected)


@pytest.mark.parametrize("status", [301, 302, 401, 403, 404, 405, 409, 410, 418, 422])
def test_an_undocumented_status_halts(status: int) -> None:
    """A wrong address or account, as far as one can tell."""
    assert isinstance(answered(status, b"no"), Halt)


def test_a_key_that_an_answer_repeats_is_masked() -> None:
    """Error pages quote addresses."""
    for shown in (KEY, QUOTED):
        outcome = answered(404, f"no page /add/events/v1.json?apiKey={shown}".encode())
        assert Halt("404: no page /add/events/v1.json?apiKey=***") == outcome


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"api_key": ""}, "api_key"),
        ({"origin": "shop.example"}, "origin"),
        ({"origin": "https://shop.example/shop"}, "origin"),
        ({"base_url": "dce1.segmentify.com"}, "base_url"),
        ({"base_url": "https://dce1.segmentify.com?apiKey=1"}, "base_url"),
        ({"page_paths": {"[": "Product Page"}}, "page_paths"),
        ({"checkout_step_map": {"2": "paid"}}, "checkout_step_map.2"),
        ({"checkout_steps": {"bought": "x"}}, "checkout_steps.bought.[key]"),
        ({"default_device": "WATCH"}, "default_device"),
        ({"session_idle_seconds": 0}, "session_idle_seconds"),
        ({"max_event_age": "long"}, "max_event_age"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], field: str) -> None:
    """At start, not with the first event."""
    with pytest.raises((ValidationError, ValueError)) as caught:
        segmentify(**settings)
    if isinstance(caught.value, ValidationError):
        assert field == ".".join(str(part) for part in caught.value.errors()[0]["loc"])


@pytest.mark.parametrize("missing", ["api_key", "origin", "base_url"])
def test_three_settings_are_required(missing: str) -> None:
    """There is no default data centre."""
    needed = {"api_key": KEY, "origin": "https://shop.example", "base_url": "https://x.example"}
    with pytest.raises(ValidationError):
        Segmentify(**{name: value for name, value in needed.items() if name != missing})


def test_a_slash_at_the_end_of_an_address_makes_no_difference() -> None:
    """Of the data centre or the domain."""
    with_slash = segmentify(origin="https://shop.example/", base_url="https://dce1.segmentify.example/")
    assert SEGMENTIFY.request(batch(1)) == with_slash.request(batch(1))


def test_late_events_have_an_age() -> None:
    """Segmentify dates by arrival, so what is a day old is not sent; the operator may set another bound."""
    assert timedelta(hours=24) == SEGMENTIFY.max_event_age
    assert timedelta(hours=2) == segmentify(max_event_age="2h").max_event_age
    assert segmentify(max_event_age=None).max_event_age is None


class TestKeys:
    """Vendor-made keys in place of our own ids."""

    def test_own_ids_want_none(self) -> None:
        """The default mode."""
        assert () == SEGMENTIFY.keys_wanted(batch())

    def test_each_visitor_and_session_wants_one(self) -> None:
        """Once a batch, in order, told apart by what they are."""
        assert ("user:u0", "session:s", "user:u1") == segmentify(id_mode="vendor").keys_wanted(batch())

    def test_the_request_for_keys(self) -> None:
        """It carries the domain and no API key; it is also the harmless call of a probe."""
        request = SEGMENTIFY.keys_request(2)
        assert ("GET", "https://dce1.segmentify.example/get/key?count=2", b"") == (
            request.method,
            request.url,
            request.body,
        )
        assert {"Accept": "application/json", "Origin": "https://shop.example"} == request.headers
        assert SEGMENTIFY.keys_request(1) == SEGMENTIFY.probe()

    def test_keys_are_a_bare_array(self) -> None:
        """As many as were asked for."""
        assert ("a", "b") == SEGMENTIFY.read_keys(Response(200, b'["a","b"]'), 2)

    @pytest.mark.parametrize("body", [b'["a"]', b'["a",""]', b'["a",1]', b'{"keys":["a","b"]}', b"nonsense"])
    def test_no_keys_in_the_answer_is_retried(self, body: bytes) -> None:
        """The events stay."""
        assert isinstance(SEGMENTIFY.read_keys(Response(200, body), 2), Retry)

    @pytest.mark.parametrize(("status", "kind"), [(429, Retry), (503, Retry), (404, Halt), (302, Halt)])
    def test_a_refused_fetch_is_what_http_means(self, status: int, kind: type) -> None:
        """Never a dead letter."""
        assert isinstance(SEGMENTIFY.read_keys(Response(status), 1), kind)

    def test_keys_take_the_place_of_ids(self) -> None:
        """And nothing else changes."""
        keys = {"user:u0": "k1", "user:u1": "k2", "session:s": "k3"}
        exchanged = segmentify(id_mode="vendor").with_keys(batch(), keys)
        assert [("k1", "k3"), ("k2", "k3")] == [
            (event["userId"], event["sessionId"])
            for event in (orjson.loads(payload.body) for payload in exchanged.payloads)
        ]
        assert ["m0", "m1"] == [payload.message_id for payload in exchanged.payloads]
