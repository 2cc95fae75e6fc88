"""Which presets a destination runs: its mapping file with the `presets` of its settings laid over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crossdock.mapping.preset import (
    MappingFile,
    Origin,
    Preset,
    load_mapping,
    overridden,
    shipped_mapping_path,
)
from crossdock.settings import DestinationSettings

Overrides = Mapping[str, bool | Mapping[str, Any]]


def mapping_file(configured: DestinationSettings, beside: Path) -> MappingFile:
    """
    Read a destination's mapping file: its own, whose path starts at *beside*, or the shipped one.

    Raises:
        ConfigError: It is wrong.
    """
    own = configured.mapping
    return load_mapping(shipped_mapping_path(configured.vendor) if own is None else beside / own)


def presets_of(file: MappingFile, overrides: Overrides) -> Iterator[tuple[Preset, Origin]]:
    """Give each preset as the overrides leave it; they are known to be valid."""
    origins = file.origins or (Origin(),) * len(file.presets)
    for preset, origin in zip(file.presets, origins, strict=True):
        change = overrides.get(preset.name)
        if change is None:
            yield preset, origin
            continue
        fields = {"enabled": change} if isinstance(change, bool) else change
        yield Preset.model_validate(overridden(preset.model_dump(exclude_unset=True), fields)), origin
