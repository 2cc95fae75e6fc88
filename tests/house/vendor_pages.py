"""The part of each vendor's page that is drawn from its mapping file: presets, and their examples as sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson

from crossdock import destinations
from crossdock.cli.demo.story import vendors
from crossdock.cli.terminal import span
from crossdock.destinations.base import Destination, Prepared
from crossdock.mapping.preset import (
    MappingFile,
    Preset,
    PresetExample,
    load_mapping,
    once_within,
    shipped_mapping_path,
)
from crossdock.mapping.subscription import Pair, dispatch


def presets(vendor: str) -> str:
    """Give the table of a vendor's presets, and below it an example of each as the vendor gets it."""
    file = load_mapping(shipped_mapping_path(vendor))
    account = _account(vendor)
    rows = [_row(preset, file) for preset in file.presets]
    head = ["| Segment event | Preset | Action | Is | Guarded |", "|---|---|---|---|---|"]
    examples = [text for preset in file.presets if (text := _example(preset, account))]
    return "\n".join([*head, *rows]) + "\n\n" + "\n\n".join(examples)


def _account(vendor: str) -> Destination:
    told = vendors().get(vendor, {}).get("settings", {})
    return destinations.load(vendor).model_validate({**told, "base_url": "https://vendor.example"})


def _row(preset: Preset, file: MappingFile) -> str:
    names = ", ".join(_events(preset)) or "any event"
    if preset.fallback:
        names = f"{names} that no other preset takes"
    is_on = "on" if preset.enabled else "off"
    return f"| {names} | {preset.name} | `{preset.action}` | {is_on} | {_guard(once_within(preset))} |"


def _events(preset: Preset) -> Iterator[str]:
    """Name the events a subscription can match, its own names first."""
    pairs = sorted(dispatch(preset.subscribe, ()).pairs, key=_order)
    aliases = [f"`{alias}`" for alias in preset.aliases]
    for kind, name in pairs:
        yield f"`{name}`" if name is not None else _call(kind)
    if aliases:
        yield "also " + ", ".join(aliases)


def _order(pair: Pair) -> tuple[str, str]:
    return pair[0] or "", pair[1] or ""


def _call(kind: str | None) -> str:
    if kind == "track":
        return "track calls"
    return f"{kind} calls" if kind else "calls of any type"


def _guard(within: timedelta | None) -> str:
    return "" if within is None else f"once within {span(within.total_seconds())}"


def _example(preset: Preset, account: Destination) -> str | None:
    """Show the first example of which something is sent."""
    for example in preset.examples:
        sent = [*_sent(preset, example, account)]
        if sent:
            told = "\n".join(map(_json, sent))
            title = f"<summary>{preset.name} → {preset.action}</summary>"
            event = f"```json\n{_json(_shown(example.event))}\n```"
            return f"<details>{title}\n\n{event}\n\nis sent as\n\n```json\n{told}\n```\n\n</details>"
    return None


def _sent(preset: Preset, example: PresetExample, account: Destination) -> Iterator[Any]:
    for made in example.sends:
        prepared = account.prepare(preset.action, made)
        if isinstance(prepared, Prepared):
            yield orjson.loads(prepared.body)


def _shown(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != "_metadata"}


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
