"""``crossdock why``: one event's whole story, from the door to each vendor's answer."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from crossdock import settings
from crossdock.assembly import assemble
from crossdock.cli import story, terminal
from crossdock.cli.connection import journal_of
from crossdock.cli.mapping_in_force import mapping_file
from crossdock.cli.options import config_option, json_option, run
from crossdock.cli.quarantine import every_row
from crossdock.cli.tracing import DestinationTrace, Standing, trace
from crossdock.delivery.plan import Route
from crossdock.journal.base import (
    Aside,
    Cursor,
    DeadLetter,
    JournalReader,
    Lane,
    Mail,
    Quarantined,
    SentRequest,
    Stored,
)
from crossdock.settings import Settings

_EVER = timedelta(days=36500)


@dataclass(slots=True)
class Claimed:
    """A claim the event takes part in."""

    key: str
    owner: str
    """The message id that went through."""
    owned: bool


@dataclass(slots=True)
class Delivery:
    """What became of one event at one destination."""

    trace: DestinationTrace
    state: str
    """``waiting``, ``done`` or ``set aside``."""
    requests: list[SentRequest] = field(default_factory=list)
    claims: list[Claimed] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    aside: Aside | None = None
    mailbox: list[Mail] = field(default_factory=list)
    """Commands that wait for the visitor's browser, or what it said became of them."""

    @property
    def verdict(self) -> str:
        """Say in a few words what became of it."""
        if self.dead_letters:
            return f"dead letter {', '.join(str(letter.id) for letter in self.dead_letters)}"
        if self.state != "done":
            return self.state
        if not self.trace.payloads:
            return self.trace.outcome
        if self.claims and not any(claim.owned for claim in self.claims):
            return f"held back: {self.claims[0].owner} told of the same action"
        if self.mailbox:
            return self._picked_up()
        return "delivered" if self.requests else "done"

    def _picked_up(self) -> str:
        states = Counter(mail.state for mail in self.mailbox)
        return ", ".join(states) if len(states) == 1 else ", ".join(f"{n} {s}" for s, n in states.items())


@dataclass(slots=True)
class Story:
    """One stored event and what became of it everywhere."""

    stored: Stored
    deliveries: list[Delivery]


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
    stories, refused = run(_tell(config, message_id))
    if as_json:
        terminal.print_json({"stories": [_as_json(told) for told in stories], "quarantined": refused})
    else:
        _print(message_id, stories, refused)
    sys.exit(0 if stories or refused else 1)


async def _tell(config: Path, message_id: str) -> tuple[list[Story], list[Quarantined]]:
    loaded = settings.load(config)
    routes = assemble(loaded, beside=config.parent)
    async with journal_of(config) as journal:
        cursors = {cursor.lane: cursor for cursor in (await journal.status()).cursors}
        stories = []
        for stored in await journal.find(message_id):
            deliveries = [
                await _delivery(journal, loaded, route, stored, cursors=cursors, beside=config.parent)
                for route in routes.values()
            ]
            stories.append(Story(stored, deliveries))
        refused = [row async for row in every_row(journal) if row.refusal.message_id == message_id]
    return stories, refused


async def _delivery(  # noqa: PLR0913 - what the event's way is looked up in
    journal: JournalReader,
    loaded: Settings,
    route: Route,
    stored: Stored,
    *,
    cursors: dict[Lane, Cursor],
    beside: Path,
) -> Delivery:
    configured = loaded.destinations[route.name]
    lane = Lane(route.name, None if route.vendor.order_all else stored.shard)
    claims = [Claimed(*claim) for claim in await journal.claims_of(route.name, stored.sequence)]
    said = {claim.key: _standing(claim) for claim in claims}
    asides = await journal.asides(route.name, datetime.now(UTC) + _EVER, 10_000)
    aside = next((row for row in asides if row.sequence == stored.sequence), None)
    return Delivery(
        trace=trace(route, stored, mapping_file(configured, beside), configured.presets, said),
        state="set aside" if aside else _state(cursors.get(lane), stored),
        requests=await journal.requests(lane, stored.sequence),
        claims=claims,
        dead_letters=await _dead_letters(journal, route.name, stored.sequence),
        aside=aside,
        mailbox=await _mailbox(journal, route, stored.sequence),
    )


async def _mailbox(journal: JournalReader, route: Route, sequence: int) -> list[Mail]:
    return await journal.mailbox_of(route.name, sequence) if route.vendor.transport == "mailbox" else []


def _standing(claim: Claimed) -> Standing:
    if claim.owned:
        return Standing("this event holds the claim", passes=True)
    return Standing(f"held back: {claim.owner} holds the claim", passes=False)


def _state(cursor: Cursor | None, stored: Stored) -> str:
    if cursor is None:
        return "not started: no gateway has run with this destination yet"
    if cursor.position.sequence > stored.sequence:
        return "done"
    return "waiting"


async def _dead_letters(journal: JournalReader, destination: str, sequence: int) -> list[DeadLetter]:
    found: list[DeadLetter] = []
    before: int | None = None
    while letters := await journal.dead_letters(destination, before=before, limit=500):
        found += [letter for letter in letters if letter.sequence == sequence]
        before = letters[-1].id
    return found


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
        out.print(terminal.printable(f"  guard: {claim.key}: {_standing(claim).says}"), soft_wrap=True)
    for letter in one.dead_letters:
        then = f"mend, then `crossdock dead-letters replay {letter.id}`"
        text = f"  dead letter {letter.id}: {letter.reason}; {then}"
        out.print(terminal.styled(text, "red"), soft_wrap=True)
    if one.aside is not None:
        due = terminal.moment(one.aside.due_at)
        text = f"  set aside after {one.aside.attempts} attempts, next {due}: {one.aside.reason}"
        out.print(terminal.styled(text, "yellow"), soft_wrap=True)
