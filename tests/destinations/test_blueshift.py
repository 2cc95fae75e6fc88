"""Blueshift as a destination: the contract, its settings and its three calls."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from crossdock.destinations import load, names
from crossdock.destinations.base import Batch, Payload, Response
from crossdock.destinations.blueshift import Blueshift
from tests.destinations.contract import DestinationContract

BLUESHIFT = Blueshift(event_api_key="event-secret", user_api_key="user-secret")
PROFILES = Blueshift(event_api_key="event-secret", user_api_key="user-secret", profile_api=True)


class TestContract(DestinationContract):
    """What every destination promises."""

    destination = BLUESHIFT
    accepted = Response(200, b'{"status":"ok","count":3}')
    refused = Response(400, b'{"error":"bad_request"}')
    body_limit_bytes = 950_000


class TestProfileContract(DestinationContract):
    """The same where identify calls go to the customers API."""

    destination = PROFILES
    accepted = Response(200, b'{"status":"ok","count":3}')
    refused = Response(422, b'{"success":false,"error":"no"}')
    body_limit_bytes = 950_000


def batch(*actions: str) -> Batch:
    """Make a batch of small payloads."""
    return Batch(
        tuple(
            Payload(number, 0, f"m{number}", action, action, b'{"event":"e%d"}' % number)
            for number, action in enumerate(actions)
        )
    )


def test_the_folder_is_the_registry() -> None:
    """The name in settings is the module's."""
    assert "blueshift" in names()
    assert load("blueshift") is Blueshift


def test_all_events_share_one_call_in_order() -> None:
    """An identify stands where it happened, between the events around it."""
    request = BLUESHIFT.request(batch("view", "identify", "custom", "purchase"))
    assert ("POST", "https://api.getblueshift.com/api/v1/bulkevents") == (request.method, request.url)
    assert {"events": [{"event": f"e{n}"} for n in range(4)]} == orjson.loads(request.body)
    assert 1 == len({BLUESHIFT.endpoint(a) for a in BLUESHIFT.actions if a != "merge"})


def test_profiles_and_merges_have_calls_of_their_own() -> None:
    """With the option an identify is a customer's record; a merge always goes alone."""
    request = PROFILES.request(batch("identify", "identify"))
    assert "https://api.getblueshift.com/api/v1/customers/bulk" == request.url
    assert {"customers": [{"event": "e0"}, {"event": "e1"}]} == orjson.loads(request.body)
    merge = BLUESHIFT.request(batch("merge"))
    assert "https://api.getblueshift.com/api/v1/customers/merge" == merge.url
    assert b'{"event":"e0"}' == merge.body


@pytest.mark.parametrize(
    ("destination", "action", "key"),
    [
        (BLUESHIFT, "view", "event-secret:"),
        (BLUESHIFT, "identify", "event-secret:"),
        (PROFILES, "identify", "user-secret:"),
        (PROFILES, "group", "event-secret:"),
        (BLUESHIFT, "merge", "user-secret:"),
    ],
)
def test_the_key_is_a_user_name_with_an_empty_password(destination: Blueshift, action: str, key: str) -> None:
    """The colon belongs to it: RudderStack leaves it out."""
    headers = destination.request(batch(action)).headers
    scheme, _, credential = headers["Authorization"].partition(" ")
    assert ("Basic", key) == (scheme, b64decode(credential).decode())
    assert ("application/json", "application/json") == (headers["Content-Type"], headers["Accept"])


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"region": "eu"}, "https://api.eu.getblueshift.com"),
        ({"base_url": "http://localhost:9/"}, "http://localhost:9"),
        ({"base_url": "http://localhost:9", "region": "eu"}, "http://localhost:9"),
    ],
)
def test_region_and_host_are_settings(settings: dict[str, Any], url: str) -> None:
    """The key must be of the account's region."""
    blueshift = Blueshift(event_api_key="k", **settings)
    assert f"{url}/api/v1/bulkevents" == blueshift.request(batch("view")).url


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"event_api_key": ""},
        {"event_api_key": "k", "user_api_key": ""},
        {"event_api_key": "k", "region": "asia"},
        {"event_api_key": "k", "base_url": "api.getblueshift.com"},
        {"event_api_key": "k", "base_url": "https://user:pass@api.getblueshift.com"},
        {"event_api_key": "k", "profile_api": True},
        {"event_api_key": "k", "catalog_key": "ean"},
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    """At start, not with the first event, and without showing a key."""
    with pytest.raises(ValidationError) as refused:
        Blueshift(**settings)
    assert "pass" not in str(refused.value)


def test_a_call_holds_what_the_vendor_allows() -> None:
    """100 events, or 30 where that is pinned; 50 profiles; one merge; one lane at 5 calls a second."""
    pinned = Blueshift(event_api_key="k", strict30=True)
    calls = [("bulkevents", BLUESHIFT), ("bulkevents", pinned), ("customers/bulk", PROFILES)]
    assert [100, 30, 50] == [destination.most_payloads(endpoint) for endpoint, destination in calls]
    assert 1 == BLUESHIFT.most_payloads(BLUESHIFT.endpoint("merge"))
    assert (True, 5.0) == (Blueshift.order_all, Blueshift.requests_per_second)
