"""The `presets` of a destination's settings, laid over those of its mapping file."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from crossdock.document import Document
from crossdock.errors import ConfigError
from crossdock.mapping.preset import At, MappingFile, Origin, Preset, faults_of, overridden

Overrides = Mapping[str, bool | Mapping[str, Any]]
Written = tuple[Document, At]
"""A file and the place in it where the overrides stand."""


def overlaid(
    file: MappingFile, overrides: Overrides, written: Written | None, faults: list[ConfigError]
) -> list[tuple[Preset, Origin]]:
    """Give each preset as the overrides leave it, and where its parts were written; add to *faults*."""
    names = [preset.name for preset in file.presets]
    for name in overrides:
        if name not in names:
            near = get_close_matches(name, names, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(names)}"
            place = written[0].location((*written[1], name), key=True) if written else None
            message = f"presets.{name}: {file.destination} has no such preset; {hint}"
            faults.append(ConfigError(message, place, f"presets.{name}"))
    origins = file.origins or (Origin(),) * len(file.presets)
    return [
        (preset, origin)
        if preset.name not in overrides
        else _changed(preset, origin, overrides[preset.name], written, faults)
        for preset, origin in zip(file.presets, origins, strict=True)
    ]


def _changed(
    preset: Preset,
    origin: Origin,
    change: bool | Mapping[str, Any],
    written: Written | None,
    faults: list[ConfigError],
) -> tuple[Preset, Origin]:
    if written:
        document, base = written
        origin = Origin(((document, (*base, preset.name)), *origin.places))
    fields = {"enabled": change} if isinstance(change, bool) else change
    try:
        return Preset.model_validate(overridden(preset.model_dump(exclude_unset=True), fields)), origin
    except ValidationError as error:
        for fault in faults_of(error, Preset, origin.locate):
            message = f"presets.{preset.name}: {fault.message}"
            faults.append(ConfigError(message, fault.location, f"presets.{preset.name}.{fault.key}"))
        return preset, origin
