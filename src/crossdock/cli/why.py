"""``crossdock why``: one event's whole story, from the door to each vendor's answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from crossdock.cli import story, terminal
from crossdock.cli.fate import Delivery, Story, standing_of, tell
from crossdock.cli.options import config_option, json_option, run
from crossdock.journal.base import (
    Quarantined,
)


@click.command()
@click.argument("message_id")
@config_option
@json_option
def command(message_id: str, config: Path, as_json: bool) -> None:
    """
    Tell one event's whole story.

    When it was accepted, which presets of which destination took it and why, the requests it went out in and
    the vendors' answers, the guards' claims, dead letters, and whether it still waits. Exits 1 if the journal
    does not know the message id.
    """
    stories, refused = run(tell(config, message_id))
    if as_json:
        terminal.print_json({"stories": [_as_json(told) for told in stories], "quarantined": refused})
    else:
        _print(message_id, stories, refused)
    sys.exit(0 if stories or refused else 1)


def _as_json(told: Story) -> dict[str, Any]:
    deliveries = [
        {"destination": one.trace.destination, "verdict": one.verdict, "delivery": one}
        for one in told.deliveries
    ]
    return {"event": told.stored, "deliveries": deliveries}


def _print(message_id: str, stories: list[Story], refused: list[Quarantined]) -> None:
    out = terminal.console()
    for told in stories:
        _print_story(told)
    for row in refused:
        at = terminal.moment(row.refusal.received_at)
        text = f"Refused at the door {at} by source {row.refusal.source}: {row.refusal.reason}"
        out.print(terminal.styled(text, "red"), soft_wrap=True)
        out.print(
            f"  `crossdock quarantine show {row.id}` shows it; `replay {row.id}` takes it in after all."
        )
    if not stories and not refused:
        text = f"The journal knows no event {message_id}: never received, past retention, or by another id."
        out.print(terminal.printable(text), soft_wrap=True)


def _print_story(told: Story) -> None:
    out, stored = terminal.console(), told.stored
    story.print_event(stored.document)
    at = terminal.moment(stored.received_at)
    where = f"sequence {stored.sequence}, shard {stored.shard}"
    out.print(terminal.printable(f"  accepted {at} from source {stored.source} ({where})"), soft_wrap=True)
    for one in told.deliveries:
        story.print_trace(one.trace, out, verdict=one.verdict)
        _print_delivery(one)
    out.print()


def _print_delivery(one: Delivery) -> None:
    _print_requests(one)
    _print_mailbox(one)
    _print_exceptions(one)


def _print_requests(one: Delivery) -> None:
    out = terminal.console()
    for sent in one.requests:
        unanswered = "nobody yet" if sent.outcome == "queued" else "no answer"
        status = sent.status if sent.status is not None else unanswered
        company = "alone" if sent.payloads == 1 else f"among {sent.payloads} payloads"
        took = f"{sent.duration_seconds * 1000:.0f} ms"
        answer = f": {terminal.short(sent.answer, 200)}" if sent.answer else ""
        line = f"  sent {terminal.moment(sent.at)} {company}, {took} → {status} {sent.outcome}"
        out.print(terminal.printable(line + answer), soft_wrap=True)


def _print_mailbox(one: Delivery) -> None:
    out = terminal.console()
    for mail in one.mailbox:
        if mail.settled_at is None:
            text = f"waits for visitor {mail.visitor} until {terminal.moment(mail.expires_at)}"
        else:
            text = f"{terminal.moment(mail.settled_at)}{mail.reason and ': '}{mail.reason}"
        line = f"  mailbox: {mail.command.decode()} → {mail.state}, {text}"
        out.print(terminal.printable(line), soft_wrap=True)


def _print_exceptions(one: Delivery) -> None:
    out = terminal.console()
    told = {payload.guard.key for payload in one.trace.payloads if payload.guard}
    for claim in (claim for claim in one.claims if claim.key not in told):
        out.print(terminal.printable(f"  guard: {claim.key}: {standing_of(claim).says}"), soft_wrap=True)
    for letter in one.dead_letters:
        then = f"mend, then `crossdock dead-letters replay {letter.id}`"
        text = f"  dead letter {letter.id}: {letter.reason}; {then}"
        out.print(terminal.styled(text, "red"), soft_wrap=True)
    if one.aside is not None:
        due = terminal.moment(one.aside.due_at)
        text = f"  set aside after {one.aside.attempts} attempts, next {due}: {one.aside.reason}"
        out.print(terminal.styled(text, "yellow"), soft_wrap=True)
