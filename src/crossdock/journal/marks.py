"""
Dedup marks: which ids were seen in a scope within the window, from the first sighting on.

A log-structured merge over SQLite. The newest marks are a dictionary in memory; they are durable because the
events themselves are, and a start makes them again from the events after the last run. A full dictionary
becomes a *run*: a table of its own, filled in the order of its key, so that no random page is ever written
(5 million marks in one B-tree cost a page for each id: 40 µs; here a mark costs about 3). The filter says
which runs may hold an id, a point query there says whether one does, so nothing is ever dropped by mistake.
A run goes, by one DROP, when its newest mark has left the window. A mark in a younger run that has left it
counts as gone.

Everything here runs in the writer thread, inside its transaction; `keep` and `undo` follow the transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from crossdock.journal.filter import SLOTS_A_PLANE, RunFilter, slots
from crossdock.journal.statements import run_many, statement

SEQUENCE_BITS: Final = 48
_SEQUENCE: Final = (1 << SEQUENCE_BITS) - 1
_BUCKETS: Final = 64
MARKS_A_RUN: Final = 1 << 17
CELLS: Final = 1 << 21


def digest_of(scope: str, message_id: str) -> bytes:
    """Give the 16 bytes an id is marked by in a scope."""
    try:
        text = f"{scope}\0{message_id}".encode()
    except UnicodeEncodeError:
        text = f"{scope}\0{message_id}".encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16).digest()


@dataclass(slots=True)
class Run:
    """A table of marks."""

    id: int
    slot: int
    marks: int
    last_sequence: int
    newest_at: int


@dataclass(slots=True)
class _Flush:
    """A run on its way to disk."""

    run: Run
    marks: dict[bytes, int]
    buckets: list[list[bytes]]
    replaces: Run | None
    """A small older run that this one takes in."""
    written: int = 0
    """Buckets written in the transaction under way, from the end."""


class Marks:
    """The marks of one journal. A mark is held as one integer: time first seen, then sequence."""

    def __init__(self, window: int, marks_a_run: int = MARKS_A_RUN, cells: int = CELLS) -> None:
        self._window = window
        self._marks_a_run = marks_a_run
        self._filter = RunFilter(cells)
        self._runs: dict[int, Run] = {}
        """By slot."""
        self._recent: dict[bytes, int] = {}
        self._frozen: dict[bytes, int] = {}
        self._pending: dict[bytes, int] = {}
        self._dropped: list[Run] = []
        self._flush: _Flush | None = None
        self.flushed_sequence = 0
        self._next_run = 1

    def __len__(self) -> int:
        return len(self._recent) + len(self._frozen) + sum(run.marks for run in self._runs.values())

    @property
    def runs(self) -> list[Run]:
        """The runs on disk, oldest first."""
        return sorted(self._runs.values(), key=lambda run: run.id)

    @property
    def filter_bytes(self) -> int:
        """Memory the filter takes."""
        return self._filter.size_bytes

    def load(self, db: sqlite3.Connection) -> None:
        """Make the state in memory from the tables; drops what a kill left half flushed."""
        self._runs = {row[1]: Run(*row) for row in db.execute(statement("mark_runs"))}
        self._next_run = 1 + max((run.id for run in self._runs.values()), default=0)
        known = {f"mark_{run.id}" for run in self._runs.values()}
        for (name,) in db.execute(statement("mark_tables")).fetchall():
            if name not in known:
                db.execute(statement("mark_table_drop", int(name.removeprefix("mark_"))))
        self._load_filter(db)
        row = db.execute(statement("counter"), ("marks/flushed",)).fetchone()
        self.flushed_sequence = row[0] if row else 0
        for sequence, scope, message_id, at in db.execute(
            statement("event_marks_after"), (self.flushed_sequence,)
        ):
            self._recent[digest_of(scope, message_id)] = at << SEQUENCE_BITS | sequence

    def _load_filter(self, db: sqlite3.Connection) -> None:
        for slot in self._runs:
            self._filter.make_room(slot)
        stored = dict(db.execute(statement("mark_filters")).fetchall())
        for plane in {slot // SLOTS_A_PLANE for slot in self._runs}:
            self._filter.set_plane(plane, stored[plane])
        for slot in self._runs:
            self._filter.live(slot, alive=True)

    def seen(self, db: sqlite3.Connection, digest: bytes, at: int) -> int:
        """Give the sequence first seen under `digest` within the window before `at`, or 0."""
        mark = (
            self._pending.get(digest)
            or self._recent.get(digest)
            or (self._frozen.get(digest) if self._frozen else None)
        )
        if mark is None:
            maybe = self._filter(digest)
            if not maybe:
                return 0
            mark = self._look_up(db, digest, maybe)
        return mark & _SEQUENCE if mark and at - (mark >> SEQUENCE_BITS) < self._window else 0

    def _look_up(self, db: sqlite3.Connection, digest: bytes, maybe: int) -> int:
        """Ask the runs named, newest first: the newest mark is the one that counts."""
        candidates = [self._runs[slot] for slot in slots(maybe)]
        for run in sorted(candidates, key=lambda run: -run.id):
            row = db.execute(statement("mark", run.id), (digest,)).fetchone()
            if row:
                return int(row[1]) << SEQUENCE_BITS | int(row[0])
        return 0

    def enter(self, digest: bytes, at: int, sequence: int) -> None:
        """Mark an id as first seen now; counts within the transaction, and for good with `keep`."""
        self._pending[digest] = at << SEQUENCE_BITS | sequence

    def keep(self) -> None:
        """Follow a commit."""
        if self._pending:
            self._recent.update(self._pending)
            self._pending = {}
        while self._dropped:
            self._forget(self._dropped.pop())

    def undo(self) -> None:
        """Follow a rollback; a slice rolled back is written again by the next."""
        self._pending = {}
        self._dropped = []

    @property
    def underway(self) -> bool:
        """Whether a run is on its way to disk."""
        return self._flush is not None

    @property
    def flushing(self) -> bool:
        """Whether a run is, or ought to be, on its way to disk."""
        return self._flush is not None or len(self._recent) >= self._marks_a_run

    def begin_flush(self, db: sqlite3.Connection) -> None:
        """Divide the marks of the next run into buckets by their first bits, to be written in slices."""
        if self._flush or not self._recent:
            return
        marks, replaces = self._recent, None
        newest = max(self._runs.values(), key=lambda run: run.id, default=None)
        if newest and newest.marks + len(marks) <= self._marks_a_run:
            # Retention may ask for small runs (see `Retention`): they are taken in, so that runs stay few.
            rows = db.execute(statement("marks", newest.id))
            older = {digest: at << SEQUENCE_BITS | sequence for digest, sequence, at in rows}
            marks, replaces = older | marks, newest
        slot = next(slot for slot in range(len(self._runs) + 1) if slot not in self._runs)
        run = Run(
            id=self._next_run,
            slot=slot,
            marks=len(marks),
            last_sequence=max(mark & _SEQUENCE for mark in marks.values()),
            newest_at=max(marks.values()) >> SEQUENCE_BITS,
        )
        buckets: list[list[bytes]] = [[] for _ in range(_BUCKETS)]
        for digest in marks:
            buckets[digest[0] >> 2].append(digest)
        buckets.reverse()
        self._filter.clear(slot)
        self._frozen, self._recent = self._recent, {}
        self._flush = _Flush(run, marks, buckets, replaces)

    def flush_slice(self, db: sqlite3.Connection, marks: int) -> None:
        """Write about so many marks of the run under way; with the last one the run is complete on disk."""
        flush = self._flush
        if flush is None:
            return
        db.execute(statement("mark_table_create", flush.run.id))
        flush.written = 0
        for bucket in reversed(flush.buckets):
            if marks <= 0:
                break
            digests = sorted(bucket)
            run_many(db, "mark_insert", list(_flat(digests, flush.marks)), 3, flush.run.id)
            self._filter.add(flush.run.slot, digests)
            marks -= len(digests)
            flush.written += 1
        if flush.written == len(flush.buckets):
            self._complete(db, flush)

    def _complete(self, db: sqlite3.Connection, flush: _Flush) -> None:
        run = flush.run
        db.execute(
            statement("mark_run_insert"), (run.id, run.slot, run.marks, run.last_sequence, run.newest_at)
        )
        plane = self._filter.plane(run.slot)
        db.execute(statement("mark_filter_set"), (run.slot // SLOTS_A_PLANE, plane))
        db.execute(statement("counter_set"), ("marks/flushed", run.last_sequence))
        if flush.replaces:
            self._drop(db, flush.replaces)

    def flushed(self) -> None:
        """Follow the commit of a slice: after the last one the run serves instead of the memory."""
        flush = self._flush
        if flush is None:
            return
        del flush.buckets[len(flush.buckets) - flush.written :]
        flush.written = 0
        if flush.buckets:
            return
        if flush.replaces:
            self._forget(flush.replaces)
        self._runs[flush.run.slot] = flush.run
        self._filter.live(flush.run.slot, alive=True)
        self.flushed_sequence = flush.run.last_sequence
        self._next_run = flush.run.id + 1
        self._frozen, self._flush = {}, None

    def expire(self, db: sqlite3.Connection, now: int) -> int:
        """Drop the oldest runs as long as all their marks have left the window; gives how many."""
        for run in self.runs:
            if now - run.newest_at < self._window or (self._flush and self._flush.replaces is run):
                break
            self._drop(db, run)
            self._dropped.append(run)
        return len(self._dropped)

    def _drop(self, db: sqlite3.Connection, run: Run) -> None:
        db.execute(statement("mark_run_delete"), (run.id,))
        db.execute(statement("mark_table_drop", run.id))

    def _forget(self, run: Run) -> None:
        del self._runs[run.slot]
        self._filter.live(run.slot, alive=False)


def _flat(digests: list[bytes], marks: dict[bytes, int]) -> Iterator[bytes | int]:
    for digest in digests:
        mark = marks[digest]
        yield digest
        yield mark & _SEQUENCE
        yield mark >> SEQUENCE_BITS
