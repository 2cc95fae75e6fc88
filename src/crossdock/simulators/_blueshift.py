"""
What Blueshift's documents demand of an event and of a customer's record.

Written from developer.blueshift.com/docs/your-sites-event-data (*S*) and ``/reference/post_api-v1-event``,
``…-customers`` and ``…-customers-bulk`` (*REF*), read 2026-11-22, and on purpose without a look at
`crossdock.destinations.blueshift`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

SYSTEM = (
    "pageload",
    "identify",
    "view",
    "add_to_cart",
    "remove_from_cart",
    "checkout",
    "purchase",
    "search",
    "subscription_start",
    "subscription_upgrade",
    "subscription_downgrade",
    "subscription_billing",
    "subscription_cancel",
    "subscribe_interest",
    "unsubscribe_interest",
    "cancel",
    "return",
    "app_open",
    "screen_viewed",
)
MISSING_IDENTIFIER = "missing_identifier"
INVALID_ATTRIBUTES = "invalid_user_attributes"
_IDENTIFIERS = ("customer_id", "email", "device_id", "cookie")
_TEXTS = (
    *("customer_id", "email", "device_id", "cookie", "group_id", "device_type", "device_manufacturer"),
    *("os_name", "network_carrier", "ip", "device_token", "device_tokens", "device_idfa", "device_idfv"),
    *("latitude", "longitude", "url", "referrer", "user_agent", "event_uuid", "timestamp"),
)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
_PHONE = re.compile(r"\+[1-9][0-9]{5,13}")
_NUMERIC_TEXT = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def name_fault(event: dict[str, Any]) -> str | None:
    """REF: no period, no whitespace, not a numeric value, at most 64 characters."""
    name = event.get("event")
    if not isinstance(name, str) or not name:
        return "event can't be blank"
    if "." in name or any(character.isspace() for character in name):
        return "event must not contain periods or whitespaces"
    if _is_numeric(name):
        return "event must not be a numeric value"
    return "event must not contain more than 64 characters" if len(name) > 64 else None


def _is_numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.isdigit()
    return text.casefold().strip("+-") not in ("nan", "inf", "infinity")


def is_anonymous(event: dict[str, Any]) -> bool:
    """Tell that nobody can be found by it; the name, which REF counts as an identifier, is none."""
    return not any(event.get(key) for key in _IDENTIFIERS)


def attribute_faults(event: dict[str, Any]) -> Iterator[str]:
    """Find what the bulk call takes and then cannot use, or stores as something else."""
    for key, value in event.items():
        if key.startswith("_bsft_"):
            yield f"{key} is reserved"
        if value is None:
            yield f"{key} is null"
    for key in _TEXTS:
        if key in event and not (isinstance(event[key], str) and event[key].strip()):
            yield f"{key} is not a text"
    yield from _identity_faults(event)
    if isinstance(at := event.get("timestamp"), str) and not _TIME.fullmatch(at):
        yield "timestamp is not UTC with six decimals"
    if isinstance(uuid := event.get("event_uuid"), str) and not _UUID.fullmatch(uuid):
        yield "event_uuid is not a UUID"
    if "subscription_groups" in event and not _are_groups(event["subscription_groups"]):
        yield "subscription_groups is not a list of {id, subscribed}"
    yield from _commerce_faults(event)


def _identity_faults(holder: dict[str, Any]) -> Iterator[str]:
    email, customer = holder.get("email"), holder.get("customer_id")
    if isinstance(email, str) and (len(email) > 64 or not re.fullmatch(r"\S+@\S+", email)):
        yield "email is invalid"
    if isinstance(customer, str) and len(customer) > 128:
        yield "customer_id is too long"


def _are_groups(groups: Any) -> bool:
    return isinstance(groups, list) and all(
        isinstance(group, dict)
        and isinstance(group.get("id"), str)
        and group.get("subscribed") in (True, False)
        for group in groups
    )


def _commerce_faults(event: dict[str, Any]) -> Iterator[str]:
    name, products = event.get("event"), event.get("products", [])
    flat = name in ("view", "add_to_cart", "remove_from_cart")
    if not flat and name not in ("checkout", "purchase", "search"):
        return
    if not isinstance(products, list) or not all(isinstance(product, dict) for product in products):
        yield "products is not a list of objects"
        return
    for holder in [*[event] * flat, *products]:
        for key in ("sku", "product_id"):
            if key in holder and not isinstance(holder[key], str):
                yield f"{key} is not a text"
        for key in ("price", "quantity"):
            if key in holder and not _is_number(holder[key]):
                yield f"{key} is not a number"
    if name == "search" and not isinstance(event.get("keywords", ""), str | int | float):
        yield "keywords is not a text"


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return bool(_NUMERIC_TEXT.fullmatch(value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def customer_faults(record: Any) -> dict[str, list[str]]:
    """List what REF refuses about a customer's record, by field."""
    if not isinstance(record, dict):
        return {"customer": ["is not an object"]}
    if not any(record.get(key) for key in ("customer_id", "email", "uuid")):
        return {"user_identifier_missing": ["customer_id or email is required"]}
    faults: dict[str, list[str]] = {}
    for key in ("customer_id", "email", "phone_number", "firstname", "lastname", "gender"):
        if key in record and not isinstance(record[key], str):
            faults[key] = ["is not a text"]
    for fault in _identity_faults(record):
        faults[fault.split()[0]] = [fault]
    if isinstance(phone := record.get("phone_number"), str) and not _PHONE.fullmatch(phone):
        faults["phone_number"] = ["is not E.164"]
    if "gender" in record and record["gender"] not in ("male", "female", "unknown"):
        faults["gender"] = ["is not male, female or unknown"]
    for key in ("event", "event_uuid", "cookie", "device_id"):
        if key in record:
            faults[key] = ["is an event's"]
    return faults
