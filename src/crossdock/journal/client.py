"""A command line beside a running gateway: it reads the same file and leaves commands, without the lock."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import orjson

from crossdock.errors import JournalUnavailable
from crossdock.journal.base import Command
from crossdock.journal.connection import check_version, connect
from crossdock.journal.reading import SqliteReader
from crossdock.journal.statements import statement
from crossdock.journal.times import micros, now
from crossdock.journal.writer import journal_error


class SqliteClient(SqliteReader):
    """`JournalReader` on a file that a gateway may be writing."""

    def __init__(self, url: str, path: Path, shards: int, max_size_bytes: int) -> None:
        super().__init__(url, path, shards, max_size_bytes)
        self._path = path

    @classmethod
    async def open(cls, url: str, path: Path, max_size_bytes: int) -> SqliteClient:
        """
        Open a journal that is there.

        Raises:
            JournalUnavailable: There is none yet.
            JournalMismatch: The file is not one this code can read.
        """
        shards = await asyncio.to_thread(_shards, path)
        return cls(url, path, shards, max_size_bytes)

    async def submit(self, command: Command, clock: Callable[[], datetime] = now) -> int:
        """Leave a command for the running gateway; gives its id."""
        values = (command.kind, orjson.dumps(command.arguments).decode(), micros(clock()))
        return await asyncio.to_thread(self._submit, values)

    async def close(self) -> None:
        """Let go of the file."""
        await asyncio.to_thread(self._questions.close)

    def _submit(self, values: tuple[str, str, int]) -> int:
        db = connect(self._path)
        try:
            return int(db.execute(statement("command_insert"), values).lastrowid or 0)
        except sqlite3.Error as error:
            raise journal_error(error) or error from error
        finally:
            db.close()


def _shards(path: Path) -> int:
    if not path.exists():
        raise JournalUnavailable(f"there is no journal at {path} yet: `crossdock serve` makes it")
    try:
        db = connect(path)
        try:
            check_version(db, path, may_be_new=False)
            return int(db.execute(statement("setting"), ("shards",)).fetchone()[0])
        finally:
            db.close()
    except sqlite3.Error as error:
        raise JournalUnavailable(f"{path} cannot be opened: {error}") from error
