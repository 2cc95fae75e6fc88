"""Retention: what is deleted, step by step, each an operation of the writer, so that appends go on."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from crossdock.journal.base import Lane
from crossdock.journal.quarantine import Quarantine
from crossdock.journal.rows import count, shard_number
from crossdock.journal.statements import statement

STEP: Final = 1000
REQUESTS_KEPT: Final = 100_000
_DAY: Final = 86_400_000_000
_FAR: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Step:
    """What a step of deleting events did."""

    events: int = 0
    last: int = 0
    """The last sequence deleted."""
    more: bool = False
    waiting: int = 0
    """1 where marks must be written first."""


def passed_by_all(db: sqlite3.Connection, lanes: Collection[Lane], head: int) -> int:
    """
    Give the sequence before which every lane has passed; a lane without a cursor has passed nothing.

    A cursor moves only past events of its own shard, so a lane has passed all before the next one of these:
    else a shard that nobody falls into would keep every other one's events for ever.
    """
    lowest = head
    for lane in lanes:
        row = db.execute(statement("cursor"), (lane.destination, shard_number(lane))).fetchone()
        if row is None:
            return 0
        awaited = (
            db.execute(statement("event_next"), (row[2],))
            if lane.shard is None
            else db.execute(statement("event_next_of_shard"), (lane.shard, row[2]))
        )
        (sequence,) = awaited.fetchone()
        lowest = lowest if sequence is None else min(lowest, sequence)
    return lowest


def next_deletion(db: sqlite3.Connection, below: int, before: int) -> list[tuple[int, int]]:
    """Give sequence and time of the events the next step deletes: the oldest, up to the first to be kept."""
    old = []
    for sequence, received_at in db.execute(statement("events_below"), (below, STEP)):
        if received_at >= before:
            break
        old.append((sequence, received_at))
    return old


def delete_events(db: sqlite3.Connection, old: list[tuple[int, int]]) -> Step:
    """Delete events; their last sequence is noted so that it is not given again."""
    last = old[-1][0]
    gone = db.execute(statement("events_delete"), (last,)).rowcount
    count(db, "events/deleted", gone)
    db.execute(statement("counter_raise"), ("sequence", last))
    return Step(gone, last, more=len(old) == STEP)


def expire_claims(db: sqlite3.Connection, now: int, window: int, destination: str, within: int) -> bool:
    """
    Drop a step of claims taken longer ago than their window and the dedup window; whether there may be more.

    The slices before the one that could just have expired, then those whose event time lies in the future:
    both are few, and what lies between is not read.
    """
    before = now - within - window
    more = False
    for first, last in ((-_FAR, before // within + 1), (now // within + 2, _FAR)):
        key = (destination, within, first, last, STEP)
        row = db.execute(statement("claim_step"), key).fetchone()
        values = {
            "destination": destination,
            "within": within,
            "first": first,
            "last": row[0] if row else last,
            "before": before,
        }
        db.execute(statement("claim_parts_expire"), values)
        gone = db.execute(statement("claims_expire"), values).rowcount
        more = more or bool(row and gone)
    return more


def expire_rest(db: sqlite3.Connection, quarantine: Quarantine, now: int, retention: int) -> bool:
    """Drop a step of request rows and quarantined events, and finished commands; whether there is more."""
    before = now - retention
    values = {"keep": REQUESTS_KEPT, "before": before, "step": STEP}
    requests = db.execute(statement("requests_expire"), values).rowcount
    released = quarantine.expire(before, STEP)
    db.execute(statement("commands_expire"), (now - _DAY,))
    return STEP in (requests, released)
