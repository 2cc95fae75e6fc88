"""The event a command is given: a file, standard input, or one the journal or the quarantine holds."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from crossdock.cli.connection import NoSuchRow, journal_of
from crossdock.cli.quarantine import every_row
from crossdock.errors import CrossdockError, InvalidEvent
from crossdock.event import Reception, admit
from crossdock.journal.base import JournalReader, Stored


class NotAnEvent(CrossdockError):
    """What was given to try is no event."""


async def given_event(config: Path, asked: Mapping[str, Any]) -> Stored:
    """
    Take the event an `event` file or a `message_id` names, from the file, the journal or the quarantine.

    Raises:
        NotAnEvent: The file holds none, or the door would refuse it.
        NoSuchRow: Nothing has that message id.
    """
    if asked["event"] is not None:
        return _read(asked["event"], asked["source"])
    message_id = str(asked["message_id"])
    async with journal_of(config) as journal:
        found = await journal.find(message_id)
        return found[0] if found else await _quarantined(journal, message_id)


def _read(event: str, source: str | None) -> Stored:
    """Take an event from a file or standard input, as the door would."""
    where = "standard input" if event == "-" else event
    try:
        body = sys.stdin.buffer.read() if event == "-" else Path(event).read_bytes()
        document = orjson.loads(body)
    except OSError as error:
        raise NotAnEvent(f"cannot read {where}: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise NotAnEvent(f"{where}:{error.lineno}:{error.colno}: this is no JSON: {error.msg}") from None
    if not isinstance(document, dict):
        raise NotAnEvent(f"{where} must hold one event, a JSON object")
    if "batch" in document:
        raise NotAnEvent(f"{where} holds a batch; take one event out of it")
    return _admitted(document, source)


def _admitted(document: dict[str, Any], source: str | None) -> Stored:
    at = datetime.now(UTC)
    try:
        admit(document, Reception(received_at=at, source=source))
    except InvalidEvent as error:
        raise NotAnEvent(f"the door refuses this event: {error.message} ({error.code})") from None
    return Stored(0, 0, source or "", document["messageId"], at, document)


async def _quarantined(journal: JournalReader, message_id: str) -> Stored:
    async for row in every_row(journal):
        if row.refusal.message_id == message_id:
            return _admitted(orjson.loads(row.refusal.body), row.refusal.source)
    raise NoSuchRow(f"no event {message_id} in the journal or the quarantine")
