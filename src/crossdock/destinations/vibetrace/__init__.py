"""
Vibetrace: users and their consent, order confirmations, and on request the older browsing events.

Sources, all read 2026-11-22: help.vtcdn.net/kb/api-overview for the calls;
help.vtcdn.net/knowledge-base/how-to-update-an-user-through-api/ for users;
help.vtcdn.net/kb/serverside-integration for orders;
help.vibetrace.com/knowledge-base/how-to-send-events-through-the-api/ for the older events.
``vtcdn.net`` is Vibetrace's neutral domain: its help pages hold the same articles.

A user's only key is the e-mail address. Nothing tells whether a repeated order is recognised, so an order
whose answer was lost is sent again as it was and may count twice.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self
from urllib.parse import quote

import orjson
from pydantic import Field, SecretStr, field_validator, model_validator

from crossdock.destinations.base import (
    Batch,
    Checked,
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
from crossdock.destinations.vibetrace import answers, legacy, order, user, values
from crossdock.destinations.vibetrace.answers import Probed
from crossdock.destinations.vibetrace.draft import Draft
from crossdock.destinations.vibetrace.user import Attribute

_UNSUBSCRIBING = frozenset({"unsubscribe", "spam", "forget"})
"""The actions that must not make a user."""
_NO_OBJECT = Rejected("payload: not an object")


class Vibetrace(Destination):
    """A Vibetrace account."""

    # One user or one order a call. No limits or rates are documented: size and pace are ours.
    limits: ClassVar[Limits] = Limits(payloads=1, body_bytes=256 * 1024)
    actions: ClassVar[tuple[str, ...]] = (
        *("user", "subscribe", "unsubscribe", "spam", "forget", "confirmation"),
        *legacy.OWN,
        "custom",
    )
    segment_names: ClassVar[tuple[str, ...]] = ("Vibetrace",)
    # A PUT overwrites, and one address can be of several visitors: order by visitor would not keep it.
    order_all: ClassVar[bool] = True
    requests_per_second: ClassVar[float] = 5.0

    api_key: SecretStr = Field(min_length=1)
    """The API key from the account's profile; the account manager must enable the API first."""
    base_url: str = "https://api.vtcdn.net"
    """Where the API is; a test or a proxy may stand elsewhere."""
    event_path: str = Field(default="/v1/event/", pattern=r"^/[A-Za-z0-9_./-]+$")
    """The path of order confirmations, as the help page prints it, with its slash."""
    send_orders: bool = True
    """Send order confirmations; switch it off where the site's own script does."""
    spam_unsubscribes: bool = True
    """Unsubscribe whoever marks an e-mail as spam."""
    attributes: dict[str, Attribute] = Field(default={})
    """Custom attributes by trait, such as `plan: {tag: plan, type: string}`."""
    legacy_events: bool = False
    """Send browsing by the older call: without a key, and with the visitor's ids in the URL."""
    account_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """The account's id as the site's script has it; only `legacy_events` needs it."""
    legacy_base_url: str = "https://app.vtcdn.net"
    """Where the older call goes."""

    @field_validator("api_key")
    @classmethod
    def _bare_key(cls, key: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[\x21-\x7e]+", key.get_secret_value()):
            raise ValueError("write the bare key, without a word such as Bearer and without spaces")
        return key

    @field_validator("base_url", "legacy_base_url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
            raise ValueError("must be an http(s) URL without user or query")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.legacy_events and self.account_id is None:
            raise ValueError("legacy_events needs account_id, which is part of its address")
        types: dict[str, str] = {}
        for attribute in self.attributes.values():
            if types.setdefault(attribute.tag, attribute.type) != attribute.type:
                raise ValueError(f"attributes: the tag {attribute.tag} has two types; one can never change")
        return self

    def prepare(self, action: str, payload: Any) -> Prepared | Skipped | Rejected:
        """
        Make a user, a consent, an order or an event of a payload.

        Vibetrace ignores what has a wrong type without a word, so all of it is checked here: an optional
        field that does not fit is left out and named.
        """
        if payload.__class__ is not dict:
            return _NO_OBJECT
        if action == "user":
            return user.upsert(payload, self.attributes)
        if action == "confirmation":
            return self._confirmation(payload)
        if action == "spam" and not self.spam_unsubscribes:
            return Skipped("spam_unsubscribes_off")
        if action == "subscribe" or action in _UNSUBSCRIBING:
            return user.consent(payload, subscribed=action == "subscribe", erase=action == "forget")
        return legacy.event(action, payload) if self.legacy_events else Skipped("legacy_events_off")

    def _confirmation(self, payload: dict[str, Any]) -> Prepared | Skipped | Rejected:
        if not self.send_orders:
            return Skipped("send_orders_off")
        email = values.first_address(payload.get("email"))
        if email is None and not self.legacy_events:
            return user.NO_EMAIL
        draft = Draft()
        found = order.read(draft, payload)
        if isinstance(found, Rejected):
            return found
        if email is None:
            return legacy.confirmation(draft, payload, found)
        person: dict[str, Any] = {"email": email}
        draft.person(person, payload)
        confirmation = {"generic": found.generic, "items": found.items}
        return draft.finished({"user": person, "event": {"confirmation": confirmation}})

    def request(self, batch: Batch) -> Request:
        """Build the call of the batch's one payload; method and address are the payload's."""
        (payload,) = batch.payloads
        if _is_legacy(batch):
            url = legacy.url(self.legacy_base_url, self.account_id or "", payload)
            return Request("GET", url, b"", {"Accept": "*/*"})
        if payload.action == "confirmation":
            return self._call("POST", self.event_path, payload.body)
        made = orjson.loads(payload.body)
        query = "" if payload.action in _UNSUBSCRIBING else "?upsert=true"
        return self._call("PUT", f"{_user(made['email'])}{query}", orjson.dumps(made["attributes"]))

    def _call(self, method: str, path: str, body: bytes) -> Request:
        # The bare key: help.vtcdn.net/kb/api-overview knows no scheme word.
        headers = {"Authorization": self.api_key.get_secret_value(), "Accept": "application/json"}
        if body:
            headers["Content-Type"] = "application/json"
        return Request(method, f"{self.base_url}{path}", body, headers)

    def outcomes(self, batch: Batch, response: Response) -> list[Outcome]:
        """Read the answer, which is about one payload."""
        if _is_legacy(batch):
            read = answers.of_legacy
        else:
            unsubscribing = batch.payloads[0].action in _UNSUBSCRIBING
            read = answers.of_unsubscription if unsubscribing else answers.outcome
        found = answers.masked(read(batch, response), self.api_key.get_secret_value())
        return [answers.noted(found, payload.body) for payload in batch.payloads]

    def probe(self) -> Request:
        """Ask for a user who does not exist; read the answer with `probed`."""
        # RFC 2606 keeps `.invalid` free: nobody can have this address.
        return self._call("GET", _user("nobody@crossdock.invalid"), b"")

    def probed(self, response: Response) -> Probed:
        """Say whether the answer to `probe` means that the key is accepted."""
        found = answers.probed(response)
        return found._replace(says=found.says.replace(self.api_key.get_secret_value(), "***"))

    def checkups(self) -> tuple[Checkup, ...]:
        """Ask for a user who does not exist: a right key is told apart from a wrong one."""
        return (Checkup("api_key", self.probe(), lambda response: Checked(*self.probed(response))),)


def _user(email: str) -> str:
    return f"/v1/user/{quote(email, safe='@')}"


def _is_legacy(batch: Batch) -> bool:
    payload = batch.payloads[0]
    if payload.action == "confirmation":
        return payload.body.startswith(b'{"type":')
    return payload.action in legacy.OWN or payload.action == "custom"


DESTINATION = Vibetrace
