"""
One lane: a sequential loop that reads on from its cursor, sends, and settles.

Order per visitor follows from there being one loop per shard, and from nothing being skipped: a payload is
delivered, dead-lettered, or set aside together with its visitor's later events.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import orjson

from crossdock.delivery import guard
from crossdock.delivery.aside import AsideBook
from crossdock.delivery.attempt import Attempt, Courier, dead_letter, refusal
from crossdock.delivery.batching import Cut, cut
from crossdock.delivery.persist import persist
from crossdock.delivery.plan import Owed, Route, plan
from crossdock.delivery.retry import aside_backoff
from crossdock.delivery.window import Pending, Window, visitor_of
from crossdock.destinations.base import Delivered, Halt, Outcome, Queued, Rejected, Retry, Split
from crossdock.journal.base import Aside, Cursor, DeadLetter, Journal, SentRequest, Settled, Stored
from crossdock.telemetry import Log, log

MAX_WINDOW_EVENTS = 2_000
IDLE_SETTLE_SECONDS = 1.0
"""How long events that owe nothing may wait for company before the cursor moves past them."""
ATTEMPTS_BEFORE_SCOUT = 5
"""A payload alone that failed so often is tried against another visitor's."""
_TOTALS: Final[Mapping[type[Outcome], str]] = {Queued: "queued", Rejected: "rejected"}


class LaneWorker:
    """Delivers one lane; `run` ends only by cancellation."""

    def __init__(
        self, route: Route, cursor: Cursor, journal: Journal, courier: Courier, asides: AsideBook
    ) -> None:
        self.lane = cursor.lane
        self._route = route
        self._next_route: Route | None = None
        self._journal = journal
        self._courier = courier
        self._asides = asides
        self._durable = cursor.position
        self._window = Window(cursor.lane, cursor.position)
        self._owed_since: float | None = None
        self._suspects = 0
        """So many payloads at the front hold at least one that made its batch fail."""
        self._cap_bytes: int | None = None
        self._cap_payloads: dict[str, int] = {}
        """What the vendor has said an endpoint takes at most."""
        self._failures = 0
        self._sending: asyncio.Task[float] | None = None
        self._erased: set[int] = set()
        """Events that were erased and may have been read before."""
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def reroute(self, route: Route) -> None:
        """Go on by another mapping or account from the next batch on."""
        self._next_route = route

    async def forget(self, sequences: Collection[int]) -> None:
        """Send and write no more of events that were erased; returns when no request in flight holds them."""
        standing = self._durable.sequence
        self._erased = {one for one in (*self._erased, *sequences) if one >= standing}
        if self._sending is not None:
            await asyncio.wait([self._sending])

    async def run(self) -> None:
        """Deliver until cancelled. A cancelled lane finishes the request in flight: see `finish`."""
        self._rewind()
        while True:
            await self._take_new_route()
            await self._fill()
            self._drop_erased()
            if not self._window.owed_count:
                await self._idle()
                continue
            await self._wait_for_company()
            async with self._courier.gate.permit():
                await self._fill()  # waiting for leave makes batches fuller, not more
                self._drop_erased()
                if self._next_route is not None or not self._window.owed_count:
                    continue
                # A stop must not tear a request from its settlement: a sent batch would be sent again.
                wait = await self._unbroken(self._deliver())
            if wait:
                await self._courier.gate.rest(wait)

    async def _unbroken(self, delivery: Coroutine[Any, Any, float]) -> float:
        self._sending = asyncio.create_task(delivery)
        try:
            return await asyncio.shield(self._sending)
        finally:
            if self._sending.done():
                self._sending = None

    async def finish(self) -> None:
        """After cancellation: wait for the request in flight and its settlement, and settle what is idle."""
        if self._sending is not None:
            await self._sending
        if self._window.unsettled:
            await self._write()

    async def _take_new_route(self) -> None:
        if self._next_route is None:
            return
        self._route, self._next_route = self._next_route, None
        # What was planned by the old mapping and not sent is planned anew; claims know their owners.
        await self._write()
        self._rewind()

    def _rewind(self) -> None:
        """Forget what was read and not settled: it is read again from the durable cursor."""
        self._release(self._window.events())
        self._window = Window(self.lane, self._durable)
        self._suspects = self._failures = 0
        self._cap_bytes = None
        self._cap_payloads = {}
        self._owed_since = None

    def _drop_erased(self) -> None:
        if self._erased:
            for aside in self._window.erase(self._erased):
                self._asides.release(aside.visitor)
            self._suspects = 0

    def _release(self, events: Sequence[Pending]) -> None:
        """Forget what was to be set aside of events that will be read again."""
        for pending in events:
            for aside in pending.asides:
                self._asides.release(aside.visitor)

    async def _write(self, request: SentRequest | None = None) -> None:
        self._drop_erased()
        settled = self._window.settlement(request)
        await persist(self._journal, settled, self._courier.metrics)
        if settled.position is not None:
            self._durable = settled.position

    # Reading

    async def _fill(self) -> None:
        route, window = self._route, self._window
        wanted = self._batch_payloads() * 2
        while window.owed_count < wanted and len(window) < MAX_WINDOW_EVENTS:
            found = await self._journal.read(self.lane.shard, window.read_from, max(wanted, 100))
            if not found:
                break
            now = self.now()
            read = [self._pending(stored, now) for stored in found]
            try:
                await guard.take(self._journal, route.name, [pending.made for pending in read])
            except BaseException:
                self._release(read)
                raise
            for pending in read:
                window.add(pending)
            if window.unsettled >= MAX_WINDOW_EVENTS:
                await self._write()
        if window.owed_count and self._owed_since is None:
            self._owed_since = time.monotonic()

    def _pending(self, stored: Stored, now: datetime) -> Pending:
        made = plan(self._route, stored, now)
        for name, times in made.dropped.items():
            self._courier.metrics.dropped_fields.labels(self._route.name, name).inc(times)
        pending = Pending(stored, made)
        if made.refused:
            event = orjson.dumps(stored.document)
            pending.dead_letters = [
                dead_letter(self._route, stored, event, refused=refused, at=now) for refused in made.refused
            ]
        if made.owed and self._asides.holds(visitor_of(stored)):
            # Its visitor waits outside; claims are taken when its turn comes.
            index = made.owed[0].payload.index
            pending.asides.append(self._aside(stored, "later", index, due_at=now))
            made.owed = []
        return pending

    # Waiting

    async def _idle(self) -> None:
        window = self._window
        waiting = self._journal.wait(self.lane.shard, window.read_from)
        if not window.unsettled:
            await waiting
            return
        try:
            await asyncio.wait_for(waiting, IDLE_SETTLE_SECONDS)
        except TimeoutError:
            await self._write()

    async def _wait_for_company(self) -> None:
        """Let a batch fill up for `batch_wait`, counted from when its first payload was owed."""
        deadline = (self._owed_since or time.monotonic()) + self._route.batch_wait.total_seconds()
        while (
            not self._suspects and self._window.owed_count < self._batch_payloads() and not self._cut().full
        ):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return
            try:
                await asyncio.wait_for(self._journal.wait(self.lane.shard, self._window.read_from), remaining)
            except TimeoutError:
                return
            await self._fill()

    # Sending

    def _batch_payloads(self) -> int:
        limit = self._route.vendor.limits.payloads
        return min(limit, self._route.batch_events or limit)

    def _cut(self) -> Cut:
        limits = self._route.vendor.limits
        payloads = min(self._batch_payloads(), self._endpoint_payloads())
        if self._suspects:
            payloads = min(payloads, max(1, self._suspects // 2))
        if self._courier.gate.state == "halted":
            payloads = 1
        body_bytes = min(limits.body_bytes, self._cap_bytes or limits.body_bytes)
        return cut(self._window.owed(), limits, payloads=payloads, body_bytes=body_bytes)

    def _endpoint_payloads(self) -> int:
        """Say how many payloads the next request's endpoint takes, as declared and as learned."""
        most = self._route.vendor.limits.payloads
        for first in self._window.owed():
            most = self._route.vendor.most_payloads(first.endpoint)
            return min(most, self._cap_payloads.get(first.endpoint, most))
        return most

    async def _deliver(self) -> float:
        """Send one batch and settle what came of it; gives the seconds to stay away."""
        owed = self._cut().owed
        attempt = await self._courier.carry(self._route, self.lane, owed)
        first = attempt.first
        # The refusals that halted the destination made dead letters enough; the probe is kept.
        kept = isinstance(first, Rejected) and self._courier.gate.doubting and len(owed) == 1
        if kept or isinstance(first, Retry | Halt | Split):
            # The cursor stays; the row is what `why` shows of an attempt that settled nothing.
            row = Settled(self.lane, request=attempt.row)
            await persist(self._journal, row, self._courier.metrics)
        if isinstance(first, Retry):
            return await self._retry(owed, attempt)
        if kept or isinstance(first, Halt):
            return 0.0
        if isinstance(first, Split):
            self._split(owed, first)
            return 0.0
        self._failures = 0
        await self._settle(owed, attempt)
        return 0.0

    async def _settle(self, owed: Sequence[Owed], attempt: Attempt) -> None:
        window = self._window
        oldest = window.events()[0].stored.received_at
        taken = 0
        for one, outcome in zip(owed, attempt.outcomes, strict=True):
            if not isinstance(outcome, Rejected):
                taken += 1
                continue
            window.settle(taken)
            taken = 0
            window.settle_refused(self._letter(one, outcome))
        window.settle(taken)
        for (kind, action), times in _counted(owed, attempt).items():
            window.count(kind, action, times)
        self._suspects = max(0, self._suspects - len(owed))
        self._owed_since = time.monotonic() if window.owed_count else None
        await self._write(attempt.row)
        if any(isinstance(outcome, Delivered) for outcome in attempt.outcomes):
            seconds = (self.now() - oldest).total_seconds()
            self._courier.metrics.delivery_seconds.labels(self._route.name).observe(max(0.0, seconds))

    def _letter(self, one: Owed, outcome: Rejected) -> DeadLetter:
        stored = self._window.events()[0].stored
        event = orjson.dumps(stored.document)
        return dead_letter(self._route, stored, event, refused=refusal(one, outcome), at=self.now())

    def _split(self, owed: Sequence[Owed], outcome: Split) -> None:
        log(
            Log.DELIVERY_SPLIT,
            destination=self._route.name,
            lane=str(self.lane),
            payloads=len(owed),
            code=outcome.code,
            reason=outcome.reason,
        )
        if outcome.cap_payloads is not None:
            # Below what was refused, whatever the vendor says it allows: else the same batch would go again.
            self._cap_payloads[owed[0].endpoint] = max(1, min(outcome.cap_payloads, len(owed) - 1))
        elif outcome.cap_bytes is not None:
            self._cap_bytes = outcome.cap_bytes
        else:
            self._suspects = len(owed)

    async def _retry(self, owed: Sequence[Owed], attempt: Attempt) -> float:
        """
        Narrow a batch that keeps failing down to one payload, and send a scout past that one.

        A batch of half the size is also the gentler question to a vendor in trouble.
        """
        self._failures += 1
        if attempt.row.status == 429:
            return attempt.wait_seconds
        if len(owed) > 1:
            if self._failures >= 2:
                self._suspects = len(owed)
            return attempt.wait_seconds
        if self._failures >= ATTEMPTS_BEFORE_SCOUT:
            await self._scout(owed[0], attempt)
        return attempt.wait_seconds

    # Setting aside

    async def _scout(self, stuck: Owed, failed: Attempt) -> None:
        """Try another visitor's payload: if that passes, the stuck one is set aside."""
        events = self._window.events()
        visitor = visitor_of(events[0].stored)
        other = next((p for p in events if p.made.owed and visitor_of(p.stored) != visitor), None)
        if other is None:
            return
        attempt = await self._courier.carry(self._route, self.lane, [other.made.owed[0]])
        if not isinstance(attempt.first, Delivered | Queued | Rejected):
            return
        first = failed.first
        reason = first.reason if isinstance(first, Retry) else ""
        log(
            Log.DELIVERY_SET_ASIDE,
            destination=self._route.name,
            messageId=stuck.payload.message_id,
            action=stuck.payload.action,
            reason=reason,
        )
        self._hold_visitor(visitor, events, reason)
        self._window.pass_finished()
        self._failures = self._suspects = 0
        await self._settle([other.made.owed[other.settled]], attempt)

    def _hold_visitor(self, visitor: str, events: Sequence[Pending], reason: str) -> None:
        due = self.now() + timedelta(seconds=aside_backoff(1))
        for pending in events:
            if visitor_of(pending.stored) != visitor or pending.settled >= len(pending.made.owed):
                continue
            kind: Literal["retry", "later"] = "retry" if pending is events[0] else "later"
            index = pending.made.owed[pending.settled].payload.index
            aside = self._aside(pending.stored, kind, index, due_at=due)
            if kind == "retry":
                aside.reason = reason
            self._window.set_aside(pending, aside)

    def _aside(
        self, stored: Stored, kind: Literal["retry", "later"], index: int, *, due_at: datetime
    ) -> Aside:
        visitor = visitor_of(stored)
        self._asides.hold(visitor)
        return Aside(
            destination=self._route.name,
            visitor=visitor,
            kind=kind,
            sequence=stored.sequence,
            index=index,
            only=False,
            message_id=stored.message_id,
            source=stored.source,
            received_at=stored.received_at,
            event=orjson.dumps(stored.document),
            due_at=due_at,
            facts=stored.facts,
        )


def _counted(owed: Sequence[Owed], attempt: Attempt) -> Counter[tuple[str, str]]:
    return Counter(
        (_TOTALS.get(outcome.__class__, "delivered"), one.payload.action)
        for one, outcome in zip(owed, attempt.outcomes, strict=True)
    )
