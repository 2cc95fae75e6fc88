"""One vendor event in the making: fields read from a mapped payload, and what every event has in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from crossdock import timestamp
from crossdock.destinations.base import Prepared, Rejected
from crossdock.destinations.segmentify import agent, values

if TYPE_CHECKING:
    from crossdock.destinations.segmentify import Segmentify

COMMON = frozenset(
    {
        "userId",
        "sessionId",
        "timestamp",
        "device",
        "userAgent",
        "browser",
        "os",
        "osversion",
        "lang",
        "currency",
        "pageUrl",
        "referrer",
        "params",
        "testMode",
    }
)
"""What any payload may hold. `timestamp` only names the session of an event that has none; it is not sent."""

_SHARED = (
    ("currency", values.currency),
    ("pageUrl", values.text),
    ("referrer", values.text),
    ("params", values.flat),
)
_NOBODY = agent.Agent()
_MOST_NAMES = 50


class Draft:
    """A vendor event being filled; `dropped` and `yields` become those of its `Prepared`."""

    __slots__ = ("dropped", "event", "payload", "yields")

    def __init__(self, name: str, payload: Mapping[str, Any]) -> None:
        self.payload = payload
        self.event: dict[str, Any] = {"name": name}
        self.dropped: list[str] = []
        self.yields = False

    def put(self, field: str, read: Callable[[Any], Any]) -> bool:
        """Take a field over if it can be read; tell whether it was."""
        value = self.payload.get(field)
        if value is None:
            return False
        made = read(value)
        if made is None:
            if not values.blank(value):
                self.dropped.append(field)
            return False
        self.event[field] = made
        return True

    def missing(self, fields: Mapping[str, Callable[[Any], Any]]) -> Rejected | None:
        """Take mandatory fields over; refuse the payload with the names of those it lacks."""
        lacking = [field for field, read in fields.items() if not self.put(field, read)]
        return Rejected(f"{self.event['name']}: missing {', '.join(lacking)}") if lacking else None

    def finished(self, known: frozenset[str]) -> Prepared | Rejected:
        """Serialise it, and name what the vendor does not know."""
        unknown = self.payload.keys() - known
        names = dict.fromkeys((*self.dropped, *sorted(map(str, unknown))) if unknown else self.dropped)
        try:
            return Prepared(orjson.dumps(self.event), tuple(names)[:_MOST_NAMES], self.yields)
        except TypeError:
            return Rejected("payload: holds text that is not valid UTF-8")


def begun(vendor: Segmentify, name: str, payload: Mapping[str, Any]) -> Draft | Rejected:
    """Begin an event with what every event has: who, which session, on what device, where."""
    draft = Draft(name, payload)
    event = draft.event
    user = values.text(payload.get("userId"))
    if user is None:
        return Rejected("userId: missing")
    event["userId"] = user
    session = values.text(payload.get("sessionId"))
    event["sessionId"] = session or session_id(user, payload.get("timestamp"), vendor.session_idle_seconds)
    _device(vendor, draft)
    if "lang" in payload:
        draft.put("lang", vendor.language)
    if vendor.test_mode or payload.get("testMode") is True:
        event["testMode"] = True
    for field, read in _SHARED:
        if field in payload:
            draft.put(field, read)
    return draft


def _device(vendor: Segmentify, draft: Draft) -> None:
    payload, event = draft.payload, draft.event
    told = _NOBODY
    if "userAgent" in payload and draft.put("userAgent", values.text):
        told = agent.read(event["userAgent"])
    device = payload.get("device")
    if device is not None and (device.__class__ is not str or device not in agent.DEVICES):
        draft.dropped.append("device")
        device = None
    event["device"] = device or told.device or vendor.default_device
    if ("browser" not in payload or not draft.put("browser", agent.browser)) and told.browser is not None:
        event["browser"] = told.browser
    if "os" in payload and draft.put("os", agent.system):
        draft.put("osversion", agent.version)
    elif told.os is not None:
        event["os"] = told.os
        if told.osversion is not None:
            event["osversion"] = told.osversion


def session_id(user: str, when: Any, idle_seconds: int) -> str:
    """
    Name the session of an event that brings none, from the visitor's key and the time slice it falls into.

    A slice is as long as a session may stand idle. The same event always gives the same id, so a retry or a
    replay does; a visit across the edge of a slice counts as two, which only visitor facts can tell better.
    """
    moment = timestamp.read(when)
    begin = 0
    if moment is not None:
        begin = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() // idle_seconds)
    return sha256(f"{begin}\n{user}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
