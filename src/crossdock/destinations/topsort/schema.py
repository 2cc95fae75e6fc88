"""
Topsort's four kinds of events, as the OpenAPI (``topsort-api-v2.yml``, read 2026-11-22) has them.

Python 3.11's TypedDict tells what is required only where annotations are no strings: this file must not
import annotations from __future__.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

# The schema, OpenAPI `components.schemas`. Numbers are strict so that `true` never counts as 1; shops write
# ids as numbers, so those become text. Unknown keys are left out by pydantic, found by `mending.whole`
# and named by `mended`: letting pydantic refuse them costs a third more on every payload.

_OURS = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

# RFC 3339 with an offset, on days that exist.
_DAY = (
    "[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))|20(?:[02468][048]|[13579][26])-02-29"
)
_HOUR = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
TIME = rf"^(?:{_DAY})T{_HOUR}:[0-5][0-9](?:\.[0-9]+)?(?:Z|[+-]{_HOUR})$"

Text = Annotated[str, Field(pattern=r"\S")]
Time = Annotated[str, Field(pattern=TIME)]
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


CHECK: dict[str, Callable[[Any], Any]] = {
    "impression": TypeAdapter[Any](Impression).validator.validate_python,
    "click": TypeAdapter[Any](Click).validator.validate_python,
    "purchase": TypeAdapter[Any](Purchase).validator.validate_python,
    "pageview": TypeAdapter[Any](Pageview).validator.validate_python,
}
