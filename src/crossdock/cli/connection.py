"""How a command reaches the journal of a gateway that may be running: as a second reader, never its owner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import click

from crossdock import settings
from crossdock.cli import terminal
from crossdock.errors import CrossdockError
from crossdock.journal import open_client
from crossdock.journal.base import Command, JournalReader

WAIT_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.1


class NoSuchRow(CrossdockError):
    """An id on the command line names nothing in the journal."""


@asynccontextmanager
async def journal_of(config: Path) -> AsyncIterator[JournalReader]:
    """Open the journal that a settings file names, without taking it from a running gateway."""
    loaded = settings.load(config)
    journal = await open_client(loaded.journal.url, max_size_bytes=loaded.journal.max_size)
    try:
        yield journal
    finally:
        await journal.close()


async def ask(journal: JournalReader, command: Command, wait_seconds: float | None = None) -> str | None:
    """
    Leave a command for the running gateway and wait for its result.

    Gives ``None`` when none came in time: the command stays, and the next `serve` carries it out.
    """
    id_ = await journal.submit(command)
    for _ in range(round((WAIT_SECONDS if wait_seconds is None else wait_seconds) / _POLL_SECONDS)):
        result = await journal.command_result(id_)
        if result is not None:
            return result
        await asyncio.sleep(_POLL_SECONDS)
    return None


def report(result: str | None, as_json: bool) -> None:
    """Say what the gateway answered to a command, or that the command waits for it."""
    if as_json:
        terminal.print_json({"state": "queued" if result is None else "done", "result": result})
    elif result is None:
        click.echo("Queued: no gateway answered; it is done as soon as `crossdock serve` runs.")
    else:
        click.echo(terminal.printable(result))
