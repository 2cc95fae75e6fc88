"""The durable log of accepted events and all delivery state beside it; `base` says what it promises."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from crossdock.journal.base import Journal, JournalReader, Memory
from crossdock.journal.client import SqliteClient
from crossdock.journal.connection import path_of
from crossdock.journal.sqlite import Settings, SqliteJournal
from crossdock.journal.times import now
from crossdock.journal.writer import Hook, unheard

__all__ = ["open_client", "open_journal"]

MAX_SIZE_BYTES = 20 << 30
_WEEK = timedelta(days=7)
_MONTH = timedelta(days=30)


async def open_journal(  # noqa: PLR0913 - one argument per setting
    url: str,
    *,
    shards: int = 8,
    retention: timedelta = _WEEK,
    max_size_bytes: int = MAX_SIZE_BYTES,
    dedup_window: timedelta = _WEEK,
    wait_for_lock: bool = True,
    on_event: Hook | None = None,
    clock: Callable[[], datetime] = now,
    memory: Memory | None = None,
    visitor_expiry: timedelta = _MONTH,
) -> Journal:
    """
    Open the gateway's journal, made if there is none, and take its lock.

    `on_event` is told of the journal's own affairs, from any thread: a name and its fields. `clock` dates
    claims and events that inherit one; marks go by the times of arrival. Without a `memory` nothing is
    remembered of visitors; what was, goes `visitor_expiry` after the visitor was last seen.

    Raises:
        JournalLocked: Another gateway holds it, and `wait_for_lock` is false.
        JournalMismatch: The file was made with other shards, or by a newer release.
        JournalUnavailable: The file cannot be opened.
    """
    settings = Settings(
        shards=shards,
        retention=retention,
        max_size_bytes=max_size_bytes,
        dedup_window=dedup_window,
        visitor_expiry=visitor_expiry,
        memory=memory,
        clock=clock,
        hook=on_event or unheard,
    )
    return await SqliteJournal.open(url, path_of(url), settings, wait_for_lock=wait_for_lock)


async def open_client(url: str, *, max_size_bytes: int = MAX_SIZE_BYTES) -> JournalReader:
    """
    Open a journal beside its running gateway, to read it and to leave commands.

    Raises:
        JournalMismatch: The file is none this release can read.
        JournalUnavailable: There is no file yet, or it cannot be opened.
    """
    return await SqliteClient.open(url, path_of(url), max_size_bytes)
