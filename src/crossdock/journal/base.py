"""
What a journal is: the durable log of accepted events, and all delivery state beside it.

An event is appended once. A *lane*, a destination and a shard, reads the log from its cursor and moves the
cursor when payloads are settled; nothing else is written per event and destination while all goes well.
Exceptions have rows of their own: dead letters, claims, events set aside, the quarantine.

The protocol fits a table and a stream read by sequence alike: sequences only grow, may have gaps, and are
never reused. Every method may be called from any task; the ones that change state return once the change is
durable, and calls made at the same moment share one commit.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, Protocol


class Lane(NamedTuple):
    """What one sequential loop delivers."""

    destination: str
    shard: int | None
    """``None``: the whole journal in one sequence (`order: all`)."""

    def __str__(self) -> str:
        return f"{self.destination}/{'all' if self.shard is None else self.shard}"


class Position(NamedTuple):
    """
    How far a lane has got.

    Every event before `sequence` is settled, and of the event at `sequence` the first `payload_index`
    payloads.
    """

    sequence: int
    payload_index: int = 0


class Owner(NamedTuple):
    """One payload of one event: who owns a claim."""

    sequence: int
    payload_index: int


@dataclass(slots=True)
class Arrival:
    """An event that passed validation, to be appended. The document is not changed any more."""

    message_id: str
    source: str
    scope: str
    """Marks are shared within a scope: the set of destinations the source feeds."""
    shard: int
    document: dict[str, Any]
    body: bytes
    """The document as JSON."""
    received_at: datetime
    """When this gateway took it in: `dedup.window` and retention go by it, whatever the document says."""
    erase: str | None = None
    """The user whom a signed `delete` event has erased: a ``forget`` command is left in the same write."""


@dataclass(slots=True)
class Refusal:
    """An event refused at the door, for the quarantine."""

    source: str
    message_id: str | None
    code: str
    reason: str
    body: bytes
    received_at: datetime
    channel: str | None = None
    """``webhook`` where the event came by the webhook: a replay validates it by the same rules."""


class Appended(NamedTuple):
    """What became of one arrival."""

    sequence: int
    """Where it stands; for a duplicate, where the original stands."""
    duplicate: bool


@dataclass(slots=True)
class Stored:
    """An event as read from the journal. The document is shared between readers: do not change it."""

    sequence: int
    shard: int
    source: str
    message_id: str
    received_at: datetime
    document: dict[str, Any]
    facts: dict[str, Any] | None = None
    """What memory knew of its visitor when it was accepted, beyond the event itself; see `Memory`."""


@dataclass(slots=True)
class Cursor:
    """A lane's record: position, how many events it has passed, and running totals by outcome."""

    lane: Lane
    position: Position
    passed: int
    """Events of the shard (of the journal, for `order: all`) that lie before the position."""
    totals: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class SentRequest:
    """One request to a vendor, for `why` and `audit`: what it held and what came back."""

    lane: Lane
    first: Owner
    last: Owner
    payloads: int
    mapping_version: str
    at: datetime
    duration_seconds: float
    status: int | None
    """``None`` where no answer came."""
    outcome: str
    answer: str
    """The head of the answer, or the transport's error."""


@dataclass(slots=True)
class DeadLetter:
    """A payload its vendor refused for good, with its own copy of the event."""

    destination: str
    sequence: int
    index: int
    message_id: str
    source: str
    preset: str
    action: str
    reason: str
    code: str | None
    mapping_version: str
    at: datetime
    received_at: datetime
    event: bytes
    """The event's JSON as stored."""
    payload: bytes
    """The payload's JSON as sent, or as mapped where it never was."""
    id: int = 0
    replays: int = 0
    facts: dict[str, Any] | None = None


@dataclass(slots=True)
class Aside:
    """
    Payloads to deliver out of their lane's order, with their own copy of the event.

    ``retry`` and ``later``: a visitor set aside, its first event and the ones that followed; ``replay``: a
    dead letter sent again; ``inherited``: a suppressed payload whose claim's owner was refused.
    """

    destination: str
    visitor: str
    kind: Literal["retry", "later", "replay", "inherited"]
    sequence: int
    index: int
    """The first payload still owed."""
    only: bool
    """True: that payload alone, not the ones behind it."""
    message_id: str
    source: str
    received_at: datetime
    event: bytes
    due_at: datetime
    attempts: int = 0
    reason: str = ""
    dead_letter: int | None = None
    """The dead letter a replay resends: removed when it is delivered."""
    force: bool = False
    """Pass any claim."""
    id: int = 0
    facts: dict[str, Any] | None = None


@dataclass(slots=True)
class Claim:
    """A wish to do an action once."""

    key: str
    """Action and guard key."""
    owner: Owner
    message_id: str
    at: datetime
    """The event's own corrected timestamp."""
    within: timedelta
    force: bool = False
    """Take it whoever holds it."""
    yields: bool = False
    """Give way to whoever holds it, but hold nothing."""
    aside: bool = False
    """Asked by what was set aside to inherit, or sent again; a lane does not pass what it has handed over."""


@dataclass(slots=True)
class Mail:
    """A command in a visitor's mailbox, for the visitor's own browser to carry out."""

    destination: str
    visitor: str
    """Whose mailbox: an anonymousId."""
    sequence: int
    index: int
    message_id: str
    action: str
    command: bytes
    """The command as JSON."""
    queued_at: datetime
    expires_at: datetime
    precious: bool = False
    """Goes last where a mailbox is full."""
    state: Literal["queued", "fired", "unmatched", "error", "expired", "overflow"] = "queued"
    reason: str = ""
    settled_at: datetime | None = None
    leased_until: datetime | None = None
    """Until when a page holds it, or last held it."""
    leases: int = 0
    """How many pages it was handed to."""
    id: str = ""
    """Never given twice, by no other journal either."""
    seq: int = 0
    """Its place: a visitor's commands are carried out in this order."""


class Leased(NamedTuple):
    """What a page was handed of a visitor's mail."""

    mails: list[Mail]
    busy_until: datetime | None
    """Set where another page holds some: until then at most nothing is handed out."""


class MailAnswer(NamedTuple):
    """What a page says became of a command."""

    id: str
    outcome: Literal["fired", "unmatched", "error"]
    reason: str = ""


@dataclass(slots=True)
class Quarantined:
    """A refused event as it stands in the quarantine."""

    id: int
    refusal: Refusal


@dataclass(slots=True)
class Settled:
    """
    What one lane settles in one write: the cursor, totals, the request and its exceptions.

    For the loop that delivers events set aside, `position` is ``None`` and `done` and `postponed` tell
    what became of the rows.
    """

    lane: Lane
    position: Position | None = None
    passed: int = 0
    """Events the cursor moves past with this."""
    totals: Mapping[str, int] = field(default_factory=dict)
    """Added to the cursor's totals, by outcome: ``delivered.click``, ``skipped.not_matched`` …"""
    request: SentRequest | None = None
    dead_letters: Sequence[DeadLetter] = ()
    refused_owners: Sequence[tuple[str, Owner]] = ()
    """Claims, by key and owner, whose owner was refused: the first suppressed payload inherits."""
    asides: Sequence[Aside] = ()
    done: Sequence[int] = ()
    """Ids of events set aside that are settled."""
    postponed: Sequence[Aside] = ()
    """Events set aside that are to be tried again: `due_at`, `attempts`, `index` and `reason` are kept."""
    replayed: Sequence[int] = ()
    """Ids of dead letters whose replay was delivered: they go."""
    sequences: Sequence[int] = ()
    """The events that `passed` counts; a journal that erased some meanwhile has counted those."""


@dataclass(slots=True)
class Command:
    """What a command line asks of the running gateway."""

    kind: Literal[
        "dead_letters.replay", "dead_letters.discard", "quarantine.replay", "forget", "forget.notices"
    ]
    """``forget`` names a `user`; ``forget.notices`` the delete events that go once they are passed."""
    arguments: dict[str, Any]
    id: int = 0
    result: str | None = None


class VendorKey(NamedTuple):
    """A key that a vendor made for an id of ours."""

    own: str
    """Our id, as ``kind:id``."""
    key: str
    visitor: str
    """Whose it is: the id that an erasure goes by."""


class Forgotten(NamedTuple):
    """What an erasure removed so far."""

    counts: dict[str, int]
    """Rows by kind: ``events``, ``facts``, ``dead_letters`` …"""
    sequences: frozenset[int]
    """Of the events that were theirs."""
    visitors: frozenset[str]
    """The ids that were theirs."""
    notices: list[int]
    """Delete events of theirs that a lane has not passed: they go by `withdraw`."""


@dataclass(slots=True)
class SourceTotals:
    """Running totals of one source."""

    accepted: int = 0
    duplicates: int = 0
    refused: int = 0


@dataclass(slots=True)
class JournalStatus:
    """The journal in numbers."""

    url: str
    events: int
    """Events stored now."""
    size_bytes: int
    max_size_bytes: int
    head: int
    """The sequence the next event gets, at least."""
    oldest_received_at: datetime | None
    shards: int
    schema_version: int
    sources: dict[str, SourceTotals]
    cursors: list[Cursor]
    lags: dict[Lane, int]
    """Events that wait, a lane."""
    dead_letters: dict[str, int]
    asides: dict[str, int]
    quarantined: int


Record = Mapping[str, Any]
"""What is remembered under one id of a visitor, as JSON; the journal does not look into it."""


class Memory(Protocol):
    """
    What is remembered of visitors: pure, and handed to the journal.

    The journal keeps a record a key. For each new event it gives `fold` the records that `keys` and `linked`
    name, stores those it changes, and puts the facts beside the event, all in the write of the append: a
    retry or a replay tomorrow sees the same. A store without such a write stores the records first: then a
    crash leaves facts ahead of the log, never behind it, and the event, sent again, folds to the same.
    """

    def keys(self, document: Mapping[str, Any], /) -> Sequence[str]:
        """Name the records an event needs; none for an event that costs no look-up."""

    def linked(self, document: Mapping[str, Any], records: Mapping[str, Record], /) -> str | None:
        """Name a further record that the first ones lead to."""

    def fold(
        self, document: Mapping[str, Any], received_at: datetime, records: Mapping[str, Record], /
    ) -> tuple[Mapping[str, Record], dict[str, Any] | None]:
        """Give the changed records, and the event's facts if there are any beyond the event itself."""


class JournalReader(Protocol):
    """What a command line may ask of a journal while a gateway runs on it."""

    @property
    def shards(self) -> int:
        """How many slices by visitor the journal was made with."""

    async def read(self, shard: int | None, start: int, limit: int) -> list[Stored]:
        """Read up to `limit` events from sequence `start` on, in order; does not wait."""

    async def head(self) -> int:
        """Give a sequence above every event appended so far."""

    async def sequence_at(self, moment: datetime) -> int:
        """Give the first sequence received at or after `moment`; `head` when there is none."""

    async def find(self, message_id: str) -> list[Stored]:
        """Find events by `messageId`, one per scope at most, oldest first."""

    async def asides(self, destination: str, now: datetime, limit: int) -> list[Aside]:
        """List what is set aside and due: per visitor only its oldest row, so order holds."""

    async def aside_visitors(self, destination: str) -> dict[str, int]:
        """List visitors set aside and how many rows each has (kinds ``retry`` and ``later``)."""

    async def next_aside_at(self, destination: str) -> datetime | None:
        """Give the time the next row set aside is due."""

    async def dead_letters(
        self, destination: str | None = None, *, before: int | None = None, limit: int = 100
    ) -> list[DeadLetter]:
        """List dead letters, newest first."""

    async def dead_letter(self, id_: int) -> DeadLetter | None:
        """Give one dead letter."""

    async def quarantined(self, *, before: int | None = None, limit: int = 100) -> list[Quarantined]:
        """List quarantined events, newest first."""

    async def quarantined_event(self, id_: int) -> Quarantined | None:
        """Give one quarantined event."""

    async def submit(self, command: Command) -> int:
        """Leave a command for the running gateway; gives its id."""

    async def command_result(self, id_: int) -> str | None:
        """Give a command's result once it has one."""

    async def requests(self, lane: Lane | None, sequence: int) -> list[SentRequest]:
        """List the requests whose range holds `sequence`, oldest first."""

    async def claims_of(self, destination: str, sequence: int) -> list[tuple[str, str, bool]]:
        """List claims the event takes part in: key, owner's message id, whether the event is the owner."""

    async def copies_held_back(self, destination: str, sequence: int) -> list[tuple[str, str]]:
        """List the copies that claims the event holds have suppressed: key and the copy's message id."""

    async def claim_holder(self, destination: str, key: str, at: datetime, within: timedelta) -> str | None:
        """Give the message id that holds a claim for an event of that time; nothing is taken."""

    async def mailbox_of(self, destination: str, sequence: int) -> list[Mail]:
        """List the mailbox commands an event became, waiting and settled, in order."""

    async def status(self) -> JournalStatus:
        """Give the journal in numbers."""

    async def close(self) -> None:
        """Finish what was asked, then let go of the store."""


class Journal(JournalReader, Protocol):
    """The durable log and the delivery state beside it; see the module's docstring."""

    async def append(self, arrivals: Sequence[Arrival], refusals: Sequence[Refusal] = ()) -> list[Appended]:
        """
        Append events, and quarantine refused ones, in one write; one answer per arrival, in order.

        New events are folded into the visitors' records in the same write; see `Memory`.

        Marks are decided in the same write: an id seen within `dedup.window` in the same scope is a
        duplicate, also when both copies stand in this call.

        Raises:
            JournalFull: Disk or `max_size`; nothing of this call was stored.
            JournalUnavailable: The store does not answer; nothing of this call counts as accepted.
        """

    async def wait(self, shard: int | None, start: int) -> None:
        """Return once an event of the shard may stand at `start` or later. An append wakes; nothing polls."""

    def remember(self, memory: Memory | None) -> None:
        """Fold by another memory from the next append on; what it does not keep stays untouched."""

    async def open_lane(self, lane: Lane, start: int) -> Cursor:
        """Give a lane's cursor, made at sequence `start` if it has none. Durable on return."""

    async def settle(self, settled: Settled) -> None:
        """Write what one lane settled, all in one write."""

    async def claim(self, destination: str, claims: Sequence[Claim]) -> list[str | None]:
        """
        Take claims, durably: ``None`` where the payload may go, else the owner's message id.

        Create-if-absent over `within`, measured between the events' own timestamps from the first sighting.
        The owner passes again; another is suppressed and remembered in the claim. A claim whose owner was
        refused with nobody to inherit goes to the next who asks.
        """

    async def put_mail(self, mails: Sequence[Mail], capacity: int) -> Mapping[str, Mapping[str, int]]:
        """
        Put commands into their visitors' mailboxes, durably, each once by (destination, sequence, index).

        Beyond `capacity` a mailbox loses its oldest, those that are not precious first. Gives how many were
        lost, by destination, as totals have it (``overflow.track``); the cursors' totals hold them already.
        """

    def mail_bell(self, visitor: str) -> AbstractContextManager[asyncio.Event]:
        """Give an event that is set whenever the visitor's mailbox changes, until the block ends."""

    async def lease_mail(
        self, destinations: Collection[str], visitor: str, now: datetime, *, until: datetime, limit: int
    ) -> Leased:
        """
        Hand a visitor's oldest commands to one page, in order, to be answered before `until`.

        While a page holds some of them, another gets none: two pages never hold the same command, nor a
        later one before an earlier one is answered.
        """

    async def settle_mail(
        self, destinations: Collection[str], visitor: str, answers: Sequence[MailAnswer], now: datetime
    ) -> Mapping[str, Mapping[str, int]]:
        """
        Note what became of commands that were handed out; gives the totals, as `put_mail` does.

        What is settled already, or never was handed to this visitor, is passed over.
        """

    async def expire_mail(self, now: datetime) -> Mapping[str, Mapping[str, int]]:
        """Give up commands whose time is over and that no page holds; totals as of `put_mail`."""

    async def vendor_keys(self, destination: str, own: Collection[str], now: datetime) -> Mapping[str, str]:
        """Give the keys that stand for ids of ours, by id; they live on as long as they are asked for."""

    async def keep_vendor_keys(
        self, destination: str, made: Sequence[VendorKey], now: datetime
    ) -> Mapping[str, str]:
        """Keep keys a vendor made, durably; gives those that stand, which an earlier call may have kept."""

    async def replay_dead_letters(
        self, ids: Collection[int] | None, destination: str | None, *, force: bool = False
    ) -> int:
        """Set dead letters aside to be sent again; all of `destination` where `ids` is ``None``."""

    async def discard_dead_letters(self, ids: Collection[int] | None, destination: str | None) -> int:
        """Drop dead letters for good; a suppressed copy inherits the claim of each."""

    async def release_quarantined(self, ids: Collection[int]) -> int:
        """Drop quarantined events, as they were accepted after all."""

    async def forget(
        self,
        users: Collection[str],
        lanes: Collection[Lane],
        told: Callable[[Forgotten], Awaitable[None]],
    ) -> Forgotten:
        """
        Erase everything of users and of the anonymousIds linked to them, in small steps.

        Visitor facts, events whether delivered or not, dead letters, what is set aside, mail, vendors' keys,
        claims, request rows and the quarantine. `told` is awaited once events are gone and no lane can read
        them any more; it returns when no lane will write of them any more, and what they wrote until then
        goes too. Cursors stay valid, and an event erased before a lane passed it counts as passed.
        """

    async def withdraw(self, sequences: Collection[int], lanes: Collection[Lane]) -> list[int]:
        """Erase the delete events that every one of `lanes` has passed; gives those that are left."""

    async def commands(self) -> list[Command]:
        """List commands not yet finished, oldest first."""

    async def finish(self, id_: int, result: str) -> None:
        """Note a command's result."""

    async def wait_commands(self) -> None:
        """Return when a command may have come in from another process."""

    async def retain(self, lanes: Collection[Lane], now: datetime) -> int:
        """
        Delete what is older than the retention *and* passed by every one of `lanes`; gives how many events.

        Also drops expired marks, claims, request rows and quarantine, and old settled mail. Works in small
        steps so appends go on.
        """


def shard_of(visitor: str, shards: int) -> int:
    """Give a visitor's shard: pure, the same on every machine and release."""
    return zlib.crc32(visitor.encode()) % shards
