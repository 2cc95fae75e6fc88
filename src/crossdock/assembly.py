"""From settings to routes: vendor settings checked, mapping files read and compiled, every fault placed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from crossdock import destinations
from crossdock.delivery.plan import Route
from crossdock.destinations import Destination
from crossdock.errors import ConfigError, ConfigErrors
from crossdock.mapping.compiled import CompiledMapping, compile_file
from crossdock.mapping.preset import load_mapping, shipped_mapping_path
from crossdock.settings import DestinationSettings, Settings
from crossdock.visitors import Memory


def assemble(settings: Settings, *, beside: Path | None = None) -> dict[str, Route]:
    """
    Make the routes of every enabled destination. Relative mapping paths start at `beside`.

    Raises:
        ConfigErrors: Everything that is wrong, each with its place.
    """
    routes: dict[str, Route] = {}
    errors: list[ConfigError] = []
    for name, configured in settings.destinations.items():
        if not configured.enabled:
            continue
        try:
            routes[name] = _route(name, configured, settings, beside)
        except ConfigErrors as several:
            errors += several.errors
        except ConfigError as one:
            errors.append(one)
    if errors:
        raise ConfigErrors(errors)
    return routes


def memory_of(routes: Mapping[str, Route]) -> Memory:
    """
    Say which visitor facts are remembered: those that a preset in force reads.

    A visitor has one session, whoever asks: where accounts differ, it ends after the shortest idle time.
    """
    mappings = [route.mapping for route in routes.values() if route.mapping.visitor_fields]
    idle = [span for route in routes.values() if (span := route.vendor.session_idle()) is not None]

    def wanted(document: Mapping[str, Any]) -> frozenset[str]:
        return frozenset[str]().union(*[mapping.facts_read(document) for mapping in mappings])

    fields = frozenset[str]().union(*[mapping.visitor_fields for mapping in mappings])
    return Memory(fields, wanted, min(idle)) if idle else Memory(fields, wanted)


def mapping_paths(settings: Settings, *, beside: Path | None = None) -> list[Path]:
    """List the mapping files the settings name; the shipped ones are not among them."""
    return [
        _mapping_path(configured, beside)
        for configured in settings.destinations.values()
        if configured.mapping is not None
    ]


def _route(name: str, configured: DestinationSettings, settings: Settings, beside: Path | None) -> Route:
    vendor = _vendor(name, configured, settings)
    mapping = _mapping(name, configured, settings, beside, vendor.actions)
    delivery = configured.delivery
    return Route(
        name=name,
        vendor=vendor,
        mapping=mapping,
        feeds=settings.feeds(name),
        segment_names=(*vendor.segment_names, name),
        consent=frozenset(configured.consent),
        start=configured.start if isinstance(configured.start, timedelta) else None,
        batch_events=delivery.batch_events,
        batch_wait=delivery.batch_wait,
        requests_per_second=delivery.requests_per_second or vendor.requests_per_second,
        timeout=delivery.timeout,
    )


def _vendor(name: str, configured: DestinationSettings, settings: Settings) -> Destination:
    try:
        model = destinations.load(configured.vendor)
    except ConfigError as error:
        near = difflib.get_close_matches(configured.vendor, destinations.names(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        place = settings.locate("destinations", name, "vendor") or settings.locate("destinations", name)
        raise ConfigError(error.message + hint, place, f"destinations.{name}.vendor") from None
    try:
        return model.model_validate(configured.settings)
    except ValidationError as invalid:
        raise ConfigErrors(list(_vendor_faults(name, model, invalid, settings))) from None


def _vendor_faults(
    name: str, model: type[Destination], invalid: ValidationError, settings: Settings
) -> Iterator[ConfigError]:
    base = ("destinations", name, "settings")
    known = sorted(model.model_fields)
    for detail in invalid.errors(include_url=False, include_input=False):
        path = (*base, *detail["loc"])
        key = ".".join(map(str, path))
        unknown = detail["type"] == "extra_forbidden"
        if unknown:
            near = difflib.get_close_matches(str(detail["loc"][-1]), known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(known)}"
            message = f"unknown setting {key!r}; {hint}"
        elif detail["type"] == "missing":
            message = f"{key} is required"
        else:
            message = f"{key}: {detail['msg'].removeprefix('Value error, ')}"
        yield ConfigError(message, settings.locate(*path, key=unknown), key)


def _mapping_path(configured: DestinationSettings, beside: Path | None) -> Path:
    if configured.mapping is None:
        return shipped_mapping_path(configured.vendor)
    return configured.mapping if beside is None else beside / configured.mapping


def _mapping(
    name: str,
    configured: DestinationSettings,
    settings: Settings,
    beside: Path | None,
    actions: tuple[str, ...],
) -> CompiledMapping:
    path = _mapping_path(configured, beside)
    place = settings.locate("destinations", name, "mapping")
    if not path.is_file():
        hint = "name one that is there, or leave `mapping` out for the shipped one"
        raise ConfigError(f"no mapping file {path}; {hint}", place, f"destinations.{name}.mapping")
    file = load_mapping(path)
    if file.destination != configured.vendor:
        message = f"{path} maps for {file.destination!r}, not for {configured.vendor!r}"
        raise ConfigError(message, place, f"destinations.{name}.mapping")
    written = settings.written("destinations", name, "presets")
    return compile_file(file, configured.presets, written, actions)
