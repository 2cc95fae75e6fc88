"""
The journal on SQLite: one file, one writer thread, reads from memory at the head and from two threads behind.

What a method changes runs as an operation of the writer (`crossdock.journal.writer`); what it asks runs in a
reading thread of its own kind, so that a page of the console never stands in a lane's way.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import orjson

from crossdock.errors import JournalUnavailable
from crossdock.journal import asides, claims, lanes, mailbox, removal, retention, vendor_keys
from crossdock.journal.base import (
    Appended,
    Arrival,
    Claim,
    Command,
    Cursor,
    Forgotten,
    Lane,
    Leased,
    Mail,
    MailAnswer,
    Memory,
    Owner,
    Refusal,
    Settled,
    Stored,
    VendorKey,
)
from crossdock.journal.connection import FileLock, connect_writer, fix_setting
from crossdock.journal.erasure import Erasure
from crossdock.journal.facts import STEPS_A_ROUND
from crossdock.journal.head import Head
from crossdock.journal.marks import CELLS, MARKS_A_RUN, Marks
from crossdock.journal.reading import Questions, SqliteReader, read_events
from crossdock.journal.statements import statement
from crossdock.journal.store import Append, SqliteStore
from crossdock.journal.subject import Subject
from crossdock.journal.times import micros, micros_of, now
from crossdock.journal.writer import Hook, Writer, unheard

T = TypeVar("T")
_COMMANDS_SECONDS: Final = 1.0
_FLUSH_STEPS: Final = 64
"""How many commits retention waits for marks to be written; on a full disk it tries again next time."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a journal is opened with."""

    shards: int = 8
    retention: timedelta = timedelta(days=7)
    max_size_bytes: int = 20 << 30
    dedup_window: timedelta = timedelta(days=7)
    visitor_expiry: timedelta = timedelta(days=30)
    memory: Memory | None = None
    clock: Callable[[], datetime] = now
    hook: Hook = unheard
    marks_a_run: int = MARKS_A_RUN
    cells: int = CELLS


class SqliteJournal(SqliteReader):
    """The gateway's journal; see `Journal` for what each method promises."""

    def __init__(self, url: str, path: Path, settings: Settings, store: SqliteStore, lock: FileLock) -> None:
        super().__init__(url, path, settings.shards, settings.max_size_bytes)
        self._settings = settings
        self._store = store
        self._lock = lock
        self._lane_questions = Questions(path, "lanes")
        self._head = Head(_newest(store.db, settings.shards), store.next_sequence)
        store.head = self._head
        store.facts.memory = settings.memory
        self._writer = Writer(store, settings.hook)
        self._seen_command = 0
        self._keys_expired = vendor_keys.FIRST
        self._command_bell = asyncio.Event()
        store.left_command = self._command_bell.set
        self._mail_bells = mailbox.Bells()
        self._retaining = asyncio.Lock()
        self._closed = False
        self._writer.start()

    @classmethod
    async def open(cls, url: str, path: Path, settings: Settings, *, wait_for_lock: bool) -> SqliteJournal:
        """Take the lock, bring the file up to date and start the writer."""
        lock = FileLock(path)
        await lock.take(settings.hook, wait=wait_for_lock)
        try:
            store = await asyncio.to_thread(_open_store, path, settings)
            return cls(url, path, settings, store, lock)
        except BaseException:
            lock.release()
            raise

    def remember(self, memory: Memory | None) -> None:
        """Fold by another memory from the next append on."""
        self._store.facts.memory = memory

    async def append(self, arrivals: Sequence[Arrival], refusals: Sequence[Refusal] = ()) -> list[Appended]:
        """Append events, and quarantine refused ones, in one write."""
        if not arrivals and not refusals:
            return []
        weight = sum([len(arrival.body) for arrival in arrivals]) + sum(
            [len(refusal.body) for refusal in refusals]
        )
        answers: list[Appended] = await self._writer.submit(None, Append(arrivals, refusals), weight)
        return answers

    async def read(self, shard: int | None, start: int, limit: int) -> list[Stored]:
        """Read events in order: from memory at the head, else from the file."""
        if start >= self._head.floor:
            return self._head.read(shard, start, limit)
        return await self._lane_questions.ask(lambda db: read_events(db, shard, start, limit))

    async def wait(self, shard: int | None, start: int) -> None:
        """Return once an event of the shard may stand at `start` or later."""
        await self._head.wait(shard, start)

    async def head(self) -> int:
        """Give a sequence above every event appended so far."""
        return self._head.next

    async def open_lane(self, lane: Lane, start: int) -> Cursor:
        """Give a lane's cursor, made at `start` if it has none."""
        return await self._write(lambda db: lanes.open_lane(db, lane, start, self._shards))

    async def settle(self, settled: Settled) -> None:
        """Write what one lane settled."""
        await self._write(
            lambda db: lanes.settle(db, settled, self._now(), self._lost_heir, self._store.erased)
        )

    async def claim(self, destination: str, claims_: Sequence[Claim]) -> list[str | None]:
        """Take claims, durably."""
        if not claims_:
            return []
        return await self._write(lambda db: claims.take(db, destination, claims_, self._now()))

    async def put_mail(self, mails: Sequence[Mail], capacity: int) -> mailbox.Totals:
        """Put commands into their visitors' mailboxes, durably, each once."""
        if not mails:
            return {}
        lost = await self._write(lambda db: mailbox.put(db, mails, capacity))
        self._mail_bells.ring({mail.visitor for mail in mails})
        return lost

    def mail_bell(self, visitor: str) -> AbstractContextManager[asyncio.Event]:
        """Give an event that is set whenever the visitor's mailbox changes, until the block ends."""
        return self._mail_bells.listen(visitor)

    async def lease_mail(
        self, destinations: Collection[str], visitor: str, now: datetime, *, until: datetime, limit: int
    ) -> Leased:
        """Hand a visitor's oldest commands to one page; most pages ask in vain, and that costs no write."""
        number, busy_until = await self._questions.ask(
            lambda db: mailbox.waiting(db, destinations, visitor, now)
        )
        if not number or busy_until is not None:
            return Leased([], busy_until)
        return await self._write(
            lambda db: mailbox.lease(db, destinations, visitor, now, until=until, limit=limit)
        )

    async def settle_mail(
        self, destinations: Collection[str], visitor: str, answers: Sequence[MailAnswer], now: datetime
    ) -> mailbox.Totals:
        """Note what became of commands that were handed out."""
        totals = await self._write(lambda db: mailbox.settle(db, destinations, visitor, answers, now))
        if totals:
            self._mail_bells.ring((visitor,))
        return totals

    async def expire_mail(self, now: datetime) -> mailbox.Totals:
        """Give up commands whose time is over, in small steps."""
        totals: mailbox.Totals = {}
        more = await self._questions.ask(lambda db: mailbox.is_overdue(db, now))
        while more:
            some, more = await self._write(lambda db: mailbox.expire(db, now))
            mailbox.merge(totals, some)
        return totals

    async def vendor_keys(self, destination: str, own: Collection[str], now: datetime) -> Mapping[str, str]:
        """Give the keys that stand for ids of ours; a key in use is touched once a day."""
        at = micros(now)
        keys, stale = await self._lane_questions.ask(
            lambda db: vendor_keys.standing(db, destination, own, at)
        )
        if stale:
            await self._write(lambda db: vendor_keys.touch(db, destination, stale, at))
        return dict(keys)

    async def keep_vendor_keys(
        self, destination: str, made: Sequence[VendorKey], now: datetime
    ) -> Mapping[str, str]:
        """Keep keys a vendor made; gives those that stand."""
        return await self._write(lambda db: vendor_keys.keep(db, destination, made, micros(now)))

    async def replay_dead_letters(
        self, ids: Collection[int] | None, destination: str | None, *, force: bool = False
    ) -> int:
        """Set dead letters aside to be sent again."""

        def run(db: sqlite3.Connection) -> int:
            chosen = asides.letter_ids(db, ids, destination)
            return asides.replay(db, chosen, destination, self._now(), force)

        return await self._write(run)

    async def discard_dead_letters(self, ids: Collection[int] | None, destination: str | None) -> int:
        """Drop dead letters for good; a suppressed copy inherits the claim of each."""

        def run(db: sqlite3.Connection) -> int:
            chosen = asides.letter_ids(db, ids, destination)
            letters = [letter for id_ in chosen if (letter := asides.letter_of(db, id_, destination))]
            for letter in letters:
                owner = Owner(letter.sequence, letter.index)
                claims.hand_over(db, letter.destination, owner, None, self._now(), self._lost_heir)
            asides.drop_letters(db, [letter.id for letter in letters])
            return len(letters)

        return await self._write(run)

    async def release_quarantined(self, ids: Collection[int]) -> int:
        """Drop quarantined events, as they were accepted after all."""
        return await self._write(lambda _db: self._store.quarantine.release(ids))

    async def submit(self, command: Command) -> int:
        """Leave a command; gives its id."""
        values = (command.kind, orjson.dumps(command.arguments).decode(), self._now())
        id_ = await self._write(lambda db: db.execute(statement("command_insert"), values).lastrowid)
        self._command_bell.set()
        return int(id_ or 0)

    async def commands(self) -> list[Command]:
        """List commands not yet finished, oldest first."""
        found = await self._questions.ask(lambda db: db.execute(statement("commands")).fetchall())
        self._seen_command = max([self._seen_command, *(row[0] for row in found)])
        return [Command(kind, orjson.loads(arguments), id=id_) for id_, kind, arguments in found]

    async def finish(self, id_: int, result: str) -> None:
        """Note a command's result."""
        await self._write(lambda db: db.execute(statement("command_finish"), (result, id_)).rowcount)

    async def wait_commands(self) -> None:
        """
        Return when there is a command that `commands` has not listed yet.

        The one place that polls: another process cannot wake this one through the file, and once a second
        one look at an index that is nearly always empty costs nothing that could be measured.
        """
        while True:
            newest = await self._questions.ask(
                lambda db: db.execute(statement("command_newest")).fetchone()[0]
            )
            if newest and newest > self._seen_command:
                return
            try:
                await asyncio.wait_for(self._command_bell.wait(), _COMMANDS_SECONDS)
            except TimeoutError:
                continue
            self._command_bell.clear()

    async def forget(
        self,
        users: Collection[str],
        lanes: Collection[Lane],
        told: Callable[[Forgotten], Awaitable[None]],
    ) -> Forgotten:
        """Erase everything of users."""
        async with self._retaining:
            subject = Subject(users, self._shards)
            erasure = Erasure(self._questions.ask, self._write, self._store, self._head, subject)
            return await erasure.run(lanes, told)

    async def withdraw(self, sequences: Collection[int], lanes: Collection[Lane]) -> list[int]:
        """Erase the delete events that every lane has passed."""
        wanted = sorted(sequences)
        gone = await self._write(lambda db: removal.events(db, self._store, wanted, lanes))
        self._head.forget(gone.sequences, gone.newest)
        return gone.notices

    async def retain(self, lanes_: Collection[Lane], now: datetime) -> int:
        """Delete what is older than the retention and passed by every lane, and what else has expired."""
        async with self._retaining:
            at = micros(now)
            deleted = await self._delete_events(lanes_, at)
            window = micros_of(self._settings.dedup_window)
            await self._write(lambda db: self._store.marks.expire(db, at))
            for destination, within in await self._questions.ask(
                lambda db: db.execute(statement("claim_windows")).fetchall()
            ):
                await self._steps(
                    lambda db, d=destination, w=within: retention.expire_claims(db, at, window, d, w)
                )
            kept = micros_of(self._settings.retention)
            await self._steps(lambda db: retention.expire_rest(db, self._store.quarantine, at, kept))
            await self._expire_facts(at - micros_of(self._settings.visitor_expiry))
            await self._steps(lambda db: mailbox.drop_settled(db, at, self._settings.retention))
            return deleted

    async def close(self) -> None:
        """Finish what was asked, then let go of the file."""
        if self._closed:
            return
        self._closed = True
        self._head.close()
        # The readers go first, so that the writer's last checkpoint finds nobody in the way.
        await asyncio.to_thread(self._questions.close)
        await asyncio.to_thread(self._lane_questions.close)
        await self._writer.close()
        self._lock.release()

    async def _write(self, run: Callable[[sqlite3.Connection], T]) -> T:
        result: T = await self._writer.submit(run)
        return result

    def _now(self) -> int:
        return micros(self._settings.clock())

    def _lost_heir(self, message_id: str) -> None:
        self._settings.hook("claim.heir_lost", message_id=message_id)

    async def _expire_facts(self, before: int) -> None:
        for _ in range(STEPS_A_ROUND):
            if not await self._write(lambda _db: self._store.facts.expire(before)):
                break
        for _ in range(STEPS_A_ROUND):
            after = self._keys_expired
            place = await self._write(lambda db, after=after: vendor_keys.expire(db, after, before))  # type: ignore[misc]
            self._keys_expired = place or vendor_keys.FIRST
            if place is None:
                return

    async def _delete_events(self, lanes_: Collection[Lane], at: int) -> int:
        before = at - micros_of(self._settings.retention)
        deleted, waited, more = 0, 0, True
        while more and waited < _FLUSH_STEPS:
            step = await self._write(lambda db: self._delete_step(db, lanes_, before, at))
            self._head.drop_up_to(step.last)
            deleted, waited, more = deleted + step.events, waited + step.waiting, step.more
        return deleted

    def _delete_step(
        self, db: sqlite3.Connection, lanes_: Collection[Lane], before: int, at: int
    ) -> retention.Step:
        below = retention.passed_by_all(db, lanes_, self._store.next_sequence)
        old = retention.next_deletion(db, below, before)
        if not old:
            return retention.Step()
        window = micros_of(self._settings.dedup_window)
        if (
            old[-1][0] > self._store.marks.flushed_sequence
            and max(received_at for _, received_at in old) + window > at
        ):
            # A mark lives in its event's row until a run holds it, so the run comes first.
            self._store.marks_wanted = True
            return retention.Step(more=True, waiting=1)
        return retention.delete_events(db, old)

    async def _steps(self, step: Callable[..., bool]) -> None:
        while await self._write(step):
            pass


def _open_store(path: Path, settings: Settings) -> SqliteStore:
    db = connect_writer(path)
    try:
        fix_setting(db, path, "shards", settings.shards)
        marks = Marks(micros_of(settings.dedup_window), settings.marks_a_run, settings.cells)
        marks.load(db)
        return SqliteStore(db, path, settings.max_size_bytes, marks, settings.hook)
    except sqlite3.Error as error:
        db.close()
        raise JournalUnavailable(f"{path} cannot be used: {error}") from error
    except BaseException:
        db.close()
        raise


def _newest(db: sqlite3.Connection, shards: int) -> list[int]:
    """Give each shard's newest sequence, so that a lane at its end waits instead of reading in vain."""
    return [
        db.execute(statement("event_newest_of_shard"), (shard,)).fetchone()[0] or 0 for shard in range(shards)
    ]
