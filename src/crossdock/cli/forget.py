"""``crossdock forget``: everything about a user, erased."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from crossdock.cli import terminal
from crossdock.cli.connection import ask, journal_of
from crossdock.cli.options import config_option, json_option, run
from crossdock.journal.base import Command


@click.command()
@click.argument("user")
@config_option
@json_option
def command(user: str, config: Path, as_json: bool) -> None:
    """
    Erase everything about a user.

    USER is a userId, or the anonymousId of somebody who has none. Their events go, delivered or not, and all
    else that is known of them and of the anonymousIds linked to them: visitor facts, dead letters, what is
    set aside, mailboxes, claims, request rows, quarantine. The running gateway does it; in a large journal it
    takes minutes. What vendors hold already must be erased there.
    """
    if not user:
        raise click.UsageError("USER is empty")
    result = run(_ask(config, user))
    counts = None if result is None else orjson.loads(result)
    if as_json:
        terminal.print_json({"state": "queued" if counts is None else "done", "erased": counts})
    elif counts is None:
        click.echo("Queued: it is done by the running gateway, or as soon as `crossdock serve` runs.")
    else:
        click.echo(f"Erased: {_told(counts) or 'nothing was known of this user'}.")


async def _ask(config: Path, user: str) -> str | None:
    async with journal_of(config) as journal:
        return await ask(journal, Command("forget", {"user": user}))


def _told(counts: dict[str, int]) -> str:
    kinds = (f"{times} {name.replace('_', ' ')}" for name, times in counts.items() if name != "users")
    return ", ".join(kinds)
