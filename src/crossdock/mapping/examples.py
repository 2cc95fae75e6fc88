"""Runs the examples of a mapping file against the presets that carry them."""

from __future__ import annotations

from typing import Any, Final

import orjson

from crossdock.errors import ConfigError, MappingError, MappingFailed
from crossdock.mapping.compiled import CompiledPreset, compile_file
from crossdock.mapping.explain import explain_preset
from crossdock.mapping.preset import MappingFile, Preset, PresetExample

_SHOWN: Final = 300


def run_examples(file: MappingFile) -> list[ConfigError]:
    """
    Compare what each example says with what its preset sends, also for presets that are not enabled.

    Raises:
        ConfigError: The file cannot be compiled.
    """
    overrides = {preset.name: True for preset in file.presets}
    compiled = {preset.name: preset for preset in compile_file(file, overrides).presets}
    problems: list[ConfigError] = []
    for index, preset in enumerate(file.presets):
        for number, example in enumerate(preset.examples):
            reason = _difference(preset, compiled[preset.name], example)
            if reason:
                place = file.origins[index].locate(("examples", number)) if file.origins else None
                name = example.name or f"example {number + 1}"
                problems.append(MappingError(f"{preset.name}: {name} does not hold: {reason}", place))
    return problems


def _difference(preset: Preset, compiled: CompiledPreset, example: PresetExample) -> str | None:
    event = example.event
    if not compiled.matches(event):
        if not example.sends:
            return None
        failed = "; ".join(map(str, explain_preset(preset, event).failed))
        return f"subscribe does not match its event ({failed})"
    try:
        sent: list[Any] = [mapped.payload for mapped in compiled.payloads(event)]
    except MappingFailed as error:
        return f"the mapping failed: {error.message}"
    if sent == example.sends:
        return None
    return f"it sends {_text(sent)} instead of {_text(example.sends)}"


def _text(value: Any) -> str:
    text = orjson.dumps(value, default=str).decode()
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
