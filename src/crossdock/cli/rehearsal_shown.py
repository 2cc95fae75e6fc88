"""How `crossdock try --last` reads on a terminal."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Final

import orjson
from rich.console import Console

from crossdock.cli import terminal
from crossdock.cli.rehearsal import CHANGES, Compared, Rehearsal, Sample

_STYLES: Final = {"newly invalid": "red", "vanished": "yellow", "changed": "yellow"}
_FIELDS: Final = 12


def show(found: Rehearsal) -> None:
    """Print what would change: a table, then samples of every change."""
    out = terminal.console()
    _heading(found, out)
    if found.events:
        columns = ("unchanged", *CHANGES)
        shown = terminal.table("destination", *columns, right=columns)
        for name, one in found.destinations.items():
            counts = (
                terminal.styled(terminal.number(one.changes[change]), _style(one, change))
                for change in CHANGES
            )
            shown.add_row(name, terminal.number(one.unchanged), *counts)
        out.print(shown)
    for name, one in found.destinations.items():
        _print_destination(name, one, out)
    out.print(_CLOSING[found.exit_code], style={0: "green", 1: "bold red", 3: "yellow"}[found.exit_code])


_CLOSING: Final = {
    0: "Nothing would change.",
    1: "Payloads would become invalid.",
    3: "Something would change; nothing would become invalid.",
}


def _style(one: Compared, change: Any) -> str:
    return _STYLES.get(change, "green") if one.changes[change] else "dim"


def _heading(found: Rehearsal, out: Console) -> None:
    if found.oldest is None or found.newest is None:
        out.print("The journal holds no such event.")
        return
    span = f"received {terminal.moment(found.oldest)} to {terminal.moment(found.newest)}"
    out.print(f"{terminal.number(found.events)} events, {span}\n", soft_wrap=True)


def _print_destination(name: str, one: Compared, out: Console) -> None:
    if one.in_force is None or one.tried is None:
        out.print(f"{name}: {'a new destination' if one.in_force is None else 'no longer a destination'}")
    fields = _generalised(one.fields)
    if fields:
        told = ", ".join(f"{each} {terminal.number(times)}" for each, times in fields.most_common(_FIELDS))
        more = f" and {len(fields) - _FIELDS} more" if len(fields) > _FIELDS else ""
        out.print(terminal.styled(f"{name}: fields that differ: {told}{more}", "bold"), soft_wrap=True)
    for change in CHANGES:
        for sample in one.samples.get(change, ()):
            text = f"{name}: {change}: {sample.event} → {sample.action}  (messageId {sample.message_id})"
            out.print(terminal.styled(text, _STYLES.get(change, "green")), soft_wrap=True)
            _print_sample(sample, out)
    if one.changes:
        out.print()


def _generalised(fields: Counter[str]) -> Counter[str]:
    """Count the fields of list items together: ``items.0.price`` as ``items.*.price``."""
    found: Counter[str] = Counter()
    for name, times in fields.items():
        found[re.sub(r"\.\d+(?=\.|$)", ".*", name)] += times
    return found


def _print_sample(sample: Sample, out: Console) -> None:
    if sample.reason:
        out.print(terminal.styled(f"    {sample.reason}", ""), soft_wrap=True)
    for one in sample.differences[:_FIELDS]:
        before, after = _value(one.before), _value(one.after)
        out.print(terminal.styled(f"    {one.field}: {before} → {after}", ""), soft_wrap=True)
    if len(sample.differences) > _FIELDS:
        out.print(f"    and {len(sample.differences) - _FIELDS} more fields")


def _value(value: Any) -> str:
    return "nothing" if value is None else terminal.short(orjson.dumps(value).decode(), 60)
