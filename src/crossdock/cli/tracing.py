"""
What one event means to one destination, told step by step; `try` and `why` print it.

The plan is the one the lanes make: this only adds the reasons. Secrets are masked in every request shown.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

from crossdock.cli.mapping_in_force import Overrides, presets_of
from crossdock.delivery.batching import cut
from crossdock.delivery.plan import Owed, Plan, Route, plan
from crossdock.destinations.base import Batch, Destination
from crossdock.event import integrations_verdict
from crossdock.journal.base import Stored
from crossdock.mapping.explain import explain_preset
from crossdock.mapping.preset import MappingFile

MASK = "•••"


@dataclass(slots=True)
class PresetTrace:
    """Whether a preset took the event, and why."""

    name: str
    action: str
    enabled: bool
    matched: bool
    because: list[str]
    """The conditions that decided: those that failed, or those that held."""


@dataclass(slots=True)
class GuardTrace:
    """What guards a payload."""

    key: str
    within_seconds: float
    says: str


@dataclass(slots=True)
class PayloadTrace:
    """One payload that is owed."""

    index: int
    preset: str
    action: str
    payload: bytes
    guard: GuardTrace | None = None


@dataclass(slots=True)
class RefusedTrace:
    """One payload that cannot be sent."""

    index: int
    preset: str
    action: str
    reason: str
    code: str


@dataclass(slots=True)
class RequestTrace:
    """One HTTP request as it would go out, its secrets masked."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


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
        if self.payloads:
            actions = ", ".join(dict.fromkeys(one.action for one in self.payloads))
            parts.append(f"sends {len(self.payloads)} ({actions})")
        if self.refused:
            parts.append(f"{len(self.refused)} refused before sending")
        if not parts and any(one.matched and one.enabled for one in self.presets):
            parts.append(f"sends nothing ({', '.join(self.skipped)})")
        return "; ".join(parts) or "no preset takes it"


Claims = Mapping[str, str]
"""By guard key: what the journal's claim says of this event."""


def trace(
    route: Route, stored: Stored, file: MappingFile, overrides: Overrides, claims: Claims | None = None
) -> DestinationTrace:
    """Follow an event to one destination; *file* and *overrides* are what the route was made of."""
    made = plan(route, stored)
    return DestinationTrace(
        destination=route.name,
        vendor=file.destination,
        mapping_version=route.mapping.version,
        held_back=_held_back(route, stored, made),
        presets=list(_presets(stored.document, file, overrides)),
        payloads=[_payload(one, claims or {}) for one in made.owed],
        refused=[RefusedTrace(r.index, r.preset, r.action, r.reason, r.code) for r in made.refused],
        skipped={reason: times for reason, times in made.skipped.items() if reason != "not_matched"},
        dropped=dict(made.dropped),
        requests=list(_requests(route, made)),
    )


def _held_back(route: Route, stored: Stored, made: Plan) -> str | None:
    if "source" in made.skipped:
        return f"source {stored.source} does not feed it; {', '.join(sorted(route.feeds)) or 'none'} does"
    if "integrations" in made.skipped:
        return integrations_verdict(stored.document, route.segment_names)
    if "consent" in made.skipped:
        return f"the person has not granted {', '.join(sorted(route.consent))}"
    return None


def _presets(document: Mapping[str, Any], file: MappingFile, overrides: Overrides) -> Iterator[PresetTrace]:
    for preset, _ in presets_of(file, overrides):
        told = explain_preset(preset, document)
        because = [str(one) for one in (told.conditions if told.matches else told.failed)]
        yield PresetTrace(preset.name, preset.action, preset.enabled, told.matches, because)


def _payload(owed: Owed, claims: Claims) -> PayloadTrace:
    payload, claim = owed.payload, owed.claim
    shown = PayloadTrace(payload.index, payload.preset, payload.action, payload.body)
    if claim is not None:
        seconds = claim.within.total_seconds()
        says = claims.get(claim.key, "passes unless this key has passed within that time")
        shown.guard = GuardTrace(claim.key, seconds, says)
    return shown


def _requests(route: Route, made: Plan) -> Iterator[RequestTrace]:
    vendor, left = route.vendor, list(made.owed)
    limits = vendor.limits
    while left:
        batch = cut(left, limits, payloads=limits.payloads, body_bytes=limits.body_bytes).owed
        left = left[len(batch) :]
        request = vendor.request(Batch(tuple(one.payload for one in batch)))
        hidden = _secrets(vendor)
        headers = {name: _masked(value, hidden) for name, value in request.headers.items()}
        body = _masked(request.body.decode("utf-8", "replace"), hidden).encode()
        yield RequestTrace(request.method, _masked(request.url, hidden), headers, body)


def _secrets(vendor: Destination) -> list[str]:
    """Give every spelling a secret setting may have in a request, the longest first."""
    found: set[str] = set()
    for name in type(vendor).model_fields:
        value = getattr(vendor, name)
        if isinstance(value, SecretStr) and (secret := value.get_secret_value()):
            found |= {secret, quote(secret, safe=""), quote_plus(secret)}
            found |= {b64encode(text.encode()).decode() for text in (secret, f"{secret}:", f":{secret}")}
    return sorted(found, key=len, reverse=True)


def _masked(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text
