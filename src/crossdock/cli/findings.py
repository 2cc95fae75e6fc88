"""
What `crossdock check` finds in one mapping: errors that stop `serve`, and warnings about what surprises.

Pure: files are read by the caller. A finding has a place whenever the file that caused it is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, Literal

from crossdock.cli.mapping_in_force import Overrides, presets_of
from crossdock.cli.specimen import specimen
from crossdock.destinations.base import Destination, Prepared, Rejected
from crossdock.errors import ConfigError, ConfigErrors, Location, MappingFailed
from crossdock.mapping.compiled import CompiledPreset, compile_file
from crossdock.mapping.examples import run_examples
from crossdock.mapping.preset import MappingFile, Origin, Preset
from crossdock.mapping.subscription import Pair, dispatch
from crossdock.mapping.subscription_traps import warnings
from crossdock.visitors import visitor_facts

Severity = Literal["error", "warning"]

# One thing a shopper does, told by two events: where both feed one action, it counts twice.
_TOLD_TWICE: Final = (
    ("Product Clicked", "Product Added", "a click on an add-to-cart button fires both"),
    ("Product Clicked", "Product Viewed", "a click on a product opens its page, which fires the other"),
    ("Product List Viewed", "Product Viewed", "sites that report their lists often report each tile too"),
    ("Promotion Clicked", "Product Clicked", "a click on a promoted product fires both"),
    ("Promotion Viewed", "Product Viewed", "a promoted product that is seen fires both"),
    ("Products Searched", "Product List Viewed", "a search fires both"),
    ("Order Completed", "Order Updated", "an order that is completed is often updated too"),
    ("Order Completed", "Checkout Step Completed", "the last step of a checkout fires both"),
    ("Cart Viewed", "Checkout Started", "a checkout often begins on the cart page"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing `check` has to say."""

    severity: Severity
    message: str
    location: Location | None = None
    preset: str | None = None

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location else ""
        return f"{where}{'warning: ' if self.severity == 'warning' else ''}{self.message}"


@dataclass(frozen=True, slots=True)
class _Ready:
    """A preset in force, compiled, and where it was written."""

    preset: Preset
    origin: Origin
    alone: MappingFile
    """A file of nothing else."""
    compiled: CompiledPreset
    vendor: Destination | None

    @property
    def pairs(self) -> frozenset[Pair]:
        """The types and event names it can match."""
        return dispatch(self.preset.subscribe, tuple(self.preset.aliases)).pairs

    def warn(self, message: str, *at: str) -> Finding:
        return self.find("warning", message, self.origin.locate(at or ("name",)))

    def find(self, severity: Severity, message: str, location: Location | None) -> Finding:
        return Finding(severity, f"{self.preset.name}: {message}", location, self.preset.name)


def of_error(error: ConfigError) -> list[Finding]:
    """Turn an error, or several in one, into findings."""
    errors = error.errors if isinstance(error, ConfigErrors) else [error]
    return [Finding("error", one.message, one.location) for one in errors]


def of_mapping(
    file: MappingFile,
    actions: Sequence[str],
    *,
    overrides: Overrides | None = None,
    vendor: Destination | None = None,
) -> list[Finding]:
    """
    Find everything to say about a mapping file under a destination's `presets` settings.

    Without a configured *vendor*, payloads are not held against its schema.
    """
    overrides = overrides or {}
    try:
        compile_file(file, overrides, actions=actions)
    except ConfigError as error:
        return of_error(error)
    ready = [_ready(file, preset, origin, vendor) for preset, origin in presets_of(file, overrides)]
    found = [one for each in ready for one in (*_examples(each), *_language(each), *_unreachable(each))]
    found += [Finding("warning", doubt.message, doubt.location) for doubt in file.doubts]
    enabled = [each for each in ready if each.preset.enabled]
    found += [one for each in enabled for one in _unsendable(each)]
    found += [one for pair in combinations(enabled, 2) for one in _together(*pair)]
    return found


def _ready(file: MappingFile, preset: Preset, origin: Origin, vendor: Destination | None) -> _Ready:
    alone = MappingFile(file.destination, (preset,), (origin,))
    return _Ready(preset, origin, alone, compile_file(alone, {preset.name: True}).presets[0], vendor)


def view(event: Mapping[str, Any]) -> dict[str, Any]:
    """Give an event as mappings see it: with the facts about its visitor."""
    return {**event, "visitor": visitor_facts(event)}


def _examples(ready: _Ready) -> Iterator[Finding]:
    """An example that no longer holds is an error: it says what the preset is meant to do."""
    for problem in run_examples(ready.alone):
        yield Finding("error", problem.message, problem.location, ready.preset.name)


def _language(ready: _Ready) -> Iterator[Finding]:
    for warned in warnings(ready.preset.subscribe):
        place = ready.origin.locate_in(("subscribe",), warned.column - 1)
        yield ready.find("warning", warned.message, place)


def _unreachable(ready: _Ready) -> Iterator[Finding]:
    if not ready.pairs:
        yield ready.warn(
            "no event can match this; a type or an event name is asked to be two things", "subscribe"
        )


def _unsendable(ready: _Ready) -> Iterator[Finding]:
    """Warn where the vendor refuses what the preset makes of its examples, or of a full event without any."""
    vendor, preset = ready.vendor, ready.preset
    if vendor is None:
        return
    events = [example.event for example in preset.examples if example.sends]
    for event in events or [specimen(preset, pair) for pair in sorted(ready.pairs, key=repr)[:1]]:
        reason = _refusal(ready, vendor, event)
        if reason is not None:
            of = "its example" if events else "even an event with every field"
            yield ready.warn(f"of {of} {preset.action} cannot be sent: {reason}; map that field", "mapping")
            return


def _refusal(ready: _Ready, vendor: Destination, event: Mapping[str, Any]) -> str | None:
    try:
        mapped = ready.compiled.payloads(view(event))
    except MappingFailed as failed:
        return failed.message
    prepared = [vendor.prepare(ready.preset.action, one.payload) for one in mapped]
    if any(isinstance(one, Prepared) for one in prepared):
        return None
    return next((one.reason for one in prepared if isinstance(one, Rejected)), None)


def _together(one: _Ready, other: _Ready) -> Iterator[Finding]:
    """Warn where two presets count one thing twice."""
    if one.preset.action != other.preset.action:
        return
    guarded = one.preset.once is not None and one.preset.once == other.preset.once
    shared = one.pairs & other.pairs
    if shared and one.preset.subscribe == other.preset.subscribe:
        yield other.warn(
            f"takes the very events that {one.preset.name} takes, for the same action "
            f"{other.preset.action}: each counts twice; disable one",
            "subscribe",
        )
        return
    for first, second, why in _TOLD_TWICE:
        if not guarded and (_takes(one, first, other, second) or _takes(other, first, one, second)):
            yield other.warn(
                f"counts twice with {one.preset.name}: {why}, and both are the action {other.preset.action}; "
                "disable one, or give both the same `once`",
                "name",
            )


def _takes(one: _Ready, first: str, other: _Ready, second: str) -> bool:
    return ("track", first) in one.pairs and ("track", second) in other.pairs
