"""What only the SQLite journal promises: its file, its lock, full disks, kills."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crossdock.errors import (
    ConfigError,
    JournalFull,
    JournalLocked,
    JournalMismatch,
    JournalUnavailable,
)
from crossdock.journal import open_client, open_journal
from crossdock.journal.base import Appended, Arrival, Journal, Lane, Position, Refusal, Settled
from crossdock.journal.connection import path_of
from crossdock.journal.head import Head
from crossdock.journal.quarantine import Quarantine
from crossdock.journal.sqlite import Settings, SqliteJournal
from crossdock.journal.statements import MIGRATIONS
from crossdock.journal.writer import unheard

from .conftest import START, Clock, OpenJournal

Arrive = Callable[..., Arrival]
LANE = Lane("topsort", None)


@pytest.fixture
def file(url: str) -> Path:
    """The journal's file."""
    return path_of(url)


async def small_journal(url: str, clock: Clock, **changes: Any) -> SqliteJournal:
    """Open a journal whose runs of marks are tiny."""
    settings = Settings(shards=4, clock=clock, marks_a_run=64, cells=1 << 12, **changes)
    return await SqliteJournal.open(url, path_of(url), settings, wait_for_lock=False)


class TestFile:
    """The file and its schema."""

    @pytest.mark.parametrize(
        ("url", "path"),
        [
            ("sqlite:///./data/x.db", "data/x.db"),
            ("sqlite:////var/lib/x.db", "/var/lib/x.db"),
            ("sqlite:///x.db", "x.db"),
        ],
    )
    def test_urls(self, url: str, path: str) -> None:
        """Three slashes and a relative path, or four and an absolute one."""
        assert Path(path) == path_of(url)

    @pytest.mark.parametrize("url", ["sqlite://x.db", "sqlite:///", "sqlite:///:memory:", "x.db"])
    def test_other_urls_are_refused(self, url: str) -> None:
        """The message shows how a URL is written."""
        with pytest.raises(ConfigError, match=r"sqlite:///\./data/crossdock\.db"):
            path_of(url)

    async def test_durability_settings(self, journal: Journal, file: Path) -> None:
        """The file is in WAL mode and of the newest schema."""
        db = sqlite3.connect(file)
        assert ("wal",) == db.execute("PRAGMA journal_mode").fetchone()
        assert (max(MIGRATIONS),) == db.execute("PRAGMA user_version").fetchone()
        db.close()
        assert isinstance(journal, SqliteJournal)
        assert (2,) == journal._store.db.execute("PRAGMA synchronous").fetchone()

    async def test_other_shards_are_refused(self, opens: OpenJournal) -> None:
        """A changed number of shards is refused with the remedy, and nothing stays locked."""
        await (await opens(shards=4)).close()
        with pytest.raises(JournalMismatch, match=r"set journal\.shards: 4"):
            await opens(shards=8)
        await opens(shards=4)

    async def test_a_newer_file_is_refused(self, opens: OpenJournal, file: Path, url: str) -> None:
        """A schema this release does not know is refused with the remedy."""
        await (await opens()).close()
        db = sqlite3.connect(file)
        db.execute("PRAGMA user_version = 99")
        db.close()
        with pytest.raises(JournalMismatch, match="install the release that wrote it"):
            await opens()
        with pytest.raises(JournalMismatch, match="install the release that wrote it"):
            await open_client(url)

    async def test_a_foreign_file_is_refused(self, opens: OpenJournal, file: Path) -> None:
        """Another program's database is left alone."""
        file.parent.mkdir(parents=True)
        db = sqlite3.connect(file)
        db.execute("CREATE TABLE theirs (x)")
        db.close()
        with pytest.raises(JournalMismatch, match="not a Crossdock journal"):
            await opens()

    async def test_what_is_no_database_is_refused(self, opens: OpenJournal, file: Path) -> None:
        """A file of something else gives an error that names it."""
        file.parent.mkdir(parents=True)
        file.write_bytes(b"something else" * 100)
        with pytest.raises(JournalUnavailable, match="not a database"):
            await opens()

    async def test_a_client_needs_a_journal(self, url: str) -> None:
        """A command line does not make a journal."""
        with pytest.raises(JournalUnavailable, match="there is no journal"):
            await open_client(url)

    async def test_migrations_run_in_order_and_whole(
        self, opens: OpenJournal, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An older file is brought up to date; a step that fails leaves it as it was."""
        await (await opens()).close()
        newest = max(MIGRATIONS)
        monkeypatch.setitem(MIGRATIONS, newest + 1, "CREATE TABLE two (x INTEGER); CREATE TABLE broken (")
        with pytest.raises(JournalUnavailable):
            await opens()
        db = sqlite3.connect(file)
        assert (newest,) == db.execute("PRAGMA user_version").fetchone()
        db.close()
        monkeypatch.setitem(MIGRATIONS, newest + 1, "CREATE TABLE two (x INTEGER)")
        monkeypatch.setitem(MIGRATIONS, newest + 2, "INSERT INTO two VALUES (1)")
        journal = await opens()
        assert newest + 2 == (await journal.status()).schema_version


class TestLock:
    """One gateway to a file."""

    async def test_two_gateways_never_share_a_file(self, opens: OpenJournal) -> None:
        """The second is refused while the first is open."""
        first = await opens()
        with pytest.raises(JournalLocked):
            await opens()
        await first.close()
        await opens()

    async def test_a_second_waits_for_the_first(self, opens: OpenJournal) -> None:
        """A gateway told to wait says so and starts when the first has closed."""
        heard: list[str] = []
        told = asyncio.Event()

        def hear(name: str, /, **fields: Any) -> None:
            heard.append(name)
            told.set()

        first = await opens()
        second = asyncio.ensure_future(opens(wait_for_lock=True, on_event=hear))
        async with asyncio.timeout(10):
            await told.wait()
            assert not second.done()
            await first.close()
            await second
        assert ["journal.waiting_for_lock"] == heard


class TestFull:
    """What happens when there is no room, or no way in."""

    async def test_max_size_refuses_appends_only(self, url: str, clock: Clock, arrive: Arrive) -> None:
        """At `max_size` events are refused whole, lanes go on, and deleting makes room again."""
        journal = await small_journal(
            url, clock, max_size_bytes=600_000, retention=timedelta(days=1), dedup_window=timedelta(hours=1)
        )
        await journal.open_lane(LANE, 1)
        accepted = 0
        with pytest.raises(JournalFull, match="max_size"):  # noqa: PT012 - nobody knows which is the first
            while True:
                accepted += len(
                    await journal.append([arrive(body=b'"' + b"x" * 2000 + b'"') for _ in range(10)])
                )
        head = await journal.head()
        assert accepted == len(await journal.read(None, 0, 10_000))
        with pytest.raises(JournalFull):
            await journal.append([arrive("refused")])
        assert [] == await journal.find("refused")
        await journal.settle(Settled(LANE, Position(head), accepted))
        assert accepted == await journal.retain([LANE], clock.move(days=2))
        (appended,) = await journal.append([arrive("refused")])
        assert Appended(head, duplicate=False) == appended
        await journal.close()

    async def test_a_full_disk_refuses_and_recovers(self, url: str, clock: Clock, arrive: Arrive) -> None:
        """When SQLite finds no room nothing is half accepted, and with room it goes on by itself."""
        journal = await small_journal(url, clock)
        db = journal._store.db
        await journal.open_lane(LANE, 1)
        await journal.append([arrive("a")])
        limit = int(db.execute("PRAGMA page_count").fetchone()[0]) + 3
        db.execute(f"PRAGMA max_page_count = {limit}")
        results = await asyncio.gather(
            journal.append([arrive("b", body=b'"' + b"x" * 60_000 + b'"'), arrive("c")]),
            journal.append([], [Refusal("web", None, "x", "y", b"z" * 60_000, START)]),
            journal.settle(Settled(LANE, Position(2), 1)),
            return_exceptions=True,
        )
        assert [JournalFull, JournalFull, type(None)] == [type(result) for result in results]
        assert ["a"] == [event.message_id for event in await journal.read(None, 0, 10)]
        assert Position(2, 0) == (await journal.open_lane(LANE, 1)).position
        db.execute("PRAGMA max_page_count = 1000000")
        answers = await journal.append([arrive("b"), arrive("c"), arrive("a")])
        assert [False, False, True] == [answer.duplicate for answer in answers]
        assert [2, 3, 1] == [answer.sequence for answer in answers]
        await journal.close()

    async def test_a_locked_file_refuses_and_recovers(
        self, journal: Journal, file: Path, arrive: Arrive
    ) -> None:
        """While another process holds the file events are refused; then it goes on by itself."""
        assert isinstance(journal, SqliteJournal)
        journal._store.db.execute("PRAGMA busy_timeout = 50")
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(JournalUnavailable, match="locked"):
            await journal.append([arrive("a")])
        other.execute("ROLLBACK")
        other.close()
        (appended,) = await journal.append([arrive("a")])
        assert Appended(1, duplicate=False) == appended

    async def test_the_queue_is_bounded(
        self, journal: Journal, arrive: Arrive, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """More bytes than may wait for the disk are refused at once."""
        monkeypatch.setattr("crossdock.journal.writer.WEIGHT_WAITING", 1000)
        results = await asyncio.gather(
            *(journal.append([arrive(body=b"7" * 600)]) for _ in range(3)), return_exceptions=True
        )
        assert 2 == sum(isinstance(result, JournalUnavailable) for result in results)
        await journal.append([arrive()])


class TestQuarantineBound:
    """The quarantine's bounds."""

    async def test_the_oldest_go(self, journal: Journal) -> None:
        """Beyond its bounds the quarantine drops its oldest, and counts them."""
        assert isinstance(journal, SqliteJournal)
        db = journal._store.db
        journal._store.quarantine = Quarantine(db, unheard, events=5, bytes_=1000)
        for number in range(8):
            await journal.append([], [Refusal("web", str(number), "x", "y", b"z" * 10, START)])
        assert list("76543") == [one.refusal.message_id for one in await journal.quarantined()]
        await journal.append([], [Refusal("web", "big", "x", "y", b"z" * 970, START)])
        assert ["big", *"765"] == [one.refusal.message_id for one in await journal.quarantined()]


class TestDecoding:
    """Reading many events at once."""

    async def test_an_event_nested_to_the_limit_is_read(self, opens: OpenJournal, arrive: Arrive) -> None:
        """An event that only decodes alone does not stand in its neighbours' way."""
        journal = await opens()
        deep = b"[" * 1023 + b"]" * 1023
        await journal.append([arrive("a"), arrive("b", body=deep), arrive("c")])
        await journal.close()
        journal = await opens()
        assert list("abc") == [event.message_id for event in await journal.read(None, 0, 10)]


class TestHead:
    """Memory and file give the same."""

    async def test_reads_agree_wherever_memory_begins(self, journal: Journal, arrive: Arrive) -> None:
        """With room for few events, reads from before, across and after the floor give the same."""
        assert isinstance(journal, SqliteJournal)
        journal._head = Head([0, 0, 0, 0], journal._store.next_sequence, events=10)
        journal._store.head = journal._head
        for number in range(40):
            await journal.append([arrive(visitor=f"v{number}") for _ in range(3)])
        assert (10, 111) == (len(journal._head), journal._head.floor)
        everything = await journal.read(None, 1, 1000)
        assert 120 == len(everything)
        for start in range(95, 122):
            for shard in (None, 0, 1, 2, 3):
                expected = [e for e in everything if e.sequence >= start and shard in (None, e.shard)]
                assert expected[:6] == await journal.read(shard, start, 6)

    async def test_is_bounded_by_bytes(self) -> None:
        """An event larger than all room is let go of at once."""
        head = Head([0], 1, events=10, bytes_=100)
        head.push([], [])
        assert 0 == len(head)

    async def test_giving_up_a_wait_leaves_nothing_behind(self, journal: Journal) -> None:
        """A lane that waits with a time limit, again and again, does not grow a list."""
        assert isinstance(journal, SqliteJournal)
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(journal.wait(None, 1), 0.001)
        assert [[]] == list(journal._head._waiting.values())

    async def test_close_wakes_who_waits(self, opens: OpenJournal) -> None:
        """A lane that waits hears that the journal is closed."""
        journal = await opens()
        waiting = asyncio.create_task(journal.wait(None, 1))
        await asyncio.sleep(0)
        await journal.close()
        with pytest.raises(JournalUnavailable, match="closed"):
            await waiting


class TestRuns:
    """Marks in runs."""

    async def test_marks_pass_from_memory_to_runs(self, url: str, clock: Clock, arrive: Arrive) -> None:
        """Copies are recognised and found wherever their marks lie, also after a restart."""
        journal = await small_journal(url, clock)
        ids = [f"m{number}" for number in range(1000)]
        for start in range(0, 1000, 50):
            await journal.append([arrive(id_) for id_ in ids[start : start + 50]])
        await journal.close()
        journal = await small_journal(url, clock)
        assert 5 < len(journal._store.marks.runs)
        answers = await journal.append([arrive(id_) for id_ in ids])
        assert [Appended(n, duplicate=True) for n in range(1, 1001)] == answers
        for number in (0, 500, 999):
            assert [number + 1] == [event.sequence for event in await journal.find(ids[number])]
        await journal.close()


CHILD = """
import asyncio, sys
from datetime import UTC, datetime
from crossdock.journal.base import Arrival
from crossdock.journal.connection import path_of
from crossdock.journal.sqlite import Settings, SqliteJournal

async def main(url):
    settings = Settings(shards=4, marks_a_run=64, cells=1 << 12)
    journal = await SqliteJournal.open(url, path_of(url), settings, wait_for_lock=True)
    start = await journal.head()
    async def send(task):
        number = 0
        while True:
            ids = [f"{start}-{task}-{number}-{place}" for place in range(3)]
            now = datetime.now(UTC)
            arrivals = [Arrival(i, "web", "all", task, {"n": i}, b'{"n":1}', now) for i in ids]
            answers = await journal.append(arrivals)
            # The acknowledgement: what stands on the pipe before the kill must be in the journal after it.
            sys.stdout.write("".join(f"{i} {a.sequence}\\n" for i, a in zip(ids, answers)))
            sys.stdout.flush()
            number += 1
    await asyncio.gather(*(send(task) for task in range(4)))

asyncio.run(main(sys.argv[1]))
"""


async def test_a_kill_loses_nothing_acknowledged(url: str, clock: Clock, arrive: Arrive) -> None:
    """Killed at any moment, several times over: all acknowledged is there once, and its marks hold."""
    acknowledged: dict[str, int] = {}
    for lines in (5, 150, 400, 31):
        with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs in this loop
            [sys.executable, "-c", textwrap.dedent(CHILD), url], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            for _ in range(lines):
                id_, sequence = child.stdout.readline().split()
                acknowledged[id_] = int(sequence)
            os.kill(child.pid, signal.SIGKILL)
            for line in child.stdout:
                if line.endswith("\n"):
                    acknowledged[line.split()[0]] = int(line.split()[1])
    journal = await small_journal(url, clock)
    stored = {event.message_id: event.sequence for event in await journal.read(None, 0, 1_000_000)}
    assert len(set(stored.values())) == len(stored)
    assert acknowledged == {id_: stored.get(id_) for id_ in acknowledged}
    clock.now = clock.now.now(clock.now.tzinfo)
    copies = await journal.append([arrive(id_) for id_ in acknowledged])
    assert [Appended(sequence, duplicate=True) for sequence in acknowledged.values()] == copies
    assert len(stored) == (await journal.status()).events
    await journal.close()


async def test_open_journal_defaults(url: str) -> None:
    """The plain call opens a journal of eight shards."""
    journal = await open_journal(url)
    assert 8 == journal.shards
    await journal.close()
