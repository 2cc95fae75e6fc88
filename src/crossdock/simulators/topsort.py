"""
Topsort's Events API v2, as strict as it is documented.

Written from Topsort OpenAPI ``topsort-api-v2.yml`` and docs.topsort.com/reference/errors (read 2026-11-22),
and on purpose without a look at `crossdock.destinations.topsort`.

A request is all or nothing: one bad event, and nothing of it is stored. Duplicates are answered 204 like the
first, and counted.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, NotRequired

import orjson
from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    with_config,
)
from typing_extensions import TypedDict

from crossdock.simulators._store import Event
from crossdock.simulators.base import Simulator, Switches, Verdict

KINDS = ("impressions", "clicks", "purchases", "pageviews")

_STRICT = ConfigDict(extra="forbid", strict=True)
_LENIENT = ConfigDict(extra="allow", strict=True)
"""For the two objects that the OpenAPI does not close."""

EMPTY_ITEMS = "no_purchase_items"
NON_POSITIVE_QUANTITY = "purchase_item_quantity_less_or_equal_than_zero"


def _date_time(text: str) -> str:
    """Refuse what is no RFC 3339 date-time; `fromisoformat` alone takes much more."""
    if len(text) < 20 or text[10] not in "Tt" or text[13] != ":" or text[16] != ":":
        raise ValueError("not an RFC 3339 date-time")
    if text[-1] not in "Zz" and (text[-6] not in "+-" or text[-3] != ":"):
        raise ValueError("no UTC offset")
    datetime.fromisoformat(text)
    return text


NonEmpty = Annotated[str, StringConstraints(min_length=1)]
DateTime = Annotated[str, AfterValidator(_date_time)]
Positive = Annotated[int, Field(ge=1)]


@with_config(_STRICT)
class EntityV2(TypedDict):
    """`Entity`."""

    id: NonEmpty
    type: Literal["product", "vendor"]


@with_config(_STRICT)
class PlacementV2(TypedDict):
    """`Placement`."""

    path: NonEmpty
    position: NotRequired[Positive]
    page: NotRequired[Positive]
    pageSize: NotRequired[Positive]
    productId: NotRequired[NonEmpty]
    categoryIds: NotRequired[Annotated[list[NonEmpty], Field(min_length=1)]]
    searchQuery: NotRequired[NonEmpty]


@with_config(_LENIENT)
class CartPageV2(TypedDict):
    """`Page` of type cart, the one whose value may be a list."""

    type: Literal["cart"]
    pageId: str
    value: NotRequired[str | Annotated[list[str], Field(min_length=1)]]


@with_config(_LENIENT)
class OtherPageV2(TypedDict):
    """`Page` of any other type."""

    type: Literal["home", "category", "PDP", "search", "other"]
    pageId: str
    value: NotRequired[str]


@with_config(_LENIENT)
class ListingV2(TypedDict):
    """`Object` of type listing."""

    type: Literal["listing"]
    clickType: NotRequired[Literal["product", "like", "add-to-cart"]]


@with_config(_LENIENT)
class BannerV2(TypedDict):
    """`Object` of type banner."""

    type: Literal["banner"]
    assetId: NotRequired[str]


PageV2 = Annotated[CartPageV2 | OtherPageV2, Field(discriminator="type")]
ObjectV2 = Annotated[ListingV2 | BannerV2, Field(discriminator="type")]


@with_config(_STRICT)
class EventV2(TypedDict):
    """What the four have in common."""

    id: NonEmpty
    occurredAt: DateTime
    opaqueUserId: str
    deviceType: NotRequired[Literal["desktop", "mobile"]]
    channel: NotRequired[Literal["onsite", "offsite", "instore"]]


@with_config(_STRICT)
class ImpressionV2(EventV2):
    """`Impression`."""

    resolvedBidId: NotRequired[str]
    entity: NotRequired[EntityV2]
    additionalAttribution: NotRequired[EntityV2]
    placement: NotRequired[PlacementV2]
    page: NotRequired[PageV2]
    object: NotRequired[ObjectV2]
    externalCampaignId: NotRequired[str]
    externalVendorId: NotRequired[str]
    dsp_metadata: NotRequired[dict[str, str]]


@with_config(_STRICT)
class ClickV2(ImpressionV2):
    """`Click`."""

    clickType: NotRequired[Literal["product", "like", "add-to-cart"]]


@with_config(_STRICT)
class ItemV2(TypedDict):
    """`PurchaseItem`."""

    productId: NonEmpty
    unitPrice: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    quantity: NotRequired[Positive]
    vendorId: NotRequired[NonEmpty]


@with_config(_STRICT)
class PurchaseV2(EventV2):
    """`Purchase`."""

    items: Annotated[list[ItemV2], Field(min_length=1)]


@with_config(_STRICT)
class PageviewV2(EventV2):
    """`PageView`."""

    page: PageV2


@with_config(_STRICT)
class BodyV2(TypedDict, total=False):
    """The request: at most 50 of each."""

    impressions: Annotated[list[ImpressionV2], Field(max_length=50)]
    clicks: Annotated[list[ClickV2], Field(max_length=50)]
    purchases: Annotated[list[PurchaseV2], Field(max_length=50)]
    pageviews: Annotated[list[PageviewV2], Field(max_length=50)]


_BODY = TypeAdapter[Any](BodyV2).validator.validate_python


class TopsortSwitches(Switches):
    """What may be changed about the Topsort simulator while it runs."""

    api_key: str | None = Field(default=None, repr=False)
    """The one key it takes; ``None`` takes any."""
    credential_status: Literal[401, 403] = 401
    """OpenAPI says 401, the docs 403."""
    invalid_status: Literal[400, 422] = 400
    error_body: Literal["object", "array"] = "object"
    """OpenAPI shows one error object, the docs a list."""
    dsp_metadata: bool = True
    """Take `dsp_metadata`, which the OpenAPI does not know but Topsort's own Segment destination sends."""
    bids: set[str] | None = None
    """The bid ids that exist; ``None`` takes any."""
    rate_limit_reset: str = "1"
    """``X-RateLimit-Reset`` of a scripted 429; its unit is undocumented, so any text may stand here."""


class TopsortSimulator(Simulator):
    """``POST /v2/events``."""

    vendor: ClassVar[str] = "topsort"
    kinds: ClassVar[tuple[str, ...]] = KINDS
    paths: ClassVar[tuple[str, ...]] = ("/v2/events",)
    switches_type: ClassVar[type[Switches]] = TopsortSwitches
    switches: TopsortSwitches

    def judge(self, path: str, headers: Mapping[str, str], body: bytes) -> Verdict:  # noqa: ARG002
        """Check key, JSON, schema and what the schema cannot say, in this order."""
        scheme, _, key = headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not key or key != (self.switches.api_key or key):
            verdict = self._error(self.switches.credential_status, "invalid_api_key", "unknown API key")
            return Verdict(
                verdict.status, verdict.body, verdict.headers, violation="wrong or missing API key"
            )
        if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
            return self._invalid("bad_request", "Content-Type is not application/json")
        if headers.get("Content-Encoding", "identity") != "identity":
            return self._invalid("bad_request", "Content-Encoding: no compression is documented")
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            code = "bad_request" if body else "empty_request"
            return self._invalid(code, f"not JSON: {error}")
        if parsed == {}:
            return self._invalid("empty_request", "at least one array is needed")
        return self._judge_events(parsed)

    def _judge_events(self, parsed: Any) -> Verdict:
        try:
            _BODY(parsed)
        except ValidationError as error:
            return self._invalid(*_explain(error))
        events = []
        for kind in KINDS:
            for place, event in enumerate(parsed.get(kind, ())):
                if kind in ("impressions", "clicks") and (fault := self._fault(event)):
                    return self._invalid("bad_request", f"{kind}.{place}: {fault}")
                events.append(Event(kind, event["id"], event))
        if self.switches.refuse or self.switches.bids is not None:
            for event in events:
                if (refusal := self._refusal(event)) is not None:
                    return refusal
        return Verdict(204, events=tuple(events))

    def _fault(self, event: dict[str, Any]) -> str | None:
        """Find what the prose of the OpenAPI demands and its schema does not."""
        if not event.get("resolvedBidId") and "entity" not in event:
            return "neither resolvedBidId nor entity"
        if "dsp_metadata" in event and not self.switches.dsp_metadata:
            return "dsp_metadata: unknown key"
        return None

    def _refusal(self, event: Event) -> Verdict | None:
        """Refuse what a switch tells to; a correct client could not know, so it is no violation."""
        if not self._names(event.value).isdisjoint(self.switches.refuse):
            return self._error(
                self.switches.invalid_status, "bad_request", f"{event.key} is refused by a switch"
            )
        bid = event.value.get("resolvedBidId")
        if bid and self.switches.bids is not None and bid not in self.switches.bids:
            return self._error(self.switches.invalid_status, "resolved_bid_id_not_found", f"no bid {bid}")
        return None

    @staticmethod
    def _names(event: dict[str, Any]) -> set[str]:
        """Collect the ids by which `Switches.refuse` may mean an event: its own and its products'."""
        items = {item["productId"] for item in event.get("items", ())}
        return {event["id"], event.get("entity", event)["id"], *items}

    def _invalid(self, code: str, message: str) -> Verdict:
        verdict = self._error(self.switches.invalid_status, code, message)
        return Verdict(verdict.status, verdict.body, verdict.headers, violation=f"{code}: {message}")

    def _error(self, status: int, code: str, message: str) -> Verdict:
        error = {
            "errCode": code,
            "docUrl": f"https://docs.topsort.com/reference/errors#{code}",
            "message": message,
        }
        shown = [error] if self.switches.error_body == "array" else error
        return Verdict(status, orjson.dumps(shown), {"Content-Type": "application/json"})

    def scripted(self, status: int) -> Verdict:
        """Answer with the error object; a 429 carries the three headers that the docs name."""
        codes = {401: "invalid_api_key", 403: "invalid_api_key", 429: "too_many_requests"}
        code = codes.get(status, "internal_server_error" if status >= 500 else "bad_request")
        verdict = self._error(status, code, "asked for by a switch")
        if status < 300:
            return Verdict(status)
        if status != 429:
            return verdict
        limits = {
            "X-RateLimit-Limit": "1",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": self.switches.rate_limit_reset,
        }
        return Verdict(status, verdict.body, {**verdict.headers, **limits})


def _explain(error: ValidationError) -> tuple[str, str]:
    """Give the vendor's code and our words for the first faults of a body."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return _code(faults[0]["loc"], faults[0]["type"]), "; ".join(_words(faults[:3]))


def _words(faults: list[Any]) -> Iterator[str]:
    for fault in faults:
        yield f"{'.'.join(str(part) for part in fault['loc']) or 'body'}: {fault['msg']}"


def _code(loc: tuple[int | str, ...], fault: str) -> str:
    if loc[:1] == ("purchases",) and loc[2:] == ("items",):
        return EMPTY_ITEMS if fault in ("too_short", "missing") else "bad_request"
    if loc[-1:] == ("quantity",) and fault == "greater_than_equal":
        return NON_POSITIVE_QUANTITY
    return "missing_product_id" if loc[-1:] == ("productId",) and fault == "missing" else "bad_request"


SIMULATOR = TopsortSimulator
