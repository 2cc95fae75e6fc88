"""``crossdock try``: what one event would send where, and why not; nothing is sent or stored."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson

from crossdock import settings
from crossdock.assembly import assemble
from crossdock.cli import story, terminal
from crossdock.cli.connection import NoSuchRow, journal_of
from crossdock.cli.mapping_in_force import mapping_file
from crossdock.cli.options import config_option, json_option, run
from crossdock.cli.quarantine import every_row
from crossdock.cli.tracing import DestinationTrace, trace
from crossdock.delivery.plan import Route
from crossdock.errors import ConfigError, CrossdockError, InvalidEvent
from crossdock.event import Reception, admit
from crossdock.journal.base import JournalReader, Stored
from crossdock.mapping.preset import load_mapping
from crossdock.settings import Settings


class NotAnEvent(CrossdockError):
    """What was given to try is no event."""


@click.command()
@click.argument("event", required=False, metavar="[EVENT.json | -]")
@config_option
@json_option
@click.option("--destination", help="This destination only.")
@click.option("--message-id", help="An event of the journal or the quarantine instead of a file.")
@click.option("--source", help="The source it comes by; without it, any that feeds the destination.")
@click.option("--mapping", type=click.Path(path_type=Path), help="Try this mapping file instead.")
@click.option("--diff", is_flag=True, help="Show only what --mapping changes against the mapping in force.")
def command(config: Path, as_json: bool, event: str | None, message_id: str | None, **chosen: Any) -> None:
    """
    Show what one event would send where, and why not.

    EVENT.json holds one Segment event; - reads it from standard input. Nothing is sent or stored. Each
    destination shows which presets take the event and why the others do not, the payloads, what guards
    them, and the exact requests with secrets masked.
    """
    if (event is None) == (message_id is None):
        raise click.UsageError("name an event's file, or - for standard input, or --message-id")
    if chosen["diff"] and chosen["mapping"] is None:
        raise click.UsageError("--diff compares --mapping FILE with the mapping in force")
    loaded, beside = settings.load(config), config.parent
    stored = _read(event, chosen["source"]) if event is not None else run(_find(config, str(message_id)))
    in_force = loaded
    if chosen["mapping"] is not None:
        loaded = _with_mapping(loaded, chosen["mapping"], chosen["destination"])
    traces = traces_of(loaded, beside, stored, only=chosen["destination"])
    if chosen["diff"] and not as_json:
        before = traces_of(in_force, beside, stored, only=chosen["destination"])
        for one, other in zip(before, traces, strict=True):
            story.print_difference(one, other)
    elif as_json:
        terminal.print_json({"event": stored.document, "destinations": traces})
    else:
        story.print_event(stored.document)
        story.print_traces(traces)


def traces_of(
    loaded: Settings, beside: Path, stored: Stored, *, only: str | None = None
) -> list[DestinationTrace]:
    """
    Follow an event to every enabled destination, or to one.

    Raises:
        ConfigError: The settings or a mapping are wrong, or there is no such destination.
    """
    routes = assemble(loaded, beside=beside)
    if only is not None and only not in routes:
        state = "is not enabled" if only in loaded.destinations else "is not in the settings"
        raise ConfigError(f"destination {only!r} {state}; there are: {', '.join(routes) or 'none'}")
    return [_trace(loaded, beside, route, stored) for name, route in routes.items() if only in (None, name)]


def _trace(loaded: Settings, beside: Path, route: Route, stored: Stored) -> DestinationTrace:
    configured = loaded.destinations[route.name]
    if not stored.source:
        stored = replace(stored, source=min(route.feeds, default=""))
    return trace(route, stored, mapping_file(configured, beside), configured.presets)


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


def _read(event: str, source: str | None) -> Stored:
    """Take an event from a file or standard input, as the door would."""
    where = "standard input" if event == "-" else event
    try:
        body = sys.stdin.buffer.read() if event == "-" else Path(event).read_bytes()
        document = orjson.loads(body)
    except OSError as error:
        raise NotAnEvent(f"cannot read {where}: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise NotAnEvent(f"{where}:{error.lineno}:{error.colno}: this is no JSON: {error.msg}") from None
    if not isinstance(document, dict):
        raise NotAnEvent(f"{where} must hold one event, a JSON object")
    if "batch" in document:
        raise NotAnEvent(f"{where} holds a batch; take one event out of it")
    return _admitted(document, source)


def _admitted(document: dict[str, Any], source: str | None) -> Stored:
    at = datetime.now(UTC)
    try:
        admit(document, Reception(received_at=at, source=source))
    except InvalidEvent as error:
        raise NotAnEvent(f"the door refuses this event: {error.message} ({error.code})") from None
    return Stored(0, 0, source or "", document["messageId"], at, document)


async def _find(config: Path, message_id: str) -> Stored:
    async with journal_of(config) as journal:
        found = await journal.find(message_id)
        return found[0] if found else await _quarantined(journal, message_id)


async def _quarantined(journal: JournalReader, message_id: str) -> Stored:
    async for row in every_row(journal):
        if row.refusal.message_id == message_id:
            return _admitted(orjson.loads(row.refusal.body), row.refusal.source)
    raise NoSuchRow(f"no event {message_id} in the journal or the quarantine")
