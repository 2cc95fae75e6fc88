"""
Users: what an identify call and the like become in ``PUT /v1/user/{email}``.

Sources, read 2026-11-22: help.vtcdn.net/knowledge-base/how-to-update-an-user-through-api/ (*U* below);
help.vtcdn.net/kb/how-to-add-new-attributescustom-fields-to-users (*A*);
help.vtcdn.net/kb/dynamic-user-attributes-that-automatically-update-values (*R*).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from crossdock import timestamp
from crossdock.destinations.base import Prepared, Rejected, Skipped
from crossdock.destinations.vibetrace import values
from crossdock.destinations.vibetrace.draft import Draft

NO_EMAIL: Final = Skipped("no_email")
"""U: the e-mail address is the only key a user has."""

RESERVED: Final = frozenset(
    {
        *("emSubDate", "emUnsubDate", "createdOn", "isCustomer", "isSpam", "isHardBounced"),
        *("isSubscribedAlerts", "numberOfPurchases", "totalPurchasesValue", "lastPurchaseDate"),
        *("lastPurchaseValue", "lastVisitDate", "lastEmailOpenDate", "lastEmailClickDate"),
        *("source", "score", "activity1", "activity2", "activity3"),
    }
)
"""R: Vibetrace computes these itself; never written. It lists `isSubscribed` too, which U accepts."""

BUILT_IN: Final = frozenset(
    {"email", "isSubscribed", "gender", "city", "country", "firstname", "lastname", "tel"}
)
"""What the presets fill already."""

_KNOWN: Final = BUILT_IN | {"name", "traits", "known_as"}
_MOVED: Final = "the visitor was known by another address: Vibetrace cannot rename, this is a user of its own"
_ERASE: Final = "only unsubscribed: erase the user in Vibetrace's dashboard, its API cannot"


class Attribute(BaseModel):
    """A custom attribute as it was defined in Vibetrace under Users > Attributes."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    tag: str = Field(pattern=r"^[A-Za-z0-9]{1,64}$")
    """Its tag: letters and digits."""
    type: Literal["string", "integer", "float", "boolean", "date"]
    """Its type. A and U: a value of another type is ignored without a word."""

    @field_validator("tag")
    @classmethod
    def _free(cls, tag: str) -> str:
        lowered = tag.lower()
        if lowered in {name.lower() for name in RESERVED}:
            raise ValueError(f"{tag} is computed by Vibetrace and cannot be written")
        if lowered in {name.lower() for name in BUILT_IN}:
            raise ValueError(f"{tag} is filled already; to fill it otherwise, change the mapping")
        return tag


def upsert(payload: dict[str, Any], attributes: Mapping[str, Attribute]) -> Prepared | Skipped | Rejected:
    """Make a user's attributes of a payload; a value of a wrong type is left out and named."""
    email = values.first_address(payload.get("email"))
    if email is None:
        return NO_EMAIL
    draft = Draft([name for name in payload if name not in _KNOWN])
    found: dict[str, Any] = {}
    if (stated := payload.get("isSubscribed")) is not None:
        consent = values.flag(stated)
        if consent is None:
            draft.dropped.append("isSubscribed")
        else:
            found["isSubscribed"] = consent
    draft.texts(found, payload, ("gender",))
    draft.person(found, payload)
    if attributes:
        _custom(draft, found, payload.get("traits"), attributes)
    if not found:
        return Skipped("no_attributes")  # an empty object must never be put
    body: dict[str, Any] = {"email": email, "attributes": found}
    known = payload.get("known_as")
    if known is not None and _moved(email, known):
        body["note"] = _MOVED
    return draft.finished(body)


def consent(
    payload: dict[str, Any], *, subscribed: bool, erase: bool = False
) -> Prepared | Skipped | Rejected:
    """Make the one attribute that says whether somebody wants newsletters."""
    email = values.first_address(payload.get("email"))
    if email is None:
        return NO_EMAIL
    body: dict[str, Any] = {"email": email, "attributes": {"isSubscribed": subscribed}}
    if erase:
        body["note"] = _ERASE
    return Draft().finished(body)


def _moved(email: str, known: Any) -> bool:
    """Tell whether one of a visitor's known addresses is another one."""
    others = map(values.first_address, known if known.__class__ is list else (known,))
    return any(other not in (None, email) for other in others)


def _custom(draft: Draft, into: dict[str, Any], traits: Any, attributes: Mapping[str, Attribute]) -> None:
    sources = [one for one in (traits if traits.__class__ is list else (traits,)) if one.__class__ is dict]
    for trait, attribute in attributes.items():
        value = _first(sources, trait)
        if value is None or attribute.tag in into:
            continue
        found = _CASTS[attribute.type](value)
        if found is None:
            draft.dropped.append(f"attributes.{trait}")
        else:
            into[attribute.tag] = found


def _first(sources: Iterable[dict[str, Any]], trait: str) -> Any:
    """Give a trait's first value that is not blank; a dot goes down where no key has the whole name."""
    for source in sources:
        value = source.get(trait)
        if value is None and "." in trait:
            value = source
            for key in trait.split("."):
                value = value.get(key) if value.__class__ is dict else None
        if value is not None and not (value.__class__ is str and not value.strip()):
            return value
    return None


def _text(value: Any) -> str | None:
    if value.__class__ is bool:
        return "true" if value else "false"
    return values.text(value)


def _date(value: Any) -> str | None:
    """
    Give the day a date or timestamp names, as it is written there.

    The form that Vibetrace wants is not documented; ``YYYY-MM-DD`` is assumed. A number is no date: it could
    be seconds, milliseconds or 20261120.
    """
    if value.__class__ is not str:
        return None
    day = value.strip()[:10]
    try:
        return (
            date.fromisoformat(day).isoformat() if timestamp.read(value.strip()) and day[4] == "-" else None
        )
    except ValueError:
        return None


_CASTS: Final[dict[str, Callable[[Any], Any]]] = {
    "string": _text,
    "integer": values.whole,
    "float": values.number,
    "boolean": values.flag,
    "date": _date,
}
