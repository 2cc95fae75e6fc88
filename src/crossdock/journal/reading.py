"""Reading a journal file: all questions that change nothing. A gateway and a command line ask alike."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from crossdock.errors import JournalUnavailable
from crossdock.journal import claims, mailbox, rows
from crossdock.journal.base import (
    Aside,
    Cursor,
    DeadLetter,
    JournalStatus,
    Lane,
    Mail,
    Quarantined,
    SentRequest,
    SourceTotals,
    Stored,
)
from crossdock.journal.connection import connect
from crossdock.journal.marks import digest_of
from crossdock.journal.rows import counter
from crossdock.journal.statements import statement
from crossdock.journal.times import micros, moment
from crossdock.journal.writer import journal_error

T = TypeVar("T")


class Questions:
    """A read connection and the thread that uses it. Each statement sees the newest commit."""

    def __init__(self, path: Path, name: str) -> None:
        self._db = connect(path)
        self._db.execute("PRAGMA query_only = ON")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"crossdock-{name}")
        self._closed = False

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Ask in the thread."""
        if self._closed:
            raise JournalUnavailable("the journal is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, question)

    def _answer(self, question: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return question(self._db)
        except sqlite3.Error as error:
            raise journal_error(error) or error from error

    def close(self) -> None:
        """Finish what was asked and let go."""
        if not self._closed:
            self._closed = True
            self._thread.shutdown(wait=True)
            self._db.close()


class SqliteReader:
    """The questions of `JournalReader`."""

    def __init__(self, url: str, path: Path, shards: int, max_size_bytes: int) -> None:
        self.url = url
        self._shards = shards
        self._max_size_bytes = max_size_bytes
        self._questions = Questions(path, "questions")

    @property
    def shards(self) -> int:
        """How many slices by visitor the journal was made with."""
        return self._shards

    async def read(self, shard: int | None, start: int, limit: int) -> list[Stored]:
        """Read events in order; see `JournalReader`."""
        return await self._questions.ask(lambda db: read_events(db, shard, start, limit))

    async def head(self) -> int:
        """Give a sequence above every event appended so far."""
        return await self._questions.ask(head_of)

    async def sequence_at(self, moment: datetime) -> int:
        """Give the first sequence received at or after a time."""
        return await self._questions.ask(lambda db: _sequence_at(db, micros(moment)))

    async def find(self, message_id: str) -> list[Stored]:
        """Find events by `messageId`."""
        return await self._questions.ask(lambda db: _find(db, message_id))

    async def asides(self, destination: str, now: datetime, limit: int) -> list[Aside]:
        """List what is set aside and due."""
        values = (destination, micros(now), limit)
        return await self._questions.ask(
            lambda db: [rows.aside(row) for row in db.execute(statement("asides_due"), values)]
        )

    async def aside_visitors(self, destination: str) -> dict[str, int]:
        """List visitors set aside and how many rows each has."""
        return await self._questions.ask(
            lambda db: dict(db.execute(statement("aside_visitors"), (destination,)).fetchall())
        )

    async def next_aside_at(self, destination: str) -> datetime | None:
        """Give the time the next row set aside is due."""
        due = await self._questions.ask(
            lambda db: db.execute(statement("aside_next"), (destination,)).fetchone()[0]
        )
        return None if due is None else moment(due)

    async def dead_letters(
        self, destination: str | None = None, *, before: int | None = None, limit: int = 100
    ) -> list[DeadLetter]:
        """List dead letters, newest first."""
        values = {"destination": destination, "before": before, "limit": limit}
        return await self._questions.ask(
            lambda db: [rows.dead_letter(row) for row in db.execute(statement("dead_letters"), values)]
        )

    async def dead_letter(self, id_: int) -> DeadLetter | None:
        """Give one dead letter."""
        row = await self._questions.ask(lambda db: db.execute(statement("dead_letter"), (id_,)).fetchone())
        return None if row is None else rows.dead_letter(row)

    async def quarantined(self, *, before: int | None = None, limit: int = 100) -> list[Quarantined]:
        """List quarantined events, newest first."""
        values = {"before": before, "limit": limit}
        return await self._questions.ask(
            lambda db: [rows.quarantined(row) for row in db.execute(statement("quarantined"), values)]
        )

    async def quarantined_event(self, id_: int) -> Quarantined | None:
        """Give one quarantined event."""
        row = await self._questions.ask(
            lambda db: db.execute(statement("quarantined_event"), (id_,)).fetchone()
        )
        return None if row is None else rows.quarantined(row)

    async def requests(self, lane: Lane | None, sequence: int) -> list[SentRequest]:
        """List the requests whose range holds a sequence, oldest first."""
        values = {
            "sequence": sequence,
            "destination": lane and lane.destination,
            "shard": lane and rows.shard_number(lane),
        }
        return await self._questions.ask(
            lambda db: [rows.sent_request(row) for row in db.execute(statement("requests"), values)]
        )

    async def claims_of(self, destination: str, sequence: int) -> list[tuple[str, str, bool]]:
        """List claims the event takes part in."""
        found = await self._questions.ask(
            lambda db: db.execute(statement("claims_of_event"), (destination, sequence)).fetchall()
        )
        return [(key, message_id, bool(owns)) for key, message_id, owns in found]

    async def copies_held_back(self, destination: str, sequence: int) -> list[tuple[str, str]]:
        """List the copies that claims the event holds have suppressed."""
        found = await self._questions.ask(
            lambda db: db.execute(statement("claim_copies"), (destination, sequence)).fetchall()
        )
        return [(key, message_id) for key, message_id in found]

    async def claim_holder(self, destination: str, key: str, at: datetime, within: timedelta) -> str | None:
        """Give the message id that holds a claim."""
        return await self._questions.ask(lambda db: claims.holder(db, destination, key, at, within))

    async def mailbox_of(self, destination: str, sequence: int) -> list[Mail]:
        """List the mailbox commands an event became."""
        return await self._questions.ask(lambda db: mailbox.of_event(db, destination, sequence))

    async def command_result(self, id_: int) -> str | None:
        """Give a command's result once it has one."""
        row = await self._questions.ask(lambda db: db.execute(statement("command_result"), (id_,)).fetchone())
        return None if row is None else row[0]

    async def status(self) -> JournalStatus:
        """Give the journal in numbers."""
        return await self._questions.ask(lambda db: _status(db, self.url, self._shards, self._max_size_bytes))


def read_events(db: sqlite3.Connection, shard: int | None, start: int, limit: int) -> list[Stored]:
    """Read events from `start` on, in order."""
    name, values = ("all", (start, limit)) if shard is None else ("shard", (shard, start, limit))
    (text,) = db.execute(statement(f"events_of_{name}"), values).fetchone()
    together = rows.stored_many(text)
    if together is not None:
        return together
    return [rows.stored(row) for row in db.execute(statement(f"event_rows_of_{name}"), values)]


def head_of(db: sqlite3.Connection) -> int:
    """Give a sequence above every event appended so far, deleted ones too."""
    last = db.execute(statement("event_last")).fetchone()[0] or 0
    return 1 + max(last, counter(db, "sequence"))


def _sequence_at(db: sqlite3.Connection, at: int) -> int:
    """Halve the journal: received times rise with sequences, up to the milliseconds of a commit."""
    low, high = 1, head_of(db)
    while low < high:
        middle = (low + high) // 2
        row = db.execute(statement("event_at_or_after"), (middle,)).fetchone()
        if row is None or row[1] >= at:
            high = middle
        else:
            low = row[0] + 1
    row = db.execute(statement("event_at_or_after"), (low,)).fetchone()
    return low if row is None else int(row[0])


def _find(db: sqlite3.Connection, message_id: str) -> list[Stored]:
    """Look in the runs of marks, and for the newest events, whose marks are in memory, in the events."""
    runs = db.execute(statement("mark_runs")).fetchall()
    flushed = counter(db, "marks/flushed")
    found = []
    for (scope,) in db.execute(statement("scopes")).fetchall():
        newest = db.execute(statement("event_by_id_after"), (flushed, scope, message_id)).fetchone()[0]
        sequence = newest or _marked(db, runs, digest_of(scope, message_id))
        row = sequence and db.execute(statement("event"), (sequence,)).fetchone()
        if row:
            found.append(rows.stored(row))
    return sorted(found, key=lambda event: event.sequence)


def _marked(db: sqlite3.Connection, runs: list[tuple[int, ...]], digest: bytes) -> int | None:
    for run in reversed(runs):
        try:
            row = db.execute(statement("mark", run[0]), (digest,)).fetchone()
        except sqlite3.OperationalError:  # the run expired since it was listed
            continue
        if row:
            return int(row[0])
    return None


def _status(db: sqlite3.Connection, url: str, shards: int, max_size_bytes: int) -> JournalStatus:
    db.execute("BEGIN")
    try:
        counters: dict[str, int] = dict(db.execute(statement("counters")).fetchall())
        cursors = [rows.cursor(row) for row in db.execute(statement("cursors"))]
        oldest = db.execute(statement("event_oldest")).fetchone()
        appended = [counters.get(f"shard/{shard}", 0) for shard in range(shards)]
        pages, free, size = (
            db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return JournalStatus(
            url=url,
            events=sum(appended) - counters.get("events/deleted", 0),
            size_bytes=(pages - free) * size,
            max_size_bytes=max_size_bytes,
            head=head_of(db),
            oldest_received_at=moment(oldest[0]) if oldest else None,
            shards=shards,
            schema_version=db.execute("PRAGMA user_version").fetchone()[0],
            sources=_sources(counters),
            cursors=cursors,
            lags={cursor.lane: _lag(cursor, appended) for cursor in cursors},
            dead_letters=dict(db.execute(statement("dead_letter_counts")).fetchall()),
            asides=dict(db.execute(statement("aside_counts")).fetchall()),
            quarantined=db.execute(statement("quarantine_size")).fetchone()[0],
        )
    finally:
        db.execute("COMMIT")


def _lag(cursor: Cursor, appended: list[int]) -> int:
    shard = cursor.lane.shard
    return (sum(appended) if shard is None else appended[shard]) - cursor.passed


def _sources(counters: dict[str, int]) -> dict[str, SourceTotals]:
    sources: dict[str, SourceTotals] = {}
    for name, value in sorted(counters.items()):
        if name.startswith("source/"):
            source, _, total = name.removeprefix("source/").rpartition("/")
            setattr(sources.setdefault(source, SourceTotals()), total, value)
    return sources
