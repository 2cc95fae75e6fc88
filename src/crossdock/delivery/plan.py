"""
What one destination owes for one event: pure, used by the lanes and by `crossdock try` alike.

The event passes, in this order: the sources that feed the destination, the event's integrations object,
the person's consent, the presets' subscriptions, the mapping, and the vendor's schema.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from crossdock.destinations.base import Destination, Payload, Prepared, Rejected, Skipped
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
    sorted_by: Mapping[str, tuple[str, str]] = field(init=False, repr=False)
    """Kind and endpoint of each action."""

    def __post_init__(self) -> None:
        vendor = self.vendor
        known = {action: (vendor.kind(action), vendor.endpoint(action)) for action in vendor.actions}
        object.__setattr__(self, "sorted_by", known)


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


def plan(route: Route, stored: Stored, now: datetime | None = None) -> Plan:
    """
    Say what `route` owes for the event. Raises nothing: faults are `Refused`.

    With `now`, events older than the vendor takes (`max_event_age`) are refused.
    """
    document = stored.document
    if reason := _held_back(route, stored):
        return Plan(skipped={reason: 1})
    presets = route.mapping.matching(document)
    if not presets:
        return Plan(skipped={"not_matched": 1})
    made = Plan([], [], {}, {}, {}, presets)
    view = view_of(stored)
    index = 0
    for preset in presets:
        results = _mapped(preset, view, made, index)
        for mapped in results:
            _prepare(route, preset, mapped, stored, made, index)
            index += 1
        if not results:
            index += 1
    if now is not None and made.owed and route.vendor.max_event_age is not None:
        _refuse_old(route.vendor.max_event_age, stored, made, now)
    return made


def view_of(stored: Stored) -> dict[str, Any]:
    """Give what a mapping's paths start from: the event, and beside it what is known of its visitor."""
    return {**stored.document, "visitor": visitor_facts(stored.document, stored.facts)}


def _refuse_old(most: timedelta, stored: Stored, made: Plan, now: datetime) -> None:
    age = now - event_time(stored)
    if age <= most:
        return
    reason = f"the event is {age.total_seconds() / 3600:.1f} h old; the vendor would count it as of now"
    for one in made.owed:
        payload = one.payload
        made.refused.append(
            Refused(payload.index, payload.preset, payload.action, reason, "too_old", payload.body)
        )
    made.owed = []


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


def _mapped(preset: CompiledPreset, view: Mapping[str, Any], made: Plan, index: int) -> list[Mapped]:
    try:
        results = preset.payloads(view)
    except MappingFailed as failed:
        made.refused.append(_refused(preset, index, failed.message, "mapping_failed"))
        return []
    except Exception as fault:  # noqa: BLE001 - a bug of ours must not hold the lane; it is logged
        made.refused.append(_refused(preset, index, _bug(fault), "internal", fault=fault))
        return []
    if not results:
        tally(made.skipped, "no_items")
    return results


def _prepare(  # noqa: PLR0913, PLR0917 - the hot path
    route: Route, preset: CompiledPreset, mapped: Mapped, stored: Stored, made: Plan, index: int
) -> None:
    action = preset.action
    try:
        prepared = route.vendor.prepare(action, mapped.payload)
    except Exception as fault:  # noqa: BLE001 - as above
        made.refused.append(_refused(preset, index, _bug(fault), "internal", fault=fault))
        return
    if prepared.__class__ is Prepared:
        for name in prepared.dropped:
            tally(made.dropped, name)
        payload = Payload(stored.sequence, index, stored.message_id, action, preset.name, prepared.body)
        claim = None if mapped.once_key is None else _claim(preset, mapped.once_key, stored, index)
        if prepared.yields and claim is not None:
            claim = replace(claim, yields=True)
        made.owed.append(Owed(payload, *route.sorted_by[action], claim))
    elif isinstance(prepared, Skipped):
        tally(made.skipped, prepared.reason)
    elif isinstance(prepared, Rejected):
        body = orjson.dumps(mapped.payload, default=repr, option=orjson.OPT_NON_STR_KEYS)
        code = prepared.code or "invalid_payload"
        made.refused.append(_refused(preset, index, prepared.reason, code, payload=body))


def _refused(  # noqa: PLR0913 - a refusal's whole story
    preset: CompiledPreset,
    index: int,
    reason: str,
    code: str,
    *,
    payload: bytes = b"null",
    fault: Exception | None = None,
) -> Refused:
    return Refused(index, preset.name, preset.action, reason, code, payload, fault)


def _bug(fault: Exception) -> str:
    return f"a fault in Crossdock: {type(fault).__name__}"


def _claim(preset: CompiledPreset, key: str, stored: Stored, index: int) -> Claim | None:
    if preset.once_within is None:
        return None
    return Claim(
        f"{preset.action}:{key}",
        Owner(stored.sequence, index),
        stored.message_id,
        event_time(stored),
        preset.once_within,
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
