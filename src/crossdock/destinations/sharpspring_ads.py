"""
SharpSpring Ads (formerly Perfect Audience): commands for the tag on the shop's own pages.

The documented interface is the page's queue ``_pq``; nothing takes events from a server. So a command waits
in the visitor's mailbox until the relay's script pushes it there: see `crossdock.relay`.

Sources: support.perfectaudience.com/477058-Segmenting-API, called *doc*; Segment's own integration, GitHub
``segmentio/analytics.js-integrations``, integrations/perfect-audience, called *seg*; generated tags in public
archives, called *observed*, never promised by the vendor. All read 2026-08-20.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, ClassVar, Literal

import orjson
from pydantic import Field, SecretStr, field_validator

from crossdock.destinations.base import (
    Destination,
    Limits,
    MailboxTerms,
    Payload,
    Posted,
    Prepared,
    Rejected,
    Request,
    Skipped,
)

MAX_VISITOR = 256
"""A longer id would not fit the URL the page asks with; Segment's libraries make 36 characters."""
_CAPACITY = 100
_AMOUNT = re.compile(r"\$?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?", re.ASCII)


class SharpSpringAds(Destination):
    """A SharpSpring Ads account, reached through the tag on the shop's own pages."""

    # A put into mailboxes is one write of ours: these numbers bound that write, the vendor has none.
    limits: ClassVar[Limits] = Limits(payloads=200)
    requests_per_second: ClassVar[float] = 1000.0
    actions: ClassVar[tuple[str, ...]] = ("track", "trackProduct")
    segment_names: ClassVar[tuple[str, ...]] = ("Perfect Audience", "SharpSpring Ads")
    transport: ClassVar[Literal["http", "mailbox"]] = "mailbox"
    caution: ClassVar[str] = (
        "live delivery cannot be verified and probably no longer exists: the vendor announced that the "
        "platform would be retired on 15 August 2024; commands are handed to the tag on your own pages only"
    )

    unchecked: ClassVar[tuple[str, ...]] = (
        "delivery: the tag on your own pages carries commands out; `crossdock why` tells what became of one",
    )

    event_map: dict[str, str] = Field(default={})
    """Segment's name of an event to the name defined in the account, where the two differ."""
    allowed_events: list[str] | None = None
    """Segment names that are sent beside those of `event_map`; no list: all."""
    account_currency: str | None = Field(default=None, pattern=r"^[A-Za-z]{3}$")
    """The account's currency: revenue in another is left out, as the tag takes no currency."""
    max_products: int = Field(default=20, ge=0)
    """Products told of one cart or list, at most."""
    track_list_products: bool = False
    """Tell of the products of list pages too."""
    page_events: bool = False
    """Send named pages as `Viewed <name> Page`."""
    ttl_seconds: int = Field(default=86_400, ge=1)
    """How long a command waits for the visitor to come back."""
    visitor_token_secret: SecretStr | None = None
    """With it a page must show the token your server makes of it and the visitor's id."""
    site_id: str | None = Field(default=None, pattern=r"^[0-9a-f]{24}$")
    """The account's Advertiser ID (24 hex characters); only to check whether its tag is still served."""
    base_url: str = "https://tag.perfectaudience.com"
    """Where the account's tag comes from; only that check calls it, your pages load the tag themselves."""

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^\s/?#@]+[^\s?#]*", url):
            raise ValueError("must be an http(s) URL without user or query")
        return url.rstrip("/")

    @field_validator("visitor_token_secret")
    @classmethod
    def _real_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value()) < 16:
            raise ValueError("must have at least 16 characters")
        return secret

    def prepare(self, action: str, payload: Any) -> Prepared | Skipped | Rejected:
        """Make one exact command of a payload; whatever the tag would misread is left out and named."""
        if payload.__class__ is not dict:
            return Rejected("payload: not an object")
        visitor = _text(payload.get("visitor"))
        if visitor is None:
            return Skipped("no_visitor")
        if len(visitor) > MAX_VISITOR:
            return Rejected(f"visitor: longer than {MAX_VISITOR} characters")
        made = self._track(payload) if action == "track" else self._product(payload)
        if isinstance(made, (Skipped, Rejected)):
            return made
        command, dropped = made
        try:
            return Prepared(orjson.dumps({"visitor": visitor, "cmd": command}), dropped)
        except TypeError as error:  # half an emoji
            return Rejected(f"payload: {error}")

    def _track(self, payload: dict[str, Any]) -> tuple[list[Any], tuple[str, ...]] | Skipped | Rejected:
        if payload.get("page") is not None and not self.page_events:
            return Skipped("page_events_off")
        event = payload.get("event")
        if event.__class__ is not str or not event.strip():
            return Rejected("event: not a name")
        name = self.event_map.get(event)
        if name is None:
            if self.allowed_events is not None and event not in self.allowed_events:
                return Skipped("filtered")
            name = event
        told, dropped = self._order(payload)
        # Doc: the third element is optional; an empty object, as seg pushes, says nothing.
        return ["track", name, told] if told else ["track", name], dropped

    def _order(self, payload: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
        told: dict[str, Any] = {}
        dropped: tuple[str, ...] = ()
        if (order_id := payload.get("orderId")) is not None:
            text = _text(order_id)
            # Observed: from `@` on an order id is cut; an e-mail address has no business there at all.
            if text is None or "@" in text:
                dropped = ("orderId",)
            else:
                told["orderId"] = text
        if (revenue := payload.get("revenue")) is not None:
            amount = None if self._is_foreign(payload.get("currency")) else _amount(revenue)
            if amount is None:
                dropped += ("revenue",)
            else:
                told["revenue"] = amount
        return told, dropped

    def _product(self, payload: dict[str, Any]) -> tuple[list[Any], tuple[str, ...]] | Skipped:
        if payload.get("list") is not None and not self.track_list_products:
            return Skipped("track_list_products_off")
        product = _text(payload.get("productId"))
        if product is None:
            return Skipped("no_product")
        place = payload.get("place")
        if place.__class__ is int and place >= self.max_products:
            return Skipped("max_products")
        return ["trackProduct", product], ()

    def _is_foreign(self, currency: Any) -> bool:
        if self.account_currency is None or currency.__class__ is not str or not currency.strip():
            return False
        return bool(currency.strip().upper() != self.account_currency.upper())

    def posted(self, payload: Payload) -> Posted:
        """Give the command for the visitor's mailbox; one that tells of an order or revenue goes last."""
        made = orjson.loads(payload.body)
        return Posted(made["visitor"], orjson.dumps(made["cmd"]), precious=len(made["cmd"]) == 3)

    def mailbox_terms(self) -> MailboxTerms:
        """Say how the mailboxes are kept."""
        secret = self.visitor_token_secret
        return MailboxTerms(
            capacity=_CAPACITY,
            ttl=timedelta(seconds=self.ttl_seconds),
            token_secret=None if secret is None else secret.get_secret_value().encode(),
        )

    def probe(self) -> Request | None:
        """Ask for the account's tag, as every page of the shop does; only where `site_id` names it."""
        if self.site_id is None:
            return None
        return Request("GET", f"{self.base_url}/serve/{self.site_id}.js", b"")


def _text(value: Any) -> str | None:
    """Give a text, or a whole number as one; ``None`` for anything else and for what is blank."""
    if value.__class__ is str:
        return value if value.strip() else None
    if value.__class__ is int:
        return str(value)
    return str(int(value)) if value.__class__ is float and value.is_integer() else None


def _amount(value: Any) -> float | None:
    """Give a positive amount; seg strips `$` and thousands marks, observed: 0 is not sent on."""
    if value.__class__ is str:
        if not _AMOUNT.fullmatch(value.strip()):
            return None
        value = float(value.strip().lstrip("$").replace(",", ""))
    # The other way round a NaN would pass.
    usable = value.__class__ in (int, float) and 0 < value < float("inf")
    return value if usable else None


DESTINATION = SharpSpringAds
