"""``crossdock try``: what events would send where, and why not; nothing is sent or stored."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from crossdock import settings
from crossdock.assembly import assemble
from crossdock.cli import rehearsal, rehearsal_shown, story, terminal
from crossdock.cli.connection import journal_of
from crossdock.cli.given_event import given_event
from crossdock.cli.guards import standing
from crossdock.cli.mapping_in_force import mapping_file
from crossdock.cli.options import config_option, json_option, run
from crossdock.cli.tracing import DestinationTrace, trace
from crossdock.delivery.plan import Route
from crossdock.errors import ConfigError, JournalUnavailable
from crossdock.journal import open_client
from crossdock.journal.base import JournalReader, Stored
from crossdock.mapping.preset import load_mapping
from crossdock.settings import Settings
from crossdock.units import parse_duration


class _Since(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A duration, such as 2h."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        try:
            return parse_duration(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("event", required=False, metavar="[EVENT.json | -]")
@config_option
@json_option
@click.option("--destination", help="This destination only.")
@click.option("--message-id", help="An event of the journal or the quarantine instead of a file.")
@click.option("--last", type=click.IntRange(1), help="The journal's last so many events, summed up.")
@click.option("--since", type=_Since(), help="The journal's events since so long ago, such as 2h.")
@click.option("--source", help="The source it comes by; without it, any that feeds the destination.")
@click.option("--mapping", type=click.Path(path_type=Path), help="Try this mapping file instead.")
@click.option("--settings", "edited", type=click.Path(path_type=Path), help="Try these settings instead.")
@click.option("--diff", is_flag=True, help="Show only what that changes against what is in force.")
def command(config: Path, as_json: bool, **asked: Any) -> None:
    """
    Show what one event would send where, and why not.

    EVENT.json holds one Segment event; - reads it from standard input. Nothing is sent or stored. Each
    destination shows which presets take the event and why the others do not, each field with the path it came
    from, what the guard would say, and the exact requests with secrets masked.

    With --last or --since, --mapping or --settings run over stored events beside what is in force. Exits 0
    if nothing would change, 3 if something would, 1 if a payload would become invalid.
    """
    many = asked["last"] is not None or asked["since"] is not None
    given = [name for name in ("event", "message_id", "last", "since") if asked[name] is not None]
    tried = asked["mapping"] or asked["edited"]
    if len(given) != 1:
        raise click.UsageError(
            "name an event's file, or - for standard input, or --message-id, --last or --since"
        )
    if asked["mapping"] and asked["edited"]:
        raise click.UsageError("--mapping and --settings exclude each other")
    if not tried and (many or asked["diff"]):
        option = "--diff" if asked["diff"] else f"--{given[0]}"
        raise click.UsageError(f"{option} compares --mapping FILE or --settings FILE with what is in force")
    in_force = _Rules.read(config, asked["destination"])
    if tried:
        changed = _changed(in_force, asked["mapping"], asked["edited"], asked["destination"])
    else:
        changed = in_force
    if many:
        span = (asked["last"], asked["since"])
        sys.exit(run(_rehearse(config, in_force, changed, span, as_json=as_json)))
    run(_try_one(config, in_force if asked["diff"] else None, changed, asked, as_json=as_json))


class _Rules:
    """Settings, and the routes of the destinations asked for."""

    def __init__(self, loaded: Settings, beside: Path, only: str | None) -> None:
        self.settings = loaded
        self.beside = beside
        self.routes = _only(assemble(loaded, beside=beside), loaded, only)

    @classmethod
    def read(cls, path: Path, only: str | None) -> _Rules:
        return cls(settings.load(path), path.parent, only)

    def trace(self, route: Route, stored: Stored, claims: Any = None) -> DestinationTrace:
        configured = self.settings.destinations[route.name]
        return trace(route, stored, mapping_file(configured, self.beside), configured.presets, claims)


def _changed(in_force: _Rules, mapping: Path | None, edited: Path | None, only: str | None) -> _Rules:
    if edited is not None:
        return _Rules.read(edited, only)
    assert mapping is not None  # noqa: S101 - one of the two is given
    return _Rules(_with_mapping(in_force.settings, mapping, only), in_force.beside, only)


def _only(routes: dict[str, Route], loaded: Settings, only: str | None) -> dict[str, Route]:
    if only is None:
        return routes
    if only not in routes:
        state = "is not enabled" if only in loaded.destinations else "is not in the settings"
        raise ConfigError(f"destination {only!r} {state}; there are: {', '.join(routes) or 'none'}")
    return {only: routes[only]}


async def _rehearse(
    config: Path,
    in_force: _Rules,
    changed: _Rules,
    span: tuple[int | None, timedelta | None],
    *,
    as_json: bool,
) -> int:
    async with journal_of(config) as journal:
        last, since = span
        events = rehearsal.stored_events(journal, last, None if since is None else datetime.now(UTC) - since)
        found = await rehearsal.compare(events, in_force.routes, changed.routes)
    if as_json:
        terminal.print_json({"exit_code": found.exit_code, "rehearsal": found})
    else:
        rehearsal_shown.show(found)
    return found.exit_code


async def _try_one(
    config: Path, in_force: _Rules | None, tried: _Rules, asked: dict[str, Any], *, as_json: bool
) -> None:
    stored = await given_event(config, asked)
    journal = await _journal_or_none(config)
    try:
        after = await _traces(tried, stored, journal)
        before = await _traces(in_force, stored, journal) if in_force else []
    finally:
        if journal is not None:
            await journal.close()
    if as_json:
        beside = {"in_force": before} if in_force else {}
        terminal.print_json({"event": stored.document, "destinations": after, **beside})
    elif in_force:
        _print_differences(before, after)
    else:
        story.print_event(stored.document)
        story.print_traces(after)


def _print_differences(before: list[DestinationTrace], after: list[DestinationTrace]) -> None:
    known = {one.destination: one for one in before}
    for one in after:
        if one.destination in known:
            story.print_difference(known.pop(one.destination), one)
        else:
            story.print_trace(one, terminal.console())
    for name in known:
        terminal.console().print(f"{name}: no longer a destination")


async def _journal_or_none(config: Path) -> JournalReader | None:
    loaded = settings.load(config)
    try:
        return await open_client(loaded.journal.url, max_size_bytes=loaded.journal.max_size)
    except JournalUnavailable:
        return None


async def _traces(rules: _Rules, stored: Stored, journal: JournalReader | None) -> list[DestinationTrace]:
    """Follow an event to every destination."""
    traces = []
    for route in rules.routes.values():
        event = stored if stored.source else replace(stored, source=min(route.feeds, default=""))
        claims = None if journal is None else await standing(journal, route, event)
        traces.append(rules.trace(route, event, claims))
    return traces


def _with_mapping(loaded: Settings, mapping: Path, destination: str | None) -> Settings:
    """Put a mapping file in force for one destination, or for each of the vendor it is written for."""
    vendor = load_mapping(mapping).destination
    changed = {
        name: one.model_copy(update={"mapping": mapping.absolute(), "presets": {}})
        for name, one in loaded.destinations.items()
        if name == destination or (destination is None and one.vendor == vendor)
    }
    if not changed:
        raise ConfigError(f"{mapping} maps for {vendor!r}, and no destination is of that vendor")
    return loaded.model_copy(update={"destinations": {**loaded.destinations, **changed}})
