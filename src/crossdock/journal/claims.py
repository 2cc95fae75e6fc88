"""
Claims: a payload whose preset says `once` goes only while it owns the claim of its action.

A claim is taken durably *before* anything is sent, and its owner passes again when a batch is sent again
after a crash: were it taken afterwards, two events of one action could both be sent; were it not bound to the
payload, a retry would suppress itself. Who comes second is remembered in the claim, so that the action is not
lost when its owner is refused: the first suppressed payload inherits.

An heir stays first among the suppressed. It is delivered aside, and its lane, which may read it again after a
crash, knows by that to leave it there: else it would go both ways.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

import orjson

from crossdock.journal.asides import set_aside
from crossdock.journal.base import Aside, Claim, Owner
from crossdock.journal.rows import count, facts_of
from crossdock.journal.statements import run_many, statement
from crossdock.journal.times import micros, micros_of, moment

SUPPRESSED_KEPT: Final = 32
"""Copies a claim remembers; the ones beyond are suppressed all the same and cannot inherit."""
_BESIDE: Final = (-1, 0, 1)
"""A window reaches into the slices beside its own."""

Place = tuple[int, int, bytes]
"""Window, slice of event time, digest of the key."""


@dataclass(slots=True)
class _Held:
    """A claim as it stands, or is about to."""

    key: str
    at: int
    owner: Owner | None
    message_id: str | None
    suppressed: list[list[Any]]
    changed: bool = False


def claim_digest(key: str) -> bytes:
    """Give the 16 bytes a claim is kept under."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def take(
    db: sqlite3.Connection, destination: str, claims: Sequence[Claim], taken_at: int
) -> list[str | None]:
    """Take claims; ``None`` where the payload may go, else the owner's message id."""
    wishes = [_place(claim) for claim in claims]
    held = _read(db, destination, wishes)
    known = {digest for _, _, digest in held}
    parts: list[Any] = []
    answers: list[str | None] = []
    for claim, wish in zip(claims, wishes, strict=True):
        place = (wish[2] in known and _standing(held, claim, wish)) or wish
        known.add(wish[2])
        remembered, answer = _ask(held, claim, place)
        if remembered:
            parts += (destination, *claim.owner, place[2], place[0], place[1])
        answers.append(answer)
    rows: list[Any] = []
    for place, claimed in held.items():
        if claimed.changed:
            owner = claimed.owner or (None, None)
            rows += (destination, *place, claimed.key, claimed.at, taken_at, *owner, claimed.message_id)
            rows.append(orjson.dumps(claimed.suppressed).decode() if claimed.suppressed else "[]")
    run_many(db, "claim_put", rows, 11)
    run_many(db, "claim_part_insert", parts, 6)
    return answers


def holder(db: sqlite3.Connection, destination: str, key: str, at: datetime, within: timedelta) -> str | None:
    """Give the message id that holds a claim, without asking for it; ``None`` where nobody does."""
    wish = Claim(key, Owner(-1, -1), "", at, within)
    place = _place(wish)
    held = _read(db, destination, [place])
    standing = _standing(held, wish, place)
    return held[standing].message_id if standing else None


def _place(claim: Claim) -> Place:
    within = micros_of(claim.within)
    if within <= 0:
        raise ValueError(f"a claim's window must be longer than nothing, not {claim.within}")
    return within, micros(claim.at) // within, claim_digest(claim.key)


def _read(db: sqlite3.Connection, destination: str, wishes: list[Place]) -> dict[Place, _Held]:
    values: list[Any] = []
    for within, slice_, digest in dict.fromkeys(wishes):
        for by in _BESIDE:
            values += (destination, within, slice_ + by, digest)
    held = {}
    for within, slice_, digest, key, at, sequence, payload, message_id, suppressed in run_many(
        db, "claims_wanted", values, 4
    ):
        owner = None if sequence is None else Owner(sequence, payload)
        held[within, slice_, digest] = _Held(key, at, owner, message_id, orjson.loads(suppressed))
    return held


def _standing(held: dict[Place, _Held], claim: Claim, wish: Place) -> Place | None:
    """Give the place of the claim that covers this one's time: one it owns, else one taken, else vacant."""
    within, slice_, digest = wish
    at = micros(claim.at)
    near = [(within, slice_ + by, digest) for by in _BESIDE]
    covering = [place for place in near if place in held and abs(held[place].at - at) < within]
    if not covering:
        return None

    def rank(place: Place) -> int:
        owner = held[place].owner
        return 0 if owner == claim.owner else 1 if owner else 2

    return min(covering, key=rank)


def _ask(held: dict[Place, _Held], claim: Claim, place: Place) -> tuple[bool, str | None]:
    """Settle one wish at its place; whether it is newly remembered there, and the answer."""
    standing = held.get(place)
    if claim.yields and (claim.force or standing is None or standing.owner is None):
        return False, None
    if standing is None:
        held[place] = _Held(claim.key, micros(claim.at), claim.owner, claim.message_id, [], changed=True)
        return True, None
    if standing.owner == claim.owner:
        elsewhere = not (claim.aside or claim.force) and _among(standing.suppressed, claim.owner)
        return False, standing.message_id if elsewhere else None
    if standing.owner is None or claim.force:
        gone = (claim.owner, standing.owner)
        standing.suppressed = [copy for copy in standing.suppressed if tuple(copy[:2]) not in gone]
        standing.owner, standing.message_id, standing.changed = claim.owner, claim.message_id, True
        return True, None
    if len(standing.suppressed) < SUPPRESSED_KEPT and not _among(standing.suppressed, claim.owner):
        standing.suppressed.append([*claim.owner, claim.message_id])
        standing.changed = True
        return True, standing.message_id
    return False, standing.message_id


def _among(suppressed: Sequence[list[Any]], owner: Owner) -> bool:
    return any(tuple(copy[:2]) == owner for copy in suppressed)


def hand_over(  # noqa: PLR0913, PLR0917 - a claim is named by where, whose and what
    db: sqlite3.Connection,
    destination: str,
    owner: Owner,
    key: str | None,
    now: int,
    lost: Callable[[str], None],
) -> None:
    """
    Let the first suppressed payload inherit what a refused owner holds (under `key`, or all of it).

    An heir whose event is deleted by now is passed over, counted and told to `lost`.
    """
    digest = None if key is None else claim_digest(key)
    for within, slice_, held_digest, sequence, payload, suppressed in db.execute(
        statement("claims_of_payload"), (destination, *owner)
    ).fetchall():
        if (sequence, payload) != owner or digest not in (None, held_digest):
            continue
        heirs = [copy for copy in orjson.loads(suppressed) if tuple(copy[:2]) != owner]
        heir: list[Any] = [None, None, None]
        while heirs:
            candidate = heirs.pop(0)
            if _inherit(db, destination, candidate, now):
                heir = candidate
                heirs.insert(0, heir)
                break
            count(db, "heirs_lost")
            lost(candidate[2])
        place = (destination, within, slice_, held_digest)
        db.execute(statement("claim_hand_over"), (*heir, orjson.dumps(heirs).decode(), *place))


def _inherit(db: sqlite3.Connection, destination: str, heir: list[Any], now: int) -> bool:
    sequence, index, message_id = heir
    row = db.execute(statement("event"), (sequence,)).fetchone()
    if row is None:
        return False
    inherited = Aside(
        destination=destination,
        visitor=f"#{sequence}/{index}",
        kind="inherited",
        sequence=sequence,
        index=index,
        only=True,
        message_id=message_id,
        source=row[2],
        received_at=moment(row[4]),
        event=row[5],
        due_at=moment(now),
        reason="the claim's owner was refused",
        facts=facts_of(row[6]),
    )
    set_aside(db, [inherited])
    return True
