"""
Who an event is about: the facts laid beside it as ``$.visitor`` for mappings, and the key that shards it.

Pure for now: each fact is what the event itself says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def visitor_key(document: Mapping[str, Any]) -> str:
    """Give what an admitted event is ordered by: its anonymousId or else its userId."""
    return document.get("anonymousId") or document.get("userId") or ""


def visitor_facts(document: Mapping[str, Any]) -> dict[str, Any]:
    """Give the facts about an event's visitor; every key is there, ``None`` where nothing is known."""
    return {
        "key": visitor_key(document) or None,
        "anonymousId": document.get("anonymousId"),
        "userId": document.get("userId"),
        "email": _email(document),
        "sessionId": None,
        "basket": None,
    }


def _email(document: Mapping[str, Any]) -> str | None:
    """Give the first address among traits, context.traits (a track event's traits) and properties."""
    context = document.get("context")
    for holder in (
        document.get("traits"),
        context.get("traits") if isinstance(context, dict) else None,
        document.get("properties"),
    ):
        email = holder.get("email") if isinstance(holder, dict) else None
        if isinstance(email, str) and "@" in email:
            return email.strip()
    return None
