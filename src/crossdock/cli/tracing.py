"""
What one event means to one destination, told step by step; `try` and `why` print it.

The plan is the one the lanes make: this only adds the reasons. Secrets are masked in every request shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from crossdock.cli.mapping_in_force import Overrides, presets_of
from crossdock.cli.masked import RequestTrace, requests_of
from crossdock.delivery.plan import Owed, Plan, Route, plan, view_of
from crossdock.errors import MappingFailed
from crossdock.event import integrations_verdict
from crossdock.journal.base import Stored
from crossdock.mapping.compiled import CompiledPreset
from crossdock.mapping.explain import explain_preset
from crossdock.mapping.preset import MappingFile, Preset
from crossdock.mapping.provenance import Field, View, explain_fields
from crossdock.mapping.values import MISSING


@dataclass(slots=True)
class PresetTrace:
    """Whether a preset took the event, and why."""

    name: str
    action: str
    enabled: bool
    matched: bool
    takes: bool
    """It is enabled and matches, and no other preset goes before it."""
    because: list[str]
    """The conditions that decided: those that failed, or those that held."""


@dataclass(slots=True)
class FieldTrace:
    """One field of a preset's mapping: what the event makes of it, and where it came from."""

    name: str
    value: Any
    source: str
    given: bool = True
    """False where the event gives it no value: then `source` says where it was looked for."""


@dataclass(slots=True)
class GuardTrace:
    """What guards a payload."""

    key: str
    within_seconds: float
    says: str
    passes: bool | None = None
    """``None`` where no journal could be asked."""


@dataclass(slots=True)
class PayloadTrace:
    """One payload that is owed."""

    index: int
    preset: str
    action: str
    payload: bytes
    fields: list[FieldTrace] = field(default_factory=list)
    guard: GuardTrace | None = None


@dataclass(slots=True)
class RefusedTrace:
    """One payload that cannot be sent."""

    index: int
    preset: str
    action: str
    reason: str
    code: str
    fields: list[FieldTrace] = field(default_factory=list)


@dataclass(slots=True)
class DestinationTrace:
    """The whole story of one event and one destination."""

    destination: str
    vendor: str
    mapping_version: str
    held_back: str | None = None
    """Why the whole event does not go there."""
    presets: list[PresetTrace] = field(default_factory=list)
    payloads: list[PayloadTrace] = field(default_factory=list)
    refused: list[RefusedTrace] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    requests: list[RequestTrace] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """Say in a few words what would be sent."""
        if self.held_back:
            return "held back"
        parts = []
        held = [one for one in self.payloads if one.guard is not None and one.guard.passes is False]
        for says, some in (
            ("sends", [one for one in self.payloads if one not in held]),
            ("holds back", held),
        ):
            if some:
                actions = ", ".join(dict.fromkeys(one.action for one in some))
                parts.append(f"{says} {len(some)} ({actions})")
        if self.refused:
            parts.append(f"{len(self.refused)} refused before sending")
        if not parts and any(one.takes for one in self.presets):
            parts.append(f"sends nothing ({', '.join(self.skipped)})")
        return "; ".join(parts) or "no preset takes it"


class Standing(NamedTuple):
    """How a claim stands to an event."""

    says: str
    passes: bool


Claims = Mapping[str, Standing]
"""By guard key: how the journal's claim stands to this event."""


def trace(
    route: Route, stored: Stored, file: MappingFile, overrides: Overrides, claims: Claims | None = None
) -> DestinationTrace:
    """Follow an event to one destination; *file* and *overrides* are what the route was made of."""
    made, claims = plan(route, stored), claims or {}
    going = [one for one in made.owed if one.claim is None or _passes(claims.get(one.claim.key))]
    fields = _fields(stored, made, file, overrides)
    return DestinationTrace(
        destination=route.name,
        vendor=file.destination,
        mapping_version=route.mapping.version,
        held_back=_held_back(route, stored, made),
        presets=list(_presets(stored.document, made, file, overrides)),
        payloads=[_payload(one, claims, fields) for one in made.owed],
        refused=[
            RefusedTrace(r.index, r.preset, r.action, r.reason, r.code, fields.get(r.index, []))
            for r in made.refused
        ],
        skipped={reason: times for reason, times in made.skipped.items() if reason != "not_matched"},
        dropped=dict(made.dropped),
        requests=list(requests_of(route.vendor, going)),
    )


def _passes(standing: Standing | None) -> bool:
    return standing is None or standing.passes


def _held_back(route: Route, stored: Stored, made: Plan) -> str | None:
    if "source" in made.skipped:
        return f"source {stored.source} does not feed it; {', '.join(sorted(route.feeds)) or 'none'} does"
    if "integrations" in made.skipped:
        return integrations_verdict(stored.document, route.segment_names)
    if "consent" in made.skipped:
        return f"the person has not granted {', '.join(sorted(route.consent))}"
    return None


def _presets(
    document: Mapping[str, Any], made: Plan, file: MappingFile, overrides: Overrides
) -> Iterator[PresetTrace]:
    taking = {compiled.name for compiled in made.matched}
    for preset, _ in presets_of(file, overrides):
        told = explain_preset(preset, document)
        because = [str(one) for one in (told.conditions if told.matches else told.failed)]
        takes = preset.name in taking if taking else told.matches and preset.enabled
        yield PresetTrace(preset.name, preset.action, preset.enabled, told.matches, takes, because)


def _fields(
    stored: Stored, made: Plan, file: MappingFile, overrides: Overrides
) -> dict[int, list[FieldTrace]]:
    """Say where the fields came from, by the index of their payload as `plan` counts them."""
    written = {preset.name: preset for preset, _ in presets_of(file, overrides)}
    event = view_of(stored)
    found: dict[int, list[FieldTrace]] = {}
    index = 0
    for compiled in made.matched:
        preset = written[compiled.name]
        for view in _views(compiled, preset, event):
            if view is not None:
                found[index] = [_field(one) for one in explain_fields(preset.mapping, view)]
            index += 1
    return found


def _views(compiled: CompiledPreset, preset: Preset, event: dict[str, Any]) -> list[View | None]:
    """Give the view of each payload a preset makes; one that cannot be mapped has a place all the same."""
    whole = View(event)
    try:
        places = [mapped.index for mapped in compiled.payloads(event)]
    except MappingFailed:
        return [None]
    if preset.for_each is None or not places:
        return [whole] if places else [None]
    items = whole.value(preset.for_each)
    listed = items if isinstance(items, list) else [items]
    return [View(event, listed[place], place) for place in places]


def _field(one: Field) -> FieldTrace:
    given = one.value is not MISSING
    return FieldTrace(one.name, one.value if given else None, one.source, given)


def _payload(owed: Owed, claims: Claims, fields: Mapping[int, list[FieldTrace]]) -> PayloadTrace:
    payload, claim = owed.payload, owed.claim
    shown = PayloadTrace(payload.index, payload.preset, payload.action, payload.body)
    shown.fields = fields.get(payload.index, [])
    if claim is not None:
        standing = claims.get(claim.key)
        says = standing.says if standing else "passes unless this key has passed within that time"
        seconds = claim.within.total_seconds()
        shown.guard = GuardTrace(claim.key, seconds, says, standing.passes if standing else None)
    return shown
