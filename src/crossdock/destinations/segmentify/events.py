"""
The events, one builder each: a draft and its payload in, the vendor's fields in the draft, or why not.

Fields, steps and what is mandatory: https://segmentify.github.io/segmentify-dev-doc/integration_rest (read
2026-08-20). BANNER_OPERATIONS, USER_CHANGE and SEARCH are only known from the vendor's SDKs
(github.com/segmentify/react-native-sdk, read 2026-11-22) and sent on request only.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, cast

from crossdock.destinations.base import Rejected, Skipped
from crossdock.destinations.segmentify import values
from crossdock.destinations.segmentify.draft import COMMON, Draft

if TYPE_CHECKING:
    from crossdock.destinations.segmentify import Segmentify

Refusal = Skipped | Rejected | None
Step = Literal["basket", "customer", "payment", "purchase"]
Build = Callable[["Segmentify", Draft], Refusal]
Fields = dict[str, Callable[[Any], Any]]

_PAGES = {
    alias: page
    for page, aliases in {
        "Home Page": ("home page", "homepage", "home", "index"),
        "Product Page": ("product page", "product", "pdp", "product detail", "product details"),
        "Category Page": ("category page", "category", "collection", "plp", "product list"),
        "Basket Page": ("basket page", "basket", "cart", "cart page", "shopping cart", "shopping basket"),
        "Checkout Page": ("checkout page", "checkout"),
        "Search Page": ("search page", "search", "search results"),
        "404 Page": ("404 page", "404", "not found", "page not found"),
    }.items()
    for alias in aliases
}

_PRODUCT: Fields = {
    "productId": values.text,
    "title": values.text,
    "url": values.text,
    "image": values.text,
    "category": values.category,
    "price": values.price,
}
_PRODUCT_MORE: Fields = {
    "inStock": values.stock,
    "mUrl": values.text,
    "imageXS": values.text,
    "imageS": values.text,
    "imageM": values.text,
    "imageL": values.text,
    "imageXL": values.text,
    "brand": values.text,
    "oldPrice": values.price,
    "gender": values.product_gender,
    "colors": values.texts,
    "sizes": values.texts,
    "labels": values.texts,
}
_LINE: Fields = {"price": values.price, "currency": values.currency, "quantity": values.quantity}
_USER: Fields = {
    "fullName": values.trimmed,
    "email": values.trimmed,
    "phone": values.trimmed,
    "gender": values.user_gender,
    "memberSince": values.moment,
    "location": values.trimmed,
    "segments": values.split_texts,
    "custom": values.flat,
}


def page_view(vendor: Segmentify, draft: Draft) -> Refusal:
    """Build PAGE_VIEW; `category` is the page's kind, or a list of words that may name it."""
    draft.event["category"] = kind = _page(vendor, draft)
    # A page that was not known for a product's must not keep back the product page that follows.
    draft.yields = kind != "Product Page"
    draft.put("subCategory", values.sub_category)
    return None


def _page(vendor: Segmentify, draft: Draft) -> str:
    given = draft.payload.get("category")
    for word in given if given.__class__ is list else (given,):
        if word.__class__ is str and (known := _PAGES.get(word.strip().lower())):
            return known
    if given.__class__ is str and given.strip():
        return given.strip()  # a preset's own word; the SDKs allow any
    path = values.text(draft.payload.get("path"))
    if path is not None:
        if (kind := vendor.page_kind(path)) is not None:
            return kind
        if path == "/":
            return "Home Page"
    return values.trimmed(draft.payload.get("pageName")) or vendor.default_page_category


def product_view(vendor: Segmentify, draft: Draft) -> Refusal:
    """Build PRODUCT_VIEW; with `partial_product_view` the product's id alone will do."""
    refusal = draft.missing(_PRODUCT)
    if refusal is not None and not (vendor.partial_product_view and "productId" in draft.event):
        return refusal
    for field, read in _PRODUCT_MORE.items():
        if field in draft.payload:
            draft.put(field, read)
    return None


def basket_operations(_: Segmentify, draft: Draft) -> Refusal:
    """Build BASKET_OPERATIONS; a quantity that is no number above 0 counts as 1."""
    if (refusal := _step(draft, "add", "remove") or draft.missing({"productId": values.text})) is not None:
        return refusal
    draft.put("price", values.price)
    if not draft.put("quantity", values.quantity):
        draft.event["quantity"] = 1
    return None


def checkout(vendor: Segmentify, draft: Draft) -> Refusal:
    """
    Build CHECKOUT of any step; what the event lacks comes from the visitor's last basket.

    The vendor asks for the same details at each step, with only `step` changed.
    """
    step = _checkout_step(vendor, draft.payload)
    if not isinstance(step, str):
        return step
    draft.event["step"] = vendor.checkout_steps.get(step, step)
    if (refusal := _basket(draft, final=step == "purchase")) is not None:
        return refusal
    own, other = ("orderNo", "cartUrl") if step == "purchase" else ("cartUrl", "orderNo")
    if not values.blank(draft.payload.get(other)):
        draft.dropped.append(other)
    draft.put(own, values.text)
    return None


def _checkout_step(vendor: Segmentify, payload: Any) -> Step | Skipped | Rejected:
    step = payload.get("step")
    if step in ("basket", "customer", "payment", "purchase"):
        return cast("Step", step)
    if "checkoutStep" not in payload and "checkoutEvent" not in payload:
        return Rejected("CHECKOUT: step is not one that Segmentify knows")
    which = values.trimmed(payload.get("checkoutStep")) or ""
    way = "completed" if "complete" in str(payload.get("checkoutEvent")).lower() else "viewed"
    table = vendor.checkout_step_map
    return table.get(f"{way}:{which}") or table.get(which) or Skipped("checkout_step_not_mapped")


def _basket(draft: Draft, *, final: bool) -> Refusal:
    payload, event = draft.payload, draft.event
    lines = _lines(draft, payload.get("productList"))
    amount = values.total(payload.get("totalPrice"))
    last = payload.get("basket")
    if not lines and last.__class__ is dict:
        lines = _lines(draft, last.get("productList"))
        amount = amount if amount is not None else values.total(last.get("totalPrice"))
        if "currency" not in event and (code := values.currency(last.get("currency"))):
            event["currency"] = code
        if not final and values.blank(payload.get("cartUrl")) and (url := values.text(last.get("cartUrl"))):
            event["cartUrl"] = url
    if not lines:
        return Rejected("CHECKOUT: missing productList") if final else Skipped("no_basket")
    amount = amount if amount is not None else _sum(lines)
    if amount is None:
        return Rejected("CHECKOUT: missing totalPrice")
    event["totalPrice"], event["productList"] = amount, lines
    return None


def _lines(draft: Draft, given: Any) -> list[dict[str, Any]]:
    """Read product lines; one without a product's id is left out."""
    lines = []
    for item in given if given.__class__ is list else ():
        product = values.text(item.get("productId")) if item.__class__ is dict else None
        if product is None:
            draft.dropped.append("productList.productId")
            continue
        line: dict[str, Any] = {"productId": product}
        for field, read in _LINE.items():
            value = item.get(field)
            if value is None:
                continue
            if (made := read(value)) is not None:
                line[field] = made
            elif not values.blank(value):
                draft.dropped.append(f"productList.{field}")
        line.setdefault("quantity", 1)
        lines.append(line)
    return lines


def _sum(lines: list[dict[str, Any]]) -> values.Number | None:
    """Add up the lines, if each has a price: a sum of some of them would be a wrong amount."""
    if any("price" not in line for line in lines):
        return None
    return values.plain(
        sum((Decimal(str(line["price"])) * Decimal(str(line["quantity"])) for line in lines), Decimal(0))
    )


def user_operations(_: Segmentify, draft: Draft) -> Refusal:
    """Build USER_OPERATIONS; details go with signup and update only."""
    if (refusal := _step(draft, "signup", "signin", "signout", "update")) is not None:
        return refusal
    if not draft.put("username", values.trimmed):
        return Skipped("no_username")
    payload, step = draft.payload, draft.event["step"]
    if step in ("signin", "signout"):
        draft.dropped += [field for field in _DETAILS if not values.blank(payload.get(field))]
        return None
    for field, read in _USER.items():
        if field in payload:
            draft.put(field, read)
    # The vendor takes one of the two, and the date says more.
    if not draft.put("birthdate", values.birthdate):
        draft.put("age", values.price)
    for flag in ("isRegistered", "isLogin"):
        if step == "update":
            draft.put(flag, values.boolean)
        elif not values.blank(payload.get(flag)):
            draft.dropped.append(flag)
    return None


_DETAILS = (*_USER, "birthdate", "age", "isRegistered", "isLogin")


def custom_event(vendor: Segmentify, draft: Draft) -> Refusal:
    """Build CUSTOM_EVENT; one that stands in for an event without a preset can be switched off."""
    if draft.payload.get("unmapped") is True and not vendor.forward_unmapped:
        return Skipped("unmapped")
    return draft.missing({"type": values.trimmed})


def banner_operations(vendor: Segmentify, draft: Draft) -> Refusal:
    """Build the SDKs' BANNER_OPERATIONS where the operator asked for it, else CUSTOM_EVENT of `otherwise`."""
    event, payload = draft.event, draft.payload
    kind, title = payload.get("type"), values.trimmed(payload.get("title"))
    if vendor.experimental_banners and title is not None and kind in ("impression", "click"):
        place = values.number(payload.get("order"))
        event |= {"type": kind, "title": title, "group": vendor.banner_group}
        if place is not None and place == int(place):
            event["order"] = int(place)
        return None
    otherwise = payload.get("otherwise")
    otherwise = otherwise if otherwise.__class__ is dict else {}
    kind, params = values.trimmed(otherwise.get("type")), values.flat(otherwise.get("params"))
    if kind is None:
        return Rejected("CUSTOM_EVENT: missing type")
    event |= {"name": "CUSTOM_EVENT", "type": kind}
    if params:
        event["params"] = params
    return None


def user_change(_: Segmentify, draft: Draft) -> Refusal:
    """Build the SDKs' USER_CHANGE: another key for the same visitor."""
    return draft.missing({"oldUserId": values.text})


def search(_: Segmentify, draft: Draft) -> Refusal:
    """Build the SDKs' SEARCH."""
    return draft.missing({"query": values.trimmed})


def _step(draft: Draft, *steps: str) -> Rejected | None:
    step = draft.payload.get("step")
    if step not in steps:
        return Rejected(f"{draft.event['name']}: step must be one of {', '.join(steps)}")
    draft.event["step"] = step
    return None


_FIELDS: dict[str, tuple[Build, tuple[str, ...]]] = {
    "PAGE_VIEW": (page_view, ("category", "subCategory", "pageName", "path")),
    "PRODUCT_VIEW": (product_view, (*_PRODUCT, *_PRODUCT_MORE)),
    "BASKET_OPERATIONS": (basket_operations, ("step", "productId", "price", "quantity")),
    "CHECKOUT": (
        checkout,
        (
            "step",
            "checkoutStep",
            "checkoutEvent",
            "totalPrice",
            "productList",
            "basket",
            "orderNo",
            "cartUrl",
        ),
    ),
    "USER_OPERATIONS": (user_operations, ("step", "username", *_DETAILS)),
    "CUSTOM_EVENT": (custom_event, ("type", "unmapped")),
    "BANNER_OPERATIONS": (banner_operations, ("type", "title", "order", "otherwise")),
    "USER_CHANGE": (user_change, ("oldUserId",)),
    "SEARCH": (search, ("query",)),
}

EVENTS: dict[str, tuple[Build, frozenset[str]]] = {
    name: (build, COMMON.union(fields)) for name, (build, fields) in _FIELDS.items()
}
"""What builds each event, and the payload fields it reads."""
