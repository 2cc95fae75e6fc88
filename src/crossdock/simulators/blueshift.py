"""
Blueshift's event and customers API, as strict as it is documented, and stricter where it is silent.

Written from developer.blueshift.com/reference (read 2026-11-22): ``post_api-v1-event``, ``…-bulkevents``,
``…-customers``, ``…-customers-bulk``, ``…-customers-merge``, ``get_api-v1-event-debug``,
``post_api-v1-event-summary-json``, ``api-errors``.

The bulk call answers before it looks: an event without an identifier, or with a field it cannot use, is
answered 200 and stands under `missing_identifier` or `invalid_user_attributes`, as in the vendor's summary.
A bad name is answered 400 unless the switch `silent` says otherwise. What comes again is stored again.
"""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, ClassVar
from uuid import uuid4

import orjson
from pydantic import Field

from crossdock.simulators._blueshift import (
    INVALID_ATTRIBUTES,
    MISSING_IDENTIFIER,
    SYSTEM,
    attribute_faults,
    customer_faults,
    is_anonymous,
    name_fault,
)
from crossdock.simulators._store import Event
from crossdock.simulators.base import Simulator, Switches, Verdict

API = "/api/v1/"
CUSTOMERS, MERGES = "customers", "merges"
MAX_BYTES = 1_000_000
_BULK = {"bulkevents": 100, "customers/bulk": 50}
"""The calls that take many, and how many."""


class BlueshiftSwitches(Switches):
    """What may be changed about the Blueshift simulator while it runs."""

    event_api_key: str | None = Field(default=None, repr=False)
    """The one Event key it takes; ``None`` takes any but the User key."""
    user_api_key: str | None = Field(default=None, repr=False)
    """The one User key it takes; ``None`` takes any but the Event key."""
    strict30: bool = False
    """Take 30 events a call, as the reference says since 2026, instead of 100."""
    name_the_limit: bool = True
    """Say in a 413 how many are allowed."""
    silent: bool = False
    """Answer 200 to an event with a bad name as well, and count it as an error."""
    calls_per_second: float | None = 5.0
    """Answer 429 to bulk calls above this rate."""
    count_less: int = 0
    """Count so many events less than were sent."""

    def refuses(self, payload: Any) -> bool:
        """Tell whether `refuse` names a payload: its ids, its customer's, or a product's."""
        return bool(self.refuse) and not _names(payload).isdisjoint(self.refuse)


class BlueshiftSimulator(Simulator):
    """Events, customers, merges, and what Blueshift tells about what it saw."""

    vendor: ClassVar[str] = "blueshift"
    kinds: ClassVar[tuple[str, ...]] = (
        *SYSTEM,
        "custom",
        CUSTOMERS,
        MERGES,
        MISSING_IDENTIFIER,
        INVALID_ATTRIBUTES,
    )
    paths: ClassVar[tuple[str, ...]] = tuple(
        API + path
        for path in (
            "bulkevents",
            "event",
            "event/summary.json",
            "customers",
            "customers/bulk",
            "customers/merge",
        )
    )
    read_paths: ClassVar[tuple[str, ...]] = (API + "event/debug",)
    switches_type: ClassVar[type[Switches]] = BlueshiftSwitches
    switches: BlueshiftSwitches
    holds_repeats: ClassVar[bool] = True

    def __init__(self, **options: Any) -> None:
        """Take what `Simulator` takes."""
        super().__init__(**options)
        self.clock: Callable[[], float] = time.monotonic
        self._tokens, self._told_at = 5.0, 0.0
        self._number = count(1)

    def judge(self, path: str, headers: Mapping[str, str], body: bytes) -> Verdict:
        """Check key, JSON and size, then what the path takes."""
        route = path.removeprefix(API)
        verdict = self._refused(route, headers, body) or self._answer(route, body)
        return Verdict(
            verdict.status,
            verdict.body,
            {"Content-Type": "application/json", "X-Request-Id": str(uuid4())},
            verdict.events,
            verdict.violation,
        )

    def _refused(self, route: str, headers: Mapping[str, str], body: bytes) -> Verdict | None:
        wanted: tuple[str, ...] = ("user",) if route.startswith("customers") else ("event",)
        wanted = ("event", "user") if route == "event/summary.json" else wanted
        if (fault := self._key_fault(headers, *wanted)) is not None:
            return _error(401, {"message": "Not authorized"}, fault)
        if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
            return _error(400, {"error": "bad_request"}, "Content-Type is not application/json")
        if len(body) > MAX_BYTES:
            return self._too_large(route, "larger than 1 MB")
        if route in _BULK and not self._in_time():
            return _error(429, {"message": "Rate limit exceeded"})
        return None

    def _key_fault(self, headers: Mapping[str, str], *wanted: str) -> str | None:
        """Check the key and its class; a class whose key is not set takes any that is not another's."""
        scheme, _, code = headers.get("Authorization", "").partition(" ")
        try:
            credential = b64decode(code, validate=True).decode()
        except ValueError:
            credential = ""
        key, colon, password = credential.partition(":")
        if scheme != "Basic" or not key or not colon or password:
            return "Authorization is not Basic with KEY and a colon"
        keys = {"event": self.switches.event_api_key, "user": self.switches.user_api_key}
        owners = [name for name, known in keys.items() if known == key]
        if any(name in wanted for name in owners) or (not owners and any(keys[n] is None for n in wanted)):
            return None
        return "wrong key, or one of the wrong class"

    def _in_time(self) -> bool:
        """Spend one call of a bucket that holds a second's worth."""
        rate = self.switches.calls_per_second
        if rate is None:
            return True
        now = self.clock()
        self._tokens = min(rate, self._tokens + (now - self._told_at) * rate)
        self._told_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _too_large(self, route: str, violation: str | None) -> Verdict:
        allowed = 30 if route == "bulkevents" and self.switches.strict30 else _BULK.get(route, 1)
        what = "customers" if route.startswith("customers") else "events"
        text = f"You can upload maximum {allowed} {what} in one api call"
        return _error(413, {"message": text if self.switches.name_the_limit else "too large"}, violation)

    def _answer(self, route: str, body: bytes) -> Verdict:
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            return _error(400, {"error": "bad_request"}, f"not JSON: {error}")
        if not isinstance(parsed, dict):
            return _error(400, {"error": "bad_request"}, "not a JSON object")
        answers: dict[str, Callable[[dict[str, Any]], Verdict]] = {
            "bulkevents": self._bulk,
            "event": self._event,
            "event/summary.json": self._summary,
            "customers": self._customer,
            "customers/bulk": self._customers,
            "customers/merge": self._merge,
        }
        return answers[route](parsed)

    # Events.

    def _bulk(self, parsed: dict[str, Any]) -> Verdict:
        events = parsed.get("events")
        if not isinstance(events, list) or not events or len(parsed) > 1:
            return _error(
                400, {"errors": [{"events": "can't be blank"}]}, "no list of events, or more than it"
            )
        if len(events) > (30 if self.switches.strict30 else 100):
            return self._too_large("bulkevents", f"{len(events)} events" if len(events) > 100 else None)
        answer = self._events(events)
        counted = {"status": "ok", "count": max(0, len(events) - self.switches.count_less)}
        return answer if answer.status != 200 else _with(answer, counted)

    def _event(self, event: dict[str, Any]) -> Verdict:
        answer = self._events([event])
        return answer if answer.status != 200 else _with(answer, {"status": "OK"})

    def _events(self, events: list[Any]) -> Verdict:
        stored: list[Event] = []
        violations: list[str] = []
        for place, event in enumerate(events):
            fault = name_fault(event) if isinstance(event, dict) else "is not an object"
            if fault is not None and not self.switches.silent:
                return _error(400, {"errors": [{f"events.{place}": fault}]}, f"events.{place}: {fault}")
            if self.switches.refuses(event):
                return _error(400, {"errors": [{f"events.{place}": "refused by a switch"}]})
            kind, faults = self._kind(event, fault)
            violations += [f"events.{place}: {one}" for one in faults]
            stored.append(Event(kind, self._key(event), event))
        return Verdict(200, events=tuple(stored), violation="; ".join(violations[:5]) or None)

    @staticmethod
    def _kind(event: Any, fault: str | None) -> tuple[str, list[str]]:
        if fault is not None:
            return INVALID_ATTRIBUTES, [fault]
        if is_anonymous(event):
            return MISSING_IDENTIFIER, ["no customer_id, email, device_id or cookie"]
        if faults := list(attribute_faults(event)):
            return INVALID_ATTRIBUTES, faults
        return event["event"] if event["event"] in SYSTEM else "custom", []

    def _key(self, event: Any) -> str:
        uuid = event.get("event_uuid") if isinstance(event, dict) else None
        return uuid if isinstance(uuid, str) else f"#{next(self._number)}"

    # Customers.

    def _customers(self, parsed: dict[str, Any]) -> Verdict:
        records = parsed.get("customers")
        if not isinstance(records, list) or not records:
            return _error(400, {"errors": [{"customers": "can't be blank"}]}, "no list of customers")
        if len(records) > 50:
            return self._too_large("customers/bulk", f"{len(records)} customers")
        failed, errors, stored, violations = [], [], [], []
        for place, record in enumerate(records):
            faults = customer_faults(record)
            violations += [f"customers.{place}: {faults}"] if faults else []
            if not faults and self.switches.refuses(record):
                faults = {"customer": ["is refused by a switch"]}
            if faults:
                failed.append(record)
                errors.append({"status": 400, "error_data": faults})
            else:
                stored.append(Event(CUSTOMERS, f"#{next(self._number)}", record))
        body = orjson.dumps({"customers": failed, "errors": errors})
        return Verdict(200, body, events=tuple(stored), violation="; ".join(violations[:5]) or None)

    def _customer(self, record: dict[str, Any]) -> Verdict:
        if faults := customer_faults(record):
            return _error(400, {"errors": faults}, str(faults))
        stored = Event(CUSTOMERS, f"#{next(self._number)}", record)
        return Verdict(200, orjson.dumps({"customer": record}), events=(stored,))

    def _merge(self, parsed: dict[str, Any]) -> Verdict:
        new, old = parsed.get("bsft_new_customer_id"), parsed.get("customer_id") or parsed.get("email")
        known = parsed.keys() <= {"bsft_new_customer_id", "customer_id", "email"}
        if not isinstance(new, str) or not new or not isinstance(old, str) or not known:
            blank = {"errors": [{"bsft_new_customer_id": "can't be blank"}]}
            return _error(400, blank, "a merge needs customer_id or email, and bsft_new_customer_id")
        if self.switches.refuses(parsed):
            return _error(400, {"errors": [{"customer_id": "is refused by a switch"}]})
        stored = Event(MERGES, f"#{next(self._number)}", parsed)
        return Verdict(200, b'{"status":"ok"}', events=(stored,))

    # What Blueshift tells.

    def look_up(self, path: str, headers: Mapping[str, str]) -> Verdict:  # noqa: ARG002  (there is one path)
        """Give the last event of each name."""
        if (fault := self._key_fault(headers, "event")) is not None:
            return _error(401, {"message": "Not authorized"}, fault)
        last: dict[str, Any] = {}
        for received in self.store.read():
            event = orjson.loads(received.body)
            if received.kind in SYSTEM or received.kind == "custom":
                last[event["event"]] = event
        return Verdict(200, orjson.dumps(list(last.values())), {"Content-Type": "application/json"})

    def _summary(self, _: dict[str, Any]) -> Verdict:
        counts: dict[str, int] = {}
        for received in self.store.read():
            if received.kind in SYSTEM or received.kind == "custom":
                name = orjson.loads(received.body)["event"]
                counts[name] = counts.get(name, 0) + 1
        errors = {kind: [self.store.counts[kind]] for kind in (INVALID_ATTRIBUTES, MISSING_IDENTIFIER)}
        stats: dict[str, dict[str, Any]] = {
            name: {
                "archived": False,
                "count": number,
                "display_name": name,
                "properties": {},
                "type": "standard" if name in SYSTEM else "custom_event",
            }
            for name, number in counts.items()
        }
        chart = {"archives": {}, "error": errors, "events": {n: [c] for n, c in counts.items()}}
        return Verdict(200, orjson.dumps({"events_chart_stats": chart, "stats": stats, "status": "ok"}))

    def scripted(self, status: int) -> Verdict:
        """Answer as the reference's table of errors does, without headers: none is documented."""
        words = {
            401: "Not authorized",
            403: "Forbidden",
            404: "Customer not found",
            429: "Rate limit exceeded",
        }
        if 200 <= status < 300:
            return Verdict(status, b'{"status":"ok"}')
        return _error(status, {"message": words.get(status, "asked for by a switch")})


def _names(payload: Any) -> set[str]:
    if not isinstance(payload, dict):
        return set()
    keys = ("event_uuid", "customer_id", "email", "cookie", "product_id", "sku", "order_id", "event")
    products = payload.get("products")
    holders = [
        payload,
        *(one for one in (products if isinstance(products, list) else ()) if isinstance(one, dict)),
    ]
    return {str(holder[key]) for holder in holders for key in keys if key in holder}


def _error(status: int, body: dict[str, Any], violation: str | None = None) -> Verdict:
    return Verdict(status, orjson.dumps(body), violation=violation)


def _with(verdict: Verdict, body: dict[str, Any]) -> Verdict:
    return Verdict(verdict.status, orjson.dumps(body), events=verdict.events, violation=verdict.violation)


SIMULATOR = BlueshiftSimulator
