"""
The events of Segmentify's RESTful Events API, as its documentation has them.

Source: https://segmentify.github.io/segmentify-dev-doc/integration_rest (read 2026-11-22). It shows types by
example only, and quotes flags: both forms pass. The last three events are not in it: github.com/segmentify's
SDKs (``react-native-sdk``, read 2026-11-22) send them.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter, with_config
from typing_extensions import TypedDict

_STRICT = ConfigDict(extra="forbid", strict=True)

Text = Annotated[str, StringConstraints(pattern=r"\S")]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Flag = bool | Literal["true", "false"]
Language = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Texts = Annotated[list[Text], Field(min_length=1)]
Entries = Annotated[dict[str, str | int | float | bool], Field(min_length=1)]


def _date(text: str) -> str:
    """Refuse what is no existing day written ``DD.MM.YYYY``."""
    if len(text) != 10:
        raise ValueError("not DD.MM.YYYY")
    datetime.strptime(text, "%d.%m.%Y")  # noqa: DTZ007  (a day has no zone)
    return text


Date = Annotated[str, AfterValidator(_date)]


@with_config(_STRICT)
class Common(TypedDict):
    """What every event has."""

    name: Text
    userId: Text
    sessionId: Text
    device: Literal["PC", "TABLET", "MOBILE", "ANDROID", "IOS"]
    userAgent: NotRequired[Text]
    lang: NotRequired[Language]
    currency: NotRequired[Currency]
    browser: NotRequired[
        Literal[
            "Chrome",
            "Firefox",
            "Internet Explorer",
            "Microsoft Edge",
            "Safari",
            "Android",
            "Opera",
            "Maxthon",
            "iPhone",
            "iPad",
        ]
    ]
    os: NotRequired[Literal["Windows", "Linux", "MacOS", "Android", "iOS", "Other"]]
    osversion: NotRequired[Text]
    pageUrl: NotRequired[Text]
    referrer: NotRequired[str]
    params: NotRequired[Entries]
    testMode: NotRequired[Flag]


@with_config(_STRICT)
class PageView(Common):
    """A page; its category may be one of the shop's own."""

    category: Text
    subCategory: NotRequired[Text]


@with_config(_STRICT)
class PartialProductView(Common):
    """A product as the first sample of the documentation has it: by its id alone."""

    productId: Text
    title: NotRequired[Text]
    url: NotRequired[Text]
    image: NotRequired[Text]
    category: NotRequired[Text]
    price: NotRequired[Amount]
    inStock: NotRequired[Flag]
    mUrl: NotRequired[Text]
    imageXS: NotRequired[Text]
    imageS: NotRequired[Text]
    imageM: NotRequired[Text]
    imageL: NotRequired[Text]
    imageXL: NotRequired[Text]
    brand: NotRequired[Text]
    oldPrice: NotRequired[Amount]
    gender: NotRequired[Literal["M", "F", "U"]]
    colors: NotRequired[Texts]
    sizes: NotRequired[Texts]
    labels: NotRequired[Texts]


PRODUCT_REQUIRED = ("title", "url", "image", "category", "price")
"""What a product view must have beside its id, by the table of the documentation."""


@with_config(_STRICT)
class Basket(Common):
    """A product in or out of the basket."""

    step: Literal["add", "remove"]
    productId: Text
    price: NotRequired[Amount]
    quantity: NotRequired[Annotated[float, Field(gt=0, allow_inf_nan=False)]]


@with_config(_STRICT)
class Line(TypedDict):
    """One product of a checkout; its price is of one unit."""

    productId: Text
    price: NotRequired[Amount]
    currency: NotRequired[Currency]
    quantity: NotRequired[Annotated[float, Field(gt=0, allow_inf_nan=False)]]


@with_config(_STRICT)
class Checkout(Common):
    """A step of the checkout; which words a step may be is checked beside this."""

    step: Text
    totalPrice: Amount
    productList: Annotated[list[Line], Field(min_length=1)]
    orderNo: NotRequired[Text]
    cartUrl: NotRequired[Text]


@with_config(_STRICT)
class User(Common):
    """What a user did or is; the details belong to two of the steps."""

    step: Literal["signup", "signin", "signout", "update"]
    username: Text
    fullName: NotRequired[Text]
    email: NotRequired[Text]
    phone: NotRequired[Text]
    gender: NotRequired[Literal["M", "F"]]
    age: NotRequired[Amount]
    birthdate: NotRequired[Date]
    memberSince: NotRequired[Date]
    location: NotRequired[Text]
    segments: NotRequired[Texts]
    custom: NotRequired[Entries]
    isRegistered: NotRequired[Flag]
    isLogin: NotRequired[Flag]


USER_DETAILS = frozenset(User.__annotations__) - {"step", "username"} - frozenset(Common.__annotations__)
"""What belongs to signup and update only."""
UPDATE_ONLY = frozenset({"isRegistered", "isLogin"})


@with_config(_STRICT)
class Custom(Common):
    """An event of the shop's own."""

    type: Text


@with_config(_STRICT)
class Banner(Common):
    """SDK only."""

    type: Literal["impression", "click", "update"]
    title: Text
    group: Text
    order: NotRequired[int]
    productId: NotRequired[Text]
    category: NotRequired[Text]
    brand: NotRequired[Text]
    label: NotRequired[Text]


@with_config(_STRICT)
class UserChange(Common):
    """SDK only."""

    oldUserId: Text


@with_config(_STRICT)
class Search(Common):
    """SDK only."""

    query: Text


SCHEMA: dict[str, TypeAdapter[Any]] = {
    "PAGE_VIEW": TypeAdapter(PageView),
    "PRODUCT_VIEW": TypeAdapter(PartialProductView),
    "BASKET_OPERATIONS": TypeAdapter(Basket),
    "CHECKOUT": TypeAdapter(Checkout),
    "USER_OPERATIONS": TypeAdapter(User),
    "CUSTOM_EVENT": TypeAdapter(Custom),
}
"""The documented events."""

RESERVED: dict[str, TypeAdapter[Any] | None] = {
    "BANNER_OPERATIONS": TypeAdapter(Banner),
    "USER_CHANGE": TypeAdapter(UserChange),
    "SEARCH": TypeAdapter(Search),
    "BANNER_VIEW": None,
    "BANNER_GROUP_VIEW": None,
    "INTERACTION": None,
    "USER_FORM": None,
}
"""Events that are named but not described; those with a schema are known from the SDKs."""
