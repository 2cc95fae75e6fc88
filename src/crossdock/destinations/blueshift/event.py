"""
One Blueshift event out of a mapped payload: identity first, then fields, then the properties below them.

A payload's keys are Blueshift's own, but for four that are used up here: `attributes` (the properties or
traits, laid below all other keys), `anonymous_id`, `ad_tracking_enabled`, and `advertising_id` where the
device runs iOS.

Source: developer.blueshift.com/docs/your-sites-event-data (*S* below) and ``/reference/post_api-v1-event``
(*REF*), both read 2026-11-22; what Blueshift's Android and iOS libraries send (v4.2.1, 2026-05).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import orjson

from crossdock.destinations.base import Rejected, Skipped
from crossdock.destinations.blueshift import values

CatalogKey = Literal["auto", "product_id", "sku"]

TEXTS = frozenset(
    {
        "device_idfa",
        "device_idfv",
        "device_manufacturer",
        "device_token",
        "device_tokens",
        "device_type",
        "ip",
        "latitude",
        "longitude",
        "network_carrier",
        "os_name",
        "referrer",
        "url",
        "user_agent",
    }
)
"""The fields REF types as texts, coordinates too."""
IDENTITY = frozenset(
    {"event", "customer_id", "email", "cookie", "device_id", "group_id", "event_uuid", "timestamp"}
)
"""Never taken from properties by themselves: RudderStack lets them overwrite name and visitor."""
TYPED = IDENTITY | TEXTS | {"subscription_groups"}
_CHECKED = IDENTITY | {"attributes", "anonymous_id", "ad_tracking_enabled", "advertising_id"}
_TOLD = IDENTITY - {"email", "cookie"}
"""Left out of properties and counted; the mapping reads the other two itself."""

_PRODUCT = frozenset(
    {"name", "category", "brand", "variant", "coupon", "position", "currency", "url", "image_url"}
)
_SUBSCRIPTION = {
    "billingDate": "billing_date",
    "subscriptionAmount": "subscription_amount",
    "subscriptionCanceledAt": "subscription_canceled_at",
    "subscriptionEndAt": "subscription_end_at",
    "subscriptionPeriodLength": "subscription_period_length",
    "subscriptionPeriodType": "subscription_period_type",
    "subscriptionPlanType": "subscription_plan_type",
    "subscriptionStartedAt": "subscription_started_at",
}
_PERSONS = frozenset({"identify", "group"})
_IOS = frozenset({"ios", "ipados", "iphone", "iphone os", "ipad"})
_NO_ADVERTISING = frozenset({"", "00000000-0000-0000-0000-000000000000"})


class Rules(NamedTuple):
    """The settings that change an event."""

    send_timestamp: bool
    cookie: Literal["uuid", "verbatim", "off"]
    catalog_key: CatalogKey


class Draft:
    """An event on its way: its fields, and the names of what was left out."""

    __slots__ = ("dropped", "fields")

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.dropped: list[str] = []

    def put(self, key: str, given: Any, checked: Any) -> None:
        """Keep a checked value, or note that what was given is none."""
        if checked is not None:
            self.fields[key] = checked
        elif given is not None and not (given.__class__ is str and (not given or given.isspace())):
            self.dropped.append(key)


def identified(payload: dict[str, Any], cookie: str) -> Draft | Rejected:
    """Begin an event with who it is about."""
    draft = Draft()
    fields = draft.fields
    customer = payload.get("customer_id")
    if customer.__class__ is str and 0 < len(customer) <= 64 and not customer.isspace():
        fields["customer_id"] = customer
    elif customer is not None:
        draft.put("customer_id", customer, values.text(customer))
        if len(fields.get("customer_id", "")) > values.MAX_CUSTOMER_ID:
            return Rejected("customer_id: longer than 128 characters", "customer_id_too_long")
    if (address := payload.get("email")) is not None:
        draft.put("email", address, values.email(address))
    if (device := payload.get("device_id")) is not None:
        draft.put("device_id", device, values.text(device))
    if (own := payload.get("cookie")) is not None:
        draft.put("cookie", own, values.text(own))
    if cookie != "off" and "cookie" not in fields:
        anonymous = values.text(payload.get("anonymous_id"))
        if anonymous is not None:
            # Blueshift's own cookies have 36 characters.
            as_is = cookie == "verbatim" or len(anonymous) == 36
            fields["cookie"] = anonymous if as_is else values.visitor_uuid(anonymous)
    return draft


def drafted(name: str, action: str, payload: dict[str, Any], rules: Rules) -> Draft | Skipped | Rejected:
    """Make the event *name* of a payload, all but its traits."""
    draft = identified(payload, rules.cookie)
    if draft.__class__ is Rejected:
        return draft
    assert isinstance(draft, Draft)  # noqa: S101  (for the type checker)
    # REF counts the name as an identifier, and then loses the event as `missing_identifier`.
    if not draft.fields:
        return Skipped("no_identifier")
    fields = draft.fields = {"event": name, **draft.fields}
    _stamp(draft, payload, send_timestamp=rules.send_timestamp)
    _fields(draft, payload)
    if "device_id" in fields or "advertising_id" in payload:
        _device(draft, payload)
    attributes = payload.get("attributes")
    if attributes.__class__ is not dict:
        attributes = {}
    if action not in _PERSONS:
        below(draft, attributes)
    if (shape := _SHAPES.get(action)) is not None:
        shape(draft, action, attributes, rules.catalog_key)
    if "device_token" in fields:
        # REF: one event takes the singular, the bulk call the plural; Blueshift's Android library sends
        # the singular to both.
        fields.setdefault("device_tokens", fields["device_token"])
    return draft


def _stamp(draft: Draft, payload: dict[str, Any], *, send_timestamp: bool) -> None:
    """Write what makes the event this one: its id, its time, and the group it is about."""
    message, at, group = payload.get("event_uuid"), payload.get("timestamp"), payload.get("group_id")
    if message is not None and (text := values.text(message)) is not None:
        draft.fields["event_uuid"] = values.uuid(text)
    if at is not None and send_timestamp:
        if (moment := values.moment(at)) is not None:
            draft.fields["timestamp"] = moment
        else:
            draft.dropped.append("timestamp")
    if group is not None:
        draft.put("group_id", group, values.text(group))


def _fields(draft: Draft, payload: dict[str, Any]) -> None:
    """Take over all other fields of the mapping; a blank text is no value."""
    fields = draft.fields
    for key, value in payload.items():
        if value is None or key in _CHECKED:
            continue
        if value.__class__ is str:
            if value and not value.isspace():
                fields[key] = value
        elif key in TYPED:
            typed(draft, key, value)
        else:
            fields[key] = value


def below(draft: Draft, attributes: dict[str, Any]) -> None:
    """Lay properties or traits below the fields; what is null or reserved goes."""
    fields = draft.fields
    for key, value in attributes.items():
        if value is None or key in fields:
            continue
        if key in TYPED:
            typed(draft, key, value)
        elif key[:6] != "_bsft_":
            fields[key] = value


def typed(draft: Draft, key: str, value: Any) -> None:
    """Keep a typed field if its value has the type; identity is none of the properties' business."""
    if key in TEXTS:
        draft.put(key, value, values.text(value))
    elif key == "subscription_groups":
        draft.put(key, value, values.subscription_groups(value))
    elif key in _TOLD:
        draft.dropped.append(key)


def _device(draft: Draft, payload: dict[str, Any]) -> None:
    """Name a phone's ids by its system: RudderStack calls an Android id the vendor's of iOS."""
    fields = draft.fields
    system = str(payload.get("device_type") or payload.get("os_name") or "").strip().casefold()
    advertising = values.text(payload.get("advertising_id"))
    if payload.get("ad_tracking_enabled") is False or advertising in _NO_ADVERTISING:
        advertising = None
    if system in _IOS:
        if "device_id" in fields:
            fields.setdefault("device_idfv", fields["device_id"])
        if advertising is not None:
            fields.setdefault("device_idfa", advertising)
    elif system == "android" and advertising is not None:
        fields["advertising_id"] = advertising


def _flat(draft: Draft, action: str, attributes: dict[str, Any], catalog_key: CatalogKey) -> None:
    """One product told in the properties themselves: S has `products` on a view, `product_id` on a cart's."""
    fields = draft.fields
    _catalogue(fields, catalog_key)
    _amounts(draft, fields, "")
    if "products" in fields:
        _products(draft, catalog_key)
    elif action == "view" and "sku" in fields:
        product = {"sku": fields["sku"], "product_id": fields["product_id"]}
        if "price" in fields:
            product["price"] = fields["price"]
        if "quantity" in fields:
            product["quantity"] = fields["quantity"]
        product |= {key: value for key, value in attributes.items() if key in _PRODUCT and value is not None}
        fields["products"] = [product]


def _order(draft: Draft, action: str, attributes: dict[str, Any], catalog_key: CatalogKey) -> None:  # noqa: ARG001
    if "products" in draft.fields:
        _products(draft, catalog_key)


def _subscription(draft: Draft, action: str, attributes: dict[str, Any], catalog_key: CatalogKey) -> None:  # noqa: ARG001
    fields = draft.fields
    for key, name in _SUBSCRIPTION.items():
        if key in fields:
            value = fields.pop(key)
            fields.setdefault(name, value)


def _search(draft: Draft, action: str, attributes: dict[str, Any], catalog_key: CatalogKey) -> None:  # noqa: ARG001
    """S: `keywords` and `product_ids`; the phone libraries: `query` and `skus`."""
    fields = draft.fields
    words = fields.get("keywords")
    if words.__class__ in (dict, list):
        fields["keywords"] = orjson.dumps(words).decode()
    if "products" not in fields:
        return
    _products(draft, catalog_key)
    products = [one for one in fields.get("products", ()) if "product_id" in one]
    if products:
        fields.setdefault("product_ids", [one["product_id"] for one in products])
        fields.setdefault("skus", [one["sku"] for one in products])


def _products(draft: Draft, catalog_key: CatalogKey) -> None:
    given = draft.fields.pop("products")
    found = []
    for item in given if given.__class__ is list else [given]:
        if item.__class__ is not dict:
            draft.dropped.append("products")
            continue
        product = {key: value for key, value in item.items() if value is not None}
        _catalogue(product, catalog_key)
        _amounts(draft, product, "products.")
        if product:
            found.append(product)
    if found:
        draft.fields["products"] = found


def _catalogue(product: dict[str, Any], catalog_key: CatalogKey) -> None:
    """Fill both names of the catalogue's key: S uses `sku` and `product_id` for the same id, Segment not."""
    own, found = product.get("sku"), product.get("product_id")
    if own.__class__ is str and found.__class__ is str and own and found and catalog_key == "auto":
        return
    own = values.text(product.pop("sku", None))
    # `id` is the name that version 1 of Segment's ecommerce events had.
    names = (product.pop("product_id", None), product.pop("productId", None))
    found = next((name for name in map(values.text, names) if name is not None), None)
    if found is None and own is None:
        found = values.text(product.get("id"))
    if found is None and own is None:
        return
    if catalog_key == "sku":
        found = own = own or found
    elif catalog_key == "product_id":
        found = own = found or own
    product["product_id"] = found or own
    product["sku"] = own or found


def _amounts(draft: Draft, holder: dict[str, Any], prefix: str) -> None:
    """HELP: a number that is none is silently stored as text, so it goes."""
    price, quantity = holder.get("price"), holder.get("quantity")
    if price is not None and price.__class__ is not float and price.__class__ is not int:
        del holder["price"]
        if (number := values.number(price)) is not None:
            holder["price"] = number
        else:
            draft.dropped.append(f"{prefix}price")
    if quantity is not None and quantity.__class__ is not int:
        del holder["quantity"]
        if (whole := values.whole(quantity)) is not None:
            holder["quantity"] = whole
        else:
            draft.dropped.append(f"{prefix}quantity")


_SHAPES: dict[str, Callable[[Draft, str, dict[str, Any], CatalogKey], None]] = {
    **dict.fromkeys(("view", "add_to_cart", "remove_from_cart"), _flat),
    **dict.fromkeys(("checkout", "purchase", "cancel", "return"), _order),
    **dict.fromkeys(
        [f"subscription_{step}" for step in ("start", "upgrade", "downgrade", "billing", "cancel")],
        _subscription,
    ),
    "search": _search,
}
"""What an event has beside the common fields, by its kind."""
