"""What Blueshift's answers mean, and what `doctor` can read out of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

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
from crossdock.destinations.blueshift import Blueshift

BLUESHIFT = Blueshift(event_api_key="event-secret", user_api_key="user-secret", profile_api=True)
BULK_OK = {"status": "ok", "count": 2}


def batch(action: str = "view", payloads: int = 2, *, size: int = 0) -> Batch:
    """Make a batch of different customers' payloads."""
    bodies = [b'{"customer_id":"c%d","pad":"%s"}' % (n, b"x" * size) for n in range(payloads)]
    return Batch(tuple(Payload(n, 0, f"m{n}", action, action, body) for n, body in enumerate(bodies)))


def answered(status: int, body: Any = None, of: Batch | None = None, **headers: str) -> Outcome:
    """Give the outcome that all payloads of a batch share."""
    batched = of or batch()
    raw = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    outcomes = BLUESHIFT.outcomes(batched, Response(status, raw, named))
    assert len(batched.payloads) == len(outcomes)
    assert 1 == len(set(outcomes))
    return outcomes[0]


@pytest.mark.parametrize("body", [BULK_OK, {"status": "OK"}, {"status": "ok", "count": 5}, {}])
def test_200_takes_all(body: dict[str, Any]) -> None:
    """What is wrong with an event is never told to the caller."""
    assert Delivered() == answered(200, body)


def test_a_count_below_what_was_sent_is_noted() -> None:
    """Nothing is sent again, since nobody knows which; the note is logged."""
    outcome = answered(200, {"status": "ok", "count": 1})
    assert isinstance(outcome, Delivered)
    assert outcome.note is not None
    assert "1 of 2" in outcome.note


def test_an_unusual_answer_is_noted() -> None:
    """A 200 is a 200; but a web page says that this is no API at all."""
    assert Delivered("the answer is not Blueshift's usual one") == answered(200, b"thanks")
    assert isinstance(answered(200, b" <html>"), Halt)


def test_a_long_customer_id_is_noted() -> None:
    """65 to 128 characters: one version of the documents allows them, the other not."""
    long = Payload(2, 0, "m", "view", "view", b'{"event":"view","customer_id":"%s"}' % (b"x" * 65))
    outcomes = BLUESHIFT.outcomes(
        Batch((*batch(payloads=1).payloads, long)), Response(200, orjson.dumps(BULK_OK))
    )
    assert Delivered() == outcomes[0]
    assert isinstance(outcomes[1], Delivered)
    assert outcomes[1].note


@pytest.mark.parametrize("status", ["Bad request", "error", 400])
def test_a_bad_status_in_a_200_is_a_refusal(status: Any) -> None:
    """The reference says that it may be there."""
    assert Split(f"200: {status}") == answered(200, {"status": status})
    assert Rejected(f"200: {status}") == answered(200, {"status": status}, batch(payloads=1))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"errors": [{"customer_id": "can't be blank"}]}, '[{"customer_id":"can\'t be blank"}]'),
        ({"errors": {"event": ["is wrong"]}}, '{"event":["is wrong"]}'),
        ({"error": "bad_request"}, "bad_request"),
        ({"success": False, "error": "no"}, "no"),
        ({"message": "no", "details": "why"}, "no; why"),
        (b"nonsense", "nonsense"),
        (None, "no body"),
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_a_refusal_splits_a_batch_and_rejects_a_single_payload(status: int, body: Any, words: str) -> None:
    """The vendor's words are kept, in whichever of its shapes."""
    assert Split(f"{status}: {words}") == answered(status, body)
    assert Rejected(f"{status}: {words}") == answered(status, body, batch(payloads=1))


@pytest.mark.parametrize("action", ["view", "identify", "merge"])
@pytest.mark.parametrize(("status", "words"), [(401, "Not authorized"), (403, "Forbidden")])
def test_a_wrong_key_class_or_region_halts(action: str, status: int, words: str) -> None:
    """All three look alike to the vendor, so the reason names them."""
    outcome = answered(status, {"message": words}, batch(action, 1))
    assert Halt(f"{status}: {words}; check the key, its class (event or user) and the region") == outcome


def test_404_is_a_wrong_url_for_events_and_a_conflict_for_customers() -> None:
    """Customers: documented as perhaps passing; an unrouted path has no message."""
    assert isinstance(answered(404, {"message": "no"}), Halt)
    assert Retry("404: no") == answered(404, {"message": "no"}, batch("identify"))
    assert Retry("404: no") == answered(404, {"message": "no"}, batch("merge", 1))
    assert isinstance(answered(404, {"status": "404", "error": "Not Found"}, batch("identify")), Halt)


def test_409_is_a_conflict_of_customers_only() -> None:
    """Two writers of one profile."""
    assert Retry("409: busy") == answered(409, {"message": "busy"}, batch("identify"))
    assert Split("409: busy") == answered(409, {"message": "busy"})


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        ("You can upload maximum 30 events in one api call", 0, (None, 30)),
        ("maximum 50 customers", 0, (None, 50)),
        # It names what it always allowed, so the number was not the cause.
        ("You can upload maximum 100 products in one api call", 0, (None, 40)),
        ("You can upload maximum 100 products in one api call", 9_000, (361_000, None)),
        ("<h1>413 Request Entity Too Large</h1>", 9_000, (361_000, None)),
        ("Payload too large, 1 MB allowed", 10, (None, 40)),
    ],
)
def test_too_much_lowers_what_was_too_much(
    text: str, size: int, expected: tuple[int | None, int | None]
) -> None:
    """A number that is named is learned, a heavy body is halved by bytes, else the events are."""
    outcome = answered(413, text.encode(), batch(payloads=80, size=size))
    assert isinstance(outcome, Split)
    cap = None if outcome.cap_bytes is None else round(outcome.cap_bytes, -3)
    assert expected == (cap, outcome.cap_payloads)


def test_a_single_payload_that_is_too_large_is_rejected() -> None:
    """Nothing is left to halve."""
    assert isinstance(answered(413, b"maximum 100 events", batch(payloads=1)), Rejected)


@pytest.mark.parametrize(
    ("headers", "after"), [({}, None), ({"retry_after": "3"}, 3.0), ({"x_ratelimit_reset": "7"}, 7.0)]
)
def test_429_is_retried(headers: Mapping[str, str], after: float | None) -> None:
    """No header is documented; one that appears is obeyed."""
    assert Retry("429: Rate limit exceeded", after) == answered(
        429, {"message": "Rate limit exceeded"}, None, **headers
    )


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
@pytest.mark.parametrize("action", ["view", "identify"])
def test_a_server_error_is_retried(status: int, action: str) -> None:
    """With the same body."""
    assert Retry(f"{status}: retry, please") == answered(status, {"message": "retry, please"}, batch(action))


def profiles(*bodies: dict[str, Any]) -> Batch:
    """Make a batch of customers' records."""
    return Batch(
        tuple(Payload(n, 0, f"m{n}", "identify", "Identify", orjson.dumps(b)) for n, b in enumerate(bodies))
    )


ANN = {"customer_id": "1", "email": "ann@shop.example", "plan": "pro"}
BOB = {"email": "bob@shop.example", "phone_number": "+4930123456"}
CID = {"customer_id": "3"}
ERROR = {"status": 400, "error_data": {"phone_number": ["is wrong"]}}


def refused(*failed: Any, errors: list[Any] | None = None, of: Batch | None = None) -> list[Outcome]:
    """Give the outcomes where these records failed."""
    answer = {"customers": list(failed), "errors": [ERROR] * len(failed) if errors is None else errors}
    return BLUESHIFT.outcomes(of or profiles(ANN, BOB, CID), Response(200, orjson.dumps(answer)))


NO = Rejected('200: {"status":400,"error_data":{"phone_number":["is wrong"]}}', "refused_profile")


def test_nothing_listed_means_all_profiles_were_taken() -> None:
    """Two empty lists."""
    assert [Delivered()] * 3 == refused()


@pytest.mark.parametrize(
    ("failed", "place"),
    [
        (BOB, 1),
        ({"email": "bob@shop.example"}, 1),
        ({"customer_id": 3}, 2),
        ({"customer_id": "1", "email": "ann@shop.example", "extra": 1}, 0),
    ],
)
def test_the_profiles_listed_are_the_ones_that_failed(failed: dict[str, Any], place: int) -> None:
    """Found again as a whole or by who it is about, whatever the order; the others are delivered."""
    assert [NO if n == place else Delivered() for n in range(3)] == refused(failed)


def test_several_profiles_fail_with_an_error_each() -> None:
    """The errors stand in the order of the failed records; a missing one does not hide a failure."""
    outcomes = refused(CID, BOB, errors=[{"status": 400, "error_data": "no id"}])
    assert Delivered() == outcomes[0]
    assert [Rejected("200: refused", "refused_profile"), True] == [
        outcomes[1],
        "no id" in getattr(outcomes[2], "reason", ""),
    ]


@pytest.mark.parametrize("failed", [{"customer_id": "9"}, {}, "text", {"email": "jo@shop.example"}])
def test_a_failure_nobody_can_be_blamed_for_is_searched_for(failed: Any) -> None:
    """Halving finds it: sending the others again changes nothing."""
    assert all(isinstance(one, Split) for one in refused(failed))
    assert isinstance(refused(failed, of=profiles(ANN))[0], Rejected)
    assert all(isinstance(one, Split) for one in refused(errors=[ERROR]))


@pytest.mark.parametrize("status", [409, 429, 500, 503])
def test_a_profile_that_failed_for_now_is_retried(status: int) -> None:
    """With its neighbours, for whom it changes nothing."""
    assert all(isinstance(one, Retry) for one in refused(BOB, errors=[{"status": status}]))


def test_a_merge_is_taken_or_not() -> None:
    """It goes alone."""
    assert Delivered() == answered(200, {"status": "ok"}, batch("merge", 1))
    assert isinstance(answered(400, {"errors": []}, batch("merge", 1)), Rejected)


def test_doctor_asks_harmless_questions() -> None:
    """Latest events by the Event key, counts by the User key where there is one."""
    debug = BLUESHIFT.debug_request()
    assert ("GET", "https://api.getblueshift.com/api/v1/event/debug", b"") == (
        debug.method,
        debug.url,
        debug.body,
    )
    assert debug == BLUESHIFT.probe()
    alone = Blueshift(event_api_key="event-secret")
    assert debug.headers == alone.summary_request().headers
    assert debug.headers != BLUESHIFT.summary_request().headers
    url = "https://api.getblueshift.com/api/v1/event/summary.json"
    assert [url, f"{url}?timestamp_start=2026-11-01T00%3A00%3A00Z"] == [
        BLUESHIFT.summary_request().url,
        BLUESHIFT.summary_request("2026-11-01T00:00:00Z").url,
    ]


@pytest.mark.parametrize(
    "answer",
    [
        {"event": "view", "customer_id": "1", "timestamp": "t"},
        [{"event": "view", "timestamp": "t"}, {"noise": 1}],
        {"view": {"timestamp": "t"}},
        {"events": [{"event": "view", "timestamp": "t"}]},
    ],
)
def test_the_latest_events_are_read_in_any_shape(answer: Any) -> None:
    """The reference shows one event and says there is one of each name."""
    found = BLUESHIFT.seen(Response(200, orjson.dumps(answer)))
    assert found is not None
    assert [("view", "t")] == [(one.name, one.timestamp) for one in found]
    assert BLUESHIFT.seen(Response(401, b"{}")) is None
    assert BLUESHIFT.seen(Response(200, b"<html>")) is None
    assert [] == BLUESHIFT.seen(Response(200, b"{}"))


def test_the_summary_is_read() -> None:
    """As the reference shows it: counts by event, errors by kind and day."""
    answer = {
        "events_chart_stats": {"error": {"invalid_user_attributes": [0, 0], "missing_identifier": [0, 5, 1]}},
        "stats": {"add_to_cart": {"count": 310, "type": "standard"}, "odd": {}},
        "status": "ok",
        "timestamp_start": "2018-10-16T07:00:00.000Z",
        "timestamp_end": "2018-10-18T06:59:59.999Z",
    }
    found = BLUESHIFT.summary(Response(200, orjson.dumps(answer)))
    assert found is not None
    assert ({"add_to_cart": 310}, {"invalid_user_attributes": 0, "missing_identifier": 6}) == (
        found.events,
        found.errors,
    )
    assert ("2018-10-16T07:00:00.000Z", "2018-10-18T06:59:59.999Z") == (found.start, found.end)
    assert [None, None, None] == [
        BLUESHIFT.summary(Response(*made)) for made in ((401, b"{}"), (200, b"{}"), (200, b"[]"))
    ]
