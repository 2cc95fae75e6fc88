"""``crossdock status``: what arrived, what was delivered, what waits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout

from crossdock import settings
from crossdock.cli import terminal
from crossdock.cli.connection import journal_of
from crossdock.cli.options import config_option, json_option, run
from crossdock.journal.base import Cursor, JournalStatus
from crossdock.settings import ServerSettings, Settings

_ASK_SECONDS = 2.0


@dataclass(slots=True)
class DestinationStatus:
    """One destination in numbers, all its lanes together."""

    configured: bool
    state: str
    """What the running gateway says: ``well``, ``down``, ``halted`` …; ``unknown`` where none answers."""
    reason: str = ""
    """Why it is not well, or waits, in the vendor's words."""
    waiting: int = 0
    set_aside: int = 0
    dead_letters: int = 0
    position: int | None = None
    """The sequence its slowest lane has reached."""
    passed: int = 0
    """Events its lanes have settled, sent or not."""
    totals: Counter[str] = field(default_factory=Counter)
    lanes: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, cursor: Cursor, lag: int) -> None:
        """Add a lane's record."""
        sequence = cursor.position.sequence
        self.position = sequence if self.position is None else min(self.position, sequence)
        self.waiting += lag
        self.passed += cursor.passed
        self.totals.update(cursor.totals)
        self.lanes[str(cursor.lane)] = {"position": sequence, "waiting": lag, "passed": cursor.passed}

    def sum(self, outcome: str) -> int:
        """Give the total of an outcome over all actions or reasons."""
        return sum(times for key, times in self.totals.items() if key.split(".", 1)[0] == outcome)


@click.command()
@config_option
@json_option
def command(config: Path, as_json: bool) -> None:
    """
    Show the journal, what each source sent, and what each destination got and still waits for.

    Reads the journal itself, so it also works while no gateway runs.
    """
    loaded = settings.load(config)
    journal, readiness = run(_look(config, loaded))
    found = destinations(loaded, journal, readiness)
    if as_json:
        terminal.print_json(_as_json(journal, readiness, found))
    else:
        _show(journal, readiness, found)


async def _look(config: Path, loaded: Settings) -> tuple[JournalStatus, dict[str, Any] | None]:
    async with journal_of(config) as journal:
        return await journal.status(), await readiness_of(loaded.server)


def ready_url(server: ServerSettings) -> str:
    """Give the address at which the running gateway says how it is."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(server.host, server.host)  # noqa: S104
    return f"http://[{host}]:{server.port}/readyz" if ":" in host else f"http://{host}:{server.port}/readyz"


async def readiness_of(server: ServerSettings) -> dict[str, Any] | None:
    """Ask the running gateway how it is; ``None`` where none answers."""
    url = ready_url(server)
    try:
        async with ClientSession(timeout=ClientTimeout(_ASK_SECONDS)) as http, http.get(url) as answer:
            said = orjson.loads(await answer.read())
    except (ClientError, TimeoutError, orjson.JSONDecodeError):
        return None
    return said if isinstance(said, dict) else None


def destinations(
    loaded: Settings, journal: JournalStatus, readiness: dict[str, Any] | None
) -> dict[str, DestinationStatus]:
    """Put together what the settings, the journal and the gateway know about each destination."""
    cursors = {cursor.lane.destination for cursor in journal.cursors}
    names = [*loaded.destinations, *sorted(cursors - set(loaded.destinations))]
    found = {
        name: DestinationStatus(
            name in loaded.destinations, _state(loaded, readiness, name), _reason(readiness, name)
        )
        for name in names
    }
    for cursor in journal.cursors:
        found[cursor.lane.destination].add(cursor, journal.lags.get(cursor.lane, 0))
    for name, one in found.items():
        one.dead_letters = journal.dead_letters.get(name, 0)
        one.set_aside = journal.asides.get(name, 0)
    return found


def _state(loaded: Settings, readiness: dict[str, Any] | None, name: str) -> str:
    configured = loaded.destinations.get(name)
    if configured is None:
        return "removed"
    if not configured.enabled:
        return "off"
    said = (readiness or {}).get("destinations", {}).get(name)
    if isinstance(said, dict):
        said = said.get("state")
    return said if isinstance(said, str) else "unknown"


def _reason(readiness: dict[str, Any] | None, name: str) -> str:
    said = (readiness or {}).get("destinations", {}).get(name)
    if not isinstance(said, dict):
        return ""
    reason, waits = str(said.get("reason") or ""), said.get("waits_seconds") or 0
    next_try = f"next request in {waits} s" if waits else ""
    return "; ".join(part for part in (reason, next_try) if part)


def _as_json(
    journal: JournalStatus, readiness: dict[str, Any] | None, found: dict[str, DestinationStatus]
) -> dict[str, Any]:
    return {
        "gateway": readiness,
        "journal": {
            "url": journal.url,
            "events": journal.events,
            "size_bytes": journal.size_bytes,
            "max_size_bytes": journal.max_size_bytes,
            "oldest_received_at": journal.oldest_received_at,
            "shards": journal.shards,
            "schema_version": journal.schema_version,
        },
        "sources": journal.sources,
        "quarantined": journal.quarantined,
        "destinations": found,
    }


def _show(
    journal: JournalStatus, readiness: dict[str, Any] | None, found: dict[str, DestinationStatus]
) -> None:
    out = terminal.console()
    running = "not running" if readiness is None else str(readiness.get("status", "running"))
    out.print(f"gateway   {running}")
    full = f"{terminal.size(journal.size_bytes)} of {terminal.size(journal.max_size_bytes)}"
    oldest = journal.oldest_received_at
    since = f", the oldest {terminal.ago(oldest, datetime.now(UTC))}" if oldest else ""
    out.print(
        f"journal   {terminal.number(journal.events)} events{since}; {full}; {journal.url}", soft_wrap=True
    )
    fault = (readiness or {}).get("settings", "in force")
    if fault != "in force":
        out.print(terminal.styled(f"settings  {fault}", "red"), soft_wrap=True)
    out.print(_sources(journal))
    out.print(_destinations(found))
    if journal.quarantined:
        out.print(f"{terminal.number(journal.quarantined)} in the quarantine: `crossdock quarantine list`")
    if sum(journal.dead_letters.values()):
        out.print("Refused payloads: `crossdock dead-letters list`")


def _sources(journal: JournalStatus) -> Any:
    columns = ("accepted", "duplicates", "refused")
    shown = terminal.table("source", *columns, right=columns)
    for name, totals in journal.sources.items():
        counts = (totals.accepted, totals.duplicates, totals.refused)
        shown.add_row(terminal.printable(name), *map(terminal.number, counts))
    return shown


def _destinations(found: dict[str, DestinationStatus]) -> Any:
    outcomes = ("delivered", "suppressed", "skipped", "rejected")
    numbers = ("passed", "waiting", *outcomes, "dead letters", "set aside")
    shown = terminal.table("destination", "state", *numbers, right=numbers)
    for name, one in found.items():
        counts = (one.passed, one.waiting, *map(one.sum, outcomes), one.dead_letters, one.set_aside)
        style = "red" if one.state in ("down", "halted") else ""
        shown.add_row(name, terminal.styled(one.state, style), *map(terminal.number, counts))
        if one.reason:
            shown.add_row(terminal.styled(f"  {one.reason}", style or "dim"))
        for line in _details(one):
            shown.add_row(terminal.styled(f"  {line}", "dim"))
    return shown


def _details(one: DestinationStatus) -> list[str]:
    """Break the totals down by action and reason, for the eye."""
    return [f"{key.replace('.', ' ')} {terminal.number(times)}" for key, times in sorted(one.totals.items())]
