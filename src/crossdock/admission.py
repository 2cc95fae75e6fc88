"""
Admission: an event is validated, and completed with what the gateway fills in.

One definition, on plain dictionaries: `event.parse` and the door both use it. Source:
https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/ (read 2026-08-20).
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import orjson

from crossdock import timestamp
from crossdock.errors import InvalidEvent
from crossdock.reception import Reception
from crossdock.rules import check

MAX_DEPTH = 64
MAX_PROPERTIES = 10_000  # "properties per event", HTTP API; Segment does not keep the rest

OWN_METADATA = "crossdock"
"""The key under ``_metadata`` that is ours: whether the webhook brought the event, and notes about it."""


def admit(document: dict[str, Any], how: Reception) -> bytes:
    """
    Validate an event, complete it in place, and give its JSON.

    Nested objects are replaced, not changed. Everything that may be refused comes before what cannot be done
    twice (the clock), so a refused document can be admitted again when the cause is mended.

    Raises:
        InvalidEvent: With Segment's reason code.
    """
    check(document, how)
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
