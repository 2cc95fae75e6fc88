"""Vibetrace as a destination: the contract, its calls, and what their answers mean."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from pydantic import ValidationError

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
from crossdock.destinations.vibetrace import Vibetrace
from crossdock.destinations.vibetrace.user import BUILT_IN, RESERVED
from tests.destinations.contract import DestinationContract

VIBETRACE = Vibetrace(api_key="vt-secret", legacy_events=True, account_id="acc1")
INVALID = {"errors": [{"message": "Invalid data format/type", "description": "email"}]}
NOT_FOUND = {"errors": [{"message": "User not found", "description": "no such user"}]}
PAGE = b"\n<!doctype html><title>404</title>"


class TestContract(DestinationContract):
    """What every destination promises."""

    destination = VIBETRACE
    accepted = Response(200, orjson.dumps({"results": [{"message": "ok", "email": "a@b.co"}], "object": {}}))
    refused = Response(400, orjson.dumps(INVALID))

    def batch(self, count: int, size: int | None = None) -> Batch:
        """Make users; one that is grown has a long attribute."""
        plain = super().batch(count)
        if size is None:
            return plain
        body = orjson.dumps({"email": "a@b.co", "attributes": {"city": "x" * (size - 48)}})
        return Batch((Payload(0, 0, "m0", "user", "preset", body),) * count)


def batch(action: str, body: Any, count: int = 1) -> Batch:
    """Make a batch of prepared payloads."""
    return Batch(tuple(Payload(n, 0, f"m{n}", action, action, orjson.dumps(body)) for n in range(count)))


def user(email: str = "ann@shop.example", **attributes: Any) -> dict[str, Any]:
    """Give a prepared user."""
    return {"email": email, "attributes": attributes or {"city": "Cluj"}}


def called(action: str, body: Any) -> Request:
    """Give the request for one payload."""
    return VIBETRACE.request(batch(action, body))


@pytest.mark.parametrize(
    ("action", "query"),
    [
        ("user", "?upsert=true"),
        ("subscribe", "?upsert=true"),
        ("unsubscribe", ""),
        ("spam", ""),
        ("forget", ""),
    ],
)
def test_a_user_is_put(action: str, query: str) -> None:
    """What knows somebody makes or changes them; what unsubscribes somebody makes nobody."""
    request = called(action, user())
    assert ("PUT", f"https://api.vtcdn.net/v1/user/ann@shop.example{query}") == (request.method, request.url)
    assert b'{"city":"Cluj"}' == request.body


def test_an_address_is_percent_encoded() -> None:
    """A plus, a slash and a letter outside ASCII cannot be mistaken for a space or a path."""
    url = called("user", user("a+b/c%ü@shop.example")).url
    assert "https://api.vtcdn.net/v1/user/a%2Bb%2Fc%25%C3%BC@shop.example?upsert=true" == url


def test_an_order_is_posted_as_it_is() -> None:
    """With the slash that the help page prints, and with the same bytes on every retry."""
    body = {"user": {"email": "a@b.co"}, "event": {"confirmation": {"generic": {}, "items": []}}}
    request = called("confirmation", body)
    assert ("POST", "https://api.vtcdn.net/v1/event/") == (request.method, request.url)
    assert orjson.dumps(body) == request.body


def test_an_older_event_is_got() -> None:
    """Account and type in the path, the events as a JSON list, a number that never changes, and no key."""
    body = {"type": "viewitem", "data": [{"type": "viewitem", "email": "a@b.co", "itemId": "p&1+2"}]}
    request = called("viewitem", body)
    parts = urlsplit(request.url)
    assert ("GET", "app.vtcdn.net", "/event/acc1/viewitem") == (request.method, parts.netloc, parts.path)
    query = parse_qs(parts.query, strict_parsing=True)
    assert {"data", "ts"} == set(query)
    assert body["data"] == orjson.loads(query["data"][0])
    assert query["ts"][0].isdecimal()
    assert request == called("viewitem", body)
    assert (b"", False) == (request.body, "Authorization" in request.headers)


def test_the_key_is_sent_bare() -> None:
    """The documents know no scheme word."""
    assert {
        "Authorization": "vt-secret",
        "Content-Type": "application/json",
        "Accept": "application/json",
    } == called("user", user()).headers


def test_personal_data_of_a_url_is_not_shown() -> None:
    """A request's repr shows no query."""
    body = {"type": "viewitem", "data": [{"type": "viewitem", "email": "a@b.co", "itemId": "1"}]}
    assert "a%40b.co" not in repr(called("viewitem", body))


def test_hosts_and_the_event_path_are_settings() -> None:
    """A slash at a host's end makes no difference."""
    vibetrace = Vibetrace(api_key="k", base_url="http://localhost:9/vt/", event_path="/v1/event")
    assert "http://localhost:9/vt/v1/event" == vibetrace.request(batch("confirmation", {"user": {}})).url
    assert "http://localhost:9/vt/v1/user/a@b.co" == vibetrace.request(batch("spam", user("a@b.co"))).url


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "api_key"),
        ({"api_key": ""}, "api_key"),
        ({"api_key": "Bearer k"}, "bare key"),
        ({"api_key": "k\n"}, "bare key"),
        ({"api_key": "k", "base_url": "api.vtcdn.net"}, "http"),
        ({"api_key": "k", "base_url": "https://me:pw@api.vtcdn.net"}, "http"),
        ({"api_key": "k", "event_path": "v1/event"}, "event_path"),
        ({"api_key": "k", "legacy_events": True}, "account_id"),
        ({"api_key": "k", "attributes": {"plan": {"tag": "my-plan", "type": "string"}}}, "tag"),
        ({"api_key": "k", "attributes": {"plan": {"tag": "plan", "type": "text"}}}, "type"),
        (
            {
                "api_key": "k",
                "attributes": {"a": {"tag": "x", "type": "string"}, "b": {"tag": "x", "type": "date"}},
            },
            "two types",
        ),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], words: str) -> None:
    """At start, not with the first event."""
    with pytest.raises(ValidationError, match=words):
        Vibetrace(**settings)


@pytest.mark.parametrize("tag", [*sorted(RESERVED), "SCORE"])
def test_reserved_tags_are_refused(tag: str) -> None:
    """Vibetrace computes these itself."""
    with pytest.raises(ValidationError, match="computed by Vibetrace"):
        Vibetrace(api_key="k", attributes={"trait": {"tag": tag, "type": "string"}})


@pytest.mark.parametrize("tag", sorted(BUILT_IN))
def test_tags_that_the_presets_fill_are_refused(tag: str) -> None:
    """Two ways to one attribute would overwrite each other."""
    with pytest.raises(ValidationError, match="filled already"):
        Vibetrace(api_key="k", attributes={"trait": {"tag": tag, "type": "string"}})


def test_a_key_is_not_quoted_when_it_is_refused() -> None:
    """What is wrong with it is said without it."""
    with pytest.raises(ValidationError) as raised:
        Vibetrace(api_key="Basic hush-hush")
    assert "hush-hush" not in str(raised.value)


# Answers.


def answered(status: int, body: Any = b"", *, action: str = "user", count: int = 1) -> Outcome:
    """Give the outcome that a call's answer means."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    data = {"type": action, "data": []} if action == "viewitem" else user()
    outcomes = VIBETRACE.outcomes(batch(action, data, count), Response(status, raw))
    assert count == len(outcomes)
    assert all(outcome == outcomes[0] for outcome in outcomes)
    return outcomes[0]


CALLS = ("user", "subscribe", "unsubscribe", "confirmation", "viewitem")


@pytest.mark.parametrize("action", CALLS)
@pytest.mark.parametrize("status", [200, 201, 204])
def test_success(action: str, status: int) -> None:
    """A 2xx without errors."""
    assert Delivered() == answered(status, {"results": [{"message": "ok"}]}, action=action)


@pytest.mark.parametrize("action", CALLS)
def test_a_success_with_errors_is_a_refusal(action: str) -> None:
    """Nothing documents it; the vendor says that something was wrong."""
    assert Rejected("200: Invalid data format/type: email") == answered(200, INVALID, action=action)
    assert isinstance(answered(200, INVALID, action=action, count=2), Split)
    assert Delivered() == answered(200, {"errors": [], "results": []}, action=action)


@pytest.mark.parametrize("action", CALLS)
def test_invalid_data_is_refused(action: str) -> None:
    """With the vendor's words."""
    assert Rejected("400: Invalid data format/type: email") == answered(400, INVALID, action=action)


@pytest.mark.parametrize("action", ["unsubscribe", "spam", "forget"])
def test_nobody_to_unsubscribe_is_a_success(action: str) -> None:
    """One whom Vibetrace does not know gets no newsletter."""
    assert Delivered() == answered(404, NOT_FOUND, action=action)
    assert Delivered() == answered(404, action=action)


@pytest.mark.parametrize("action", CALLS)
def test_a_page_that_is_not_found_halts(action: str) -> None:
    """It means the address is wrong, also for an unsubscription, whose wish would be lost."""
    assert isinstance(answered(404, PAGE, action=action), Halt)


@pytest.mark.parametrize("action", ["user", "subscribe", "confirmation"])
def test_a_user_who_is_not_found_halts_where_one_is_made(action: str) -> None:
    """An upsert makes the user, so the path is wrong."""
    assert Halt("404: User not found: no such user") == answered(404, NOT_FOUND, action=action)


def test_a_website_that_answers_halts() -> None:
    """A 200 with a web page is not the API."""
    assert Halt("200: a web page answered; base_url is not Vibetrace's API") == answered(200, PAGE)
    assert Delivered() == answered(200, PAGE, action="viewitem")


@pytest.mark.parametrize("action", CALLS)
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_halts(action: str, status: int) -> None:
    """And says what to look at."""
    outcome = answered(status, {"errors": [{"message": "no vt-secret"}]}, action=action)
    assert isinstance(outcome, Halt)
    assert outcome.reason == f"{status}: no ***; check api_key, and that the account manager enabled the API"


@pytest.mark.parametrize("action", CALLS)
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_passes_is_retried(action: str, status: int) -> None:
    """With the same body."""
    assert isinstance(answered(status, action=action), Retry)


@pytest.mark.parametrize("errors", ["no", ["no", 3], {"message": "no"}, [{"code": 1}]])
def test_errors_of_any_shape_are_told(errors: Any) -> None:
    """Whatever the vendor says is the reason."""
    outcome = answered(400, {"errors": errors})
    assert isinstance(outcome, Rejected)
    assert outcome.reason.startswith(("400: no", "400: an error without a message"))


def test_a_note_is_told_with_success_only() -> None:
    """What an operator should know: a new address, or somebody to erase."""
    noted = batch("forget", user() | {"note": "erase"})
    assert [Delivered("erase")] == VIBETRACE.outcomes(noted, Response(200, b"{}"))
    assert [Delivered("erase")] == VIBETRACE.outcomes(noted, Response(404, orjson.dumps(NOT_FOUND)))
    assert isinstance(VIBETRACE.outcomes(noted, Response(500))[0], Retry)
    attribute = batch("user", user(note="an attribute"))
    assert [Delivered()] == VIBETRACE.outcomes(attribute, Response(200, b"{}"))


# The probe.


def test_the_probe_asks_for_nobody() -> None:
    """It changes nothing, and nobody can have the address."""
    probe = VIBETRACE.probe()
    assert ("GET", "https://api.vtcdn.net/v1/user/nobody@crossdock.invalid", b"") == (
        probe.method,
        probe.url,
        probe.body,
    )
    assert {"Authorization": "vt-secret", "Accept": "application/json"} == probe.headers


@pytest.mark.parametrize(
    ("status", "body", "accepted"),
    [
        (404, orjson.dumps(NOT_FOUND), True),
        (200, b'{"email":"nobody@crossdock.invalid"}', True),
        (401, b"", False),
        (403, b'{"errors":[{"message":"no access for vt-secret"}]}', False),
        (404, PAGE, None),
        (404, b"", None),
        (200, PAGE, None),
        (200, orjson.dumps(INVALID), None),
        (500, b"", None),
    ],
)
def test_the_probe_tells_about_the_key(status: int, body: bytes, accepted: bool | None) -> None:
    """A good key hears that nobody is there; what says neither is said plainly, and without the key."""
    probed = VIBETRACE.probed(Response(status, body))
    assert accepted is probed.key_accepted
    assert probed.says
    assert "vt-secret" not in probed.says
