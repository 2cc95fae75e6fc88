"""Where a journal lies, its lock, and connections to it with the schema brought up to date."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final

from crossdock.errors import ConfigError, JournalLocked, JournalMismatch, JournalUnavailable
from crossdock.journal.statements import MIGRATIONS, statement
from crossdock.journal.writer import Hook, journal_error

APPLICATION_ID: Final = 0x43524F53
BUSY_SECONDS: Final = 2.0
"""How long a write waits for another process's before it is answered 503."""
_LOCK_SECONDS: Final = 0.25
PREFIX: Final = "sqlite:///"


def path_of(url: str) -> Path:
    """Give the file of ``sqlite:///./relative.db`` or ``sqlite:////absolute.db``."""
    name = url.removeprefix(PREFIX)
    if name == url or not name or name == ":memory:":
        raise ConfigError(
            f"journal.url {url!r} is not a file's; write sqlite:///./data/crossdock.db for one beside you, "
            "or sqlite:////var/lib/crossdock.db with four slashes"
        )
    return Path(name)


def connect(path: Path, *, cache_kib: int = 4096, readonly: bool = False) -> sqlite3.Connection:
    """Open a connection to be used by one thread at a time."""
    uri = f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rwc'}"
    db = sqlite3.connect(
        uri,
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        timeout=BUSY_SECONDS,
    )
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute(f"PRAGMA cache_size = {-cache_kib:d}")
    # Never inside a commit: `Checkpoints` says why.
    db.execute("PRAGMA wal_autocheckpoint = 0")
    return db


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open the write connection, making file and folder where there is none; schema up to date."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = connect(path, cache_kib=16_384)
    except (OSError, sqlite3.Error) as error:
        raise JournalUnavailable(f"{path} cannot be opened: {error}") from error
    try:
        _prepare(db, path)
    except sqlite3.Error as error:
        db.close()
        raise journal_error(error) or JournalUnavailable(f"{path} cannot be used: {error}") from error
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    check_version(db, path, may_be_new=True)
    # No auto_vacuum: moving pages at each commit costs more than it gives, as new events reuse free pages.
    db.execute("PRAGMA journal_mode = WAL").fetchone()
    # A 200 means fsynced: NORMAL would lose the last commits in a power cut.
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA secure_delete = FAST").fetchone()
    db.execute("PRAGMA journal_size_limit = 67108864").fetchone()
    version = db.execute("PRAGMA user_version").fetchone()[0]
    for number in sorted(MIGRATIONS):
        if number > version:
            _migrate(db, number)


def _migrate(db: sqlite3.Connection, number: int) -> None:
    """Bring the schema one version on, whole or not at all."""
    script = f"""
        BEGIN IMMEDIATE;
        {MIGRATIONS[number]};
        PRAGMA application_id = {APPLICATION_ID:d};
        PRAGMA user_version = {number:d};
        COMMIT;
    """
    try:
        db.executescript(script)
    except sqlite3.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def check_version(db: sqlite3.Connection, path: Path, *, may_be_new: bool) -> None:
    """Refuse a file that is not a journal, or a newer one than this code knows."""
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if may_be_new and not tables and application in (0, APPLICATION_ID):
        return
    if application != APPLICATION_ID:
        raise JournalMismatch(f"{path} is not a Crossdock journal; point journal.url at another file")
    newest = max(MIGRATIONS)
    if version > newest:
        raise JournalMismatch(
            f"{path} has schema {version}, this Crossdock knows up to {newest}: "
            "install the release that wrote it or a newer one, or point journal.url at another file"
        )


def fix_setting(db: sqlite3.Connection, path: Path, name: str, wanted: int) -> None:
    """Note a setting when the journal is made; refuse another value later."""
    row = db.execute(statement("setting"), (name,)).fetchone()
    if row is None:
        db.execute(statement("setting_insert"), (name, wanted))
    elif row[0] != wanted:
        raise JournalMismatch(
            f"{path} was made with journal.{name}: {row[0]}, the settings say {wanted}. Visitors' order "
            f"hangs on it, so it stays as made: set journal.{name}: {row[0]}, or point journal.url at a "
            "new file once this one is delivered"
        )


class FileLock:
    """The lock beside the file that only one gateway holds; the kernel lets go of it when a process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._descriptor: int | None = None

    async def take(self, hook: Hook, *, wait: bool) -> None:
        """
        Take the lock, waiting for its holder or not.

        Raises:
            JournalLocked: Another gateway holds it.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise JournalUnavailable(f"{self._path} cannot be opened: {error}") from error
        told = False
        try:
            while not _locked(descriptor):
                if not wait:
                    raise JournalLocked(  # noqa: TRY301 - the descriptor is closed below
                        f"another gateway uses this journal (it holds {self._path}): stop it"
                    )
                if not told:
                    hook("journal.waiting_for_lock", path=str(self._path))
                    told = True
                # The kernel offers no wake-up that a cancelled start could be woken from.
                await asyncio.sleep(_LOCK_SECONDS)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
