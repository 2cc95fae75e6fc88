"""``crossdock doctor``: everything that can be checked before and beside a running gateway."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import click

from crossdock import settings
from crossdock.assembly import assemble
from crossdock.cli import terminal
from crossdock.cli.doctor import machine
from crossdock.cli.doctor.finding import Section, State
from crossdock.cli.doctor.vendor import look
from crossdock.cli.options import config_option, json_option, run
from crossdock.cli.status import readiness_of, ready_url
from crossdock.delivery.plan import Route
from crossdock.delivery.sender import Sender
from crossdock.errors import ConfigError, ConfigErrors
from crossdock.settings import Settings

_MARKS: Final[dict[State, tuple[str, str]]] = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "failed": ("✗", "bold red"),
    "unchecked": ("?", "cyan"),
}
_ENDINGS: Final[dict[State, tuple[str, str]]] = {
    "failed": ("failure", "failures"),
    "warning": ("warning", "warnings"),
    "unchecked": ("thing could not be checked", "things could not be checked"),
}


@click.command()
@click.argument("destination", required=False)
@config_option
@json_option
def command(destination: str | None, config: Path, as_json: bool) -> None:
    """
    Check settings, journal, gateway, and each destination from outside, or DESTINATION alone.

    Address, TLS, clock, and with each vendor's harmless call key and region. No event is sent; what no call
    can tell is said. Exits 1 if something fails.
    """
    sections = run(_examine(config, destination))
    counts = Counter(one.state for section in sections for one in section.findings)
    if as_json:
        terminal.print_json({"failed": counts["failed"], "sections": sections})
    else:
        _show(sections, counts)
    sys.exit(1 if counts["failed"] else 0)


async def _examine(config: Path, destination: str | None) -> list[Section]:
    files = Section("settings")
    loaded, routes = _read(config, files)
    if loaded is None:
        return [files]
    if destination is not None:
        routes = {destination: _chosen(loaded, routes, destination)}
    readiness = await readiness_of(loaded.server)
    sections = [files]
    if destination is None:
        sections.append(machine.journal(loaded.journal))
        sections.append(machine.gateway(ready_url(loaded.server), readiness))
    sender = Sender()
    try:
        looked = await asyncio.gather(*(look(route, sender) for route in routes.values()))
    finally:
        await sender.close()
    for section in looked:
        machine.health(section, readiness, section.name)
    return [*sections, *looked]


def _read(config: Path, files: Section) -> tuple[Settings | None, dict[str, Route]]:
    """Read settings and mappings; their errors are findings like any other."""
    try:
        loaded = settings.load(config)
        routes = assemble(loaded, beside=config.parent)
    except ConfigError as error:
        for one in error.errors if isinstance(error, ConfigErrors) else [error]:
            files.add("files", "failed", str(one))
        return None, {}
    off = [name for name, one in loaded.destinations.items() if not one.enabled]
    named = f"; switched off: {', '.join(off)}" if off else ""
    files.add("files", "ok", f"{config} and its mappings are right{named}")
    if not routes:
        files.add("destinations", "warning", "none is enabled")
    return loaded, routes


def _chosen(loaded: Settings, routes: dict[str, Route], name: str) -> Route:
    if name not in routes:
        state = "is not enabled" if name in loaded.destinations else "is not in the settings"
        raise ConfigError(f"destination {name!r} {state}; there are: {', '.join(routes) or 'none'}")
    return routes[name]


def _show(sections: list[Section], counts: Counter[State]) -> None:
    out = terminal.console()
    width = max(len(one.what) for section in sections for one in section.findings)
    for section in sections:
        out.print(terminal.styled(section.name, "bold"))
        for one in section.findings:
            mark, style = _MARKS[one.state]
            line = terminal.styled(f"  {mark} ", style).append(
                terminal.printable(f"{one.what:<{width}}  {one.says}")
            )
            out.print(line, soft_wrap=True)
    told = [_counted(counts[state], *words) for state, words in _ENDINGS.items() if counts[state]]
    style = "bold red" if counts["failed"] else "yellow" if counts["warning"] else "bold green"
    out.print(terminal.styled("\n" + (", ".join(told) or "Everything is well") + ".", style))


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"
