"""
Checkpoints off the commit's way, and a bound for the log.

SQLite's own policy checkpoints inside a commit once the log has 1,000 pages, which then takes tens of
milliseconds. Here a thread with a connection of its own copies the log into the file (PASSIVE: blocks nobody)
and the writer, between two commits, copies the few pages that came meanwhile; with nothing left to copy the
next commit starts the log from the front again. Without that last step a log under steady load never would.

A reader that stays in one snapshot, for example a backup, keeps the log from starting anew. It is told to the
hook, and what the log holds beyond its usual size counts against `max_size`.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Final

from crossdock.journal.writer import Hook

WAL_BYTES_DUE: Final = 16 << 20
"""Estimated bytes written after which a checkpoint begins."""
WAL_BYTES_KEPT: Final = 64 << 20
"""What the log may take on disk without being noticed."""
_PAGES_LONG: Final = WAL_BYTES_KEPT // 4096
_COMMIT_BYTES: Final = 40_000
"""About what a commit writes beside the events: index pages, counters, frame headers."""


class Checkpoints:
    """The thread that copies, and when it does. All methods are called from the writer thread."""

    def __init__(self, path: Path, hook: Hook) -> None:
        self._path = path
        self._hook = hook
        self._written = 0
        self._due = threading.Event()
        self._copied = threading.Event()
        self._closed = False
        self._busy = False
        self._thread: threading.Thread | None = None

    def wrote(self, event_bytes: int) -> None:
        """Count what a commit wrote, and begin a checkpoint when it is time."""
        self._written += event_bytes + event_bytes // 2 + _COMMIT_BYTES
        if self._written > WAL_BYTES_DUE and not self._busy:
            self._written = 0
            self._busy = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="crossdock-checkpoint", daemon=True)
                self._thread.start()
            self._due.set()

    def finish_due(self) -> bool:
        """Whether the thread has copied and the writer ought to do the rest."""
        return self._copied.is_set()

    def finish(self, db: sqlite3.Connection) -> None:
        """Copy what was written meanwhile, so that the next commit starts the log anew."""
        self._copied.clear()
        self._busy = False
        _busy, pages, copied = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if copied < pages and pages > _PAGES_LONG:
            self._hook("journal.log_held", pages=pages, copied=copied)

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._due.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._closed:
                return
            try:
                db = sqlite3.connect(self._path, isolation_level=None)
                try:
                    db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                finally:
                    db.close()
            except sqlite3.Error as error:
                self._hook("journal.upkeep_failed", error=str(error))
            self._copied.set()
