"""What an event says about its visitor, and what is laid beside it from memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_NONE: Final[Mapping[str, Any]] = {}


def visitor_key(document: Mapping[str, Any]) -> str:
    """Give what an admitted event is ordered by: its anonymousId or else its userId."""
    return document.get("anonymousId") or document.get("userId") or ""


def visitor_facts(document: Mapping[str, Any], facts: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """
    Give the facts about an event's visitor; every key is there, ``None`` where nothing is known.

    `facts` is what memory added when the event was accepted; what the event itself says goes before it.
    """
    known = facts or _NONE
    anonymous_id = document.get("anonymousId") or known.get("anonymousId")
    user_id = document.get("userId") or known.get("userId")
    return {
        "key": anonymous_id or user_id or None,
        "anonymousId": anonymous_id,
        "userId": user_id,
        "email": email_in(document) or known.get("email"),
        "sessionId": known.get("sessionId"),
        "basket": known.get("basket"),
    }


def email_in(document: Mapping[str, Any]) -> str | None:
    """Give the first address among traits, context.traits (a track event's traits) and properties."""
    context = document.get("context")
    for holder in (
        # A group's traits are the company's, not the visitor's.
        document.get("traits") if document.get("type") != "group" else None,
        context.get("traits") if isinstance(context, dict) else None,
        document.get("properties"),
    ):
        email = holder.get("email") if isinstance(holder, dict) else None
        if isinstance(email, str) and "@" in email:
            return email.strip()
    return None
