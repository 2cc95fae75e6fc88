"""The quarantine: refused events, kept to be looked at, bounded by count and bytes."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any, Final

from crossdock.journal.base import Refusal
from crossdock.journal.rows import count
from crossdock.journal.statements import run_many, statement
from crossdock.journal.times import micros
from crossdock.journal.writer import Hook

EVENTS: Final = 10_000
BYTES: Final = 64 << 20
_COLUMNS: Final = 7


class Quarantine:
    """Its size, and what goes when it is full. Belongs to the writer thread."""

    def __init__(self, db: sqlite3.Connection, hook: Hook, events: int = EVENTS, bytes_: int = BYTES) -> None:
        self._db = db
        self._hook = hook
        self._max_events, self._max_bytes = events, bytes_
        self._kept: tuple[int, int] = db.execute(statement("quarantine_size")).fetchone()
        self._size = self._kept

    def add(self, refusals: Sequence[Refusal]) -> None:
        """Keep refused events; beyond the bounds the oldest go, and are counted."""
        values: list[Any] = []
        for refusal in refusals:
            values += (refusal.source, refusal.message_id, refusal.code, refusal.reason, refusal.channel)
            values += (micros(refusal.received_at), refusal.body)
        run_many(self._db, "quarantine_insert", values, _COLUMNS)
        events, bytes_ = self._size
        self._size = events + len(refusals), bytes_ + sum(len(refusal.body) for refusal in refusals)
        if self._size[0] > self._max_events or self._size[1] > self._max_bytes:
            self._make_room()

    def _make_room(self) -> None:
        events, bytes_ = self._size
        gone, last = 0, 0
        for id_, length in self._db.execute(statement("quarantine_oldest"), (events,)):
            if events <= self._max_events and bytes_ <= self._max_bytes:
                break
            events, bytes_, gone, last = events - 1, bytes_ - length, gone + 1, id_
        self._db.execute(statement("quarantine_delete_up_to"), (last,))
        self._size = events, bytes_
        count(self._db, "quarantine/dropped", gone)
        self._hook("quarantine.dropped", events=gone)

    def release(self, ids: Collection[int]) -> int:
        """Drop events; gives how many were there."""
        gone = 0
        for id_ in ids:
            for (length,) in self._db.execute(statement("quarantine_delete"), (id_,)).fetchall():
                self._size = self._size[0] - 1, self._size[1] - length
                gone += 1
        return gone

    def reduce(self, rows: Sequence[tuple[int, int, bytes | None]]) -> int:
        """Put what is left in place of bodies, by id and length; drop those that nothing is left of."""
        for id_, length, left in rows:
            if left is None:
                self.release([id_])
                continue
            self._db.execute(statement("quarantine_replace"), (left, id_))
            self._size = self._size[0], self._size[1] - length + len(left)
        return len(rows)

    def expire(self, before: int, step: int) -> int:
        """Drop up to `step` events refused before a time."""
        ids = [row[0] for row in self._db.execute(statement("quarantine_expired"), (before, step))]
        return self.release(ids)

    def keep(self) -> None:
        """Follow a commit."""
        self._kept = self._size

    def undo(self) -> None:
        """Follow a rollback."""
        self._size = self._kept
