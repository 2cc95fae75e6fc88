"""
One Blueshift event out of a mapped payload: identity first, then fields, then the properties below them.

A payload's keys are Blueshift's own, but for four that are used up here: `attributes` (the properties or
traits, laid below all other keys), `anonymous_id`, `ad_tracking_enabled`, and `advertising_id` where the
device runs iOS.

Source: developer.blueshift.com/docs/your-sites-event-data (*S* below) and ``/reference/post_api-v1-event``
(*REF*), both read 2026-11-22; what Blueshift's Android and iOS libraries send (v4.2.1, 2026-05).
"""

from __future__ import annotations

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
_CHECKED = IDENTITY | {"attributes", "anonymous_id", "ad_tracking_enabled", "advertising_id"}
_TOLD = IDENTITY - {"email", "cookie"}
"""Left out of properties and counted; the mapping reads the other two itself."""

_PRODUCT = ("name", "category", "brand", "variant", "coupon", "position", "currency", "url", "image_url")
_FLAT = frozenset({"view", "add_to_cart", "remove_from_cart"})
_ORDERS = frozenset({"checkout", "purchase", "cancel", "return"})
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
_IOS = frozenset({"ios", "ipados", "iphone", "iphone os", "ipad"})
_NO_ADVERTISING = frozenset({"", "00000000-0000-0000-0000-000000000000"})


class Rules(NamedTuple):
    """The settings that change an event."""

    truncate: bool
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
    customer = payload.get("customer_id")
    if customer is not None:
        draft.put("customer_id", customer, values.text(customer))
        if len(draft.fields.get("customer_id", "")) > values.MAX_CUSTOMER_ID:
            return Rejected("customer_id: longer than 128 characters", "customer_id_too_long")
    if (address := payload.get("email")) is not None:
        draft.put("email", address, values.email(address))
    if (device := payload.get("device_id")) is not None:
        draft.put("device_id", device, values.text(device))
    own = payload.get("cookie")
    if own is not None:
        draft.put("cookie", own, values.text(own))
    if "cookie" not in draft.fields and cookie != "off":
        anonymous = values.text(payload.get("anonymous_id"))
        if anonymous is not None:
            # Blueshift's own cookies have 36 characters.
            as_is = cookie == "verbatim" or len(anonymous) == 36
            draft.fields["cookie"] = anonymous if as_is else values.name_uuid(anonymous)
    return draft


def drafted(name: str, action: str, payload: dict[str, Any], rules: Rules) -> Draft | Skipped | Rejected:
    """Make the event *name* of a payload, all but its traits."""
    draft = identified(payload, rules.cookie)
    if isinstance(draft, Rejected):
        return draft
    # REF counts the name as an identifier, and then loses the event as `missing_identifier`.
    if not draft.fields:
        return Skipped("no_identifier")
    fields = draft.fields = {"event": name, **draft.fields}
    if (group := payload.get("group_id")) is not None:
        draft.put("group_id", group, values.text(group))
    if (message := values.text(payload.get("event_uuid"))) is not None:
        fields["event_uuid"] = values.uuid(message)
    if rules.send_timestamp and (at := payload.get("timestamp")) is not None:
        draft.put("timestamp", at, values.moment(at))
    fields.update({k: v for k, v in payload.items() if v is not None and k not in _CHECKED})
    attributes = payload.get("attributes")
    if attributes.__class__ is dict and action not in ("identify", "group"):
        below(draft, attributes)
    _shape(draft, action, attributes if attributes.__class__ is dict else {}, rules.catalog_key)
    finish(draft, payload)
    return draft


def below(draft: Draft, attributes: dict[str, Any]) -> None:
    """Lay properties or traits below the fields; what is null or reserved goes."""
    fields = draft.fields
    for key, value in attributes.items():
        if value is None or key in fields:
            continue
        if key in IDENTITY:
            if key in _TOLD:
                draft.dropped.append(key)
        elif key[:6] != "_bsft_":
            fields[key] = value


def finish(draft: Draft, payload: dict[str, Any]) -> None:
    """Give the typed fields their type, and a phone's ids their names."""
    fields = draft.fields
    if "device_id" in fields or "advertising_id" in payload:
        _device(draft, payload)
    for key in TEXTS & fields.keys():
        value = fields[key]
        if value.__class__ is not str or not value or value.isspace():
            del fields[key]
            draft.put(key, value, values.text(value))
    if "device_token" in fields:
        # REF: one event takes the singular, the bulk call the plural; Blueshift's Android library sends
        # the singular to both.
        fields.setdefault("device_tokens", fields["device_token"])
    if "subscription_groups" in fields:
        groups = fields.pop("subscription_groups")
        draft.put("subscription_groups", groups, values.subscription_groups(groups))


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


def _shape(draft: Draft, action: str, attributes: dict[str, Any], catalog_key: CatalogKey) -> None:
    """Give an event what its kind has beside the common fields."""
    fields = draft.fields
    if action in _FLAT:
        _flat(draft, action, attributes, catalog_key)
    elif action in _ORDERS:
        if "products" in fields:
            _products(draft, catalog_key)
    elif action == "search":
        _search(draft, catalog_key)
    elif action.startswith("subscription_"):
        for key in _SUBSCRIPTION.keys() & fields.keys():
            value = fields.pop(key)
            fields.setdefault(_SUBSCRIPTION[key], value)


def _flat(draft: Draft, action: str, attributes: dict[str, Any], catalog_key: CatalogKey) -> None:
    """One product told in the properties themselves: S has `products` on a view, `product_id` on a cart's."""
    fields = draft.fields
    _catalogue(fields, catalog_key)
    _amounts(draft, fields, "")
    if "products" in fields:
        _products(draft, catalog_key)
    elif action == "view" and "sku" in fields:
        keys = ("sku", "product_id", "price", "quantity")
        product = {key: fields[key] for key in keys if key in fields}
        product.update({key: attributes[key] for key in _PRODUCT if attributes.get(key) is not None})
        fields["products"] = [product]


def _search(draft: Draft, catalog_key: CatalogKey) -> None:
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
