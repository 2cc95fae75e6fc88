"""
The Segment spec as the gateway's public view: one event typed, and where its ``integrations`` let it go.

The rules stand in `rules` and `admission`; the gateway itself works on the plain dictionary they leave, which
is what the journal keeps and mappings read. Source (read 2026-08-20):
https://segment.com/docs/connections/spec/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr
from pydantic.alias_generators import to_camel

from crossdock import timestamp
from crossdock.admission import OWN_METADATA, admit
from crossdock.errors import InvalidEvent
from crossdock.reception import Reception

__all__ = ["Event", "Reception", "admit", "came_by_webhook", "integrations_verdict", "parse"]

Moment = Annotated[datetime | None, BeforeValidator(timestamp.read)]


class Event(BaseModel):
    """One Segment call, valid and complete; keys the spec does not name are kept as extra attributes."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow", frozen=True)

    type: Literal["track", "identify", "page", "screen", "group", "alias", "delete"]
    message_id: str
    anonymous_id: str | None = None
    user_id: str | None = None
    group_id: str | None = None
    previous_id: str | None = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    properties: dict[str, Any] = {}
    traits: dict[str, Any] = {}
    context: dict[str, Any] = {}
    integrations: dict[str, Any] = {}
    timestamp: datetime = Field()
    """When it happened, corrected for the sender's clock."""
    original_timestamp: Moment = None
    """When it happened by the sender's clock; ``None`` also where that cannot be read."""
    sent_at: Moment = None
    received_at: datetime = Field()
    channel: str | None = None
    project_id: str | None = None
    version: int = 2
    metadata: dict[str, Any] | None = Field(default=None, alias="_metadata")

    _document: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        """The event as Segment JSON."""
        return self._document


def parse(obj: Any, how: Reception | None = None) -> Event:
    """
    Validate and complete one event, given as the object its JSON stands for; `obj` is not changed.

    Raises:
        InvalidEvent: With Segment's reason code.
    """
    if not isinstance(obj, Mapping):
        raise InvalidEvent("an event must be a JSON object", "not_object")
    document = dict(obj)
    admit(document, how or Reception())
    event = Event.model_validate(document)
    event._document = document  # noqa: SLF001 - a private attribute of our own model
    return event


def came_by_webhook(document: Mapping[str, Any]) -> bool:
    """Tell whether Segment's Webhook destination brought this admitted event."""
    metadata = document.get("_metadata")
    own = metadata.get(OWN_METADATA) if isinstance(metadata, dict) else None
    return isinstance(own, dict) and own.get("webhook") is True


WEBHOOK_ENTRIES = ("Webhooks", "Webhooks (Actions)", "Extensible Webhook", "Extensible Webhooks", "Webhook")


def integrations_verdict(
    document: Mapping[str, Any], names: str | Iterable[str], *, webhook: bool | None = None
) -> str | None:
    """
    Give the reason the event's ``integrations`` object keeps it from a destination; ``None``: send it.

    `names` are the names a sender may use, matched exactly: the vendor's in Segment's catalogue, and the
    instance's. Segment's replays set ``All`` to false and only the webhook's own entry to true: for an event
    that came by the webhook (read from the event where `webhook` is not given) that entry lifts ``All``.
    Source: https://segment.com/docs/guides/filtering-data/#filtering-with-the-integrations-object
    """
    integrations = document.get("integrations")
    if not isinstance(integrations, dict) or not integrations:
        return None
    for name in (names,) if isinstance(names, str) else names:
        choice = integrations.get(name)
        if choice is False:
            return f"integrations.{name} is false"
        if choice is True or isinstance(choice, dict):
            return None
    if integrations.get("All") is not False:
        return None
    if came_by_webhook(document) if webhook is None else webhook:
        own = (integrations.get(entry) for entry in WEBHOOK_ENTRIES)
        if any(choice is True or isinstance(choice, dict) for choice in own):
            return None
    return "integrations.All is false"
