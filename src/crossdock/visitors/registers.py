"""
Registers: what is remembered of a visitor, one entry a fact, with its event's time and its source's rank.

A record belongs to one id. ``a`` and an anonymousId: `user`, `email`, `basket`, `cart`, `session`; ``u`` and
a userId: `seen` (the anonymousIds seen with it) and the same without `user`. An event writes to the records
of its own ids alone, and whoever reads joins the two ends of a link, so the order in which events come in
does not matter: of two entries the greater stays. An entry that holds ``None`` is a tombstone, which an older
event cannot undo. Only `session` hangs on the order, as a session is a chain of events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Record = Mapping[str, Any]
"""One id's registers, as JSON: never changed in place."""
Entry = list[Any]
"""Event time in microseconds, rank, value."""

LINKS_KEPT: Final = 32
"""The anonymousIds one userId keeps; a person has few browsers, and a shared test user must not grow."""


def by_rank(entry: Entry) -> tuple[int, int]:
    """Order what tells who somebody is: a server's word counts more than a browser's, however old it is."""
    return entry[1], entry[0]


def by_time(entry: Entry) -> tuple[int, int]:
    """Order what somebody does: the newest counts, since carts come from browsers and orders from servers."""
    return entry[0], entry[1]


Order = Callable[[Entry], tuple[int, int]]


def put(record: Record, name: str, entry: Entry, order: Order) -> Record:
    """Set a register unless it holds something greater."""
    standing = record.get(name)
    if standing is not None and order(standing) > order(entry):
        return record
    return {**record, name: entry}


def greatest(entries: list[Entry | None], order: Order) -> Any:
    """Give the value of the greatest entry; ``None`` where there is none, or where it is a tombstone."""
    standing = [entry for entry in entries if entry is not None]
    if len(standing) < 2:
        return standing[0][2] if standing else None
    return max(standing, key=order)[2]


def link(record: Record, anonymous_id: str, at: int, rank: int) -> Record:
    """Note in a userId's record that an anonymousId was seen with it."""
    seen: Mapping[str, Entry] = record.get("seen", {})
    standing = seen.get(anonymous_id)
    if standing is not None and by_rank(standing) >= (rank, at):
        return record
    grown = {**seen, anonymous_id: [at, rank]}
    if len(grown) > LINKS_KEPT:
        del grown[min(grown, key=lambda one: (by_rank(grown[one]), one))]
    return {**record, "seen": grown}


def linked(record: Record) -> str | None:
    """Give the anonymousId that a userId was last seen with."""
    seen: Mapping[str, Entry] = record.get("seen", {})
    if len(seen) < 2:
        return next(iter(seen), None)
    return max(seen, key=lambda one: (by_rank(seen[one]), one))


def visit(record: Record, at: int, idle: int) -> tuple[Record, int]:
    """
    Give the record after an event, and when the event's session began.

    A session ends after `idle` without an event. An event that comes in late joins the session it falls into;
    of one before that nothing is remembered, and its late events share a slice of time instead.
    """
    begin, last = record.get("session", (at, at))
    if at > last + idle:
        begin = last = at
    elif at < begin - idle:
        return record, at - at % idle
    session = [begin, max(at, last)]
    return record if session == record.get("session") else {**record, "session": session}, begin
