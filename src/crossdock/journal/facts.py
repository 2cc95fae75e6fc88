"""
Visitor facts in SQLite: records folded in the write that appends, and the cache before them.

A record is a row of `visitor`. Events that need none cost nothing here. The others' records are read in one
step a commit, as far as they are not in the cache, folded in memory event by event, and written once a
commit, however many events changed them. Belongs to the writer thread; `keep` and `undo` follow its
transactions.
"""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from crossdock.journal.base import Arrival, Memory, Record
from crossdock.journal.statements import run_many, statement
from crossdock.journal.writer import Hook

CACHED_RECORDS: Final = 16_384
CACHED_BYTES: Final = 8 << 20
"""Of JSON, both for the two generations together; decoded it takes some five times as much."""
STEP: Final = 1000
STEPS_A_ROUND: Final = 20
"""Retention comes once a minute: more than a million records in an hour."""
_TOUCH: Final = 86_400_000_000
"""A record that is only read counts as seen anew once a day."""
_EMPTY: Final[Record] = {}


class _Cached:
    """Records used lately, in two generations: the older one goes when the younger is full."""

    def __init__(self, records: int, bytes_: int) -> None:
        self._records, self._bytes = records // 2, bytes_ // 2
        self._young: dict[str, tuple[Record, int, int]] = {}
        self._old: dict[str, tuple[Record, int, int]] = {}
        self._size = 0

    def get(self, key: str) -> tuple[Record, int, int] | None:
        """Give a record, when it was seen, and its size."""
        return self._young.get(key) or self._old.get(key)

    def put(self, key: str, record: Record, seen_at: int, size: int) -> None:
        standing = self._young.get(key)
        self._size += size - (standing[2] if standing else 0)
        self._young[key] = record, seen_at, size
        if len(self._young) > self._records or self._size > self._bytes:
            self._old, self._young, self._size = self._young, {}, 0

    def drop(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._young.pop(key, None)
            self._old.pop(key, None)


class _Live(dict[str, Record]):
    """The records of one transaction; one that was not read ahead is read when it is asked for."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def __missing__(self, key: str) -> Record:
        self._facts.load((key,))
        return self[key]


class Facts:
    """The records of one journal, and what folds events into them."""

    def __init__(self, db: sqlite3.Connection, hook: Hook) -> None:
        self._db = db
        self._hook = hook
        self.memory: Memory | None = None
        self._cached = _Cached(CACHED_RECORDS, CACHED_BYTES)
        self._live = _Live(self)
        self._seen: dict[str, int] = {}
        """When each live record was last seen; 0: it is not stored."""
        self._sizes: dict[str, int] = {}
        self._changed: dict[str, int] = {}
        """The records to be written, and when they were seen."""
        self._dropped: list[str] = []
        self._expired_up_to = 0
        self._now = 0
        """The newest event's arrival."""

    def read_ahead(self, arrivals: Iterable[Sequence[Arrival]]) -> None:
        """Read the records that events and the links of these lead to, in two steps at most."""
        memory = self.memory
        if memory is None:
            return
        documents = []
        wanted: list[str] = []
        try:
            for group in arrivals:
                for arrival in group:
                    if keys := memory.keys(arrival.document):
                        documents.append(arrival.document)
                        wanted += keys
            if not documents:
                return
            self.load(wanted)
            others = [memory.linked(document, self._live) for document in documents]
        except sqlite3.Error:
            raise
        except Exception:  # noqa: BLE001 - a bug of ours, told when the event it stumbles over is folded
            return
        self.load([other for other in others if other is not None])

    def load(self, keys: Iterable[str]) -> None:
        """Make records live: from the cache, else from the file, else empty."""
        live, seen = self._live, self._seen
        missing = []
        for key in dict.fromkeys(keys):
            if key in live:
                continue
            cached = self._cached.get(key)
            if cached is None:
                missing.append(key)
                live[key], seen[key] = _EMPTY, 0
            else:
                live[key], seen[key], self._sizes[key] = cached
        for key, seen_at, record in run_many(self._db, "visitors_wanted", missing, 1) if missing else ():
            live[key], seen[key], self._sizes[key] = orjson.loads(record), seen_at, len(record)

    def fold(self, arrival: Arrival, at: int) -> dict[str, Any] | None:
        """Fold one new event; gives its facts."""
        memory = self.memory
        if memory is None:
            return None
        live = self._live
        self._now = max(self._now, at)
        try:
            changed, facts = memory.fold(arrival.document, arrival.received_at, live)
        except sqlite3.Error:
            raise
        except Exception:  # noqa: BLE001 - a bug of ours must not close the door to the event
            self._hook("visitor.fault", error=traceback.format_exc())
            return None
        for key, record in changed.items():
            live[key] = record
            self._changed[key] = at
        return facts

    def write(self) -> int:
        """Write what was changed, and what was not seen for a day; gives about how many bytes."""
        if not self._live:
            return 0
        at = self._now
        for key, seen_at in self._seen.items():
            if seen_at and at - seen_at > _TOUCH:
                self._changed.setdefault(key, at)
        values: list[Any] = []
        for key, seen_at in self._changed.items():
            record = orjson.dumps(self._live[key]).decode()
            self._sizes[key] = len(record)
            self._seen[key] = seen_at
            values += (key, seen_at, record)
        run_many(self._db, "visitor_put", values, 3)
        return sum(self._sizes[key] for key in self._changed) + 40 * len(self._changed)

    def forget(self, keys: Sequence[str]) -> int:
        """Remove records; gives how many there were."""
        gone = 0
        for key in keys:
            gone += self._db.execute(statement("visitor_delete"), (key,)).rowcount
            self._live.pop(key, None)
            self._sizes.pop(key, None)
            self._dropped.append(key)
        return gone

    def expire(self, before: int) -> bool:
        """
        Drop records not seen since a time, one step of a round over all of them; whether the round goes on.

        In order of the table and not of an index: one by time would cost every event a write of its own, and
        records may well go some hours late.
        """
        row = self._db.execute(statement("visitor_step"), (self._expired_up_to, STEP - 1)).fetchone()
        last = row[0] if row else self._db.execute(statement("visitor_last")).fetchone()[0] or 0
        values = {"after": self._expired_up_to, "last": last, "before": before}
        self._dropped += [key for (key,) in self._db.execute(statement("visitors_expire"), values)]
        self._expired_up_to = last if row else 0
        return row is not None

    def keep(self) -> None:
        """Follow a commit."""
        for key, size in self._sizes.items():
            self._cached.put(key, self._live[key], self._seen[key], size)
        if self._dropped:
            self._cached.drop(self._dropped)
        self._clear()

    def undo(self) -> None:
        """Follow a rollback."""
        self._clear()

    def _clear(self) -> None:
        if self._live:
            self._live.clear()
            self._seen, self._sizes, self._changed = {}, {}, {}
        if self._dropped:
            self._dropped = []
