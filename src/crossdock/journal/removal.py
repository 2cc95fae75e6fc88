"""The steps of an erasure, each an operation of the writer; `erasure` finds what they remove."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from crossdock.journal.asides import drop_letters, finish
from crossdock.journal.base import Lane
from crossdock.journal.retention import passed_by_all
from crossdock.journal.rows import count
from crossdock.journal.statements import statement
from crossdock.journal.store import SqliteStore
from crossdock.journal.subject import Subject


@dataclass(frozen=True, slots=True)
class Gone:
    """What a step of removing events did."""

    sequences: list[int]
    newest: dict[int | None, int]
    """The newest event left, of each shard it took from and of all."""
    notices: list[int]
    """Delete events that a lane is still to read."""


def events(
    db: sqlite3.Connection, store: SqliteStore, sequences: Sequence[int], lanes: Collection[Lane]
) -> Gone:
    """
    Remove events; each that a lane has not passed counts as passed by it, so no lag is left behind.

    A delete event goes last, when every lane has passed it: a destination may act on it.
    """
    passed = passed_by_all(db, lanes, store.next_sequence)
    wanted = orjson.dumps(list(sequences)).decode()
    found = db.execute(statement("events_to_erase"), (wanted,)).fetchall()
    notices = [sequence for sequence, _, kind in found if kind == "delete" and sequence >= passed]
    gone = [(sequence, shard) for sequence, shard, kind in found if kind != "delete" or sequence < passed]
    return Gone([sequence for sequence, _ in gone], remove_events(db, store, gone), notices)


def remove_events(
    db: sqlite3.Connection, store: SqliteStore, gone: Sequence[tuple[int, int]]
) -> dict[int | None, int]:
    """Remove events by sequence and shard; gives the newest that are left."""
    if not gone:
        return {}
    for sequence, shard in gone:
        db.execute(statement("event_erase"), (sequence,))
        db.execute(statement("cursors_pass"), (shard, sequence))
    count(db, "events/deleted", len(gone))
    db.execute(statement("counter_raise"), ("sequence", max(sequence for sequence, _ in gone)))
    store.erase([sequence for sequence, _ in gone])
    newest: dict[int | None, int] = {None: db.execute(statement("event_last")).fetchone()[0] or 0}
    for shard in {shard for _, shard in gone}:
        newest[shard] = db.execute(statement("event_newest_of_shard"), (shard,)).fetchone()[0] or 0
    return newest


def asides(db: sqlite3.Connection, ids: Sequence[int]) -> int:
    """Remove what is set aside; the next of the same visitor becomes ready."""
    finish(db, ids)
    return len(ids)


def dead_letters(db: sqlite3.Connection, ids: Sequence[int]) -> int:
    """Remove dead letters, and replays of them under way."""
    drop_letters(db, ids)
    return len(ids)


def mail(db: sqlite3.Connection, ids: Sequence[str]) -> int:
    """Remove the commands in visitors' mailboxes."""
    return db.execute(statement("mail_erase"), (orjson.dumps(list(ids)).decode(),)).rowcount


def vendor_keys(db: sqlite3.Connection, ids: Sequence[str]) -> int:
    """Remove the keys that vendors made for visitors."""
    return db.execute(statement("vendor_keys_erase"), (orjson.dumps(list(ids)).decode(),)).rowcount


def claims(db: sqlite3.Connection, rows: Sequence[Sequence[Any]], subject: Subject) -> int:
    """
    Take the subject out of claims.

    A claim of an action that others reported too, as two people of one order, stands vacant for them.
    """
    sequences = subject.sequences
    for destination, within, slice_, digest, key, sequence, suppressed, _ in rows:
        place = (destination, within, slice_, digest)
        copies = orjson.loads(suppressed)
        kept = [copy for copy in copies if copy[0] not in sequences]
        theirs = sequence in sequences or subject.is_named_in(key)
        whole = theirs and (not kept or subject.is_named_in(key))
        gone = copies if whole else [copy for copy in copies if copy[0] in sequences]
        if theirs and sequence is not None:
            gone = [*gone, [sequence]]
        for each in gone:
            db.execute(statement("claim_part_erase"), (destination, each[0], digest))
        if whole:
            db.execute(statement("claim_erase"), place)
        elif theirs:
            db.execute(statement("claim_hand_over"), (None, None, None, orjson.dumps(kept).decode(), *place))
        else:
            db.execute(statement("claim_suppressed"), (orjson.dumps(kept).decode(), *place))
    return len(rows)


def requests(db: sqlite3.Connection, rows: Sequence[Sequence[Any]], sequences: Collection[int]) -> int:
    """Remove requests of their events alone; of others blank the answer, the one thing that may name them."""
    for id_, shard, first, last in rows:
        # Retention deletes from the front, so what lay between two events of theirs was there with them.
        alone = first in sequences and last in sequences
        alone = alone and not db.execute(statement("event_between"), (first, last, shard, shard)).fetchone()
        db.execute(statement("request_erase" if alone else "request_blank"), (id_,))
    return len(rows)
