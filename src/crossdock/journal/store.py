"""
What the writer thread works on: the write connection, the marks and the running numbers.

Appends that wait together are one piece of work here: marks first, then the events in few statements.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from crossdock.errors import JournalFull
from crossdock.journal.base import Appended, Arrival, Refusal, Stored
from crossdock.journal.checkpoint import WAL_BYTES_KEPT, Checkpoints
from crossdock.journal.facts import Facts
from crossdock.journal.head import Head
from crossdock.journal.marks import Marks, digest_of
from crossdock.journal.quarantine import Quarantine
from crossdock.journal.rows import counter, facts_text
from crossdock.journal.statements import run_many, statement
from crossdock.journal.times import micros
from crossdock.journal.writer import Hook, Operation

_EVENT_COLUMNS: Final = 8
_MARKS_A_SLICE: Final = 6_000
"""How much of a run is flushed between two commits: some 10 ms."""
_MARK_BYTES: Final = 36


class Append(NamedTuple):
    """The argument of an append."""

    arrivals: Sequence[Arrival]
    refusals: Sequence[Refusal]


@dataclass(slots=True)
class _Group:
    """What appends that share a commit write together."""

    values: list[Any]
    """Event rows, flat."""
    events: list[Stored]
    sizes: list[int]
    shards: list[int]
    counts: dict[str, int]
    erasures: list[tuple[str, int]] = field(default_factory=list)
    """Users to be erased, and when it was asked."""

    def count(self, name: str, by: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + by


class SqliteStore:
    """The store; all of it belongs to the writer thread once that runs."""

    def __init__(
        self, db: sqlite3.Connection, path: Path, max_size_bytes: int, marks: Marks, hook: Hook
    ) -> None:
        self.db = db
        self.marks = marks
        self.quarantine = Quarantine(db, hook)
        self.facts = Facts(db, hook)
        self._shards = db.execute(statement("setting"), ("shards",)).fetchone()[0]
        self._max_size_bytes = max_size_bytes
        self._hook = hook
        self._wal = path.with_name(path.name + "-wal")
        self._checkpoints = Checkpoints(path, hook)
        self._page_size = int(db.execute("PRAGMA page_size").fetchone()[0])
        last = db.execute(statement("event_last")).fetchone()[0] or 0
        self.next_sequence = 1 + max(last, counter(db, "sequence"))
        self._next = self.next_sequence
        self._scopes = {row[0] for row in db.execute(statement("scopes"))}
        self._new_scopes: set[str] = set()
        self._unchecked = max_size_bytes
        self._room = 0
        self._written = 0
        self.head: Head | None = None
        self.marks_wanted = False
        """Whether retention waits for the marks in memory to be written."""
        self.erased: set[int] = set()
        """Events erased since the start that a lane may have read: settling must not count them again."""
        self._erasing: list[int] = []
        self.left_command: Callable[[], None] = lambda: None
        """Called in the loop's thread when an append left a command."""

    def run(self, operations: list[Operation]) -> None:
        """Do operations within the transaction: all appends as one, then the rest."""
        appends = [operation for operation in operations if operation.run is None]
        if appends:
            self._append(appends)
        for operation in operations:
            if operation.run is not None:
                operation.committed = []
                operation.result = operation.run(self.db)

    def keep(self) -> None:
        """Follow a commit."""
        self.marks.keep()
        self.quarantine.keep()
        self.facts.keep()
        self._erasing = []
        self._scopes |= self._new_scopes
        self._new_scopes = set()
        self.next_sequence = self._next
        self._checkpoints.wrote(self._written)
        self._unchecked += self._written
        self._written = 0

    def undo(self) -> None:
        """Follow a rollback."""
        self.marks.undo()
        self.quarantine.undo()
        self.facts.undo()
        self.erased.difference_update(self._erasing)
        self._erasing = []
        self._new_scopes = set()
        self._next = self.next_sequence
        self._written = 0
        self._unchecked = self._max_size_bytes

    def erase(self, sequences: Sequence[int]) -> None:
        """Note events that were erased; those that every lane has passed need no noting any more."""
        passed = self.db.execute(statement("cursor_lowest")).fetchone()[0]
        lowest = self.next_sequence if passed is None else passed
        if not self._erasing:
            self.erased = {sequence for sequence in self.erased if sequence >= lowest}
        self.erased.update(sequences)
        self._erasing += sequences

    def want_marks(self, last: int) -> bool:
        """Have marks up to an event written by the next chores; whether they are."""
        self.marks_wanted = self.marks.flushed_sequence < last
        return not self.marks_wanted

    def _append(self, operations: list[Operation]) -> None:
        if self._is_full():
            full = JournalFull(
                f"the journal has reached max_size ({self._max_size_bytes:,} bytes): "
                "raise journal.max_size, or let the destinations catch up"
            )
            for operation in operations:
                operation.error = full
            return
        group = _Group([], [], [], [0] * self._shards, {})
        self.facts.read_ahead([operation.argument.arrivals for operation in operations])
        for operation in operations:
            append: Append = operation.argument
            operation.result = self._decide(append.arrivals, group)
            operation.committed = []
            if append.refusals:
                self.quarantine.add(append.refusals)
                for refusal in append.refusals:
                    group.count(f"source/{refusal.source}/refused")
        self._write(group)
        head = self.head
        if head is not None:
            # The first operation's call comes before any of them is told: an event that was acknowledged
            # is at the head, and the lanes are woken in the same turn of the loop.
            operations[0].committed = [lambda: head.push(group.events, group.sizes)]
        if group.erasures:
            operations[0].committed.append(self.left_command)

    def _decide(self, arrivals: Sequence[Arrival], group: _Group) -> list[Appended]:
        """
        Tell new events from duplicates and gather the rows of the new ones.

        Dedup and append are one write. Were the mark written first, a crash between the two would drop the
        event when its sender, who never got an answer, sends it again; were it written after, the same
        crash would let the copy in. So the mark *is* the event's row until a run holds it. Facts are folded
        in the same write, over new events alone: what a copy says was said already.
        """
        marks, db, values, shards = self.marks, self.db, group.values, group.shards
        answers: list[Appended] = []
        received_at, at = None, 0
        sequence = self._next
        accepted: dict[str, int] = {}
        remembers = self.facts.memory is not None
        for arrival in arrivals:
            if arrival.received_at is not received_at:
                received_at = arrival.received_at
                at = micros(received_at)
            scope, source, shard, message_id = (
                arrival.scope,
                arrival.source,
                arrival.shard,
                arrival.message_id,
            )
            digest = digest_of(scope, message_id)
            original = marks.seen(db, digest, at)
            if arrival.erase is not None and not original:
                group.erasures.append((arrival.erase, at))
            if original:
                group.count(f"source/{source}/duplicates")
                answers.append(Appended(original, True))
                continue
            marks.enter(digest, at, sequence)
            facts = self.facts.fold(arrival, at) if remembers else None
            values += (
                sequence,
                shard,
                source,
                scope,
                message_id,
                at,
                arrival.body,
                facts and facts_text(facts),
            )
            group.events.append(
                Stored(sequence, shard, source, message_id, received_at, arrival.document, facts)
            )
            group.sizes.append(len(arrival.body))
            shards[shard] += 1
            accepted[source] = accepted.get(source, 0) + 1
            answers.append(Appended(sequence, False))
            sequence += 1
        for source, number in accepted.items():
            group.count(f"source/{source}/accepted", number)
        self._new_scopes |= {arrival.scope for arrival in arrivals} - self._scopes
        self._next = sequence
        return answers

    def _write(self, group: _Group) -> None:
        run_many(self.db, "event_insert", group.values, _EVENT_COLUMNS)
        for shard, number in enumerate(group.shards):
            if number:
                group.count(f"shard/{shard}", number)
        run_many(self.db, "counter_add", [part for item in group.counts.items() for part in item], 2)
        for user, at in group.erasures:
            arguments = orjson.dumps({"user": user}).decode()
            self.db.execute(statement("command_insert"), ("forget", arguments, at))
        for scope in self._new_scopes:
            self.db.execute(statement("scope_insert"), (scope,))
        self._written += sum(group.sizes) + self.facts.write()

    def _is_full(self) -> bool:
        """Whether `max_size` is reached; looks at the file only when a quarter of the room may be used up."""
        if self._unchecked * 4 >= self._room:
            self._room = self._max_size_bytes - self.size_bytes()
            self._unchecked = 0
        return self._room <= 0

    def size_bytes(self) -> int:
        """Give the bytes in use: free pages count as free, a log beyond its usual size counts as used."""
        pages = self.db.execute("PRAGMA page_count").fetchone()[0]
        free = self.db.execute("PRAGMA freelist_count").fetchone()[0]
        try:
            log = self._wal.stat().st_size
        except OSError:
            log = 0
        return int((pages - free) * self._page_size + max(0, log - WAL_BYTES_KEPT))

    def chore(self) -> bool:
        """Write a slice of a run of marks, or finish a checkpoint; whether there is more to do."""
        if self._checkpoints.finish_due():
            started = time.perf_counter()
            self._checkpoints.finish(self.db)
            self._hook("journal.checkpointed", seconds=time.perf_counter() - started)
        if not (self.marks.flushing or self.marks_wanted):
            return False
        self.flush_slice(_MARKS_A_SLICE)
        if not self.marks.underway:
            self.marks_wanted = False
        return self.marks.flushing

    def flush_slice(self, marks: int) -> None:
        """Write part of a run of marks, in a transaction of its own so that it fails alone."""
        self.marks.begin_flush(self.db)
        self.db.execute("BEGIN IMMEDIATE")
        self.marks.flush_slice(self.db, marks)
        self.db.execute("COMMIT")
        self.marks.flushed()
        self._checkpoints.wrote(marks * _MARK_BYTES)

    def close(self) -> None:
        """End the checkpoints, empty the log into the file and let go."""
        self._checkpoints.close()
        try:
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            self._hook("journal.upkeep_failed", error=str(error))
        self.db.close()
