"""
What one destination owes for one event: pure, used by the lanes and by `crossdock try` alike.

The event passes, in this order: the sources that feed the destination, the event's integrations object,
the person's consent, the presets' subscriptions, the mapping, and the vendor's schema.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from crossdock.destinations.base import Destination, Payload, Prepared, Skipped
from crossdock.errors import MappingFailed
from crossdock.event import integrations_verdict
from crossdock.journal.base import Claim, Owner, Stored
from crossdock.mapping.compiled import CompiledMapping, CompiledPreset, Mapped
from crossdock.visitors import visitor_facts


@dataclass(frozen=True, slots=True)
class Route:
    """One configured destination, ready to be delivered to."""

    name: str
    vendor: Destination
    mapping: CompiledMapping
    feeds: frozenset[str]
    """The sources whose events it gets."""
    segment_names: tuple[str, ...]
    """The names an event's integrations object may call it by."""
    consent: frozenset[str] = frozenset()
    """Consent categories that must all be granted."""
    start: timedelta | None = None
    """Where a new destination starts: so long ago, or ``None`` for now."""
    batch_events: int | None = None
    batch_wait: timedelta = timedelta(milliseconds=200)
    requests_per_second: float = 20.0
    timeout: timedelta = timedelta(seconds=10)


@dataclass(slots=True)
class Owed:
    """A payload to deliver."""

    payload: Payload
    kind: str
    endpoint: str
    claim: Claim | None


@dataclass(slots=True)
class Refused:
    """A payload that cannot be sent as it is: the mapping failed, or it breaks the vendor's schema."""

    index: int
    preset: str
    action: str
    reason: str
    code: str
    payload: bytes
    fault: BaseException | None = None
    """Set where the fault is a bug of ours."""


Tally = dict[str, int]
"""How often, by reason or name. A plain dictionary: a `Counter` costs a third of a plan to make."""


@dataclass(slots=True)
class Plan:
    """What a destination owes for an event, and what it does not and why."""

    owed: list[Owed] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    skipped: Tally = field(default_factory=dict)
    """Reasons; ``not_matched``, ``source``, ``integrations``, ``consent`` are about the whole event."""
    suppressed: Tally = field(default_factory=dict)
    """Actions the guard held back; see `crossdock.delivery.guard`."""
    dropped: Tally = field(default_factory=dict)
    """Optional fields left out as invalid."""
    matched: Sequence[CompiledPreset] = ()


def plan(route: Route, stored: Stored) -> Plan:
    """Say what `route` owes for the event. Raises nothing: faults are `Refused`."""
    document = stored.document
    if reason := _held_back(route, stored):
        return Plan(skipped={reason: 1})
    presets = route.mapping.matching(document)
    if not presets:
        return Plan(skipped={"not_matched": 1})
    made = Plan(matched=presets)
    view = {**document, "visitor": visitor_facts(document)}
    planner = _Planner(route.vendor, stored, made)
    for preset in presets:
        planner.apply(preset, view)
    return made


def tally(into: Tally, name: str, times: int = 1) -> None:
    """Count."""
    into[name] = into.get(name, 0) + times


def _held_back(route: Route, stored: Stored) -> str | None:
    if stored.source not in route.feeds:
        return "source"
    if integrations_verdict(stored.document, route.segment_names) is not None:
        return "integrations"
    if route.consent and not route.consent <= _granted(stored.document):
        return "consent"
    return None


def _granted(document: Mapping[str, Any]) -> frozenset[str]:
    context = document.get("context")
    consent = context.get("consent") if isinstance(context, dict) else None
    preferences = consent.get("categoryPreferences") if isinstance(consent, dict) else None
    if not isinstance(preferences, dict):
        return frozenset()
    return frozenset(name for name, granted in preferences.items() if granted is True)


@dataclass(slots=True)
class _Planner:
    """Fills the plan of one event, preset by preset."""

    vendor: Destination
    stored: Stored
    made: Plan
    index: int = 0

    def apply(self, preset: CompiledPreset, view: Mapping[str, Any]) -> None:
        try:
            results = preset.payloads(view)
        except MappingFailed as failed:
            self._refuse(preset, failed.message, "mapping_failed")
            self.index += 1
            return
        except Exception as fault:  # noqa: BLE001 - a bug of ours must not hold the lane; it is logged
            self._refuse(preset, _bug(fault), "internal", fault=fault)
            self.index += 1
            return
        if not results:
            tally(self.made.skipped, "no_items")
        for mapped in results:
            self._prepare(preset, mapped)
            self.index += 1

    def _prepare(self, preset: CompiledPreset, mapped: Mapped) -> None:
        vendor, stored, action = self.vendor, self.stored, preset.action
        try:
            prepared = vendor.prepare(action, mapped.payload)
        except Exception as fault:  # noqa: BLE001 - as above
            self._refuse(preset, _bug(fault), "internal", fault=fault)
            return
        if isinstance(prepared, Prepared):
            for name in prepared.dropped:
                tally(self.made.dropped, name)
            payload = Payload(
                stored.sequence, self.index, stored.message_id, action, preset.name, prepared.body
            )
            claim = _claim(preset, mapped, stored, self.index)
            self.made.owed.append(Owed(payload, vendor.kind(action), vendor.endpoint(action), claim))
        elif isinstance(prepared, Skipped):
            tally(self.made.skipped, prepared.reason)
        else:
            body = orjson.dumps(mapped.payload, default=repr, option=orjson.OPT_NON_STR_KEYS)
            self._refuse(preset, prepared.reason, prepared.code or "invalid_payload", payload=body)

    def _refuse(
        self,
        preset: CompiledPreset,
        reason: str,
        code: str,
        *,
        payload: bytes = b"null",
        fault: Exception | None = None,
    ) -> None:
        refused = Refused(self.index, preset.name, preset.action, reason, code, payload, fault)
        self.made.refused.append(refused)


def _bug(fault: Exception) -> str:
    return f"a fault in Crossdock: {type(fault).__name__}"


def _claim(preset: CompiledPreset, mapped: Mapped, stored: Stored, index: int) -> Claim | None:
    if mapped.once_key is None or preset.once_within is None:
        return None
    return Claim(
        key=f"{preset.action}:{mapped.once_key}",
        owner=Owner(stored.sequence, index),
        message_id=stored.message_id,
        at=event_time(stored),
        within=preset.once_within,
    )


def event_time(stored: Stored) -> datetime:
    """Give the event's own corrected time; the time it was received where it has none."""
    stamp = stored.document.get("timestamp")
    if isinstance(stamp, str):
        try:
            moment = datetime.fromisoformat(stamp)
        except ValueError:
            return stored.received_at
        if moment.tzinfo is not None:
            return moment
    return stored.received_at
