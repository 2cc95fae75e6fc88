"""
Vibetrace's user and event API, as strict as it is documented, and the older event call beside it.

Sources as in `crossdock.simulators._vibetrace`; on purpose without a look at
`crossdock.destinations.vibetrace`.

Users are kept by e-mail address. What Vibetrace would take and ignore (an attribute of a wrong type, a field
it does not know) is answered 200 as there, and shown as a violation or a warning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qs, unquote

import orjson
from aiohttp import web
from pydantic import Field, NonNegativeInt

from crossdock.simulators import _vibetrace as rules
from crossdock.simulators._store import Event
from crossdock.simulators.base import Simulator, Switches, Verdict

_JSON = {"Content-Type": "application/json"}
_SCHEMES = ("bearer", "basic", "token", "apikey")
_WARNINGS_KEPT = 1_000


class VibetraceSwitches(Switches):
    """What may be changed about the Vibetrace simulator while it runs."""

    api_key: str | None = Field(default=None, repr=False)
    """The one key it takes; ``None`` takes any."""
    credential_status: Literal[401, 403] = 401
    """403 is what the retired API answered to a key without access."""
    account_id: str | None = None
    """The account of the older event call; ``None`` takes any."""
    attributes: dict[str, rules.Kind] = Field(default={})
    """The custom attributes of the account, by tag."""
    hang: NonNegativeInt = 0
    """Store nothing of the next so many requests and never answer them."""
    errors_with_200: bool = False
    """Answer what `refuse` names with 200 and ``errors`` instead of 400."""


class VibetraceSimulator(Simulator):
    """``/v1/user/…``, ``/v1/event/`` and ``/event/<account>/<type>``."""

    vendor: ClassVar[str] = "vibetrace"
    kinds: ClassVar[tuple[str, ...]] = ("users", "confirmations", "events")
    paths: ClassVar[tuple[str, ...]] = ("/v1/user/", "/v1/event/", "/event/")
    switches_type: ClassVar[type[Switches]] = VibetraceSwitches
    switches: VibetraceSwitches

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.users: dict[str, dict[str, Any]] = {}
        """Attributes by e-mail address."""
        self.warnings: list[str] = []
        """What was taken, and is odd all the same."""
        self._calls = 0

    def judge(self, path: str, headers: Mapping[str, str], body: bytes) -> Verdict:
        """Decide on one ``POST``."""
        return self.answer("POST", path, headers, body)

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Verdict:
        """Decide on one request; *target* is the path and query as sent."""
        path, _, query = target.partition("?")
        if path.startswith("/event/") and method == "GET":
            return self._legacy(path, query)
        if method == "DELETE":
            return _missing(f"DELETE {path}: documented nowhere")
        if (refusal := self._unauthorized(headers)) is not None:
            return refusal
        if method == "POST":
            return self._posted(path, headers, body)
        if path.startswith("/v1/user/") and method in ("GET", "PUT"):
            return self._user(method, path.removeprefix("/v1/user/"), query, headers, body)
        return _missing(f"{method} {path}: no such call")

    def _posted(self, path: str, headers: Mapping[str, str], body: bytes) -> Verdict:
        if path not in ("/v1/event/", "/v1/event", "/v1/user/", "/v1/user"):
            return _missing(f"POST {path}: no such call")
        given = self._object(headers, body)
        if isinstance(given, Verdict):
            return given
        if path.startswith("/v1/user"):
            return self._create(given)
        if path == "/v1/event":
            self._warn("POST /v1/event: the help page prints it with a slash at its end")
        return self._confirmation(given)

    # The key and the body.

    def _unauthorized(self, headers: Mapping[str, str]) -> Verdict | None:
        given = headers.get("Authorization", "")
        scheme, space, _ = given.partition(" ")
        if space and scheme.lower() in _SCHEMES:
            return self._refused_key(f"Authorization: the bare key is wanted, without {scheme}")
        if not given or given != (self.switches.api_key or given):
            return self._refused_key("wrong or missing API key")
        return None

    def _refused_key(self, violation: str) -> Verdict:
        return _error(self.switches.credential_status, "Unauthorized", "check the API key", violation)

    def _object(self, headers: Mapping[str, str], body: bytes) -> dict[str, Any] | Verdict:
        if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
            return _invalid("Content-Type is not application/json")
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            return _invalid(f"not JSON: {error}")
        return value if isinstance(value, dict) else _invalid("the body is not an object")

    # Users.

    def _user(self, method: str, part: str, query: str, headers: Mapping[str, str], body: bytes) -> Verdict:
        if "/" in part:
            return _missing(f"{method}: no ending slash, and no slash in an address")
        email = unquote(part)
        if not rules.is_address(email) or "\ufffd" in email:
            return _invalid("the path holds no e-mail address")
        if method == "GET":
            return self._shown(email)
        given = self._object(headers, body)
        if isinstance(given, Verdict):
            return given
        if email not in self.users and parse_qs(query).get("upsert") != ["true"]:
            return self._refused({email}) or _error(404, "User not found", f"no user {email}")
        faults = {
            "a + in the path must be written %2B": "+" in part,
            "email belongs into the path alone": "email" in given,
            "an empty object changes nothing": not given,
            "addresses are sent in lower case": email != email.lower(),
        }
        attributes = {name: value for name, value in given.items() if name != "email"}
        found = [fault for fault, there in faults.items() if there]
        return self._refused({email}) or self._stored(email, attributes, found)

    def _create(self, given: dict[str, Any]) -> Verdict:
        email = given.pop("email", None)
        if not rules.is_address(email):
            return _invalid("email: missing, or no address")
        if email in self.users:
            self._warn("POST of a user who is there: what becomes of it is documented nowhere")
        return self._refused({email}) or self._stored(email, given, [])

    def _shown(self, email: str) -> Verdict:
        if email not in self.users:
            return _error(404, "User not found", f"no user {email}")
        return Verdict(200, orjson.dumps({"email": email, **self.users[email]}), _JSON)

    def _stored(self, email: str, given: Mapping[str, Any], faults: list[str]) -> Verdict:
        stored, violations, warnings = rules.taken(given, self.switches.attributes)
        self._warn(*warnings)
        user = self.users.setdefault(email, {})
        user.update(stored)
        # A PUT of the same again changes nothing, so each call counts, and none is a duplicate.
        self._calls += 1
        event = Event("users", str(self._calls), {"email": email, "attributes": dict(given)})
        answer = {
            "results": [{"message": "User updated", "email": email}],
            "object": {"_id": f"u{self._calls}", "email": email, **user},
        }
        violation = "; ".join([*faults, *violations]) or None
        return Verdict(200, orjson.dumps(answer), _JSON, (event,), violation)

    # Orders.

    def _confirmation(self, given: dict[str, Any]) -> Verdict:
        faults = list(rules.confirmation_faults(given))
        if faults:
            return _invalid("; ".join(faults[:3]))
        order = given["event"]["confirmation"]
        names = {
            given["user"]["email"],
            order["generic"]["orderId"],
            *(item["id"] for item in order["items"]),
        }
        if (refusal := self._refused(names)) is not None:
            return refusal
        self._warn(*rules.unknown_fields(given))
        event = Event("confirmations", order["generic"]["orderId"], given)
        answer = {"results": [{"message": "Event received", "email": given["user"]["email"]}]}
        return Verdict(200, orjson.dumps(answer), _JSON, (event,))

    # The older event call.

    def _legacy(self, path: str, query: str) -> Verdict:
        parts = [unquote(part) for part in path.removeprefix("/event/").split("/")]
        if len(parts) != 2 or not parts[0] or parts[0] != (self.switches.account_id or parts[0]):
            return _missing(f"GET {path}: not /event/<account id>/<type>")
        values = parse_qs(query, keep_blank_values=True)
        try:
            data = orjson.loads(values.get("data", [""])[0])
        except orjson.JSONDecodeError as error:
            return _invalid(f"data: not JSON: {error}")
        faults = list(rules.legacy_faults(parts[1], data))
        if not values.get("ts", [""])[0].isdecimal():
            faults.append("ts: not a whole number")
        faults += [f"{name}: not a parameter" for name in values if name not in ("data", "ts", "callback")]
        if faults:
            return _invalid("; ".join(faults[:3]))
        if (refusal := self._refused(_ids(data))) is not None:
            return refusal
        # Two units of a product are two equal events of one call; a call that comes again has the same `ts`.
        key = f"{values['ts'][0]}:{parts[1]}"
        events = (Event("events", f"{key}:{place}", event) for place, event in enumerate(data))
        return Verdict(200, b"{}", _JSON, tuple(events))

    # Switches.

    def _refused(self, names: set[str]) -> Verdict | None:
        """Refuse what a switch names; a correct client could not know, so it is no violation."""
        if not names.isdisjoint(self.switches.choke):
            return self.scripted(500)
        if names.isdisjoint(self.switches.refuse):
            return None
        status = 200 if self.switches.errors_with_200 else 400
        return _error(status, "Invalid data format/type", "refused by a switch")

    def scripted(self, status: int) -> Verdict:
        """Answer with the vendor's shape of an error."""
        headers = {**_JSON, **({"Retry-After": "1"} if status in (429, 503) else {})}
        if status < 300:
            return Verdict(status, b'{"results":[]}', _JSON)
        message = {404: "User not found"}.get(status, "asked for by a switch")
        return Verdict(status, _errors(message, f"status {status}"), headers)

    def _warn(self, *warnings: str) -> None:
        self.warnings = [*self.warnings, *warnings][-_WARNINGS_KEPT:]

    # What differs from a vendor with one POST.

    def _verdict(self, request: web.Request, body: bytes) -> Verdict:
        switches = self.switches
        if switches.next_statuses:
            return self.scripted(switches.next_statuses.pop(0))
        if switches.max_body_bytes is not None and len(body) > switches.max_body_bytes:
            return Verdict(413)
        return self.answer(request.method, request.raw_path, request.headers, body)

    async def _serve(self, request: web.Request) -> web.Response:
        if self.switches.hang:
            self.switches.hang -= 1
            while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
                # A transport has no event for its end.
                await asyncio.sleep(0.02)
            return web.Response()  # goes nowhere
        return await super()._serve(request)

    async def _reset(self, request: web.Request) -> web.Response:
        self.users.clear()
        self.warnings.clear()
        return await super()._reset(request)

    def _counters(self) -> dict[str, Any]:
        repeated = [key for kind, key in self.store.duplicates if kind == "confirmations"]
        return {
            **super()._counters(),
            "users": len(self.users),
            "repeated_orders": repeated,
            "warnings": self.warnings,
        }


def _ids(data: Iterable[Mapping[str, Any]]) -> set[str]:
    return {str(event[name]) for event in data for name in ("itemId", "email", "userId") if name in event}


def _errors(message: str, description: str) -> bytes:
    return orjson.dumps({"errors": [{"message": message, "description": description}]})


def _error(status: int, message: str, description: str, violation: str | None = None) -> Verdict:
    return Verdict(status, _errors(message, description), _JSON, violation=violation)


def _invalid(why: str) -> Verdict:
    return _error(400, "Invalid data format/type", why, why)


def _missing(violation: str) -> Verdict:
    return Verdict(
        404, b"<html><body>404 Not Found</body></html>", {"Content-Type": "text/html"}, (), violation
    )


SIMULATOR = VibetraceSimulator
