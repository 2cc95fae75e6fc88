"""Cursors: where lanes stand, and what they settle, in one write."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Mapping

import orjson

from crossdock.journal.asides import bury, drop_letters, finish, postpone, set_aside
from crossdock.journal.base import Cursor, Lane, Settled
from crossdock.journal.claims import hand_over
from crossdock.journal.rows import counter, cursor, request_row, shard_number
from crossdock.journal.statements import run_many, statement

_REQUEST_COLUMNS = 13


def open_lane(db: sqlite3.Connection, lane: Lane, start: int, shards: int) -> Cursor:
    """Give a lane's cursor, made at `start` if it has none."""
    key = (lane.destination, shard_number(lane))
    row = db.execute(statement("cursor"), key).fetchone()
    if row is None:
        passed = appended(db, lane.shard, shards) - _stored_from(db, lane.shard, start)
        db.execute(statement("cursor_insert"), (*key, start, passed))
        row = db.execute(statement("cursor"), key).fetchone()
    return cursor(row)


def appended(db: sqlite3.Connection, shard: int | None, shards: int) -> int:
    """Give how many events were ever appended to a shard, or to all."""
    numbers = range(shards) if shard is None else (shard,)
    return sum(counter(db, f"shard/{number}") for number in numbers)


def _stored_from(db: sqlite3.Connection, shard: int | None, start: int) -> int:
    if shard is None:
        row = db.execute(statement("events_from"), (start,)).fetchone()
    else:
        row = db.execute(statement("events_of_shard_from"), (shard, start)).fetchone()
    return int(row[0])


def settle(
    db: sqlite3.Connection,
    settled: Settled,
    now: int,
    lost: Callable[[str], None],
    erased: Collection[int] = (),
) -> None:
    """Write what one lane settled; `erased` events it had read were counted as passed when they went."""
    lane = settled.lane
    if settled.position is not None:
        passed = settled.passed
        if erased:
            passed -= sum(sequence in erased for sequence in settled.sequences)
        values = (*settled.position, passed, lane.destination, shard_number(lane))
        if db.execute(statement("cursor_move"), values).rowcount != 1:
            raise LookupError(f"lane {lane} was never opened")
    if settled.totals:
        add_totals(db, lane, settled.totals)
    if settled.request is not None:
        run_many(db, "request_insert", request_row(settled.request), _REQUEST_COLUMNS)
    if settled.dead_letters:
        bury(db, settled.dead_letters)
    for key, owner in settled.refused_owners:
        hand_over(db, lane.destination, owner, key, now, lost)
    finish(db, settled.done)
    postpone(db, settled.postponed)
    if settled.asides:
        set_aside(db, settled.asides)
    drop_letters(db, settled.replayed)


def add_totals(db: sqlite3.Connection, lane: Lane, totals: Mapping[str, int]) -> None:
    """Add to a destination's totals, in the lane's own record where it has one."""
    row = db.execute(statement("cursor_for_totals"), (lane.destination, shard_number(lane))).fetchone()
    if row is None:
        raise LookupError(f"{lane.destination} has no lane yet")
    shard, standing = row
    summed = Counter(orjson.loads(standing))
    summed.update(totals)
    db.execute(statement("cursor_totals"), (orjson.dumps(summed).decode(), lane.destination, shard))
