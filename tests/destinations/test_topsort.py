"""Topsort as a destination: the contract, its one request, and what its answers mean."""

from __future__ import annotations

from collections.abc import Mapping
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
    Response,
    Retry,
    Split,
)
from crossdock.destinations.topsort import Topsort
from tests.destinations.contract import DestinationContract

TOPSORT = Topsort(api_key="TSE_secret")
REFUSED = {"errCode": "bad_request", "docUrl": "https://docs.example", "message": "entity.type is wrong"}


class TestContract(DestinationContract):
    """What every destination promises."""

    destination = Topsort(api_key="TSE_secret")
    body_limit_bytes = 512 * 1024
    refused = Response(400, orjson.dumps(REFUSED))


def batch(*actions: str) -> Batch:
    """Make a batch of small payloads."""
    return Batch(
        tuple(
            Payload(number, 0, f"m{number}", action, action, b'{"id":"m%d"}' % number)
            for number, action in enumerate(actions)
        )
    )


def test_the_folder_is_the_registry() -> None:
    """The file's name is the vendor's name in settings."""
    assert "topsort" in names()
    assert load("topsort") is Topsort


def test_one_request_mixes_all_kinds() -> None:
    """Each kind goes into its own array, in the order of the batch."""
    request = TOPSORT.request(batch("click", "impression", "purchase", "pageview", "click"))
    assert ("POST", "https://api.topsort.com/v2/events") == (request.method, request.url)
    assert {
        "clicks": [{"id": "m0"}, {"id": "m4"}],
        "impressions": [{"id": "m1"}],
        "purchases": [{"id": "m2"}],
        "pageviews": [{"id": "m3"}],
    } == orjson.loads(request.body)


def test_no_array_is_empty() -> None:
    """RudderStack posts three empty arrays when every input failed; we name only what we send."""
    assert b'{"clicks":[{"id":"m0"}]}' == TOPSORT.request(batch("click")).body


def test_the_key_is_a_bearer_token() -> None:
    """And the body is plain JSON: no compression is documented."""
    assert {
        "Authorization": "Bearer TSE_secret",
        "Content-Type": "application/json",
        "Accept": "application/json",
    } == TOPSORT.request(batch("click")).headers


@pytest.mark.parametrize("base_url", ["http://localhost:9/topsort", "http://localhost:9/topsort/"])
def test_the_host_is_a_setting(base_url: str) -> None:
    """A slash at its end makes no difference."""
    topsort = Topsort(api_key="key", base_url=base_url)
    assert "http://localhost:9/topsort/v2/events" == topsort.request(batch("click")).url


@pytest.mark.parametrize("settings", [{"api_key": ""}, {"api_key": "k", "base_url": "api.topsort.com"}, {}])
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    """At start, not with the first event."""
    with pytest.raises(ValidationError):
        Topsort(**settings)


def answered(
    status: int, error: Any = None, *, payloads: int = 2, headers: Mapping[str, str] | None = None
) -> Outcome:
    """Give the outcome that all payloads of a batch share."""
    body = b"" if error is None else orjson.dumps(error)
    outcomes = TOPSORT.outcomes(batch(*["click"] * payloads), Response(status, body, headers or {}))
    assert len(outcomes) == payloads
    assert len(set(map(repr, outcomes))) == 1
    return outcomes[0]


@pytest.mark.parametrize("status", [200, 202, 204])
def test_success_is_of_every_event(status: int) -> None:
    """There is no partial success in v2."""
    assert Delivered() == answered(status)


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("error", [REFUSED, [REFUSED]])
def test_a_refusal_splits_a_batch_and_rejects_a_single_payload(status: int, error: Any) -> None:
    """The error may be one object (OpenAPI) or a list of them (docs); its words are kept."""
    words = f"{status}: bad_request: entity.type is wrong"
    assert Split(words, "bad_request") == answered(status, error)
    assert Rejected(words, "bad_request") == answered(status, error, payloads=1)


@pytest.mark.parametrize("error", [None, "no", {"message": "no code"}, [3], {"errCode": 7}])
def test_an_error_without_a_code_is_still_told(error: Any) -> None:
    """What the vendor said is the reason, whatever its shape."""
    outcome = answered(400, error, payloads=1)
    assert isinstance(outcome, Rejected)
    assert outcome.code is None
    assert outcome.reason.startswith("400: ")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_bad_key_or_url_halts(status: int) -> None:
    """The events are not at fault and stay."""
    assert Halt(f"{status}: invalid_api_key: no") == answered(
        status, {"errCode": "invalid_api_key", "message": "no"}
    )


def test_a_bad_key_halts_under_any_status() -> None:
    """OpenAPI lists `invalid_api_key` among the codes of a 400."""
    assert Halt("400: invalid_api_key") == answered(400, {"errCode": "invalid_api_key"}, payloads=1)


def test_too_large_a_body_is_halved() -> None:
    """A single payload cannot be."""
    split = answered(413)
    assert isinstance(split, Split)
    assert 11 == split.cap_bytes
    assert isinstance(answered(413, payloads=1), Rejected)


@pytest.mark.parametrize(
    ("headers", "after", "until"),
    [
        ({"x-ratelimit-reset": "7"}, 7.0, None),
        ({"x-ratelimit-reset": "1800000000"}, None, 1_800_000_000.0),
        ({"x-ratelimit-reset": "1800000000000"}, None, 1_800_000_000.0),
        ({"retry-after": "3", "x-ratelimit-reset": "7"}, 3.0, None),
        ({}, None, None),
    ],
)
def test_429_waits_for_the_reset(headers: dict[str, str], after: float | None, until: float | None) -> None:
    """Its unit is undocumented, so its size tells; Retry-After is honoured if present."""
    assert Retry("429: no body", after, until) == answered(429, headers=headers)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_retried(status: int) -> None:
    """With the same ids, since it may have been stored."""
    assert Retry(f"{status}: internal_server_error") == answered(status, {"errCode": "internal_server_error"})
