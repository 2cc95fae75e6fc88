"""``crossdock dead-letters``: payloads a vendor refused for good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import click

from crossdock.cli import terminal
from crossdock.cli.connection import NoSuchRow, ask, journal_of, report
from crossdock.cli.options import config_option, json_option, run
from crossdock.journal.base import Command, DeadLetter, JournalReader


@click.group()
def command() -> None:
    """
    Look at, send again or drop payloads a vendor refused.

    A dead letter keeps the vendor's words, the payload and its own copy of the event. Mend the mapping or
    the data first, then replay.
    """


@command.command("list")
@config_option
@json_option
@click.option("--destination", help="Of this destination only.")
@click.option("--limit", default=50, show_default=True, help="How many, newest first.")
def list_(config: Path, as_json: bool, destination: str | None, limit: int) -> None:
    """List dead letters, newest first."""
    letters = run(_list(config, destination, limit))
    if as_json:
        terminal.print_json(letters)
        return
    if not letters:
        terminal.console().print("No dead letters.")
        return
    _print_list(letters)


@command.command()
@config_option
@json_option
@click.argument("ids", nargs=-1, type=int, required=True, metavar="ID…")
def show(config: Path, as_json: bool, ids: tuple[int, ...]) -> None:
    """Show dead letters whole: the vendor's words, the payload and the event."""
    letters = run(_get(config, ids))
    if as_json:
        terminal.print_json(letters)
        return
    for letter in letters:
        _print_letter(letter)


class Selection(NamedTuple):
    """Which dead letters a command is about: these ids, else a destination's, else all."""

    ids: list[int] | None
    destination: str | None


def selection(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``ID… | --destination NAME | --all``, handed on as one `Selection`."""

    @click.argument("ids", nargs=-1, type=int, metavar="[ID…]")
    @click.option("--destination", help="Every dead letter of this destination.")
    @click.option("--all", "everything", is_flag=True, help="Every dead letter there is.")
    @wraps(command)
    def chosen(ids: tuple[int, ...], destination: str | None, *, everything: bool, **others: Any) -> None:
        if sum((bool(ids), destination is not None, everything)) != 1:
            raise click.UsageError("name ids, or --destination NAME, or --all")
        command(chosen=Selection(list(ids) or None, destination), **others)

    return chosen


@command.command()
@config_option
@json_option
@selection
@click.option("--force", is_flag=True, help="Send also where the guard knows the action as done.")
def replay(config: Path, as_json: bool, chosen: Selection, force: bool) -> None:
    """
    Send dead letters again, mapped by the presets now in force.

    The running gateway does it. A dead letter goes away once its replay is delivered.
    """
    asked = Command("dead_letters.replay", {**chosen._asdict(), "force": force})
    report(run(_ask(config, asked, chosen)), as_json)


@command.command()
@config_option
@json_option
@selection
@click.option("--yes", is_flag=True, help="Do not ask.")
def discard(config: Path, as_json: bool, chosen: Selection, yes: bool) -> None:
    """Drop dead letters for good."""
    if not chosen.ids and not yes:
        of = f"of {chosen.destination}" if chosen.destination else "there is"
        click.confirm(f"Drop every dead letter {of} for good?", abort=True, err=True)
    asked = Command("dead_letters.discard", chosen._asdict())
    report(run(_ask(config, asked, chosen)), as_json)


async def _list(config: Path, destination: str | None, limit: int) -> list[DeadLetter]:
    async with journal_of(config) as journal:
        return await journal.dead_letters(destination, limit=limit)


async def _get(config: Path, ids: tuple[int, ...]) -> list[DeadLetter]:
    async with journal_of(config) as journal:
        return [await _one(journal, id_) for id_ in ids]


async def _one(journal: JournalReader, id_: int) -> DeadLetter:
    letter = await journal.dead_letter(id_)
    if letter is None:
        raise NoSuchRow(f"no dead letter {id_}; `crossdock dead-letters list` shows those there are")
    return letter


async def _ask(config: Path, asked: Command, chosen: Selection) -> str | None:
    async with journal_of(config) as journal:
        for id_ in chosen.ids or ():
            await _one(journal, id_)
        return await ask(journal, asked)


def _print_list(letters: list[DeadLetter]) -> None:
    now = datetime.now(UTC)
    shown = terminal.table(
        "id", "when", "destination", "preset", "messageId", "the vendor's words", right=["id"]
    )
    for letter in letters:
        words = terminal.short(letter.reason, 70)
        when = terminal.ago(letter.at, now)
        shown.add_row(
            str(letter.id),
            when,
            letter.destination,
            letter.preset,
            terminal.short(letter.message_id, 40),
            words,
        )
    out = terminal.console()
    out.print(shown)
    out.print("`crossdock dead-letters show ID` shows one whole; `replay ID` sends it again.")


def _print_letter(letter: DeadLetter) -> None:
    out = terminal.console()
    out.print(f"dead letter {letter.id}", style="bold")
    facts = {
        "destination": letter.destination,
        "preset": f"{letter.preset} ({letter.action})",
        "message id": letter.message_id,
        "source": letter.source,
        "accepted": terminal.moment(letter.received_at),
        "refused": terminal.moment(letter.at),
        "reason": f"{letter.reason}" + (f" ({letter.code})" if letter.code else ""),
        "replays": str(letter.replays),
    }
    for name, value in facts.items():
        out.print(f"  {name:<12} {terminal.printable(value)}", soft_wrap=True)
    for name, body in (("payload", letter.payload), ("event", letter.event)):
        out.print(f"  {name}")
        out.print(terminal.indented(terminal.json_or_text(body)), soft_wrap=True)
    out.print()
