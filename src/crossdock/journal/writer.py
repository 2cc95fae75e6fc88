"""
The writer thread: owns the write connection, and commits what waits in one transaction.

One thread owns every write, so SQLite never has two writers to arbitrate, and whatever arrives while a commit
is on its way to disk forms the next one: alone an operation commits at once, under load the groups grow by
themselves. Answers go back to the event loop in one call per commit.

Operations run without savepoints. If one fails, the whole transaction is undone and they run again one by
one, so a bad one fails alone and the good path pays nothing for it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

from crossdock.errors import JournalError, JournalFull, JournalUnavailable

OPERATIONS_A_COMMIT: Final = 1024
WEIGHT_A_COMMIT: Final = 4 << 20
WEIGHT_WAITING: Final = 64 << 20
_RETRY_UPKEEP_SECONDS: Final = 1.0


class Hook(Protocol):
    """What is told of the journal's own affairs: an event's name and its fields. Called from any thread."""

    def __call__(self, name: str, /, **fields: Any) -> object:
        """Take note of an event."""


def unheard(name: str, /, **fields: Any) -> None:
    """Take no note."""
    del name, fields


def journal_error(error: sqlite3.Error) -> JournalError | None:
    """Give the error of ours that SQLite's stands for; ``None`` where the statement itself was at fault."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    match code & 0xFF:
        case sqlite3.SQLITE_FULL:
            return JournalFull(f"the journal's disk is full ({error}): free space or move the journal")
        case (
            sqlite3.SQLITE_BUSY
            | sqlite3.SQLITE_LOCKED
            | sqlite3.SQLITE_IOERR
            | sqlite3.SQLITE_CANTOPEN
            | sqlite3.SQLITE_READONLY
            | sqlite3.SQLITE_PERM
            | sqlite3.SQLITE_CORRUPT
            | sqlite3.SQLITE_NOTADB
            | sqlite3.SQLITE_PROTOCOL
            | sqlite3.SQLITE_NOMEM
        ):
            return JournalUnavailable(f"the journal's file cannot be used just now: {error}")
    return None


@dataclass(slots=True, eq=False)
class Operation:
    """Something to do within a transaction, and the future that is told when it is durable."""

    run: Callable[[sqlite3.Connection], Any] | None
    """``None``: the store knows how, from the argument (appends are done together)."""
    future: asyncio.Future[Any]
    argument: Any = None
    weight: int = 0
    result: Any = None
    error: BaseException | None = None
    committed: list[Callable[[], None]] = field(default_factory=list)
    """Called in the loop's thread once durable, before the future is told."""


class Store(Protocol):
    """What the writer thread works on. All of it is called in that thread."""

    db: sqlite3.Connection

    def run(self, operations: list[Operation]) -> None:
        """Do operations within the transaction; raises if one fails."""

    def keep(self) -> None:
        """Follow a commit."""

    def undo(self) -> None:
        """Follow a rollback."""

    def chore(self) -> bool:
        """Do a slice of upkeep, in transactions of its own; whether there is more."""

    def close(self) -> None:
        """Let go of the connection."""


class Writer:
    """The thread and its queue. `submit` is called from the event loop."""

    def __init__(self, store: Store, hook: Hook) -> None:
        self._store = store
        self._hook = hook
        self._queue: SimpleQueue[Operation | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._waiting = 0
        self._closed = False
        self._ended = self._loop.create_future()
        self._thread = threading.Thread(target=self._work, name="crossdock-journal", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def submit(
        self, run: Callable[[sqlite3.Connection], Any] | None, argument: Any = None, weight: int = 0
    ) -> asyncio.Future[Any]:
        """Queue an operation; its future holds the result once it is durable."""
        if self._closed:
            raise JournalUnavailable("the journal is closed")
        if self._waiting + weight > WEIGHT_WAITING and self._waiting:
            raise JournalUnavailable(f"{self._waiting:,} bytes wait to be written; the disk does not keep up")
        self._waiting += weight
        future = self._loop.create_future()
        self._queue.put(Operation(run, future, argument, weight))
        return future

    async def close(self) -> None:
        """Finish what was asked, then end the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await asyncio.shield(self._ended)

    def _work(self) -> None:
        upkeep: bool | None = True
        last = False
        while not last:
            operations, last = self._take(upkeep)
            if operations:
                self._commit(operations)
                self._call(lambda done=operations: self._answer(done))  # type: ignore[misc]
            upkeep = self._upkeep()
        self._store.close()
        self._call(self._finish)

    def _take(self, upkeep: bool | None) -> tuple[list[Operation], bool]:
        """Wait for an operation, unless there is upkeep, and take what else is there; whether to end."""
        operations: list[Operation] = []
        weight = 0
        timeout = None if upkeep is not None else _RETRY_UPKEEP_SECONDS
        while len(operations) < OPERATIONS_A_COMMIT and weight < WEIGHT_A_COMMIT:
            try:
                operation = self._queue.get(block=not (operations or upkeep), timeout=timeout)
            except Empty:
                break
            if operation is None:
                return operations, True
            operations.append(operation)
            weight += operation.weight
        return operations, False

    def _upkeep(self) -> bool | None:
        """Do a slice of upkeep; whether there is more, ``None`` where it failed and is to be tried later."""
        try:
            return self._store.chore()
        except Exception as error:  # noqa: BLE001 - upkeep that fails must not end the only writer
            self._rollback()
            ours = journal_error(error) if isinstance(error, sqlite3.Error) else None
            self._hook("journal.upkeep_failed", error=str(ours) if ours else traceback.format_exc())
            return None

    def _commit(self, operations: list[Operation]) -> None:
        try:
            self._attempt(operations)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is handed to whoever asked
            self._rollback()
            ours = journal_error(error) if isinstance(error, sqlite3.Error) else None
            if isinstance(ours, JournalUnavailable) or len(operations) == 1:
                self._fail(operations, ours or error)
            elif isinstance(ours, JournalFull):
                self._make_do(operations, ours)
            else:
                for operation in operations:
                    self._commit([operation])

    def _make_do(self, operations: list[Operation], full: JournalFull) -> None:
        """Refuse the appends; what lanes settle is small, and may free space."""
        appends = [operation for operation in operations if operation.run is None]
        others = [operation for operation in operations if operation.run is not None]
        self._fail(appends, full)
        if appends and others:
            self._commit(others)
        else:
            self._fail(others, full)

    def _attempt(self, operations: list[Operation]) -> None:
        db = self._store.db
        db.execute("BEGIN IMMEDIATE")
        for operation in operations:
            operation.error = None
        self._store.run(operations)
        db.execute("COMMIT")
        self._store.keep()

    def _rollback(self) -> None:
        self._store.undo()
        try:
            if self._store.db.in_transaction:
                self._store.db.execute("ROLLBACK")
        except sqlite3.Error as error:
            self._hook("journal.rollback_failed", error=str(error))

    def _fail(self, operations: list[Operation], error: BaseException) -> None:
        for operation in operations:
            operation.error = error
        if isinstance(error, JournalError) and operations:
            self._hook("journal.refused", operations=len(operations), error=str(error))

    def _call(self, function: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:  # the loop is gone, and with it whoever waited
            self._hook("journal.loop_gone")

    def _answer(self, operations: list[Operation]) -> None:
        for operation in operations:
            self._waiting -= operation.weight
            if operation.error is None:
                for call in operation.committed:
                    call()
        for operation in operations:
            if operation.future.cancelled():
                continue
            if operation.error is None:
                operation.future.set_result(operation.result)
            else:
                operation.future.set_exception(operation.error)

    def _finish(self) -> None:
        while not self._queue.empty():
            operation = self._queue.get()
            if operation and not operation.future.cancelled():
                operation.future.set_exception(JournalUnavailable("the journal is closed"))
        if not self._ended.done():
            self._ended.set_result(None)
