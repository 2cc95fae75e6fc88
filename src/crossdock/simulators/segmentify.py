"""
Segmentify's RESTful Events API, stricter than it is documented.

Written from https://segmentify.github.io/segmentify-dev-doc/integration_rest (read 2026-11-22) and the
vendor's SDKs, and on purpose without a look at `crossdock.destinations.segmentify`. The documentation has no
code for most faults of an event: those are answered BAD_INPUT, our choice.

An answer's status is 200 for all that was processed; the body tells whether it was taken. There is no
idempotency key: an event that comes twice counts twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, ClassVar, Literal
from uuid import NAMESPACE_URL, uuid5

import orjson
from aiohttp import web
from pydantic import Field, NonNegativeInt, ValidationError

from crossdock.simulators._segmentify_schema import (
    PRODUCT_REQUIRED,
    RESERVED,
    SCHEMA,
    UPDATE_ONLY,
    USER_DETAILS,
)
from crossdock.simulators._store import Event
from crossdock.simulators.base import Simulator, Switches, Verdict

EVENTS_PATH = "/add/events/v1.json"
KEY_PATHS = ("/get/key", "/get/key/v1.json")
_MOST_KEYS = 1000
_TIMESTAMP = 1_700_000_000_000


class SegmentifySwitches(Switches):
    """What may be changed about the Segmentify simulator while it runs."""

    api_key: str | None = Field(default=None, repr=False)
    """The one key it knows; ``None`` takes any."""
    origin: str | None = None
    """The Origin that fits the key; ``None`` takes any, but there must be one."""
    account: Literal["active", "unverified", "failed"] = "active"
    languages: set[str] = Field(default={"TR", "EN", "FR", "DE"})
    """The languages that are enabled."""
    checkout_steps: tuple[str, str, str, str] = ("basket", "customer", "payment", "purchase")
    """The words for the steps, in this order; the SDKs have others."""
    partial_product_view: bool = False
    """Take a product view with nothing but the product's id, as the first sample shows it."""
    experimental: bool = False
    """Take the events that only the SDKs know."""
    success_code: bool = False
    """Say ``statusCode: SUCCESS`` with what was taken, as the SDKs expect."""
    next_codes: list[str] = Field(default=[])
    """Codes of the next answers, one a request, each with status 200; nothing of those requests is stored."""
    not_json: NonNegativeInt = 0
    """Answer the next so many requests with 200 and no JSON; nothing of them is stored."""


class SegmentifySimulator(Simulator):
    """``POST /add/events/v1.json`` and ``GET /get/key``."""

    vendor: ClassVar[str] = "segmentify"
    kinds: ClassVar[tuple[str, ...]] = (*SCHEMA, *RESERVED)
    paths: ClassVar[tuple[str, ...]] = (EVENTS_PATH, *KEY_PATHS)
    switches_type: ClassVar[type[Switches]] = SegmentifySwitches
    switches: SegmentifySwitches

    def __init__(self, **options: Any) -> None:
        """Take what every simulator takes."""
        super().__init__(**options)
        self._numbers = count(1)

    def _verdict(self, request: web.Request, body: bytes) -> Verdict:
        if self.switches.next_statuses:
            return self.scripted(self.switches.next_statuses.pop(0))
        if request.path in KEY_PATHS:
            return self.judge_keys(request.method, request.query.get("count", "1"))
        if request.path != EVENTS_PATH:
            return Verdict(404, violation=f"{request.method} {request.path}: no such path")
        if request.method != "POST":
            return Verdict(400, violation=f"{request.method} {request.path}: only POST")
        return self._told(body) or self.judge_events(request.query.get("apiKey"), request.headers, body)

    def _told(self, body: bytes) -> Verdict | None:
        """Give the answer that a switch asks for, whatever the request."""
        switches = self.switches
        if switches.not_json:
            switches.not_json -= 1
            return Verdict(200, b"<html>Welcome</html>", {"Content-Type": "text/html"})
        if switches.next_codes:
            return _refused(switches.next_codes.pop(0))
        if switches.max_body_bytes is not None and len(body) > switches.max_body_bytes:
            return Verdict(413)
        return None

    def judge(self, path: str, headers: Mapping[str, str], body: bytes) -> Verdict:  # noqa: ARG002
        """Decide on events sent with the right key; pure apart from the switches."""
        return self.judge_events(self.switches.api_key or "any", headers, body)

    def judge_keys(self, method: str, wished: str) -> Verdict:
        """Give new keys: a bare array of texts."""
        if method != "GET":
            return Verdict(400, violation=f"{method} for keys: only GET")
        if not wished.isdecimal() or not 1 <= int(wished) <= _MOST_KEYS:
            return Verdict(400, violation=f"count is {wished!r}")
        keys = [
            str(uuid5(NAMESPACE_URL, f"segmentify-key-{next(self._numbers)}")) for _ in range(int(wished))
        ]
        return Verdict(200, orjson.dumps(keys), {"Content-Type": "application/json"})

    def judge_events(self, key: str | None, headers: Mapping[str, str], body: bytes) -> Verdict:
        """Check key, account, Origin, headers, body and each event, in this order."""
        if (refusal := self._refuse_account(key, headers)) is not None:
            return refusal
        if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
            return _refused("BAD_INPUT", "Content-Type is not application/json")
        try:
            events = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            return _refused("BAD_INPUT", f"not JSON: {error}")
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            return _refused("BAD_INPUT", "not an array of objects")
        return _refuse_ids(events) or self._judge_each(events)

    def _refuse_account(self, key: str | None, headers: Mapping[str, str]) -> Verdict | None:
        if not key:
            return _refused("NO_API_KEY", "no apiKey in the query")
        if self.switches.api_key not in (None, key):
            return _refused("NO_ACCOUNT", "an unknown apiKey")
        if self.switches.account != "active":
            return _refused(f"{self.switches.account.upper()}_ACCOUNT")
        origin = headers.get("Origin", "")
        if not origin or self.switches.origin not in (None, origin):
            return _refused("NO_DOMAIN_APIKEY_MATCH", f"Origin is {origin!r}")
        return None

    def _judge_each(self, events: list[dict[str, Any]]) -> Verdict:
        for place, event in enumerate(events):
            fault = next(self._faults(event), None)
            if fault is not None:
                return _refused("BAD_INPUT", f"{place}: {event.get('name')}: {fault}")
        if self._meant(self.switches.refuse, events):
            return _refused("BAD_INPUT")
        if self._meant(self.switches.choke, events):
            return self.scripted(500)
        answer: dict[str, Any] = {"campaigns": [[] for _ in events], "responses": [[] for _ in events]}
        if self.switches.success_code:
            answer["statusCode"] = "SUCCESS"
        body = orjson.dumps({**answer, "timestamp": _TIMESTAMP})
        taken = tuple(Event(event["name"], str(next(self._numbers)), event) for event in events)
        return Verdict(200, body, {"Content-Type": "application/json"}, events=taken)

    @staticmethod
    def _meant(named: list[str], events: list[dict[str, Any]]) -> bool:
        return bool(named) and any(not _names(event).isdisjoint(named) for event in events)

    def _faults(self, event: dict[str, Any]) -> Iterator[str]:
        """Find what is wrong with one event."""
        name = event.get("name")
        if not isinstance(name, str) or name not in (SCHEMA.keys() | RESERVED.keys()):
            yield "an unknown name"
            return
        schema = SCHEMA.get(name) or (RESERVED[name] if self.switches.experimental else None)
        if schema is None:
            yield "reserved: its form is not published"
            return
        if "nextPage" in event:
            yield "nextPage is for browsers"
        try:
            schema.validate_python(event)
        except ValidationError as error:
            for fault in error.errors(include_url=False, include_input=False, include_context=False):
                yield f"{'.'.join(map(str, fault['loc'])) or 'event'}: {fault['msg']}"
            return
        if "lang" in event and event["lang"] not in self.switches.languages:
            yield f"lang: {event['lang']} is not enabled"
        yield from _BESIDE.get(name, _nothing)(event, self.switches)

    def scripted(self, status: int) -> Verdict:
        """Answer with an empty body, and with ``Retry-After`` where a wait is meant."""
        return Verdict(status, headers={"Retry-After": "1"} if status in (429, 503) else {})


def _refuse_ids(events: list[dict[str, Any]]) -> Verdict | None:
    if not events:
        return _refused("NO_EVENT", "an empty array")
    for field, code in (("userId", "NO_USERID"), ("sessionId", "NO_SESSIONID")):
        if any(not isinstance(event.get(field), str) or not event[field].strip() for event in events):
            return _refused(code, f"an event without {field}")
    return None


def _nothing(_: dict[str, Any], __: SegmentifySwitches) -> Iterator[str]:
    return iter(())


def _product_faults(event: dict[str, Any], switches: SegmentifySwitches) -> Iterator[str]:
    if not switches.partial_product_view:
        yield from (f"{field}: missing" for field in PRODUCT_REQUIRED if field not in event)


def _checkout_faults(event: dict[str, Any], switches: SegmentifySwitches) -> Iterator[str]:
    if event["step"] not in switches.checkout_steps:
        yield f"step: {event['step']} is none of {', '.join(switches.checkout_steps)}"
    last = event["step"] == switches.checkout_steps[3]
    if "orderNo" in event and not last:
        yield "orderNo: only on a purchase"
    if "cartUrl" in event and last:
        yield "cartUrl: not on a purchase"


def _user_faults(event: dict[str, Any], _: SegmentifySwitches) -> Iterator[str]:
    step = event["step"]
    if step in ("signin", "signout"):
        yield from (f"{field}: not on {step}" for field in sorted(USER_DETAILS & event.keys()))
    if step != "update":
        yield from (f"{field}: only on update" for field in sorted(UPDATE_ONLY & event.keys()))
    if "age" in event and "birthdate" in event:
        yield "age and birthdate: one of them"


_BESIDE = {"PRODUCT_VIEW": _product_faults, "CHECKOUT": _checkout_faults, "USER_OPERATIONS": _user_faults}
"""What a schema alone does not say."""


def _names(event: dict[str, Any]) -> set[str]:
    """Collect the ids by which `Switches.refuse` may mean an event."""
    lines = event.get("productList", ())
    found = [event.get(name) for name in ("userId", "sessionId", "productId", "orderNo", "username")]
    return {name for name in (*found, *(line["productId"] for line in lines)) if name}


def _refused(code: str, violation: str | None = None) -> Verdict:
    """Refuse a whole request, in the form the documentation shows."""
    body = orjson.dumps({"timestamp": "", "responses": [], "statusCode": code})
    fault = None if violation is None else f"{code}: {violation}"
    return Verdict(200, body, {"Content-Type": "application/json"}, violation=fault)


SIMULATOR = SegmentifySimulator
