"""
What makes a Segment event valid.

Reason codes: https://segment.com/docs/connections/delivery-overview/ ("Failed on ingest"); required fields:
https://segment.com/docs/connections/spec/ (read 2026-08-20).
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from typing import Any

from crossdock.errors import InvalidEvent
from crossdock.reception import Reception

MAX_MESSAGE_ID = 99  # "under 100 characters", HTTP API


def check(document: dict[str, Any], how: Reception) -> None:
    """
    Refuse an invalid event; ids become text, and the objects every event has are there afterwards.

    Raises:
        InvalidEvent: With Segment's reason code.
    """
    # Here and below the common case is tried in place: a call costs more than the check
    given = document.get("messageId")
    if given.__class__ is not str or not 0 < len(given) <= MAX_MESSAGE_ID:
        document["messageId"] = _message_id(given)
    kind = document.get("type") or how.type
    rules = _RULES.get(kind) if isinstance(kind, str) else None
    if rules is None:
        raise InvalidEvent(f"type must be one of {', '.join(_RULES)}", "type_not_valid")
    document["type"] = kind
    identified = False
    for key in ("userId", "anonymousId"):
        given = document.get(key)
        identified = (given is not None and _id(document, key) is not None) or identified
    if not identified and kind not in _NAMES_ITS_IDS:
        raise InvalidEvent("an event needs a userId or an anonymousId", "no_user_anon_id")
    rules(document, how)
    context = document.get("context")
    if context.__class__ is not dict:
        # Segment's own delete events carry null or []
        if context is not None and context != []:
            raise InvalidEvent("context must be an object", "context_not_object")
        document["context"] = {}
    if document.get("integrations").__class__ is not dict:
        document["integrations"] = {}  # null, [] and other noise: never a filter


def _message_id(given: Any) -> str:
    """Give a message id that is none yet, or refuse it."""
    text = _text(given, "messageId", "message_id_not_string")
    if not text:
        return str(uuid.uuid4())
    if len(text) > MAX_MESSAGE_ID:
        raise InvalidEvent("messageId must be under 100 characters", "message_id_too_long")
    return text


def _id(document: dict[str, Any], key: str) -> str | None:
    """Give an id as text; a blank one counts as absent and goes."""
    given: Any = document.get(key)
    if given is None:
        return None
    if given.__class__ is not str:
        given = document[key] = _text(given, key, "id_not_string")
    if not given or given.isspace():
        del document[key]
        return None
    return str(given)


def _text(given: Any, key: str, code: str) -> str | None:
    """Read an id that is a number as old libraries do; one whose digits JSON has lost is refused."""
    if isinstance(given, str) or given is None:
        return given
    if isinstance(given, float) and math.isfinite(given) and abs(given) < 2**53:
        return str(int(given)) if given.is_integer() else repr(given)
    if isinstance(given, int) and not isinstance(given, bool) and abs(given) < 2**64:
        return str(given)
    raise InvalidEvent(f"{key} must be a string", code)


def _object(document: dict[str, Any], key: str) -> None:
    given = document.get(key)
    if given is None:
        document[key] = {}
    elif given.__class__ is not dict:
        raise InvalidEvent(f"{key} must be an object", f"{key}_not_object")


def _string(document: dict[str, Any], key: str) -> None:
    given = document.get(key)
    if given is not None and given.__class__ is not str:
        raise InvalidEvent(f"{key} must be a string", f"{key}_not_string")


def _track(document: dict[str, Any], _how: Reception) -> None:
    name = document.get("event")
    if name is None or name == "":
        raise InvalidEvent("a track event needs an event name in `event`", "event_not_defined")
    if name.__class__ is not str:
        _string(document, "event")
    if document.get("properties").__class__ is not dict:
        _object(document, "properties")


def _page(document: dict[str, Any], _how: Reception) -> None:
    _string(document, "name")
    _string(document, "category")
    _object(document, "properties")


def _traits(document: dict[str, Any], _how: Reception) -> None:
    _object(document, "traits")
    if not document["traits"] and document["type"] == "identify":
        # rudder-sdk-python puts identify traits there only
        context = document.get("context")
        beside = context.get("traits") if context.__class__ is dict else None
        if beside and beside.__class__ is dict:
            document["traits"] = beside
    _full_name(document)


def _full_name(document: dict[str, Any]) -> None:
    traits = document["traits"]
    if traits.get("name"):
        return
    first = traits.get("firstName") or traits.get("first_name")
    last = traits.get("lastName") or traits.get("last_name")
    if isinstance(first, str) and isinstance(last, str):
        document["traits"] = {**traits, "name": f"{first} {last}"}


def _required(document: dict[str, Any], how: Reception, *keys: str) -> None:
    for key in keys:
        if _id(document, key) is None:
            raise InvalidEvent(f"{document['type']} needs a {key}", "id_required")
    if document["type"] == "group":
        _traits(document, how)


def _delete(document: dict[str, Any], how: Reception) -> None:
    if not how.signed:
        raise InvalidEvent("a delete event counts only from a signed webhook", "delete_not_allowed")
    _required(document, how, "userId")


_RULES: dict[str, Callable[[dict[str, Any], Reception], None]] = {
    "track": _track,
    "identify": _traits,
    "page": _page,
    "screen": _page,
    "group": lambda document, how: _required(document, how, "groupId"),
    "alias": lambda document, how: _required(document, how, "userId", "previousId"),
    "delete": _delete,
}
_NAMES_ITS_IDS = frozenset({"alias", "delete"})
