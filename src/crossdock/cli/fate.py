"""What became of one event at every destination: what the journal holds, beside what the mapping says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crossdock import settings
from crossdock.assembly import assemble
from crossdock.cli.connection import journal_of
from crossdock.cli.mapping_in_force import mapping_file
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
    copies: list[str] = field(default_factory=list)
    """The message ids it held back, where the event is the owner."""


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


async def tell(config: Path, message_id: str) -> tuple[list[Story], list[Quarantined]]:
    """Give the stories of the events with a message id, and what was refused under it."""
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
    claims = await _claims(journal, route.name, stored.sequence)
    said = {claim.key: standing_of(claim) for claim in claims}
    asides = await journal.asides(route.name, datetime.now(UTC) + _EVER, 10_000)
    aside = next((row for row in asides if row.sequence == stored.sequence), None)
    told = trace(route, stored, mapping_file(configured, beside), configured.presets, said)
    return Delivery(
        trace=told,
        state="set aside" if aside else _state(cursors.get(lane), stored),
        requests=_own(await journal.requests(lane, stored.sequence), told),
        claims=claims,
        dead_letters=await _dead_letters(journal, route.name, stored.sequence),
        aside=aside,
        mailbox=await _mailbox(journal, route, stored.sequence),
    )


async def _claims(journal: JournalReader, destination: str, sequence: int) -> list[Claimed]:
    claims = [Claimed(*claim) for claim in await journal.claims_of(destination, sequence)]
    owned = {claim.key: claim for claim in claims if claim.owned}
    for key, message_id in await journal.copies_held_back(destination, sequence):
        if key in owned:
            owned[key].copies.append(message_id)
    return claims


def _own(requests: list[SentRequest], told: DestinationTrace) -> list[SentRequest]:
    """
    Leave out the requests of neighbours: a request's range also spans events that had nothing to send.

    Only where the mapping is still the one that made the request is that known.
    """
    goes = any(one.guard is None or one.guard.passes is not False for one in told.payloads)
    return [one for one in requests if goes or one.mapping_version != told.mapping_version]


async def _mailbox(journal: JournalReader, route: Route, sequence: int) -> list[Mail]:
    return await journal.mailbox_of(route.name, sequence) if route.vendor.transport == "mailbox" else []


def standing_of(claim: Claimed) -> Standing:
    """Say how a claim stands to the event."""
    if claim.owned:
        kept = f", and held back {', '.join(claim.copies)}" if claim.copies else ""
        return Standing(f"this event holds the claim{kept}", passes=True)
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
