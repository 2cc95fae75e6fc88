"""Rows of the tables as the protocol's objects."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from crossdock.journal.base import (
    Aside,
    Cursor,
    DeadLetter,
    Lane,
    Owner,
    Position,
    Quarantined,
    Refusal,
    SentRequest,
    Stored,
)
from crossdock.journal.statements import run_many, statement
from crossdock.journal.times import micros, moment

ALL_SHARDS: Final = -1
"""How the tables write the shard of a lane over the whole journal."""


def shard_number(lane: Lane) -> int:
    """Give a lane's shard as the tables keep it."""
    return ALL_SHARDS if lane.shard is None else lane.shard


def lane_of(destination: str, shard: int) -> Lane:
    """Give a lane as the protocol knows it."""
    return Lane(destination, None if shard == ALL_SHARDS else shard)


def facts_of(text: str | None) -> dict[str, Any] | None:
    """Give an event's facts."""
    return None if text is None else orjson.loads(text)


def facts_text(facts: Mapping[str, Any] | None) -> str | None:
    """Write an event's facts as the tables keep them."""
    return orjson.dumps(facts).decode() if facts else None


def stored(row: Sequence[Any]) -> Stored:
    """Give an event from its row, body undecoded."""
    return Stored(row[0], row[1], row[2], row[3], moment(row[4]), orjson.loads(row[5]), facts_of(row[6]))


def stored_many(text: str | None) -> list[Stored] | None:
    """
    Give the events of one JSON text, as `events_of_shard` makes it.

    ``None`` where they cannot be decoded together, as an event nested to the decoder's limit cannot.
    """
    if text is None:
        return []
    try:
        rows = orjson.loads(f"[{text}]")
    except orjson.JSONDecodeError:
        return None
    return [Stored(row[0], row[1], row[2], row[3], moment(row[4]), row[5], row[6]) for row in rows]


def cursor(row: Sequence[Any]) -> Cursor:
    """Give a lane's record."""
    destination, shard, sequence, payload, passed, totals = row
    return Cursor(lane_of(destination, shard), Position(sequence, payload), passed, orjson.loads(totals))


def sent_request(row: Sequence[Any]) -> SentRequest:
    """Give a request."""
    return SentRequest(
        lane=lane_of(row[0], row[1]),
        first=Owner(row[2], row[3]),
        last=Owner(row[4], row[5]),
        payloads=row[6],
        mapping_version=row[7],
        at=moment(row[8]),
        duration_seconds=row[9],
        status=row[10],
        outcome=row[11],
        answer=row[12],
    )


def request_row(request: SentRequest) -> tuple[Any, ...]:
    """Give a request's row."""
    return (
        request.lane.destination,
        shard_number(request.lane),
        *request.first,
        *request.last,
        request.payloads,
        request.mapping_version,
        micros(request.at),
        request.duration_seconds,
        request.status,
        request.outcome,
        request.answer,
    )


def dead_letter(row: Sequence[Any]) -> DeadLetter:
    """Give a dead letter."""
    return DeadLetter(
        id=row[0],
        destination=row[1],
        sequence=row[2],
        index=row[3],
        message_id=row[4],
        source=row[5],
        preset=row[6],
        action=row[7],
        reason=row[8],
        code=row[9],
        mapping_version=row[10],
        at=moment(row[11]),
        received_at=moment(row[12]),
        event=row[13],
        payload=row[14],
        replays=row[15],
        facts=facts_of(row[16]),
    )


def dead_letter_row(letter: DeadLetter) -> tuple[Any, ...]:
    """Give a dead letter's row, without its id."""
    return (
        letter.destination,
        letter.sequence,
        letter.index,
        letter.message_id,
        letter.source,
        letter.preset,
        letter.action,
        letter.reason,
        letter.code,
        letter.mapping_version,
        micros(letter.at),
        micros(letter.received_at),
        letter.event,
        letter.payload,
        letter.replays,
        facts_text(letter.facts),
    )


def aside(row: Sequence[Any]) -> Aside:
    """Give an event set aside."""
    return Aside(
        destination=row[0],
        visitor=row[1],
        kind=row[2],
        sequence=row[3],
        index=row[4],
        only=bool(row[5]),
        message_id=row[6],
        source=row[7],
        received_at=moment(row[8]),
        event=row[9],
        due_at=moment(row[10]),
        attempts=row[11],
        reason=row[12],
        dead_letter=row[13],
        force=bool(row[14]),
        id=row[15],
        facts=facts_of(row[16]),
    )


def aside_row(aside_: Aside) -> tuple[Any, ...]:
    """Give the row of an event set aside, not known to be its visitor's oldest yet; without its id."""
    return (
        aside_.destination,
        aside_.visitor,
        aside_.kind,
        int(aside_.kind in ("replay", "inherited")),
        aside_.sequence,
        aside_.index,
        int(aside_.only),
        aside_.message_id,
        aside_.source,
        micros(aside_.received_at),
        aside_.event,
        micros(aside_.due_at),
        aside_.attempts,
        aside_.reason,
        aside_.dead_letter,
        int(aside_.force),
        facts_text(aside_.facts),
    )


def quarantined(row: Sequence[Any]) -> Quarantined:
    """Give a refused event."""
    id_, source, message_id, code, reason, body, received_at, channel = row
    return Quarantined(id_, Refusal(source, message_id, code, reason, body, moment(received_at), channel))


def count(db: sqlite3.Connection, name: str, by: int = 1) -> None:
    """Add to a running number."""
    run_many(db, "counter_add", (name, by), 2)


def counter(db: sqlite3.Connection, name: str) -> int:
    """Give a running number."""
    row = db.execute(statement("counter"), (name,)).fetchone()
    return int(row[0]) if row else 0
