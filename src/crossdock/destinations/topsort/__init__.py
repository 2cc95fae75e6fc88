"""
Topsort Events API v2: promoted-product impressions, clicks, purchases and page views.

Sources, both read 2026-11-22: Topsort OpenAPI ``topsort-api-v2.yml`` (github.com/Topsort/openapi), called
*OpenAPI* below; docs.topsort.com/reference/errors and ``/ad-server/events/events-api``, called *docs*.
The old ``/events`` endpoint is never used: its prices are integer cents.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, ClassVar, Literal
from uuid import NAMESPACE_URL, uuid5

import orjson
from pydantic import Field, SecretStr, ValidationError, field_validator

from crossdock.destinations.base import (
    Batch,
    Destination,
    Halt,
    Limits,
    Outcome,
    Prepared,
    Rejected,
    Request,
    Response,
    Skipped,
    plain_outcome,
)
from crossdock.destinations.topsort.mending import Mended, mended, whole
from crossdock.destinations.topsort.schema import CHECK

ARRAYS = {"impression": "impressions", "click": "clicks", "purchase": "purchases", "pageview": "pageviews"}
"""Which array of the request a kind goes into."""

_AIMED = frozenset({"impression", "click"})
"""The kinds that need a bid or an entity."""


class Topsort(Destination):
    """A Topsort marketplace."""

    # OpenAPI: at most 50 entries in each of the four arrays. No size of the body is published, so half a
    # mebibyte is ours; 64 bytes of it are the object around the arrays.
    limits: ClassVar[Limits] = Limits(payloads=200, per_kind=50, body_bytes=512 * 1024 - 64)
    segment_names: ClassVar[tuple[str, ...]] = ("Topsort",)
    actions: ClassVar[tuple[str, ...]] = tuple(ARRAYS)

    unchecked: ClassVar[tuple[str, ...]] = (
        "api_key: no call tells without an event; a wrong one halts the destination at its first",
    )

    api_key: SecretStr = Field(min_length=1)
    """A Marketplace API key (`TSE…`), from Settings > API Integration."""
    base_url: str = "https://api.topsort.com"
    """Where the API is; a test or a proxy may stand elsewhere."""
    organic: Literal["entity", "drop"] = "entity"
    """What becomes of an impression or click without a bid id: send its entity, or drop it."""
    dsp_metadata: bool = True
    """Send `dsp_metadata`. The OpenAPI does not know it, Topsort's own Segment destination sends it."""
    opaque_user_id: Literal["verbatim", "sha256"] = "verbatim"
    """Must give the id that the site sends to auctions; what looks like an e-mail is hashed always."""

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", url):
            raise ValueError(f"{url!r} is not an http(s) URL without a query")
        return url.rstrip("/")

    def prepare(self, action: str, payload: Any) -> Prepared | Skipped | Rejected:
        """
        Validate one payload against the v2 schema and serialise it.

        One bad value costs every payload of a request (docs: nothing is stored), so an optional field
        that does not fit is left out and named; only a required one refuses the payload.
        """
        try:
            valid = CHECK[action](payload)
            if whole(payload, valid):
                return self._finished(action, valid, ())
        except ValidationError:
            pass
        outcome = mended(action, payload)
        return self._finished(action, *outcome) if isinstance(outcome, Mended) else outcome

    def _finished(
        self, action: str, valid: dict[str, Any], dropped: tuple[str, ...]
    ) -> Prepared | Skipped | Rejected:
        if len(valid["id"]) > 128:  # Topsort's own Segment destination caps ids there
            valid["id"] = str(uuid5(NAMESPACE_URL, valid["id"]))
        user = valid["opaqueUserId"]
        if "@" in user or self.opaque_user_id == "sha256":
            valid["opaqueUserId"] = _pseudonym(user, always=self.opaque_user_id == "sha256")
        if action in _AIMED:
            if "resolvedBidId" in valid:
                valid.pop("entity", None)  # OpenAPI: ignored beside a bid id
            elif "entity" not in valid:
                return Skipped("no_bid_or_entity")
            elif self.organic == "drop":
                return Skipped("organic")
            if not self.dsp_metadata:
                valid.pop("dsp_metadata", None)
        try:
            return Prepared(orjson.dumps(valid), dropped)
        except TypeError as error:  # half an emoji in a text that the schema does not look into
            return Rejected(f"payload: {error}")

    def request(self, batch: Batch) -> Request:
        """Build one ``POST /v2/events`` that mixes all kinds, with no empty array."""
        arrays: dict[str, list[bytes]] = {}
        for payload in batch.payloads:
            arrays.setdefault(ARRAYS[payload.action], []).append(payload.body)
        members = (b'"%s":[%s]' % (name.encode(), b",".join(bodies)) for name, bodies in arrays.items())
        headers = {
            "Authorization": f"Bearer {self.api_key.get_secret_value()}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        return Request("POST", f"{self.base_url}/v2/events", b"{%s}" % b",".join(members), headers)

    def outcomes(self, batch: Batch, response: Response) -> list[Outcome]:
        """
        Read the one answer for all: there is no partial success.

        OpenAPI: 204 stored all. Docs: 400 and 422 stored none, 403 `invalid_api_key`, and 429 carries
        ``X-RateLimit-Reset``. A 5xx may have stored all, which is why ids never change.
        """
        code, words = _vendor_words(response)
        outcome = plain_outcome(batch, response, words=words, code=code)
        if code == "invalid_api_key" and 400 <= response.status < 500:
            outcome = Halt(f"{response.status}: {words}")
        return [outcome] * len(batch.payloads)


def _vendor_words(response: Response) -> tuple[str | None, str | None]:
    """Give `errCode` and the whole explanation; OpenAPI shows one error object, docs a list of them."""
    if response.status < 400:
        return None, None
    errors = response.json if isinstance(response.json, list) else [response.json]
    told = [e for e in errors if isinstance(e, dict) and isinstance(e.get("errCode"), str)]
    if not told:
        return None, None
    words = "; ".join(": ".join(str(e[k]) for k in ("errCode", "message") if e.get(k)) for e in told)
    return told[0]["errCode"], words[:500]


def _pseudonym(user: str, *, always: bool) -> str:
    if re.fullmatch(r"\s*[^@\s]+@[^@\s]+\.[^@\s]+\s*", user):
        return sha256(user.strip().lower().encode()).hexdigest()
    return sha256(user.encode()).hexdigest() if always else user


DESTINATION = Topsort
