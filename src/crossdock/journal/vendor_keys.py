"""Keys that vendors made for ids of ours: kept for good as long as the visitor comes, each made once."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any, Final

import orjson

from crossdock.journal.base import VendorKey
from crossdock.journal.statements import run_many, statement

STEP: Final = 1000
_TOUCH: Final = 86_400_000_000
"""A key in use counts as seen anew once a day."""

Place = tuple[str, str]
"""Destination and id of ours, in the order of the table."""
FIRST: Final[Place] = ("", "")


def standing(db: sqlite3.Connection, destination: str, own: Collection[str], at: int) -> tuple[Any, Any]:
    """Give the keys that stand for ids, and those of the ids that ought to be touched."""
    rows = db.execute(statement("vendor_keys"), (destination, orjson.dumps(list(own)).decode())).fetchall()
    keys = {row[0]: row[1] for row in rows}
    return keys, [row[0] for row in rows if at - row[2] > _TOUCH]


def touch(db: sqlite3.Connection, destination: str, own: Sequence[str], at: int) -> None:
    """Note that keys are in use."""
    db.execute(statement("vendor_keys_touch"), (at, destination, orjson.dumps(list(own)).decode()))


def keep(db: sqlite3.Connection, destination: str, made: Sequence[VendorKey], at: int) -> dict[str, str]:
    """Keep keys, each the first time; gives those that stand."""
    values: list[Any] = []
    for one in made:
        values += (destination, one.own, one.key, one.visitor, at)
    run_many(db, "vendor_key_put", values, 5)
    keys, _ = standing(db, destination, [one.own for one in made], at)
    return dict(keys)


def expire(db: sqlite3.Connection, after: Place, before: int) -> Place | None:
    """Drop keys not used since a time, one step of a round; gives where to go on, if there is more."""
    rows = db.execute(statement("vendor_keys_from"), (*after, STEP)).fetchall()
    for destination, own, seen_at in rows:
        if seen_at < before:
            db.execute(statement("vendor_key_delete"), (destination, own))
    return (rows[-1][0], rows[-1][1]) if len(rows) == STEP else None
