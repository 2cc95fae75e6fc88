"""
Who somebody is: traits as Blueshift names them, for an `identify` event and for the customers API.

Source: developer.blueshift.com/reference/post_api-v1-customers, ``…-customers-bulk`` and
``…-customers-merge`` (*REF* below), read 2026-11-22.
"""

from __future__ import annotations

from typing import Any

from crossdock.destinations.base import Rejected, Skipped
from crossdock.destinations.blueshift import values
from crossdock.destinations.blueshift.event import Draft, below, identified

_RENAMED = {
    "firstName": "firstname",
    "first_name": "firstname",
    "lastName": "lastname",
    "last_name": "lastname",
    "createdAt": "joined_at",
    "created_at": "joined_at",
    "phone": "phone_number",
}
_WHO = ("customer_id", "email")
_COPIES = frozenset({"userId", "anonymousId"})
"""Ids that libraries copy into traits; as attributes of a person they would only repeat who it is."""
_CHECKS = {
    "firstname": values.text,
    "lastname": values.text,
    "phone_number": values.phone,
    "gender": values.gender,
    "joined_at": values.date,
}


def traits_of(draft: Draft, attributes: dict[str, Any]) -> None:
    """Lay a person's traits below the fields, under Blueshift's names."""
    traits: dict[str, Any] = {}
    for key, value in attributes.items():
        if value is None or key in _COPIES:
            continue
        if key == "address" and value.__class__ is dict:
            traits.update(_flattened("address_", value))
        elif key == "id" and values.text(value) == draft.fields.get("customer_id"):
            continue
        elif (name := _RENAMED.get(key)) is None:
            traits[key] = value
        elif attributes.get(name) is None:
            traits.setdefault(name, value)
    _split_name(traits)
    for key, check in _CHECKS.items():
        if key not in traits:
            continue
        checked = check(traits.pop(key))
        if checked is None:
            draft.dropped.append(key)
        else:
            traits[key] = checked
    below(draft, traits)


def group_traits_of(draft: Draft, attributes: dict[str, Any]) -> None:
    """Lay a group's traits below the fields, each with `group_` before its name."""
    traits: dict[str, Any] = {}
    for key, value in attributes.items():
        if key == "address" and value.__class__ is dict:
            traits.update(_flattened("group_address_", value))
        elif key[:6] != "_bsft_" and key != "id":
            traits[f"group_{key}"] = value
    below(draft, traits)


def _split_name(traits: dict[str, Any]) -> None:
    name = traits.get("name")
    if name.__class__ is str and "firstname" not in traits and "lastname" not in traits:
        first, _, last = name.strip().partition(" ")
        traits.update({k: v for k, v in (("firstname", first), ("lastname", last.strip())) if v})


def _flattened(prefix: str, address: dict[str, Any]) -> dict[str, Any]:
    return {f"{prefix}{key}": value for key, value in address.items() if value is not None}


def customer(payload: dict[str, Any]) -> Draft | Skipped | Rejected:
    """
    Make a record for the customers API of an identify's payload.

    REF: `customer_id` or `email` is required; cookies and devices have no place there.
    """
    draft = identified(payload, "off")
    if isinstance(draft, Rejected):
        return draft
    draft.fields = {key: draft.fields[key] for key in _WHO if key in draft.fields}
    if not draft.fields:
        return Skipped("no_profile_identifier")
    if payload.get("attributes").__class__ is dict:
        traits_of(draft, payload["attributes"])
    return draft


def merger(payload: dict[str, Any]) -> Draft | Skipped | Rejected:
    """
    Make a merge of two customers.

    An anonymous id was never a customer's, so joining one to a user is no merge: the events' cookie beside
    the customer's id says that already.
    """
    draft = identified(payload, "off")
    if isinstance(draft, Rejected):
        return draft
    new = values.text(payload.get("bsft_new_customer_id"))
    if new is None or len(new) > values.MAX_CUSTOMER_ID:
        return Rejected("bsft_new_customer_id: missing, or longer than 128 characters", "customer_id")
    who = {key: draft.fields[key] for key in _WHO if key in draft.fields}
    if (reason := _no_merge(who, new, payload.get("anonymous_id"))) is not None:
        return Skipped(reason)
    draft.fields = {**who, "bsft_new_customer_id": new}
    return draft


def _no_merge(who: dict[str, Any], new: str, anonymous: Any) -> str | None:
    old = who.get("customer_id")
    if not who:
        return "no_identifier"
    if old == new:
        return "same_customer"
    return "anonymous_alias" if old is not None and old == anonymous else None
