"""
Segmentify's RESTful Events API: page and product views, baskets, checkouts, users and custom events.

Source: https://segmentify.github.io/segmentify-dev-doc/integration_rest (read 2026-11-22), called *REST*
below. Where it is silent, the vendor's SDKs that call the same endpoint (github.com/segmentify,
``react-native-sdk`` and ``flutter_sdk``, read 2026-11-22), called *SDK*.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import orjson
from pydantic import Field, PrivateAttr, SecretStr, field_validator

from crossdock.destinations.base import (
    Batch,
    Checked,
    Checkup,
    Destination,
    Halt,
    Limits,
    Outcome,
    Payload,
    Prepared,
    Rejected,
    Request,
    Response,
    Retry,
    Skipped,
)
from crossdock.destinations.segmentify import answers
from crossdock.destinations.segmentify.draft import begun
from crossdock.destinations.segmentify.events import EVENTS, Step
from crossdock.settings import Duration


class Segmentify(Destination):
    """A Segmentify account, for one domain."""

    # REST documents no limit at all: these are ours. 2 bytes are the brackets around the events.
    limits: ClassVar[Limits] = Limits(payloads=50, body_bytes=256 * 1024 - 2)
    actions: ClassVar[tuple[str, ...]] = tuple(EVENTS)
    segment_names: ClassVar[tuple[str, ...]] = ("Segmentify",)

    unchecked: ClassVar[tuple[str, ...]] = (
        "api_key and origin: compared only when events come; a wrong one halts the destination at its first",
    )

    api_key: SecretStr = Field(min_length=1)
    """The account's API key; it travels in the address of every request."""
    origin: str
    """Scheme and host of the account's domain, such as `https://shop.example`; Segmentify compares it."""
    base_url: str
    """The account's data centre, from the panel, such as `https://dce1.segmentify.com`."""
    languages: list[str] = Field(default=["TR", "EN", "FR", "DE"])
    """Languages that Segmentify enabled for the account; an event in another is sent without its language."""
    default_device: Literal["PC", "TABLET", "MOBILE", "ANDROID", "IOS"] = "PC"
    """The device of events that tell neither device nor user agent, such as a server's."""
    default_page_category: str = Field(default="Other", min_length=1)
    """The category of pages that nothing names."""
    page_paths: dict[str, str] = Field(default={})
    """Regular expressions searched in a page's path, each with its pages' category; the first match wins."""
    checkout_step_map: dict[str, Literal["basket", "customer", "payment"]] = Field(default={})
    """Which step of yours is which of theirs: `{"2": payment}`, or `{"viewed:2": payment}` for one event."""
    checkout_steps: dict[Step, str] = Field(default={})
    """Other words for checkout steps, where an account needs those of the SDKs: `{basket: view-basket}`."""
    id_mode: Literal["own", "vendor"] = "own"
    """Whose ids name visitor and session: Segment's own, or keys fetched from Segmentify."""
    session_idle_seconds: int = Field(default=1800, gt=0)
    """How long a visitor may be idle within one session."""
    max_event_age: Duration | None = timedelta(hours=24)
    """What is older becomes a dead letter: Segmentify dates events by their arrival."""
    test_mode: bool = False
    """Mark every event as a test: only campaigns in test mode see it, reports do not."""
    experimental_banners: bool = False
    """Send promotions as BANNER_OPERATIONS, whose form only the SDKs show, instead of CUSTOM_EVENT."""
    banner_group: str = Field(default="promotions", min_length=1)
    """The group of banners, which Segment events do not name."""
    partial_product_view: bool = False
    """Send a product view that has the product's id but lacks other mandatory fields."""
    forward_unmapped: bool = True
    """Send track events that have no preset as CUSTOM_EVENT."""

    _paths: tuple[tuple[re.Pattern[str], str], ...] = PrivateAttr(())

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^\s/?#@]+[^\s?#]*", url):
            raise ValueError(f"{url!r} is not an http(s) URL without a query")
        return url.rstrip("/")

    @field_validator("origin")
    @classmethod
    def _bare_origin(cls, origin: str) -> str:
        if not re.fullmatch(r"https?://[^\s/?#@]+/?", origin):
            raise ValueError(f"{origin!r} is not a scheme and host, such as https://shop.example")
        return origin.rstrip("/")

    @field_validator("languages")
    @classmethod
    def _upper(cls, languages: list[str]) -> list[str]:
        return [language.strip().upper() for language in languages]

    @field_validator("page_paths")
    @classmethod
    def _expressions(cls, paths: dict[str, str]) -> dict[str, str]:
        for pattern in paths:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        return paths

    def model_post_init(self, _: Any, /) -> None:
        """Compile the path expressions once."""
        self._paths = tuple((re.compile(pattern), kind) for pattern, kind in self.page_paths.items())

    def session_idle(self) -> timedelta:
        """Say how long a visitor may be idle within one session."""
        return timedelta(seconds=self.session_idle_seconds)

    def page_kind(self, path: str) -> str | None:
        """Give the category of the first `page_paths` expression that a path matches."""
        return next((kind for pattern, kind in self._paths if pattern.search(path)), None)

    def language(self, locale: Any) -> str | None:
        """Give a locale's language if the account has it: ``de-AT`` is DE."""
        if locale.__class__ is not str:
            return None
        language = locale.strip().replace("_", "-").partition("-")[0].upper()
        return language if language in self.languages else None

    def prepare(self, action: str, payload: Any) -> Prepared | Skipped | Rejected:
        """
        Build the vendor's event of a payload, and serialise it.

        A value that an optional field cannot have is left out and named; a mandatory field that is missing
        refuses the payload, since one bad event has Segmentify refuse a whole request.
        """
        if payload.__class__ is not dict:
            return Rejected("payload: not an object")
        build, known = EVENTS[action]
        draft = begun(self, action, payload)
        if isinstance(draft, Rejected):
            return draft
        refusal = build(self, draft)
        return refusal if refusal is not None else draft.finished(known)

    def request(self, batch: Batch) -> Request:
        """Build the one request: an array of events of any kind, in order."""
        key = quote(self.api_key.get_secret_value(), safe="")
        body = b"[%s]" % b",".join([payload.body for payload in batch.payloads])
        headers = {**self._headers(), "Content-Type": "application/json"}
        return Request("POST", f"{self.base_url}/add/events/v1.json?apiKey={key}", body, headers)

    def _headers(self) -> dict[str, str]:
        # REST's table of headers omits Origin; its examples send it, and NO_DOMAIN_APIKEY_MATCH is about it.
        return {"Accept": "application/json", "Origin": self.origin}

    def outcomes(self, batch: Batch, response: Response) -> list[Outcome]:
        """Read the answer, which is about all events alike; a key that it repeats is masked."""
        outcome = answers.outcome(batch, response)
        return [self._masked(outcome)] * len(batch.payloads)

    def _masked(self, outcome: Any) -> Any:
        # An error page may quote the address, and with it the key.
        reason, key = getattr(outcome, "reason", ""), self.api_key.get_secret_value()
        for secret in (key, quote(key, safe="")):
            if secret in reason:
                reason = reason.replace(secret, "***")
                outcome = replace(outcome, reason=reason)
        return outcome

    def probe(self) -> Request:
        """Ask for one key: it tells that the address is right, not whether the `api_key` is."""
        return self.keys_request(1)

    def checkups(self) -> tuple[Checkup, ...]:
        """Ask the data centre for a key: only Segmentify's own would give one."""
        return (Checkup("base_url", self.probe(), self._checked),)

    def _checked(self, response: Response) -> Checked:
        found = self.read_keys(response, 1)
        if isinstance(found, tuple):
            return Checked(passed=True, says="it is a data centre of Segmentify, and answers")
        return Checked(passed=False if isinstance(found, Halt) else None, says=found.reason)

    # Vendor-made keys (`id_mode: vendor`). Payloads are always prepared with our own ids, which are the same
    # on every retry; whoever sends them exchanges these for keys that it fetches once and keeps.

    def keys_wanted(self, batch: Batch) -> tuple[str, ...]:
        """List the own ids in a batch that need a vendor's key, each once; none in `id_mode: own`."""
        if self.id_mode == "own":
            return ()
        wanted: dict[str, None] = {}
        for payload in batch.payloads:
            wanted.update(dict.fromkeys(_own_ids(orjson.loads(payload.body))))
        return tuple(wanted)

    def keys_request(self, count: int) -> Request:
        """Build the request for *count* new keys."""
        return Request("GET", f"{self.base_url}/get/key?count={count}", b"", self._headers())

    def read_keys(self, response: Response, count: int) -> tuple[str, ...] | Retry | Halt:
        """Read the answer to `keys_request`; on `Retry` the events wait."""
        found = answers.keys(response, count)
        return found if isinstance(found, tuple) else self._masked(found)

    def with_keys(self, batch: Batch, keys: Mapping[str, str]) -> Batch:
        """Exchange own ids for the vendor's keys; *keys* has one for each that `keys_wanted` listed."""
        return Batch(tuple(_exchanged(payload, keys) for payload in batch.payloads))


def _own_ids(event: Mapping[str, Any]) -> tuple[str, str]:
    """Name a visitor's and a session's id apart, as the two may be equal."""
    return f"user:{event['userId']}", f"session:{event['sessionId']}"


def _exchanged(payload: Payload, keys: Mapping[str, str]) -> Payload:
    event = orjson.loads(payload.body)
    user, session = _own_ids(event)
    event |= {"userId": keys[user], "sessionId": keys[session]}
    return replace(payload, body=orjson.dumps(event))


DESTINATION = Segmentify
