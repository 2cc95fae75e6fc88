"""The Segment spec: what `parse` refuses, fills in and keeps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from crossdock import timestamp
from crossdock.admission import MAX_PROPERTIES, admit
from crossdock.errors import InvalidEvent
from crossdock.event import Reception, came_by_webhook, integrations_verdict, parse

RECEIVED = datetime(2026, 1, 2, 11, 30, 2, 100_000, UTC)
HOW = Reception(received_at=RECEIVED)
WEBHOOK = Reception(received_at=RECEIVED, webhook=True, signed=True)


def track(**changes: Any) -> dict[str, Any]:
    """Give a valid track event with changes."""
    return {"type": "track", "event": "Product Viewed", "userId": "u1", "messageId": "m1", **changes}


def test_attributes_are_snake_case_and_unknown_keys_stay() -> None:
    """An event reads in Python's style and keeps what the spec does not name."""
    event = parse(track(anonymousId="a1", custom=[1]), HOW)
    assert ("m1", "u1", "a1") == (event.message_id, event.user_id, event.anonymous_id)
    assert [1] == event.document["custom"]
    assert {"custom": [1]} == event.model_extra


def test_the_given_object_is_not_changed() -> None:
    """Parsing leaves the caller's object as it was, nested objects too."""
    given = track(context={"a": 1}, traits={"firstName": "A", "lastName": "B"}, writeKey="k")
    before = orjson.dumps(given)
    parse(given, Reception(channel="client", ip="192.0.2.1"))
    assert before == orjson.dumps(given)


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ([], "not_object"),
        ({"type": "track", "event": "x"}, "no_user_anon_id"),
        ({"type": "track", "event": "x", "userId": "", "anonymousId": " "}, "no_user_anon_id"),
        (track(userId={"a": 1}), "id_not_string"),
        (track(userId=True), "id_not_string"),
        (track(userId=1.2345678901234568e22), "id_not_string"),
        (track(event=None), "event_not_defined"),
        (track(event=""), "event_not_defined"),
        (track(event=5), "event_not_string"),
        (track(properties="x"), "properties_not_object"),
        (track(properties=[1]), "properties_not_object"),
        ({"type": "identify", "userId": "u", "traits": "x"}, "traits_not_object"),
        ({"type": "page", "userId": "u", "name": 1}, "name_not_string"),
        ({"type": "screen", "userId": "u", "category": 1}, "category_not_string"),
        ({"type": "group", "userId": "u"}, "id_required"),
        ({"type": "alias", "userId": "u"}, "id_required"),
        ({"type": "alias", "previousId": "u"}, "id_required"),
        ({"type": "delete", "userId": "u"}, "delete_not_allowed"),
        ({"type": "unknown", "userId": "u"}, "type_not_valid"),
        ({"type": ["track"], "userId": "u"}, "type_not_valid"),
        ({"userId": "u"}, "type_not_valid"),
        (track(context="x"), "context_not_object"),
        (track(messageId="m" * 100), "message_id_too_long"),
        (track(messageId=["m"]), "message_id_not_string"),
    ],
)
def test_invalid_events_are_refused_with_segments_code(event: Any, code: str) -> None:
    """Each broken rule has the code Segment shows for it."""
    with pytest.raises(InvalidEvent) as refused:
        parse(event, HOW)
    assert code == refused.value.code


def test_ids_that_are_numbers_become_text() -> None:
    """Old libraries send numeric ids; they read as the same text everywhere."""
    event = parse(track(userId=12, anonymousId=7.0, messageId=99), HOW)
    assert ("12", "7", "99") == (event.user_id, event.anonymous_id, event.message_id)


def test_a_message_id_is_made_where_there_is_none() -> None:
    """An event without messageId gets one of its own."""
    ids = {parse(track(messageId=none), HOW).message_id for none in (None, "", None)}
    assert 3 == len(ids)
    assert 99 == len(parse(track(messageId="m" * 99), HOW).message_id)


def test_timestamp_is_corrected_by_the_senders_clock() -> None:
    """The contract's worked example: a device clock 90 minutes slow."""
    event = parse(track(timestamp="2026-01-02T10:00:00.000Z", sentAt="2026-01-02T10:00:02.000Z"), HOW)
    assert "2026-01-02T11:30:00.100Z" == event.document["timestamp"]
    assert "2026-01-02T10:00:00.000Z" == event.document["originalTimestamp"]
    assert "2026-01-02T11:30:02.100Z" == event.document["receivedAt"]


@pytest.mark.parametrize(
    ("given", "timestamp_"),
    [
        ({"timestamp": "2026-01-02T10:00:00Z"}, "2026-01-02T10:00:00.000Z"),
        ({"originalTimestamp": "2026-01-02T10:00:00Z"}, "2026-01-02T10:00:00.000Z"),
        ({}, "2026-01-02T11:30:02.100Z"),
        ({"sentAt": "2026-01-02T10:00:00Z"}, "2026-01-02T11:30:02.100Z"),
        ({"timestamp": "yesterday"}, "2026-01-02T11:30:02.100Z"),
        ({"timestamp": 17}, "2026-01-02T11:30:02.100Z"),
        ({"timestamp": "2026-01-02T10:00:00Z", "sentAt": "soon"}, "2026-01-02T10:00:00.000Z"),
        ({"timestamp": "9999-01-01T00:00:00Z", "sentAt": "0001-01-01T00:00:00Z"}, "2026-01-02T11:30:02.100Z"),
    ],
)
def test_timestamp_without_a_usable_clock(given: dict[str, Any], timestamp_: str) -> None:
    """What is missing or unreadable never costs the event."""
    assert timestamp_ == parse(track(**given), HOW).document["timestamp"]


def test_an_unreadable_timestamp_is_noted_and_kept() -> None:
    """The sender's own words stay in originalTimestamp, with a note."""
    event = parse(track(timestamp="yesterday"), HOW)
    assert "yesterday" == event.document["originalTimestamp"]
    assert {"crossdock": {"notes": ["timestamp_unreadable"]}} == event.metadata
    assert event.original_timestamp is None


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2020-01-02T03:04:05Z", "2020-01-02T03:04:05.000Z"),
        ("2020-01-02T03:04:05+00:00", "2020-01-02T03:04:05.000Z"),
        ("2020-01-02T03:04:05.1Z", "2020-01-02T03:04:05.100Z"),
        ("2020-01-02T03:04:05.123456+00:00", "2020-01-02T03:04:05.123Z"),
        ("2020-01-02T03:04:05.1234567Z", "2020-01-02T03:04:05.123Z"),
        ("2020-01-02T03:04:05.123456789Z", "2020-01-02T03:04:05.123Z"),
        ("2020-01-02T03:04:05.5-03:30", "2020-01-02T06:34:05.500Z"),
        ("2020-01-02T03:04:05+0530", "2020-01-01T21:34:05.000Z"),
        ("2020-01-02T03:04:05", "2020-01-02T03:04:05.000Z"),
        ("2020-01-02 03:04:05.123456789 +0000 UTC m=+7.3", "2020-01-02T03:04:05.123Z"),
        ("2020-01-02 03:04:05 +0100 CET", "2020-01-02T02:04:05.000Z"),
        ("2020-01-02T03:04Z", "2020-01-02T03:04:00.000Z"),
        ("2020-13-02T03:04:05Z", None),
        ("0001-01-01T00:00:00+05:00", None),
        ("2020-01-02T03:04:05 and more", None),
    ],
)
def test_every_timestamp_form_clients_send(text: str, utc: str | None) -> None:
    """0 to 9 fraction digits, any offset, and Go's debug format."""
    moment = timestamp.read(text)
    assert utc == (moment and timestamp.write(moment))


def test_the_webhook_keeps_segments_clock() -> None:
    """Segment has corrected the clock already: its timestamp and receivedAt stand."""
    times = {
        "timestamp": "2025-01-01T00:00:00.123Z",
        "originalTimestamp": "2020-01-02 03:04:05.123456789 +0000 UTC m=+7.3",
        "sentAt": "2025-01-01T00:00:01.000Z",
        "receivedAt": "2025-01-01T00:00:02.000Z",
    }
    event = parse(track(**times), WEBHOOK)
    assert times == {key: event.document[key] for key in times}
    assert datetime(2020, 1, 2, 3, 4, 5, 123456, UTC) == event.original_timestamp
    assert came_by_webhook(event.document)
    assert RECEIVED == parse(track(), WEBHOOK).timestamp


def test_no_sender_can_claim_the_webhook() -> None:
    """Our mark under _metadata is dropped from what comes in; the rest of it stays."""
    event = parse(track(_metadata={"crossdock": {"webhook": True}, "bundled": []}), HOW)
    assert {"bundled": []} == event.metadata
    assert not came_by_webhook(event.document)


def test_a_delete_event_counts_only_signed() -> None:
    """Segment's deletions come with null context and integrations, by a signed webhook."""
    event: dict[str, Any] = {
        "type": "delete",
        "userId": "u",
        "messageId": "delete-1",
        "context": None,
        "integrations": [],
    }
    parsed = parse(event, WEBHOOK)
    assert ("delete", {}, {}) == (parsed.type, parsed.context, parsed.integrations)
    with pytest.raises(InvalidEvent):
        parse(event, Reception(webhook=True))


@pytest.mark.parametrize("noise", [None, [], "x", True, 3])
def test_integrations_noise_is_no_filter(noise: Any) -> None:
    """Odd values under integrations count as none."""
    assert {} == parse(track(integrations=noise), HOW).integrations


def test_the_write_key_is_never_kept() -> None:
    """The writeKey leaves the event; a customer's property of that name stays."""
    event = parse(track(writeKey="k", properties={"writeKey": "mine"}), HOW)
    assert "writeKey" not in event.document
    assert {"writeKey": "mine"} == event.properties


@pytest.mark.parametrize(
    ("how", "context", "ip"),
    [
        (Reception(channel="client", ip="192.0.2.1"), {}, "192.0.2.1"),
        (Reception(channel="client", ip="192.0.2.1"), {"ip": "198.51.100.9"}, "198.51.100.9"),
        (Reception(channel="server", ip="192.0.2.1"), {}, None),
        (Reception(channel="server", ip="192.0.2.1"), {"direct": True}, "192.0.2.1"),
        (Reception(channel="client", ip=None), {}, None),
    ],
)
def test_the_address_is_filled_in_for_client_traffic_only(
    how: Reception, context: dict[str, Any], ip: str | None
) -> None:
    """context.ip is the connection's for client traffic or a direct server, and never overwritten."""
    assert ip == parse(track(context=context), how).context.get("ip")


@pytest.mark.parametrize(
    ("path", "claimed", "channel"),
    [
        ("client", "server", "client"),
        ("server", "browser", "client"),
        ("server", "mobile", "client"),
        ("server", None, "server"),
        ("server", ["x"], "server"),
    ],
)
def test_channel_is_client_or_server(path: Any, claimed: Any, channel: str) -> None:
    """A client path is believed over the event; on a server path the event's own word counts."""
    assert channel == parse(track(channel=claimed), Reception(channel=path)).channel


def test_defaults_are_filled_in() -> None:
    """Version, context, integrations, properties and projectId are always there."""
    document = parse(track(), Reception(source="web")).document
    assert (2, {}, {}, {}, "web") == tuple(
        document[key] for key in ("version", "context", "integrations", "properties", "projectId")
    )


def test_identify_falls_back_to_context_traits() -> None:
    """rudder-sdk-python sends identify traits only in the context."""
    event = {"type": "identify", "userId": "u", "context": {"traits": {"email": "a@b.example"}}}
    assert {"email": "a@b.example"} == parse(event, HOW).traits


@pytest.mark.parametrize(
    ("traits", "name"),
    [
        ({"firstName": "Ada", "lastName": "L"}, "Ada L"),
        ({"first_name": "Ada", "last_name": "L"}, "Ada L"),
        ({"firstName": "Ada", "lastName": "L", "name": "Countess"}, "Countess"),
        ({"firstName": "Ada"}, None),
    ],
)
def test_a_full_name_is_built_from_its_parts(traits: dict[str, Any], name: str | None) -> None:
    """traits.name is filled from first and last name where only those exist."""
    assert name == parse({"type": "identify", "userId": "u", "traits": traits}, HOW).traits.get("name")


def test_lone_surrogates_cost_only_themselves() -> None:
    """A truncated emoji becomes U+FFFD; whole text beside it stays."""
    document = track(properties={"a": "x\ud83d", "b": "\U0001f600é", "\udc00": 1})
    body = admit(document, HOW)
    assert {"a": "x\ufffd", "b": "\U0001f600é", "\ufffd": 1} == orjson.loads(body)["properties"]


def test_numbers_json_cannot_hold_do_not_kill_the_event() -> None:
    """Integers beyond 64 bits become the nearest double, NaN and beyond become null."""
    document = track(properties={"big": 10**30, "huge": 10**400, "nan": float("nan"), "ok": 2**63})
    properties = orjson.loads(admit(document, HOW))["properties"]
    assert {"big": 1e30, "huge": None, "nan": None, "ok": 2**63} == properties


@pytest.mark.parametrize("levels", [63, 64, 300, 900])
def test_nesting_is_bounded(levels: int) -> None:
    """64 levels pass, the event itself counted; one more is refused, however deep."""
    nested: Any = {}
    for _ in range(levels - 2):
        nested = {"n": nested}
    if levels <= 64:
        assert parse(track(properties=nested), HOW)
        return
    with pytest.raises(InvalidEvent) as refused:
        parse(track(properties=nested), HOW)
    assert "too_deep" == refused.value.code


def test_properties_past_ten_thousand_are_cut() -> None:
    """Segment keeps 10,000 properties of an event; so do we, with a note."""
    event = parse(track(properties={f"p{i}": i for i in range(MAX_PROPERTIES + 5)}), HOW)
    assert MAX_PROPERTIES == len(event.properties)
    assert {"crossdock": {"notes": ["properties_cut"]}} == event.metadata


def test_what_is_not_json_is_refused() -> None:
    """A Python object JSON has no form for is an invalid event, not a fault."""
    with pytest.raises(InvalidEvent) as refused:
        parse(track(properties={"x": object()}), HOW)
    assert "not_json" == refused.value.code


@pytest.mark.parametrize(
    ("integrations", "sent"),
    [
        ({}, True),
        ({"All": True}, True),
        ({"All": False}, False),
        ({"All": False, "Topsort": True}, True),
        ({"All": False, "Topsort": {"x": 1}}, True),
        ({"All": False, "topsort": True}, False),
        ({"Topsort": False}, False),
        ({"All": False, "my-topsort": True}, True),
        ({"Topsort": "yes", "All": False}, False),
        ({"All": None, "Segment.io": True}, True),
        ({"All": False, "Webhooks (Actions)": True}, False),
    ],
)
def test_integrations_decide_by_exact_name(integrations: Any, sent: bool) -> None:
    """A named destination wins over `All`, which defaults to true; names are case-sensitive."""
    verdict = integrations_verdict(track(integrations=integrations), ["Topsort", "my-topsort"])
    assert sent == (verdict is None)


@pytest.mark.parametrize(
    ("integrations", "sent"),
    [
        ({"All": False, "Webhooks": True}, True),
        ({"All": False, "Webhooks (Actions)": True}, True),
        ({"All": False, "Extensible Webhook": {"x": 1}}, True),
        ({"All": False}, False),
        ({"All": False, "Webhooks": False}, False),
        ({"All": False, "Webhooks": True, "Topsort": False}, False),
    ],
)
def test_the_webhooks_own_entry_lifts_all(integrations: Any, sent: bool) -> None:
    """Segment's replays name only the webhook: by the webhook that lifts `All: false`."""
    event = parse(track(integrations=integrations), WEBHOOK)
    assert sent == (integrations_verdict(event.document, "Topsort") is None)
