"""
What the SQLite journal does on this machine: appends, reads, settling, claims, memory.

Run: ``python bench/journal.py [--marks 5000000] [--seconds 5]``. Prints figures and ratios; asserts nothing.
The anchor is the smallest thing that is as durable: one fsync of a 64 KiB write.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import platform
import resource
import secrets
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from crossdock.journal import open_client, open_journal
from crossdock.journal.base import Arrival, Claim, Journal, Lane, Owner, Position, SentRequest, Settled
from crossdock.journal.connection import connect_writer, fix_setting
from crossdock.journal.filter import SLOTS_A_PLANE, RunFilter
from crossdock.journal.marks import CELLS, MARKS_A_RUN
from crossdock.journal.statements import run_many, statement
from crossdock.visitors import Memory

SHARDS = 8
BODY_BYTES = 700
TOPSORT = Memory(frozenset({"key", "anonymousId"}))
SESSIONS = frozenset({"key", "anonymousId", "sessionId"})
WITH_BASKET = SESSIONS | {"basket", "email"}


def rss_mb(pid: str = "self") -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def preload(path: Path, marks: int) -> None:
    """Put runs of random marks straight into the file, as flushes would have left them."""
    db = connect_writer(path)
    fix_setting(db, path, "shards", SHARDS)
    at = round(time.time() * 1e6)
    filter_ = RunFilter(CELLS)
    for number in range(1, marks // MARKS_A_RUN + 1):
        slot = number - 1
        digests = sorted(secrets.token_bytes(16) for _ in range(MARKS_A_RUN))
        filter_.clear(slot)
        db.execute("BEGIN")
        db.execute(statement("mark_table_create", number))
        values: list[object] = []
        for digest in digests:
            values += (digest, 1, at)
        run_many(db, "mark_insert", values, 3, number)
        filter_.add(slot, digests)
        db.execute(statement("mark_run_insert"), (number, slot, MARKS_A_RUN, 1, at))
        db.execute(statement("mark_filter_set"), (slot // SLOTS_A_PLANE, filter_.plane(slot)))
        db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()


def arrivals(count: int, received_at: datetime) -> list[Arrival]:
    made = []
    for _ in range(count):
        message_id = str(uuid.uuid4())
        document = {"type": "track", "messageId": message_id, "properties": {"product_id": "p", "price": 9.5}}
        document["filler"] = "x" * (BODY_BYTES - len(orjson.dumps(document)) - 12)
        shard = int(message_id[:8], 16) % SHARDS
        body = orjson.dumps(document)
        made.append(Arrival(message_id, "web", "topsort", shard, document, body, received_at))
    return made


def show(what: str, count: int, seconds: float, latencies: list[float], cpu: float) -> None:
    latencies.sort()
    p50, p99 = (1e3 * latencies[int(len(latencies) * part)] for part in (0.5, 0.99))
    print(
        f"{what:<46}{count / seconds:>10,.0f}/s {count / cpu:>10,.0f}/cpu-s"
        f"   p50 {p50:7.2f} ms  p99 {p99:7.2f} ms  max {1e3 * latencies[-1]:7.1f} ms",
        flush=True,
    )


async def measure(what: str, tasks: int, rounds: int, step: Callable[[int, int], Awaitable[int]]) -> float:
    """Run `step` in parallel tasks; each call says how many it did."""
    latencies: list[float] = []
    # The events made beforehand are the bench's, not the journal's: the collector need not walk them.
    gc.collect()
    gc.freeze()

    async def one(task: int) -> int:
        done = 0
        for number in range(rounds):
            begun = time.perf_counter()
            done += await step(task, number)
            latencies.append(time.perf_counter() - begun)
        return done

    started, cpu = time.perf_counter(), time.process_time()
    count = sum(await asyncio.gather(*(one(task) for task in range(tasks))))
    seconds = time.perf_counter() - started
    show(what, count, seconds, latencies, time.process_time() - cpu)
    return count / seconds


async def appends(journal: Journal, scale: int) -> None:
    moment = datetime.now(UTC)
    alone = [arrivals(30 * scale, moment) for _ in range(64)]

    async def single(task: int, number: int) -> int:
        await journal.append([alone[task][number]])
        return 1

    await measure("append 1, 64 tasks", 64, 30 * scale, single)
    one = arrivals(20 * scale, moment)

    async def quiet(_task: int, number: int) -> int:
        await journal.append([one[number]])
        return 1

    await measure("append 1, one task", 1, 20 * scale, quiet)
    for tasks in (8, 1):
        batches = [[arrivals(100, moment) for _ in range(24 * scale // tasks)] for _ in range(tasks)]

        async def hundred(task: int, number: int, batches: list[list[list[Arrival]]] = batches) -> int:
            await journal.append(batches[task][number])
            return 100

        await measure(f"append 100, {tasks} tasks", tasks, len(batches[0]), hundred)

        async def again(task: int, number: int, batches: list[list[list[Arrival]]] = batches) -> int:
            answers = await journal.append(batches[task][number])
            return sum(answer.duplicate for answer in answers)

        await measure(f"append 100 duplicates, {tasks} tasks", tasks, len(batches[0]) // 4, again)


def visits(count: int, received_at: datetime, visitors: int) -> list[Arrival]:
    """Make a shop's events, all of a session: of ten one tells of a basket and four are signed in."""
    made = []
    for number in range(count):
        message_id, visitor = str(uuid.uuid4()), secrets.randbelow(visitors)
        name = "Cart Viewed" if number % 10 == 0 else "Product Viewed"
        document: dict[str, Any] = {"type": "track", "event": name, "messageId": message_id}
        document["anonymousId"] = f"anon-{visitor}"
        if visitor % 10 < 4:
            document["userId"] = f"user-{visitor}"
        if number % 10 == 0:
            document["properties"] = {"products": [{"product_id": "p", "price": 9.5}] * 3, "cart_id": "c"}
        else:
            document["properties"] = {"product_id": "p", "price": 9.5}
        document["timestamp"] = received_at.isoformat()
        document["filler"] = "x" * (BODY_BYTES - len(orjson.dumps(document)) - 12)
        body = orjson.dumps(document)
        shard = visitor % SHARDS
        made.append(Arrival(message_id, "web", "topsort", shard, document, body, received_at))
    return made


def read_by(document: Mapping[str, Any]) -> frozenset[str]:
    """Say which facts presets read, as Segmentify's do."""
    return WITH_BASKET if document["event"] == "Cart Viewed" else SESSIONS


async def facts(journal: Journal, scale: int) -> None:
    """Append what every fact is remembered of, and what a memory for Topsort alone has no need of."""
    moment = datetime.now(UTC)
    every = Memory(WITH_BASKET, read_by)
    for memory, visitors in ((TOPSORT, 0), (every, 1_000), (every, 100_000)):
        journal.remember(memory)
        for tasks in (8, 1):
            batches = [
                [
                    visits(100, moment, visitors) if visitors else arrivals(100, moment)
                    for _ in range(24 * scale // tasks)
                ]
                for _ in range(tasks)
            ]

            async def hundred(task: int, number: int, batches: list[list[list[Arrival]]] = batches) -> int:
                await journal.append(batches[task][number])
                return 100

            what = f"facts of {visitors:,} visitors" if visitors else "ids only"
            await measure(f"append 100, {what}, {tasks} tasks", tasks, len(batches[0]), hundred)
    journal.remember(None)


async def reads(journal: Journal) -> None:
    head = await journal.head()
    starts = [await journal.sequence_at(datetime(2020, 1, 1, tzinfo=UTC))] * SHARDS

    async def backlog(task: int, _number: int) -> int:
        events = await journal.read(task, starts[task], 500)
        if events:
            starts[task] = events[-1].sequence + 1
        return len(events)

    await measure("read 500 of a shard from disk, 8 lanes", SHARDS, min(200, head // 5000), backlog)

    async def near(task: int, number: int) -> int:
        return len(await journal.read(task % SHARDS, head - 500 + number % 100, 50))

    await measure("read 50 of a shard at the head", SHARDS, 500, near)


async def settling(journal: Journal) -> None:
    lanes = [Lane(f"d{number % 5}", number // 5) for number in range(40)]
    for lane in lanes:
        await journal.open_lane(lane, await journal.head())
    moment = datetime.now(UTC)

    async def settle(task: int, number: int) -> int:
        lane, owner = lanes[task], Owner(number * 50, 0)
        request = SentRequest(lane, owner, owner, 50, "abc", moment, 0.05, 204, "delivered", "")
        totals = {"delivered.click": 50, "skipped.not_matched": 1}
        await journal.settle(Settled(lane, Position(number * 50), 50, totals, request))
        return 1

    await measure("settle with a request row, 40 lanes", 40, 50, settle)

    async def claim(task: int, number: int) -> int:
        claims = [
            Claim(
                f"click|v{secrets.token_hex(8)}|bid",
                Owner((task << 20) + number * 50 + place, 0),
                "m",
                moment + timedelta(milliseconds=number),
                timedelta(seconds=10),
            )
            for place in range(50)
        ]
        await journal.claim("topsort", claims)
        return 50

    for tasks in (8, 1):
        await measure(f"claim 50, {tasks} tasks", tasks, 400 // tasks, claim)


def anchor(folder: Path) -> None:
    times = []
    with (folder / "anchor").open("wb") as file:
        for _ in range(200):
            file.write(b"x" * 65536)
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - begun)
    times.sort()
    print(f"fsync of 64 KiB: p50 {1e3 * times[100]:.2f} ms, p99 {1e3 * times[198]:.2f} ms")


async def run(folder: Path, marks: int, scale: int) -> None:
    path = folder / "bench.db"
    url = f"sqlite:///{path}"
    anchor(folder)
    begun = time.perf_counter()
    preload(path, marks)
    print(f"preloaded {marks // MARKS_A_RUN * MARKS_A_RUN:,} marks in {time.perf_counter() - begun:.1f} s")
    before = rss_mb()
    told: list[float] = []

    def hear(name: str, /, **fields: object) -> None:
        if name == "journal.checkpointed":
            told.append(float(str(fields["seconds"])))
        elif name != "journal.waiting_for_lock":
            print(name, fields)

    begun = time.perf_counter()
    journal = await open_journal(url, shards=SHARDS, on_event=hear)
    print(f"opened in {time.perf_counter() - begun:.3f} s; RSS {before:.0f} -> {rss_mb():.0f} MB")
    await appends(journal, scale)
    await facts(journal, scale)
    await reads(journal)
    await settling(journal)
    wal = path.with_name(path.name + "-wal").stat().st_size
    size = path.stat().st_size
    print(f"RSS {rss_mb():.0f} MB (with the bench's own events); file {size / 1e6:.0f} MB")
    longest = 1e3 * max(told, default=0)
    print(f"log {wal / 1e6:.0f} MB; {len(told)} checkpoints, at most {longest:.1f} ms between commits")
    begun = time.perf_counter()
    await journal.close()
    print(f"closed in {time.perf_counter() - begun:.2f} s")
    begun = time.perf_counter()
    journal = await open_journal(url, shards=SHARDS)
    print(f"opened again in {time.perf_counter() - begun:.3f} s")
    client = await open_client(url)
    begun = time.perf_counter()
    status = await client.status()
    print(f"status of {status.events:,} events in {1e3 * (time.perf_counter() - begun):.1f} ms")
    await client.close()
    await journal.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--marks", type=int, default=5_000_000)
    parser.add_argument("--scale", type=int, default=100)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    cores = os.cpu_count()
    print(f"{platform.processor() or platform.machine()}, {cores} cores, Python {platform.python_version()},")
    print(f"SQLite {sqlite3.sqlite_version}, {datetime.now(UTC):%Y-%m-%d}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        if sys.platform != "win32":
            import uvloop  # noqa: PLC0415

            uvloop.run(run(Path(folder), arguments.marks, arguments.scale))
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")


if __name__ == "__main__":
    main()
