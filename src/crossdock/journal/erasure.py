"""
Erasure in SQLite: everything of a user, wherever the file holds it.

A user's rows are found by a scan in slices, through a reading connection, and removed by the writer a few
hundred at a time. There is no index over users on purpose: each event would pay for it with a random page of
a B-tree over every id (some 40 µs and 4 KiB of log, more than storing the event costs), all for a request
that comes a few times a month and may take minutes.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from typing import Any, Final, Protocol, TypeVar

import orjson

from crossdock.journal import removal
from crossdock.journal.base import Forgotten, Lane
from crossdock.journal.head import Head
from crossdock.journal.statements import run_many, statement
from crossdock.journal.store import SqliteStore
from crossdock.journal.subject import Subject

T = TypeVar("T")
SLICE: Final = 1000
STEP: Final = 200
_FLUSH_STEPS: Final = 64
_FIRST_CLAIM: Final = ("", 0, -(1 << 62), b"")


class Ask(Protocol):
    """How a question, or a change, reaches its thread."""

    def __call__(self, run: Callable[[sqlite3.Connection], T], /) -> Awaitable[T]:
        """Run it there."""


class Erasure:
    """One erasure, of some users at once so that many requests share the scans."""

    def __init__(self, ask: Ask, write: Ask, store: SqliteStore, head: Head, subject: Subject) -> None:
        self._ask = ask
        self._write = write
        self._store = store
        self._head = head
        self._before = head.next
        self._subject = subject
        self._counts: Counter[str] = Counter()
        self._notices: list[int] = []

    async def run(self, lanes: Collection[Lane], told: Callable[[Forgotten], Awaitable[None]]) -> Forgotten:
        """Erase; `told` comes when the events are gone, before what a lane may just have written is."""
        await self._learn()
        await self._facts()
        await self._events(lanes)
        await self._copies("aside", "set_aside")
        await told(self._forgotten())
        await self._copies("aside", "set_aside")
        await self._copies("dead_letter", "dead_letters")
        ids = list(self._subject.ids)
        self._counts["mailbox"] += await self._write(lambda db: removal.mail(db, ids))
        self._counts["vendor_keys"] += await self._write(lambda db: removal.vendor_keys(db, ids))
        await self._claims()
        await self._requests()
        await self._quarantine()
        return self._forgotten()

    def _forgotten(self) -> Forgotten:
        counts = {name: times for name, times in sorted(self._counts.items()) if times}
        return Forgotten(counts, self._subject.sequences, self._subject.ids, list(self._notices))

    async def _scan(self, name: str, *after: Any, values: Sequence[Any] = ()) -> AsyncIterator[list[Any]]:
        """Give the rows of a statement in slices; its first columns are the place to go on from."""
        while True:
            asked = (*after, *values, SLICE)
            rows = await self._ask(lambda db, asked=asked: db.execute(statement(name), asked).fetchall())  # type: ignore[misc]
            if rows:
                yield rows
            if len(rows) < SLICE:
                return
            after = tuple(rows[-1][: len(after)])

    async def _learn(self) -> None:
        """Find the anonymousIds linked to the users: in what is remembered, and in the events."""
        async for rows in self._scan("visitors_from", 0):
            for _, key, record in rows:
                self._subject.learn_record(key, orjson.loads(record))
        async for rows in self._scan("event_identities", 0, values=(self._before,)):
            for row in rows:
                self._subject.learn(*_identities(row))

    async def _facts(self) -> None:
        subject = self._subject
        keys = [f"u{user}" for user in subject.users] + [f"a{one}" for one in subject.anonymous]
        for some in _steps(keys):
            found = await self._ask(lambda db, some=some: run_many(db, "visitors_wanted", some, 1))  # type: ignore[misc]
            gone = []
            for key, _, record in found:
                user = orjson.loads(record).get("user")
                if key[0] == "a" and user and user[2] not in subject.users:
                    subject.others.add(key[1:])
                else:
                    gone.append(key)
            self._counts["facts"] += await self._write(lambda _, gone=gone: self._store.facts.forget(gone))  # type: ignore[misc]

    async def _events(self, lanes: Collection[Lane]) -> None:
        async for rows in self._scan("event_identities", 0, values=(self._before,)):
            found: list[int] = []
            for row in rows:
                own, facts = _identities(row)
                if self._subject.has(own, facts):
                    found.append(row[0])
                    self._subject.note(row[0], own)
            for some in _steps(found):
                await self._flush_marks(some[-1])
                gone = await self._write(lambda db, some=some: removal.events(db, self._store, some, lanes))  # type: ignore[misc]
                self._head.forget(gone.sequences, gone.newest)
                self._counts["events"] += len(gone.sequences)
                self._notices += gone.notices

    async def _flush_marks(self, last: int) -> None:
        """Have marks written: one lives in its event's row until then, and a copy must stay a duplicate."""
        for _ in range(_FLUSH_STEPS):
            if await self._write(lambda _: self._store.want_marks(last)):
                return

    async def _copies(self, table: str, name: str) -> None:
        """Remove the rows that keep an event of their own."""
        async for rows in self._scan(f"{table}_identities", 0):
            found = []
            for id_, sequence, own, facts in rows:
                identity = orjson.loads(own)
                if self._subject.has(identity, facts and orjson.loads(facts)):
                    found.append(id_)
                    self._subject.note(sequence, identity)
            for some in _steps(found):
                run = removal.asides if table == "aside" else removal.dead_letters
                self._counts[name] += await self._write(lambda db, some=some, run=run: run(db, some))  # type: ignore[misc]

    async def _claims(self) -> None:
        subject, sequences = self._subject, self._subject.sequences
        async for rows in self._scan("claims_from", *_FIRST_CLAIM):
            touched = [
                row
                for row in rows
                if row[5] in sequences
                or (not row[7] and subject.is_named_in(row[4]))
                or any(copy[0] in sequences for copy in orjson.loads(row[6]))
            ]
            for some in _steps(touched):
                self._counts["claims"] += await self._write(
                    lambda db, some=some: removal.claims(db, some, subject)  # type: ignore[misc]
                )

    async def _requests(self) -> None:
        subject, sequences = self._subject, self._subject.sequences
        async for rows in self._scan("requests_from", 0):
            for some in _steps([row for row in rows if subject.between(*row[1:])]):
                self._counts["requests"] += await self._write(
                    lambda db, some=some: removal.requests(db, some, sequences)  # type: ignore[misc]
                )

    async def _quarantine(self) -> None:
        quarantine = self._store.quarantine
        async for rows in self._scan("quarantine_from", 0):
            found = [
                (id_, len(body), left)
                for id_, body in rows
                if (left := self._subject.without(body)) is not body
            ]
            for some in _steps(found):
                self._counts["quarantine"] += await self._write(
                    lambda _, some=some: quarantine.reduce(some)  # type: ignore[misc]
                )


def _identities(row: Sequence[Any]) -> tuple[list[Any], list[Any] | None]:
    return orjson.loads(row[1]), None if row[2] is None else orjson.loads(row[2])


def _steps(found: list[T]) -> Iterator[list[T]]:
    for start in range(0, len(found), STEP):
        yield found[start : start + STEP]
