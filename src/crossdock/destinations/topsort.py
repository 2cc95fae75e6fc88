"""
Topsort Events API v2: promoted-product impressions, clicks, purchases and page views.

Sources, both read 2026-11-22: Topsort OpenAPI ``topsort-api-v2.yml`` (github.com/Topsort/openapi), called
*OpenAPI* below; docs.topsort.com/reference/errors and ``/ad-server/events/events-api``, called *docs*.
The old ``/events`` endpoint is never used: its prices are integer cents.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, NotRequired
from uuid import NAMESPACE_URL, uuid5

import orjson
from pydantic import ConfigDict, Field, SecretStr, TypeAdapter, ValidationError, field_validator, with_config
from typing_extensions import TypedDict

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

ARRAYS = {"impression": "impressions", "click": "clicks", "purchase": "purchases", "pageview": "pageviews"}
"""Which array of the request a kind goes into."""

# The schema, OpenAPI `components.schemas`. Numbers are strict so that `true` never counts as 1; shops write
# ids as numbers, so those become text. Unknown keys are left out by pydantic and named by `_unknown`: letting
# pydantic refuse them costs a third more on every payload.
#
# Python 3.11's TypedDict tells what is required only where annotations are no strings: this file must not
# import annotations from __future__.

_OURS = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

# RFC 3339 with an offset, on days that exist.
_DAY = (
    "[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))|20(?:[02468][048]|[13579][26])-02-29"
)
_HOUR = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = rf"^(?:{_DAY})T{_HOUR}:[0-5][0-9](?:\.[0-9]+)?(?:Z|[+-]{_HOUR})$"

Text = Annotated[str, Field(pattern=r"\S")]
Time = Annotated[str, Field(pattern=_TIME)]
# Above 2⁵³ a JSON number is no longer exact for every reader.
Count = Annotated[int, Field(strict=True, ge=1, le=2**53)]
ClickType = Literal["product", "like", "add-to-cart"]


@with_config(_OURS)
class Entity(TypedDict):
    """An organic subject: a product or a vendor."""

    id: Text
    type: Literal["product", "vendor"]


@with_config(_OURS)
class Placement(TypedDict):
    """Where on the page; `productId` is the product of the page, not of the tile."""

    path: Text
    position: NotRequired[Count]
    page: NotRequired[Count]
    pageSize: NotRequired[Count]
    productId: NotRequired[Text]
    categoryIds: NotRequired[Annotated[list[Text], Field(min_length=1)]]
    searchQuery: NotRequired[Text]


@with_config(_OURS)
class Page(TypedDict):
    """The page's context."""

    type: Literal["home", "category", "PDP", "search", "other"]
    pageId: Text
    value: NotRequired[Text]


@with_config(_OURS)
class CartPage(TypedDict):
    """The only page whose `value` may be a list: the products in the cart."""

    type: Literal["cart"]
    pageId: Text
    value: NotRequired[Text | Annotated[list[Text], Field(min_length=1)]]


@with_config(_OURS)
class Listing(TypedDict):
    """An organic interaction with a listing."""

    type: Literal["listing"]
    clickType: NotRequired[ClickType]


@with_config(_OURS)
class Banner(TypedDict):
    """An organic interaction with a banner."""

    type: Literal["banner"]
    assetId: NotRequired[Text]


AnyPage = Annotated[Page | CartPage, Field(discriminator="type")]


@with_config(_OURS)
class Common(TypedDict):
    """What all four kinds carry; `id` is the idempotency key."""

    id: Text
    occurredAt: Time
    opaqueUserId: Text
    deviceType: NotRequired[Literal["desktop", "mobile"]]
    channel: NotRequired[Literal["onsite", "offsite", "instore"]]


@with_config(_OURS)
class Impression(Common):
    """A product or banner was shown."""

    resolvedBidId: NotRequired[Text]  # opaque, and never length checked: real ones pass 200 characters
    entity: NotRequired[Entity]
    additionalAttribution: NotRequired[Entity]
    placement: NotRequired[Placement]
    page: NotRequired[AnyPage]
    object: NotRequired[Annotated[Listing | Banner, Field(discriminator="type")]]
    externalCampaignId: NotRequired[Text]
    externalVendorId: NotRequired[Text]
    dsp_metadata: NotRequired[Annotated[dict[str, Annotated[str, Field(strict=True)]], Field(min_length=1)]]


@with_config(_OURS)
class Click(Impression):
    """A product or banner was clicked."""

    clickType: NotRequired[ClickType]


@with_config(_OURS)
class Item(TypedDict):
    """One order line; the price is of one unit, in major units of the marketplace's currency."""

    productId: Text
    unitPrice: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
    quantity: NotRequired[Count]
    vendorId: NotRequired[Text]


@with_config(_OURS)
class Purchase(Common):
    """An order; bid ids, order ids and currencies are refused here."""

    items: Annotated[list[Item], Field(min_length=1)]


@with_config(_OURS)
class Pageview(Common):
    """A page was viewed."""

    page: AnyPage


_CHECK: dict[str, Callable[[Any], Any]] = {
    "impression": TypeAdapter[Any](Impression).validator.validate_python,
    "click": TypeAdapter[Any](Click).validator.validate_python,
    "purchase": TypeAdapter[Any](Purchase).validator.validate_python,
    "pageview": TypeAdapter[Any](Pageview).validator.validate_python,
}
_AIMED = frozenset({"impression", "click"})
"""The kinds that need a bid or an entity."""
_REQUIRED = {
    "entity": Entity.__required_keys__,
    "additionalAttribution": Entity.__required_keys__,
    "placement": Placement.__required_keys__,
    "page": Page.__required_keys__,
    "object": Listing.__required_keys__,
    "items": Item.__required_keys__,
}
"""What an object cannot do without, by the field that holds it: lacking it, the whole object goes."""
_WRITTEN_BY_MAPPINGS = frozenset({"", "placement.", "items."})
"""Where keys are an integrator's and worth naming; elsewhere they are the sender's, and without end."""
_REQUIRED_ALWAYS = frozenset({("id",), ("occurredAt",), ("opaqueUserId",)})


class Topsort(Destination):
    """A Topsort marketplace."""

    # OpenAPI: at most 50 entries in each of the four arrays. No size of the body is published, so half a
    # mebibyte is ours; 64 bytes of it are the object around the arrays.
    limits: ClassVar[Limits] = Limits(payloads=200, per_kind=50, body_bytes=512 * 1024 - 64)
    segment_names: ClassVar[tuple[str, ...]] = ("Topsort",)
    actions: ClassVar[tuple[str, ...]] = tuple(ARRAYS)

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
            valid = _CHECK[action](payload)
            if len(valid) == len(payload) and not _unknown_below(payload, valid):
                return self._finished(action, valid, ())
        except ValidationError:
            pass
        mended = _mended(action, payload)
        return self._finished(action, *mended) if isinstance(mended, _Mended) else mended

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


# What follows only runs for a payload that failed the schema.


class _Mended(NamedTuple):
    valid: dict[str, Any]
    dropped: tuple[str, ...]


def _mended(action: str, payload: Any) -> _Mended | Skipped | Rejected:
    """Bring a payload into shape, and leave out (and name) the optional parts that stay wrong."""
    if not isinstance(payload, dict):
        return Rejected("payload: not an object")
    tidy = _tidied(payload)
    dropped: dict[str, None] = {}
    while True:
        try:
            valid = _CHECK[action](tidy)
            return _Mended(valid, (*dropped, *_unknown(tidy, valid)))
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
        for problem in problems:
            path = _culprit(tidy, problem["loc"], problem["type"])
            if (final := _final(action, path, problem["loc"], problem["type"])) is not None:
                return final
            dropped[_name(path, problem["loc"])] = None
            _remove(tidy, path)
        tidy = _cleaned(tidy) or {}


def _unknown_below(payload: dict[str, Any], valid: dict[str, Any]) -> bool:
    """Tell whether keys were left out one level down, where only these two have optional ones."""
    if "placement" in valid:
        return len(valid["placement"]) != len(payload["placement"])
    if "items" in valid:
        return sum(map(len, valid["items"])) != sum(map(len, payload["items"]))
    return False


def _unknown(payload: Any, valid: Any, prefix: str = "") -> dict[str, None]:
    """Name the keys of *payload* that the schema does not know, without list positions."""
    names: dict[str, None] = {}
    if isinstance(payload, dict) and isinstance(valid, dict):
        for key, value in payload.items():
            if key in valid:
                names.update(_unknown(value, valid[key], f"{prefix}{key}."))
            else:
                names[prefix + (str(key) if prefix in _WRITTEN_BY_MAPPINGS else "*")] = None
    elif isinstance(payload, list) and isinstance(valid, list):
        for member, known in zip(payload, valid, strict=True):
            names.update(_unknown(member, known, prefix))
    return names


def _culprit(payload: Any, loc: tuple[Any, ...], fault: str) -> tuple[int | str, ...]:
    """Find the smallest part that can go: the field itself, or the object that cannot do without it."""
    path: list[Any] = []
    for key in loc:
        # A location also names union members, which are no keys of the payload.
        inside = (
            key in payload if isinstance(payload, dict) else isinstance(payload, list) and type(key) is int
        )
        if inside:
            path.append(key)
            payload = payload[key]
    if not path:
        return loc[:1]
    holder = next((name for name in reversed(path[:-1]) if type(name) is str), "")
    # A quantity below 1 tells that nothing was bought, unlike one that is no number.
    nothing_bought = path[0] == "items" and path[-1] == "quantity" and fault == "greater_than_equal"
    if holder and (path[-1] in _REQUIRED.get(str(holder), ()) or nothing_bought):
        path.pop()
    return tuple(path)


def _final(
    action: str, path: tuple[int | str, ...], loc: tuple[int | str, ...], fault: str
) -> Skipped | Rejected | None:
    """Say what becomes of the payload if the part that would have to go is one it cannot do without."""
    if path == ("items",) and action == "purchase":
        return Skipped("no_items")
    if path not in {("id",), ("occurredAt",), ("opaqueUserId",)} and (action, path) != (
        "pageview",
        ("page",),
    ):
        return None
    field = ".".join(str(part) for part in (path[0], *loc[2:]))
    if fault == "missing":
        return Rejected(f"{field}: missing")
    if path == ("occurredAt",):
        return Rejected("occurredAt: not an RFC 3339 time with offset")
    return Rejected(f"{field}: not a value Topsort takes")


def _name(path: tuple[int | str, ...], loc: tuple[int | str, ...]) -> str:
    """Name a part without list positions; of an order line that goes, the field that made it go."""
    if path[0] == "dsp_metadata":
        return "dsp_metadata.*" if len(path) > 1 else "dsp_metadata"
    parts = (*path, loc[-1]) if path[0] == "items" and type(path[-1]) is int else path
    return ".".join(part for part in parts if type(part) is str)


def _remove(payload: Any, path: tuple[Any, ...]) -> None:
    *above, last = path
    for key in above:
        payload = payload[key] if payload is not None else None
    if payload is not None:  # an earlier problem may have removed the part around it
        payload[last] = None


def _tidied(payload: dict[str, Any]) -> dict[str, Any]:
    """Rewrite what means a legal value but is not spelled as one; leave the rest for the schema to find."""
    tidy = _cleaned(payload) or {}
    for holder, field in (
        (tidy, "deviceType"),
        (tidy, "channel"),
        (tidy, "clickType"),
        (_part(tidy, "object"), "clickType"),
    ):
        if isinstance(holder.get(field), str):
            holder[field] = holder[field].strip().casefold().replace("_", "-")
    if isinstance(tidy.get("occurredAt"), str):
        tidy["occurredAt"] = _with_offset(tidy["occurredAt"])
    placement = _part(tidy, "placement")
    for field in placement.keys() & {"position", "page", "pageSize"}:
        placement[field] = _number(placement[field], int)
    if isinstance(tidy.get("items"), list):
        for item in (item for item in tidy["items"] if isinstance(item, dict)):
            item.update({"quantity": _number(item["quantity"], int)} if "quantity" in item else {})
            item.update({"unitPrice": _number(item["unitPrice"], float)} if "unitPrice" in item else {})
    if isinstance(payload.get("dsp_metadata"), dict):
        texts = {key: _json_text(v) for key, v in payload["dsp_metadata"].items() if v is not None}
        tidy["dsp_metadata"] = texts or None
    return {field: value for field, value in tidy.items() if value is not None}


def _part(tidy: dict[str, Any], field: str) -> dict[str, Any]:
    value = tidy.get(field)
    return value if isinstance(value, dict) else {}


def _cleaned(value: Any, depth: int = 5) -> Any:
    """Copy without nulls, blank texts and what is then empty, as deep as the schema goes."""
    if isinstance(value, str):
        return value if value.strip() else None
    if not depth:
        return value
    if isinstance(value, dict):
        pairs = ((key, _cleaned(member, depth - 1)) for key, member in value.items())
        return {key: member for key, member in pairs if member is not None} or None
    if isinstance(value, list):
        return [member for member in (_cleaned(m, depth - 1) for m in value) if member is not None] or None
    return value


def _with_offset(text: str) -> str:
    """Write any ISO 8601 date-time as RFC 3339; without an offset it means UTC."""
    if re.fullmatch(_TIME, text):
        return text
    try:
        time = datetime.fromisoformat(text.strip())
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()
    except ValueError:
        return text


def _number(value: Any, wanted: type[int | float]) -> Any:
    """Read `"3"` and `3.0` as the number they mean; anything else stays as it is."""
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        return value
    return int(number) if wanted is int and type(number) is float and number.is_integer() else number


def _json_text(value: Any) -> Any:
    """Write what is no text as JSON, as Topsort's own Segment destination does: 42 → "42", true → "true"."""
    try:
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    except TypeError:
        return value  # nested deeper than JSON is written; the schema leaves it out


DESTINATION = Topsort
