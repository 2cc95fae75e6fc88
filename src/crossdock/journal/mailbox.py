"""
The mailbox: commands that wait for a visitor's own browser, because nothing else can carry them out.

A command is `queued` until the browser says what became of it (`fired`, `unmatched`, `error`), its time is
over (`expired`), or its mailbox is full (`overflow`). A browser leases what it takes: only one page at a
time holds commands of a visitor, so they come in order and none comes twice; a lease that is not answered
ends, and the commands wait again. What is settled stays for `why` until retention.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

import orjson

from crossdock.journal.base import Lane, Leased, Mail, MailAnswer
from crossdock.journal.lanes import add_totals
from crossdock.journal.statements import run_many, statement
from crossdock.journal.times import micros, micros_of, moment

STEP: Final = 1000
_COLUMNS: Final = 11

Totals = dict[str, dict[str, int]]
"""Counts by outcome and action (``fired.track``), by destination."""


class Bells:
    """Who waits for mail; used in the event loop's thread alone."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def listen(self, visitor: str) -> Iterator[asyncio.Event]:
        """Give an event that is set whenever the visitor's mailbox changes, until the block ends."""
        bell = asyncio.Event()
        self._waiting.setdefault(visitor, set()).add(bell)
        try:
            yield bell
        finally:
            listening = self._waiting[visitor]
            listening.discard(bell)
            if not listening:
                del self._waiting[visitor]

    def ring(self, visitors: Collection[str]) -> None:
        """Wake whoever waits for these visitors' mail."""
        for visitor in visitors:
            for bell in self._waiting.get(visitor, ()):
                bell.set()


def put(db: sqlite3.Connection, mails: Sequence[Mail], capacity: int) -> Totals:
    """Put commands in, each once; gives what had to go where a mailbox holds more than `capacity`."""
    values: list[Any] = []
    for mail in mails:
        values += _row(mail)
    run_many(db, "mail_put", values, _COLUMNS)
    totals: Totals = {}
    for box in dict.fromkeys((mail.destination, mail.visitor) for mail in mails):
        _make_room(db, box, capacity, max(micros(mail.queued_at) for mail in mails), totals)
    _count(db, totals)
    return totals


def _make_room(db: sqlite3.Connection, box: tuple[str, str], capacity: int, now: int, totals: Totals) -> None:
    surplus = db.execute(statement("mail_count"), box).fetchone()[0] - capacity
    if surplus <= 0:
        return
    # What a page holds just now is not taken from it: it may have been carried out already.
    for seq, action in db.execute(statement("mail_surplus"), (*box, now, surplus)).fetchall():
        reason = f"more than {capacity} commands waited"
        db.execute(statement("mail_settle"), ("overflow", reason, now, seq))
        _tally(totals, box[0], "overflow", action)


def waiting(
    db: sqlite3.Connection, destinations: Collection[str], visitor: str, now: datetime
) -> tuple[int, datetime | None]:
    """Say how many commands wait for a visitor, and until when a page holds some; changes nothing."""
    values = (visitor, _names(destinations), micros(now))
    number, leased_until = db.execute(statement("mail_waiting"), values).fetchone()
    busy = leased_until is not None and leased_until > micros(now)
    return number, moment(leased_until) if busy else None


def lease(  # noqa: PLR0913 - whose, when and how much
    db: sqlite3.Connection,
    destinations: Collection[str],
    visitor: str,
    now: datetime,
    *,
    until: datetime,
    limit: int,
) -> Leased:
    """Hand the oldest commands of a visitor to one page, unless another holds some."""
    _, busy_until = waiting(db, destinations, visitor, now)
    if busy_until is not None:
        return Leased([], busy_until)
    values = (visitor, _names(destinations), micros(now), limit)
    mails = [mail_of(row) for row in db.execute(statement("mail_next"), values)]
    for mail in mails:
        mail.leased_until, mail.leases = until, mail.leases + 1
        db.execute(statement("mail_lease"), (micros(until), mail.seq))
    return Leased(mails, None)


def settle(
    db: sqlite3.Connection,
    destinations: Collection[str],
    visitor: str,
    answers: Sequence[MailAnswer],
    now: datetime,
) -> Totals:
    """Note what a page says became of commands it was given; what is not its own stays as it is."""
    totals: Totals = {}
    for answer in answers:
        row = db.execute(statement("mail_held"), (answer.id, visitor)).fetchone()
        if row is None or row[1] not in destinations:
            continue
        seq, destination, action = row
        db.execute(statement("mail_settle"), (answer.outcome, answer.reason, micros(now), seq))
        _tally(totals, destination, answer.outcome, action)
    _count(db, totals)
    return totals


def expire(db: sqlite3.Connection, now: datetime) -> tuple[Totals, bool]:
    """Give up a step of commands whose time is over and that no page holds; whether there may be more."""
    totals: Totals = {}
    at = micros(now)
    rows = db.execute(statement("mail_overdue"), (at, at, STEP)).fetchall()
    for seq, destination, action in rows:
        reason = "the visitor did not come back in time, or the page had no tag"
        db.execute(statement("mail_settle"), ("expired", reason, at, seq))
        _tally(totals, destination, "expired", action)
    _count(db, totals)
    return totals, len(rows) == STEP


def is_overdue(db: sqlite3.Connection, now: datetime) -> bool:
    """Tell whether there is a command to give up."""
    at = micros(now)
    return db.execute(statement("mail_overdue"), (at, at, 1)).fetchone() is not None


def drop_settled(db: sqlite3.Connection, now: int, retention: timedelta) -> bool:
    """Drop a step of commands settled longer ago than `retention`; whether there may be more."""
    gone = db.execute(statement("mail_retain"), (now - micros_of(retention), STEP)).rowcount
    return gone == STEP


def of_event(db: sqlite3.Connection, destination: str, sequence: int) -> list[Mail]:
    """List the commands an event became, in order."""
    return [mail_of(row) for row in db.execute(statement("mail_of_event"), (destination, sequence))]


def merge(totals: Totals, more: Totals) -> None:
    """Add up counts."""
    for destination, counts in more.items():
        summed = Counter(totals.get(destination, {}))
        summed.update(counts)
        totals[destination] = dict(summed)


def mail_of(row: Sequence[Any]) -> Mail:
    """Give a command from its row."""
    return Mail(
        seq=row[0],
        id=row[1],
        destination=row[2],
        visitor=row[3],
        sequence=row[4],
        index=row[5],
        message_id=row[6],
        action=row[7],
        command=row[8].encode(),
        precious=bool(row[9]),
        queued_at=moment(row[10]),
        expires_at=moment(row[11]),
        state=row[12],
        reason=row[13],
        settled_at=None if row[14] is None else moment(row[14]),
        leased_until=moment(row[15]) if row[15] else None,
        leases=row[16],
    )


def _row(mail: Mail) -> tuple[Any, ...]:
    queued_at = micros(mail.queued_at)
    # A browser remembers ids it has carried out: the id of another journal's command must never be the same.
    identity = orjson.dumps([mail.destination, mail.sequence, mail.index, mail.message_id, queued_at])
    return (
        blake2b(identity, digest_size=15).hexdigest(),
        mail.destination,
        mail.visitor,
        mail.sequence,
        mail.index,
        mail.message_id,
        mail.action,
        mail.command.decode(),
        int(mail.precious),
        queued_at,
        micros(mail.expires_at),
    )


def _names(names: Collection[str]) -> str:
    return orjson.dumps(sorted(names)).decode()


def _tally(totals: Totals, destination: str, outcome: str, action: str) -> None:
    counts = totals.setdefault(destination, {})
    key = f"{outcome}.{action}"
    counts[key] = counts.get(key, 0) + 1


def _count(db: sqlite3.Connection, totals: Totals) -> None:
    for destination, counts in totals.items():
        with suppress(LookupError):  # a destination that never ran here has no totals to add to
            add_totals(db, Lane(destination, None), counts)
