"""How an event's story reads on a terminal; `try` and `why` share it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import unified_diff
from typing import Any, Final

import orjson
from rich.console import Console

from crossdock.cli import terminal
from crossdock.cli.masked import RequestTrace
from crossdock.cli.tracing import DestinationTrace, FieldTrace, PayloadTrace, PresetTrace

_VALUE: Final = 60
"""Characters of a value beside its field."""


def print_event(document: Mapping[str, Any]) -> None:
    """Print an event in a line or two."""
    out = terminal.console()
    name = document.get("event") or document.get("name") or ""
    ids = [f"{key} {document[key]}" for key in ("anonymousId", "userId") if document.get(key)]
    out.print(terminal.styled(f"{document.get('type')} {name}".strip(), "bold"), soft_wrap=True)
    facts = [f"messageId {document.get('messageId')}", *ids, f"timestamp {document.get('timestamp')}"]
    out.print(terminal.printable("  " + "   ".join(facts)), soft_wrap=True)


def print_traces(traces: Iterable[DestinationTrace]) -> None:
    """Print what the event means to each destination."""
    out = terminal.console()
    shown = False
    for trace in traces:
        shown = True
        print_trace(trace, out)
    if not shown:
        out.print("\nNo destination is enabled.")


def print_trace(trace: DestinationTrace, out: Console, *, verdict: str | None = None) -> None:
    """Print one destination's part; with a *verdict* it is told what became of it, not what would."""
    out.print()
    said = verdict or trace.outcome
    good = said in ("delivered", "fired") if verdict else trace.payloads and not trace.held_back
    style = "bold green" if good else "bold yellow"
    out.print(terminal.styled(f"{trace.destination}: {said}", style), soft_wrap=True)
    if trace.held_back:
        _line(out, f"  held back: {trace.held_back}")
    for preset in trace.presets:
        if preset.takes:
            _print_preset(preset, out)
    for payload in trace.payloads:
        _print_payload(payload, out)
    for refused in trace.refused:
        text = f"  {refused.preset} → {refused.action}: refused before sending: {refused.reason}"
        out.print(terminal.styled(text, "red"), soft_wrap=True)
        _print_fields(refused.fields, out)
    for what, tally in (("skipped", trace.skipped), ("fields left out as invalid", trace.dropped)):
        if tally:
            named = (f"{name} ({times})" if times > 1 else name for name, times in tally.items())
            _line(out, f"  {what}: {', '.join(named)}")
    if verdict is None:
        for request in trace.requests:
            _print_request(request, out)
    _print_others(trace, out, brief=verdict is not None)


def _print_others(trace: DestinationTrace, out: Console, *, brief: bool) -> None:
    """Print the presets that do not take the event; *brief*: by name only, if any takes it."""
    others = [one for one in trace.presets if not one.takes]
    if brief and others and len(others) < len(trace.presets):
        _line(out, f"  ✗ {', '.join(one.name for one in others)}", "dim")
        return
    for preset in sorted(others, key=lambda one: not one.matched):
        _print_preset(preset, out)


def _print_preset(preset: PresetTrace, out: Console) -> None:
    if preset.takes:
        out.print(terminal.styled(f"  ✓ {preset.name} → {preset.action}", "green"), soft_wrap=True)
    elif preset.matched and preset.enabled:
        _line(out, f"  ✗ {preset.name}: takes only what no other preset takes")
    elif preset.matched:
        _line(out, f"  ✗ {preset.name}: would match, but is switched off")
    else:
        _line(out, f"  ✗ {preset.name}: {'; '.join(preset.because)}", "dim")


def _print_payload(payload: PayloadTrace, out: Console) -> None:
    _line(out, f"  payload {payload.index}: {payload.preset} → {payload.action}")
    sent = terminal.json_or_text(payload.payload)
    _print_fields(payload.fields, out)
    if not payload.fields or sent != _assembled(payload.fields):
        _line(out, "    as it is sent:", "dim")
        _line(out, terminal.indented(sent))
    if payload.guard is not None:
        guard = payload.guard
        style = "yellow" if guard.passes is False else ""
        text = f"    guard: {guard.key} once within {terminal.span(guard.within_seconds)}: {guard.says}"
        _line(out, text, style)


def _print_fields(fields: list[FieldTrace], out: Console) -> None:
    """Print what the mapping makes of the event, a line a field: name, value and where it came from."""
    given = [one for one in fields if one.given]
    names = max((len(one.name) for one in given), default=0)
    values = [terminal.short(orjson.dumps(one.value, default=str).decode(), _VALUE) for one in given]
    width = max((len(value) for value in values), default=0)
    for one, value in zip(given, values, strict=True):
        text = terminal.styled(f"    {one.name:<{names}}  {value:<{width}}", "")
        out.print(text.append(f"  ← {terminal.printable(one.source)}", "dim"), soft_wrap=True)
    missing = [one.name for one in fields if not one.given]
    if missing:
        _line(out, f"    without a value: {', '.join(missing)}", "dim")


def _assembled(fields: list[FieldTrace]) -> Any:
    """Put fields together again, to tell whether the vendor gets just them."""
    made: dict[str, Any] = {}
    for one in fields:
        *holders, last = one.name.split(".")
        holder = made
        for key in holders:
            holder = holder.setdefault(key, {}) if isinstance(holder, dict) else {}
        if one.given and isinstance(holder, dict):
            holder[last] = one.value
    return _listed(made)


def _listed(value: Any) -> Any:
    """Make lists of objects whose keys are the places of a list, and leave out what is empty."""
    if not isinstance(value, dict):
        return value
    members = {key: _listed(member) for key, member in value.items() if member != {}}
    if members and list(members) == [str(place) for place in range(len(members))]:
        return list(members.values())
    return members


def _print_request(request: RequestTrace, out: Console) -> None:
    _line(out, f"  request: {request.method} {request.url}", "bold")
    for name, value in request.headers.items():
        _line(out, f"    {name}: {value}")
    _line(out, f"    {request.body.decode('utf-8', 'replace')}")


def print_difference(before: DestinationTrace, after: DestinationTrace) -> None:
    """Print how what would be sent differs between the mapping in force and another."""
    out = terminal.console()
    lines = list(unified_diff(_sent(before), _sent(after), "in force", "tried", n=100, lineterm=""))
    if not lines:
        out.print(f"{after.destination}: no difference")
        return
    out.print(terminal.styled(f"{after.destination}: {before.outcome} → {after.outcome}", "bold"))
    for line in lines:
        _line(out, line, {"-": "red", "+": "green"}.get(line[0], ""))


def _sent(trace: DestinationTrace) -> list[str]:
    lines: list[str] = []
    for one in trace.payloads:
        lines.append(f"payload {one.index}: {one.action}")
        lines += terminal.indented(terminal.json_or_text(one.payload), by=2).splitlines()
    return lines + [f"refused {one.index}: {one.reason}" for one in trace.refused]


def _line(out: Console, text: str, style: str = "") -> None:
    out.print(terminal.styled(text, style), soft_wrap=True)
