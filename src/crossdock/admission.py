"""
Admission: what makes a Segment event valid, and what the gateway fills in.

One definition of the rules, on plain dictionaries: `event.parse` and the door both use it. Reason codes:
https://segment.com/docs/connections/delivery-overview/ ("Failed on ingest"); limits and common fields:
https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/ (read 2026-08-20).
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import orjson

from crossdock import timestamp
from crossdock.errors import InvalidEvent

MAX_DEPTH = 64
MAX_PROPERTIES = 10_000  # "properties per event", HTTP API; Segment does not keep the rest
MAX_MESSAGE_ID = 99  # "under 100 characters", HTTP API

OWN_METADATA = "crossdock"
"""The key under ``_metadata`` that is ours: whether the webhook brought the event, and notes about it."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Reception:
    """How an event came in: what the request says about each event it holds."""

    received_at: datetime = field(default_factory=_now)
    """By our clock, the same for all events of one request; UTC."""
    type: str | None = None
    """The type the path names, for events that name none."""
    source: str | None = None
    channel: Literal["client", "server"] = "server"
    ip: str | None = None
    """The sender's address, where it is known and IPv4."""
    webhook: bool = False
    """Segment's Webhook destination sent it: its clock correction stands."""
    signed: bool = False
    """It carried the webhook's signature: deletions count."""

    received_text: str = field(init=False)

    def __post_init__(self) -> None:
        self.received_text = timestamp.write(self.received_at)


def admit(document: dict[str, Any], how: Reception) -> bytes:
    """
    Validate an event, complete it in place, and give its JSON.

    Nested objects are replaced, not changed. Everything that may be refused comes before what cannot be done
    twice (the clock), so a refused document can be admitted again when the cause is mended.

    Raises:
        InvalidEvent: With Segment's reason code.
    """
    _check(document, how)
    notes: list[str] = []
    _stamp(document, how, notes)
    _enrich(document, how)
    properties = document.get("properties")
    if properties.__class__ is dict and len(properties) > MAX_PROPERTIES:
        document["properties"] = dict(list(properties.items())[:MAX_PROPERTIES])
        notes.append("properties_cut")
    if notes or how.webhook or "_metadata" in document:
        _note(document, how, notes)
    return _serialise(document)


def _check(document: dict[str, Any], how: Reception) -> None:
    # Here and below the common case is tried in place: a call costs more than the check
    given = document.get("messageId")
    if given.__class__ is not str or not 0 < len(given) <= MAX_MESSAGE_ID:
        document["messageId"] = _message_id(given)
    kind = document.get("type") or how.type
    rules = _RULES.get(kind) if isinstance(kind, str) else None
    if rules is None:
        raise InvalidEvent(f"type must be one of {', '.join(_RULES)}", "type_not_valid")
    document["type"] = kind
    identified = False
    for key in ("userId", "anonymousId"):
        given = document.get(key)
        identified = (given is not None and _id(document, key) is not None) or identified
    if not identified and kind not in _NAMES_ITS_IDS:
        raise InvalidEvent("an event needs a userId or an anonymousId", "no_user_anon_id")
    rules(document, how)
    context = document.get("context")
    if context.__class__ is not dict:
        # Segment's own delete events carry null or []
        if context is not None and context != []:
            raise InvalidEvent("context must be an object", "context_not_object")
        document["context"] = {}
    if document.get("integrations").__class__ is not dict:
        document["integrations"] = {}  # null, [] and other noise: never a filter


def _message_id(given: Any) -> str:
    """Give a message id that is none yet, or refuse it."""
    text = _text(given, "messageId", "message_id_not_string")
    if not text:
        return str(uuid.uuid4())
    if len(text) > MAX_MESSAGE_ID:
        raise InvalidEvent("messageId must be under 100 characters", "message_id_too_long")
    return text


def _id(document: dict[str, Any], key: str) -> str | None:
    """Give an id as text; a blank one counts as absent and goes."""
    given: Any = document.get(key)
    if given is None:
        return None
    if given.__class__ is not str:
        given = document[key] = _text(given, key, "id_not_string")
    if not given or given.isspace():
        del document[key]
        return None
    return str(given)


def _text(given: Any, key: str, code: str) -> str | None:
    """Read an id that is a number as old libraries do; one whose digits JSON has lost is refused."""
    if isinstance(given, str) or given is None:
        return given
    if isinstance(given, float) and math.isfinite(given) and abs(given) < 2**53:
        return str(int(given)) if given.is_integer() else repr(given)
    if isinstance(given, int) and not isinstance(given, bool) and abs(given) < 2**64:
        return str(given)
    raise InvalidEvent(f"{key} must be a string", code)


def _object(document: dict[str, Any], key: str) -> None:
    given = document.get(key)
    if given is None:
        document[key] = {}
    elif given.__class__ is not dict:
        raise InvalidEvent(f"{key} must be an object", f"{key}_not_object")


def _string(document: dict[str, Any], key: str) -> None:
    given = document.get(key)
    if given is not None and given.__class__ is not str:
        raise InvalidEvent(f"{key} must be a string", f"{key}_not_string")


def _track(document: dict[str, Any], _how: Reception) -> None:
    name = document.get("event")
    if name is None or name == "":
        raise InvalidEvent("a track event needs an event name in `event`", "event_not_defined")
    if name.__class__ is not str:
        _string(document, "event")
    if document.get("properties").__class__ is not dict:
        _object(document, "properties")


def _page(document: dict[str, Any], _how: Reception) -> None:
    _string(document, "name")
    _string(document, "category")
    _object(document, "properties")


def _traits(document: dict[str, Any], _how: Reception) -> None:
    _object(document, "traits")
    if not document["traits"] and document["type"] == "identify":
        # rudder-sdk-python puts identify traits there only
        context = document.get("context")
        beside = context.get("traits") if context.__class__ is dict else None
        if beside and beside.__class__ is dict:
            document["traits"] = beside
    _full_name(document)


def _full_name(document: dict[str, Any]) -> None:
    traits = document["traits"]
    if traits.get("name"):
        return
    first = traits.get("firstName") or traits.get("first_name")
    last = traits.get("lastName") or traits.get("last_name")
    if isinstance(first, str) and isinstance(last, str):
        document["traits"] = {**traits, "name": f"{first} {last}"}


def _required(document: dict[str, Any], how: Reception, *keys: str) -> None:
    for key in keys:
        if _id(document, key) is None:
            raise InvalidEvent(f"{document['type']} needs a {key}", "id_required")
    if document["type"] == "group":
        _traits(document, how)


def _delete(document: dict[str, Any], how: Reception) -> None:
    if not how.signed:
        raise InvalidEvent("a delete event counts only from a signed webhook", "delete_not_allowed")
    _required(document, how, "userId")


_RULES: dict[str, Callable[[dict[str, Any], Reception], None]] = {
    "track": _track,
    "identify": _traits,
    "page": _page,
    "screen": _page,
    "group": lambda document, how: _required(document, how, "groupId"),
    "alias": lambda document, how: _required(document, how, "userId", "previousId"),
    "delete": _delete,
}
_NAMES_ITS_IDS = frozenset({"alias", "delete"})


# What is filled in: HTTP API, "Common fields"; https://segment.com/docs/connections/spec/common/#timestamps


def _stamp(document: dict[str, Any], how: Reception, notes: list[str]) -> None:
    document["version"] = 2
    if how.webhook:
        return _keep_clock(document, how, notes)
    given = document.get("timestamp")
    at = timestamp.read(given)
    if at is None and "originalTimestamp" in document:  # Rudder's name for it
        given = given or document["originalTimestamp"]
        at = timestamp.read(document["originalTimestamp"])
    if given is not None:
        document["originalTimestamp"] = given
        if at is None:
            notes.append("timestamp_unreadable")
    document["receivedAt"] = how.received_text
    document["timestamp"] = how.received_text if at is None else _corrected(document, at, how, notes)
    return None


def _corrected(document: dict[str, Any], at: datetime, how: Reception, notes: list[str]) -> str:
    given = document.get("sentAt")
    if given is None:
        return timestamp.write(at)
    sent = timestamp.read(given)
    if sent is None:
        notes.append("sent_at_unreadable")
        return timestamp.write(at)
    try:
        return timestamp.write(how.received_at - (sent - at))
    except OverflowError:  # a clock in year 1 or 9999
        notes.append("clock_unusable")
        return how.received_text


def _keep_clock(document: dict[str, Any], how: Reception, notes: list[str]) -> None:
    """Segment has corrected the clock before its webhook sends: correcting twice would move every event."""
    for key in ("receivedAt", "timestamp"):
        given = document.get(key)
        at = timestamp.read(given)
        if given is None or at is None:
            if given is not None:
                notes.append("timestamp_unreadable")
            document[key] = document["receivedAt"] if key == "timestamp" else how.received_text
        elif not given.endswith("Z") or len(given) < 20:
            document[key] = timestamp.write(at)  # what mappings read is always UTC in one format


def _enrich(document: dict[str, Any], how: Reception) -> None:
    document.pop("writeKey", None)
    if how.channel == "client":
        document["channel"] = "client"
    else:
        claimed = document.get("channel")
        document["channel"] = "client" if claimed in ("client", "browser", "mobile") else "server"
    if not how.webhook and how.source is not None:
        document["projectId"] = how.source
    context = document["context"]
    local = how.channel == "client" or context.get("direct") is True
    if local and how.ip is not None and not context.get("ip"):
        document["context"] = {**context, "ip": how.ip}


def _note(document: dict[str, Any], how: Reception, notes: list[str]) -> None:
    """Keep what delivery must know under a key of ours, which no sender can set."""
    metadata: Any = document.get("_metadata")
    if not notes and not how.webhook and (metadata.__class__ is not dict or OWN_METADATA not in metadata):
        return
    kept = dict(metadata) if isinstance(metadata, dict) else {}
    kept.pop(OWN_METADATA, None)
    own = ({"webhook": True} if how.webhook else {}) | ({"notes": notes} if notes else {})
    document["_metadata"] = {**kept, OWN_METADATA: own} if own else kept


def _serialise(document: dict[str, Any]) -> bytes:
    try:
        body = orjson.dumps(document)
    except TypeError:  # nested beyond orjson's own limit, a lone surrogate, an integer beyond 64 bits
        _refuse_depth(document)
        cleaned = clean(document)
        document.clear()
        document.update(cleaned)
        try:
            return orjson.dumps(document)
        except TypeError as error:
            raise InvalidEvent(f"not JSON: {error}", "not_json") from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:  # cheap, and true of nothing shallow and short
        _refuse_depth(document)
    return body


def _refuse_depth(document: dict[str, Any]) -> None:
    if is_deeper(document, MAX_DEPTH):
        raise InvalidEvent(f"nested deeper than {MAX_DEPTH} levels", "too_deep")


def is_deeper(value: Any, levels: int) -> bool:
    """Tell whether a JSON value nests objects and arrays more than `levels` deep."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return False
    return levels == 0 or any(map(partial(is_deeper, levels=levels - 1), value))


def clean(value: Any) -> Any:
    """Copy a JSON value: each lone surrogate as U+FFFD, each number beyond 64 bits as the nearest."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {clean(key): clean(each) for key, each in value.items()}
    if isinstance(value, list):
        return [clean(each) for each in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value) if abs(value) < 2**1023 else None
    return value
