"""
Blueshift: events through the bulk call, and on request profiles through the customers API.

Sources, all read 2026-11-22: developer.blueshift.com/docs/your-sites-event-data (*S* below);
developer.blueshift.com/reference: ``post_api-v1-event``, ``…-bulkevents``, ``…-customers-bulk``,
``…-customers-merge``, ``api-errors`` (*REF*). Where the two differ, S is followed, and REF's figure is a
setting or learned from an answer.

Nobody promises that a repeated `event_uuid` is recognised, so a batch whose answer was lost is sent again and
may count twice.
"""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cached_property
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlencode

import orjson
from pydantic import Field, SecretStr, field_validator, model_validator

from crossdock.destinations.base import (
    Batch,
    Checkup,
    Destination,
    Limits,
    Outcome,
    Prepared,
    Rejected,
    Request,
    Response,
    Skipped,
)
from crossdock.destinations.blueshift import answers, profile, values
from crossdock.destinations.blueshift.answers import Seen, Summary
from crossdock.destinations.blueshift.event import CatalogKey, Draft, Rules, drafted

BULK, PROFILES, MERGE = "bulkevents", "customers/bulk", "customers/merge"
_HOSTS = {"us": "https://api.getblueshift.com", "eu": "https://api.eu.getblueshift.com"}
_PERSONS = frozenset({"identify", "group", "merge"})
_NO_OBJECT = Rejected("payload: not an object")


class Blueshift(Destination):
    """A Blueshift account."""

    # S: 100 events or 1 MB a call, 5 calls a second. Whether that megabyte is 10⁶ or 2²⁰ bytes is told
    # nowhere, so a body stays below 950,000; 16 bytes of it are the object around the events.
    limits: ClassVar[Limits] = Limits(payloads=100, body_bytes=950_000 - 16)
    actions: ClassVar[tuple[str, ...]] = (*sorted(values.SYSTEM_EVENTS), "custom", "group", "merge")
    segment_names: ClassVar[tuple[str, ...]] = ("Blueshift",)
    # The account's limit is 5 calls a second, whoever makes them; lanes side by side would only share it.
    order_all: ClassVar[bool] = True
    requests_per_second: ClassVar[float] = 5.0

    event_api_key: SecretStr = Field(min_length=1)
    """The Event API key, from Account Settings > API Keys."""
    user_api_key: SecretStr | None = Field(default=None, min_length=1)
    """The User API key; only `profile_api`, merges and the summary of `doctor` need it."""
    region: Literal["us", "eu"] = "us"
    """Where the account is; a key of the other region is refused."""
    base_url: str | None = None
    """Another host, for a test; by default the region's."""
    catalog_key: CatalogKey = "auto"
    """Which of Segment's `product_id` and `sku` is the catalogue's id; `auto` fills whichever is missing."""
    long_names: Literal["reject", "truncate"] = "reject"
    """What becomes of an event name over 64 characters: a dead letter, or cut, with a digest at its end."""
    timestamp: bool = True
    """Send the time of the event. REF does not list it for requests; Blueshift's own libraries send it."""
    cookie: Literal["uuid", "verbatim", "off"] = "uuid"
    """What an anonymousId becomes: a UUID where it has not a cookie's 36 characters, itself, or nothing."""
    profile_api: bool = False
    """Send identify calls to the customers API instead of the event stream; needs `user_api_key`."""
    strict30: bool = False
    """Send at most 30 events a call, as REF says since 2026, instead of 100."""

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?", url):
            raise ValueError("must be an http(s) URL without user or query")
        return url and url.rstrip("/")

    @model_validator(mode="after")
    def _has_its_key(self) -> Self:
        if self.profile_api and self.user_api_key is None:
            raise ValueError("profile_api needs user_api_key: the customers API refuses the Event key")
        return self

    def endpoint(self, action: str) -> str:
        """Events share one call; profiles and merges have endpoints of their own."""
        if action == "merge":
            return MERGE
        return PROFILES if action == "identify" and self.profile_api else BULK

    def most_payloads(self, endpoint: str) -> int:
        """S: 100 events a call, REF: 30; REF: 50 profiles, and one merge."""
        return {MERGE: 1, PROFILES: 50}.get(endpoint, 30 if self.strict30 else 100)

    def prepare(self, action: str, payload: Any) -> Prepared | Skipped | Rejected:
        """
        Make one event, profile or merge of a payload.

        The bulk call never tells what is wrong with an event, so all of it is checked here: an optional
        field that does not fit is left out and named, only a name or an id refuses the payload.
        """
        if payload.__class__ is not dict:
            return _NO_OBJECT
        draft = self._drafted(action, payload)
        if not isinstance(draft, Draft):
            return draft
        try:
            body = orjson.dumps(draft.fields)
        except TypeError as error:  # text that is no Unicode, or nested too deeply
            return Rejected(f"payload: cannot be written as JSON: {error}")
        return Prepared(body, tuple(dict.fromkeys(draft.dropped)) if draft.dropped else ())

    @cached_property
    def rules(self) -> Rules:
        """The settings that change an event, in the form that is quick to read."""
        return Rules(self.timestamp, self.cookie, self.catalog_key)

    def _drafted(self, action: str, payload: dict[str, Any]) -> Draft | Skipped | Rejected:
        if action == "custom":
            name = self._custom_name(payload.get("event"))
            return name if isinstance(name, Rejected) else drafted(name, action, payload, self.rules)
        if action not in _PERSONS:
            return drafted(action, action, payload, self.rules)
        if action == "merge":
            return Skipped("no_user_api_key") if self.user_api_key is None else profile.merger(payload)
        if action == "identify" and self.profile_api:
            return profile.customer(payload)
        return self._person(action, payload)

    def _person(self, action: str, payload: dict[str, Any]) -> Draft | Skipped | Rejected:
        draft = drafted("identify", action, payload, self.rules)
        attributes = payload.get("attributes")
        if isinstance(draft, Draft) and isinstance(attributes, dict):
            lay = profile.traits_of if action == "identify" else profile.group_traits_of
            lay(draft, attributes)
        return draft

    def _custom_name(self, given: Any) -> str | Rejected:
        name = values.event_name(given, truncate=self.long_names == "truncate")
        if name is None:
            return Rejected("event: missing, or longer than 64 characters", "event_name")
        if name in values.SYSTEM_EVENTS:
            return Rejected(
                f"event: {name} is an event of Blueshift's own; map it with a preset of that action",
                "system_event",
            )
        return name

    def request(self, batch: Batch) -> Request:
        """Build the one call that carries the batch, in order."""
        endpoint = self.endpoint(batch.payloads[0].action)
        bodies = b",".join(payload.body for payload in batch.payloads)
        if endpoint == MERGE:
            return self._call("POST", endpoint, bodies, self.user_api_key)
        if endpoint == PROFILES:
            return self._call("POST", endpoint, b'{"customers":[%s]}' % bodies, self.user_api_key)
        return self._call("POST", endpoint, b'{"events":[%s]}' % bodies, self.event_api_key)

    def _call(self, method: str, path: str, body: bytes, key: SecretStr | None) -> Request:
        # REF and S (`curl -u KEY:`): the key is the user's name and the password is empty, colon included.
        credential = f"{(key or self.event_api_key).get_secret_value()}:"
        headers = {
            "Authorization": f"Basic {b64encode(credential.encode()).decode()}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        return Request(method, f"{self.base_url or _HOSTS[self.region]}/api/v1/{path}", body, headers)

    def outcomes(self, batch: Batch, response: Response) -> list[Outcome]:
        """
        Read the one answer for all.

        Events are taken or refused together; the customers API lists the records that failed.
        """
        endpoint = self.endpoint(batch.payloads[0].action)
        if 200 <= response.status < 300:
            taken = answers.profiles_taken if endpoint == PROFILES else answers.events_taken
            return taken(batch, response)
        outcome = answers.not_taken(batch, response, profiles=endpoint != BULK)
        return [outcome] * len(batch.payloads)

    def probe(self) -> Request:
        """Ask for the latest events, which needs key and region to be right and changes nothing."""
        return self.debug_request()

    def checkups(self) -> tuple[Checkup, ...]:
        """Ask what Blueshift saw last, and what it counted and could not use within the last 7 days."""
        counted = Checkup(
            "user_api_key" if self.user_api_key else "summary",
            self.summary_request(),
            lambda response: answers.counted(response, own_key=self.user_api_key is not None),
        )
        return (Checkup("event_api_key and region", self.debug_request(), answers.last_seen), counted)

    def debug_request(self) -> Request:
        """Ask which event of each name Blueshift saw last; read the answer with `seen`."""
        return self._call("GET", "event/debug", b"", self.event_api_key)

    def summary_request(self, start: str | None = None, end: str | None = None) -> Request:
        """
        Ask what Blueshift counted, by default in the last 7 days; read the answer with `summary`.

        *start* and *end* are ISO 8601. REF wants the User key, the help pages the Event key: the User key is
        used where there is one.
        """
        span = {"timestamp_start": start, "timestamp_end": end}
        query = urlencode({name: time for name, time in span.items() if time is not None})
        path = "event/summary.json" + (f"?{query}" if query else "")
        return self._call("POST", path, b"{}", self.user_api_key)

    def seen(self, response: Response) -> list[Seen] | None:
        """Read an answer to `debug_request`; ``None`` when it is not one."""
        return answers.seen(response)

    def summary(self, response: Response) -> Summary | None:
        """Read an answer to `summary_request`; ``None`` when it is not one."""
        return answers.summary(response)


DESTINATION = Blueshift
