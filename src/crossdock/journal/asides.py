"""Dead letters, and what is set aside to be delivered out of a lane's order."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence

from crossdock.journal.base import Aside, DeadLetter
from crossdock.journal.rows import aside_row, dead_letter, dead_letter_row
from crossdock.journal.statements import run_many, statement
from crossdock.journal.times import micros, moment

_COLUMNS = 17
_DEAD_LETTER_COLUMNS = 16


def set_aside(db: sqlite3.Connection, asides: Sequence[Aside]) -> None:
    """Insert rows set aside; each visitor's oldest becomes ready."""
    values: list[object] = []
    for aside in asides:
        values += aside_row(aside)
    run_many(db, "aside_insert", values, _COLUMNS)
    _choose_ready(db, {(a.destination, a.visitor) for a in asides if a.kind in ("retry", "later")})


def finish(db: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Remove rows that are settled; the next of the same visitor becomes ready."""
    visitors = set()
    for id_ in ids:
        for destination, visitor, kind in db.execute(statement("aside_delete"), (id_,)).fetchall():
            if kind in ("retry", "later"):
                visitors.add((destination, visitor))
    _choose_ready(db, visitors)


def postpone(db: sqlite3.Connection, asides: Iterable[Aside]) -> None:
    """Keep when, how often and what of rows to be tried again."""
    for aside in asides:
        values = (micros(aside.due_at), aside.attempts, aside.index, aside.reason, aside.id)
        db.execute(statement("aside_postpone"), values)


def _choose_ready(db: sqlite3.Connection, visitors: Iterable[tuple[str, str]]) -> None:
    """Let the oldest row of each visitor, and it alone, be ready, so that order holds."""
    for visitor in visitors:
        db.execute(statement("aside_unready"), visitor)
        db.execute(statement("aside_ready"), visitor)


def bury(db: sqlite3.Connection, letters: Sequence[DeadLetter]) -> None:
    """Keep dead letters; one that stands already (a replay refused again) is brought up to date."""
    values: list[object] = []
    for letter in letters:
        values += dead_letter_row(letter)
    run_many(db, "dead_letter_put", values, _DEAD_LETTER_COLUMNS)


def letter_ids(db: sqlite3.Connection, ids: Collection[int] | None, destination: str | None) -> list[int]:
    """Give the ids meant: the ones named, or all of a destination."""
    if ids is not None:
        return list(ids)
    return [row[0] for row in db.execute(statement("dead_letter_ids"), {"destination": destination})]


def replay(db: sqlite3.Connection, ids: Iterable[int], destination: str | None, now: int, force: bool) -> int:
    """Set dead letters aside to be sent again, each once at a time; gives how many."""
    asides = []
    for id_ in ids:
        letter = letter_of(db, id_, destination)
        if letter is None or db.execute(statement("aside_of_dead_letter"), (id_,)).fetchone():
            continue
        db.execute(statement("dead_letter_replayed"), (id_,))
        asides.append(_replay_of(letter, now, force))
    set_aside(db, asides)
    return len(asides)


def _replay_of(letter: DeadLetter, now: int, force: bool) -> Aside:
    return Aside(
        destination=letter.destination,
        visitor=f"!{letter.id}",
        kind="replay",
        sequence=letter.sequence,
        index=letter.index,
        only=True,
        message_id=letter.message_id,
        source=letter.source,
        received_at=letter.received_at,
        event=letter.event,
        due_at=moment(now),
        reason="replayed",
        dead_letter=letter.id,
        force=force,
        facts=letter.facts,
    )


def letter_of(db: sqlite3.Connection, id_: int, destination: str | None) -> DeadLetter | None:
    """Give a dead letter, if it is the destination's (any, for ``None``)."""
    row = db.execute(statement("dead_letter"), (id_,)).fetchone()
    if row is None or destination not in (None, row[1]):
        return None
    return dead_letter(row)


def drop_letters(db: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Remove dead letters, and replays of them under way."""
    for id_ in ids:
        db.execute(statement("dead_letter_delete"), (id_,))
        db.execute(statement("aside_delete_of_dead_letter"), (id_,))
