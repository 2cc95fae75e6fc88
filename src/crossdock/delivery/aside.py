"""
What is delivered out of its lane's order: visitors set aside, replayed dead letters, inherited claims.

One loop a destination. A visitor's rows go one after the other, so order per visitor holds here too; a
failing row waits on a schedule of its own and holds nobody else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import orjson

from crossdock.delivery import guard
from crossdock.delivery.attempt import Attempt, Courier, dead_letter, refusal
from crossdock.delivery.batching import cut
from crossdock.delivery.persist import persist
from crossdock.delivery.plan import Owed, Plan, Refused, Route, plan
from crossdock.delivery.retry import aside_backoff
from crossdock.destinations.base import Halt, Outcome, Queued, Rejected, Retry, Split
from crossdock.errors import JournalError
from crossdock.journal.base import (
    Aside,
    DeadLetter,
    Forgotten,
    Journal,
    Lane,
    Owner,
    Settled,
    Stored,
    shard_of,
)
from crossdock.telemetry import Log, log

ROWS_AT_ONCE = 100
_PATIENCE_SECONDS = 60.0
"""How long an erasure waits for a request in flight that holds what it erased."""
RECHECK_SECONDS = 30.0
"""A row another process set aside is seen this late at worst, should its wake-up be lost."""


class AsideBook:
    """Which visitors of one destination wait outside their lane, and by how many events."""

    def __init__(self, visitors: dict[str, int]) -> None:
        self._rows = Counter(visitors)
        self.woken = asyncio.Event()

    def holds(self, visitor: str) -> bool:
        """Whether the visitor's next event must wait too."""
        return self._rows[visitor] > 0 if self._rows else False

    def hold(self, visitor: str) -> None:
        """Note one more event of the visitor; counted before it is stored, so none can overtake."""
        self._rows[visitor] += 1
        self.woken.set()

    def recount(self, visitor: str, rows: int) -> None:
        """Take the number of a visitor's rows anew, as some were erased."""
        self._rows[visitor] = rows
        if rows <= 0:
            del self._rows[visitor]

    def release(self, visitor: str) -> None:
        """Note one event less."""
        self._rows[visitor] -= 1
        if self._rows[visitor] <= 0:
            del self._rows[visitor]


@dataclass(slots=True)
class _Account:
    """What one row's delivery will write."""

    row: Aside
    stored: Stored
    settled: Settled
    totals: Counter[str] = field(default_factory=Counter)
    letters: list[DeadLetter] = field(default_factory=list)
    refused_owners: list[tuple[str, Owner]] = field(default_factory=list)

    def renew(self, row: Aside) -> None:
        """Begin anew after a write."""
        self.row, self.settled = row, Settled(self.settled.lane)
        self.totals, self.letters, self.refused_owners = Counter(), [], []


class AsideWorker:
    """Delivers what a destination has set aside; `run` ends only by cancellation."""

    def __init__(
        self, route: Route, journal: Journal, courier: Courier, book: AsideBook, *, order_all: bool
    ) -> None:
        self.route = route
        self._journal = journal
        self._courier = courier
        self._book = book
        self._order_all = order_all
        self._sending: asyncio.Task[None] | None = None
        self._sequence = 0
        """Of the row being delivered."""
        self._erased: set[int] = set()
        """Events that were erased since the rows at hand were read."""
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def wake(self) -> None:
        """Look again: something was set aside."""
        self._book.woken.set()

    async def forget(self, forgotten: Forgotten) -> None:
        """Send no more of rows that were erased; returns when no request in flight holds one."""
        self._erased |= forgotten.sequences
        if self._sending is not None and self._sequence in self._erased:
            await asyncio.wait([self._sending], timeout=_PATIENCE_SECONDS)
        left = await self._journal.aside_visitors(self.route.name)
        for visitor in forgotten.visitors:
            self._book.recount(visitor, left.get(visitor, 0))

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            self._book.woken.clear()
            self._erased.clear()
            try:
                rows = await self._journal.asides(self.route.name, self.now(), ROWS_AT_ONCE)
                wait = RECHECK_SECONDS if rows else await self._until_due()
            except JournalError:
                rows, wait = [], RECHECK_SECONDS
            for row in rows:
                if row.sequence in self._erased:
                    continue
                self._sequence = row.sequence
                self._sending = asyncio.create_task(self._deliver(row))
                await asyncio.shield(self._sending)
                self._sending = None
            if not rows:
                try:
                    await asyncio.wait_for(self._book.woken.wait(), wait)
                except TimeoutError:
                    continue

    async def finish(self) -> None:
        """After cancellation: wait for the row in flight."""
        if self._sending is not None:
            await self._sending

    async def _until_due(self) -> float:
        due = await self._journal.next_aside_at(self.route.name)
        if due is None:
            return RECHECK_SECONDS
        return min(RECHECK_SECONDS, max(0.01, (due - self.now()).total_seconds()))

    async def _deliver(self, row: Aside) -> None:
        account = self._open(row)
        made = plan(self.route, account.stored, None if row.force else self.now())
        _keep(made, row)
        aside = row.kind in ("inherited", "replay")
        await guard.take(self._journal, self.route.name, [made], aside=aside, force=row.force)
        account.totals.update({f"suppressed.{action}": times for action, times in made.suppressed.items()})
        for refused in made.refused:
            account.letters.append(self._letter(account, refused))
        if not await self._send(account, made.owed):
            return
        account.settled.done = [row.id]
        if row.dead_letter is not None and not account.letters:
            account.settled.replayed = [row.dead_letter]
        await self._write(account)
        if row.kind in ("retry", "later"):
            self._book.release(row.visitor)

    async def _send(self, account: _Account, owed: list[Owed]) -> bool:
        """Send an event's payloads one by one; ``False`` where the rest waits for another time."""
        limits = self.route.vendor.limits
        while owed:
            one = cut(owed, limits, payloads=1, body_bytes=limits.body_bytes).owed[0]
            async with self._courier.gate.permit():
                if account.row.sequence in self._erased:
                    return False
                attempt = await self._courier.carry(self.route, account.settled.lane, [one])
            account.settled.request = attempt.row
            doubted = isinstance(attempt.first, Rejected) and self._courier.gate.doubting
            if doubted or isinstance(attempt.first, Retry | Halt | Split):
                account.settled.postponed = [self._postponed(account.row, one, attempt)]
                await self._write(account)
                return False
            self._note(account, one, attempt.first)
            owed = owed[1:]
            if owed:
                # Each payload is settled as it goes: a crash sends only the one in flight again.
                row = replace(account.row, index=owed[0].payload.index)
                account.settled.postponed = [row]
                await self._write(account)
                account.renew(row)
        return True

    def _open(self, row: Aside) -> _Account:
        stored = _stored(row, self._journal.shards)
        lane = Lane(self.route.name, None if self._order_all else stored.shard)
        return _Account(row, stored, Settled(lane))

    def _note(self, account: _Account, one: Owed, outcome: Outcome) -> None:
        action = one.payload.action
        if not isinstance(outcome, Rejected):
            name = "queued" if isinstance(outcome, Queued) else "delivered"
            account.totals[f"{name}.{action}"] += 1
            return
        account.totals[f"rejected.{action}"] += 1
        account.letters.append(self._letter(account, refusal(one, outcome)))
        if one.claim is not None:
            account.refused_owners.append((one.claim.key, one.claim.owner))

    def _letter(self, account: _Account, refused: Refused) -> DeadLetter:
        return dead_letter(self.route, account.stored, account.row.event, refused=refused, at=self.now())

    async def _write(self, account: _Account) -> None:
        settled = account.settled
        settled.totals = dict(account.totals)
        settled.dead_letters = account.letters
        settled.refused_owners = account.refused_owners
        await persist(self._journal, settled, self._courier.metrics)

    def _postponed(self, row: Aside, one: Owed, attempt: Attempt) -> Aside:
        first = attempt.first
        reason = first.reason if isinstance(first, Retry | Halt | Split | Rejected) else ""
        attempts = row.attempts + 1
        due = self.now() + timedelta(seconds=max(aside_backoff(attempts), attempt.wait_seconds))
        log(
            Log.DELIVERY_SET_ASIDE,
            destination=self.route.name,
            messageId=row.message_id,
            action=one.payload.action,
            attempts=attempts,
            reason=reason,
        )
        return replace(row, index=one.payload.index, attempts=attempts, due_at=due, reason=reason)


def _keep(made: Plan, row: Aside) -> None:
    """Owe only what the row is about."""
    if row.only:
        made.owed = [one for one in made.owed if one.payload.index == row.index]
        made.refused = [one for one in made.refused if one.index == row.index]
    else:
        made.owed = [one for one in made.owed if one.payload.index >= row.index]
        made.refused = []


def _stored(row: Aside, shards: int) -> Stored:
    document = orjson.loads(row.event)
    visitor = str(document.get("anonymousId") or document.get("userId") or row.message_id)
    shard = shard_of(visitor, shards)
    return Stored(row.sequence, shard, row.source, row.message_id, row.received_at, document, row.facts)
