"""``crossdock demo``: gateway, simulators and a shopper's story in one process; no account is needed."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import click
from rich.live import Live

from crossdock import telemetry
from crossdock.cli import terminal
from crossdock.cli.demo.pages import visit
from crossdock.cli.demo.play import Player
from crossdock.cli.demo.screen import Screen, show
from crossdock.cli.demo.stage import Stage, build
from crossdock.cli.demo.story import Story, vendors
from crossdock.cli.demo.verdict import Verdict, judge
from crossdock.cli.options import json_option, run

_SETTLE_SECONDS: Final = 12.0
_PACE_SECONDS: Final = 0.35
"""Between two steps of a shopper, where somebody watches."""

Prepare = Callable[[Stage], Awaitable[None]]


@click.command()
@click.option("--once", is_flag=True, help="Play the story once and exit, also on a terminal.")
@json_option
def command(once: bool, as_json: bool) -> None:
    """
    Play a shop's story through a gateway and strict vendor simulators.

    Nothing leaves this machine. With --once, or when the output is no terminal, exits 0 if every vendor got
    exactly what it was owed and saw no violation, else 1. Otherwise it stays up until Ctrl-C.
    """
    telemetry.configure(level="error")
    stays = sys.stdout.isatty() and not once and not as_json
    try:
        verdict = run(perform(stays=stays, quiet=as_json))
    except KeyboardInterrupt:
        sys.exit(0 if stays else 130)
    if as_json:
        terminal.print_json({"right": verdict.right, **_as_json(verdict)})
    sys.exit(0 if verdict.right else 1)


async def perform(*, stays: bool = False, quiet: bool = False, prepare: Prepare | None = None) -> Verdict:
    """Build the stage, play the story, show and give the verdict; *prepare* may change the stage first."""
    owing = vendors()
    out = terminal.console(stderr=quiet)
    async with build(owing) as stage:
        if prepare is not None:
            await prepare(stage)
        verdict = await _play(stage, owing, watched=out.is_terminal and not quiet)
        if not quiet:
            show(verdict, out)
        if stays:
            _addresses(stage)
            await asyncio.Event().wait()
    return verdict


async def _play(stage: Stage, owing: dict[str, dict[str, Any]], *, watched: bool) -> Verdict:
    story = Story.read()
    screen = Screen(story.length, stage.simulators)
    pace = _PACE_SECONDS if watched else 0.0
    player = Player(stage.door, f"demo-{secrets.token_hex(4)}", pace, on_step=screen.note)
    with Live(
        screen, console=terminal.console(), refresh_per_second=12, transient=True, auto_refresh=watched
    ):
        await player.play(story)
        settled = await _settled(stage)
        for vendor, told in owing.items():
            if told.get("transport") == "mailbox":
                await visit(stage.door, story.shoppers, stage.simulators[vendor])
    status = await stage.gateway.journal.status()
    return judge(player.told, status, owing, stage.simulators, settled=settled)


async def _settled(stage: Stage) -> bool:
    """Wait until the gateway owes nothing, and no longer than is reasonable."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        if await stage.gateway.settled():
            return True
        await asyncio.sleep(0.05)
    return False


def _addresses(stage: Stage) -> None:
    out = terminal.console()
    out.print("\nStill running; Ctrl-C stops it and removes everything.", style="bold")
    out.print(f"  gateway    {stage.door.url}  (write key {stage.door.write_key})", soft_wrap=True)
    out.print(f"  simulators {stage.overview}  what each vendor's double stored", soft_wrap=True)
    out.print(f"  settings   {stage.config}", soft_wrap=True)


def _as_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "door": verdict.door,
        "settled": verdict.settled,
        "unanswered": verdict.unanswered,
        "vendors": verdict.vendors,
    }
