"""``crossdock quarantine``: events refused at the door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import click

from crossdock.cli import terminal
from crossdock.cli.connection import NoSuchRow, ask, journal_of, report
from crossdock.cli.options import config_option, json_option, run
from crossdock.journal.base import Command, JournalReader, Quarantined


@click.group()
def command() -> None:
    """
    Look at or take in after all events that were refused as invalid.

    Their senders were answered 200, as Segment does, so nobody will send them again.
    """


@command.command("list")
@config_option
@json_option
@click.option("--limit", default=50, show_default=True, help="How many, newest first.")
def list_(config: Path, as_json: bool, limit: int) -> None:
    """List quarantined events, newest first."""
    rows = run(_list(config, limit))
    if as_json:
        terminal.print_json(rows)
        return
    if not rows:
        terminal.console().print("The quarantine is empty.")
        return
    _print_list(rows)


@command.command()
@config_option
@json_option
@click.argument("ids", nargs=-1, type=int, required=True, metavar="ID…")
def show(config: Path, as_json: bool, ids: tuple[int, ...]) -> None:
    """Show quarantined events whole: the reason and what was sent."""
    rows = run(_get(config, ids))
    if as_json:
        terminal.print_json(rows)
        return
    for row in rows:
        _print_row(row)


@command.command()
@config_option
@json_option
@click.argument("ids", nargs=-1, type=int, metavar="[ID…]")
@click.option("--all", "everything", is_flag=True, help="Every quarantined event.")
def replay(config: Path, as_json: bool, ids: tuple[int, ...], everything: bool) -> None:
    """
    Validate quarantined events again and accept those that now pass.

    The running gateway does it; what is still invalid stays.
    """
    if bool(ids) == everything:
        raise click.UsageError("name ids, or --all")
    report(run(_ask(config, ids)), as_json)


async def _list(config: Path, limit: int) -> list[Quarantined]:
    async with journal_of(config) as journal:
        return await journal.quarantined(limit=limit)


async def _get(config: Path, ids: tuple[int, ...]) -> list[Quarantined]:
    async with journal_of(config) as journal:
        return [await _one(journal, id_) for id_ in ids]


async def _one(journal: JournalReader, id_: int) -> Quarantined:
    row = await journal.quarantined_event(id_)
    if row is None:
        raise NoSuchRow(f"no quarantined event {id_}; `crossdock quarantine list` shows those there are")
    return row


async def _ask(config: Path, ids: tuple[int, ...]) -> str | None:
    """Ask for these rows, or for all there are."""
    async with journal_of(config) as journal:
        for id_ in ids:
            await _one(journal, id_)
        chosen = list(ids) or [row.id async for row in every_row(journal)]
        if not chosen:
            return "The quarantine is empty."
        return await ask(journal, Command("quarantine.replay", {"ids": chosen}))


async def every_row(journal: JournalReader) -> AsyncIterator[Quarantined]:
    """Give every quarantined event, newest first."""
    before: int | None = None
    while rows := await journal.quarantined(before=before, limit=500):
        for row in rows:
            yield row
        before = rows[-1].id


def _print_list(rows: list[Quarantined]) -> None:
    now = datetime.now(UTC)
    shown = terminal.table("id", "when", "source", "messageId", "why", right=["id"])
    for row in rows:
        refusal = row.refusal
        message_id = terminal.short(refusal.message_id or "none", 40)
        when = terminal.ago(refusal.received_at, now)
        shown.add_row(str(row.id), when, refusal.source, message_id, terminal.short(refusal.reason, 80))
    out = terminal.console()
    out.print(shown)
    out.print("`crossdock quarantine show ID` shows one whole; `replay ID` takes it in if it is valid now.")


def _print_row(row: Quarantined) -> None:
    refusal = row.refusal
    out = terminal.console()
    out.print(f"quarantined event {row.id}", style="bold")
    facts = {
        "source": refusal.source,
        "message id": refusal.message_id or "none",
        "received": terminal.moment(refusal.received_at),
        "reason": f"{refusal.reason} ({refusal.code})",
    }
    for name, value in facts.items():
        out.print(f"  {name:<12} {terminal.printable(value)}", soft_wrap=True)
    out.print("  as sent")
    out.print(terminal.indented(terminal.json_or_text(refusal.body)), soft_wrap=True)
    out.print()
