"""
One attempt: a batch to its vendor and back, read as outcomes and told to the gate, the log and the metrics.

What follows from the outcomes, settling, halving, setting aside, is the caller's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from crossdock.delivery.gate import Gate
from crossdock.delivery.keys import VendorKeys
from crossdock.delivery.mailbox import Mailboxes
from crossdock.delivery.plan import Owed, Refused, Route
from crossdock.delivery.retry import wished_wait
from crossdock.delivery.sender import NoAnswer, Sender
from crossdock.destinations.base import (
    Batch,
    Delivered,
    Halt,
    Outcome,
    Queued,
    Rejected,
    Response,
    Retry,
    Split,
)
from crossdock.journal.base import DeadLetter, Lane, Owner, SentRequest, Stored
from crossdock.telemetry import Log, Metrics, log


@dataclass(slots=True)
class Attempt:
    """What came of one request: an outcome per payload, in order."""

    outcomes: list[Outcome]
    row: SentRequest
    wait_seconds: float = 0.0
    """How long the lane should stay away, where the whole request is to be retried."""

    @property
    def first(self) -> Outcome:
        """The first outcome: where the request as a whole was not taken, all are alike."""
        return self.outcomes[0]


@dataclass(slots=True)
class Courier:
    """Carries batches of one destination: the gate it passes, HTTP or mailboxes, and where it reports."""

    gate: Gate
    sender: Sender
    metrics: Metrics
    mailboxes: Mailboxes
    keys: VendorKeys
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def carry(self, route: Route, lane: Lane, owed: Sequence[Owed]) -> Attempt:
        """Send one batch; the gate's permit is the caller's to hold."""
        batch = Batch(tuple(one.payload for one in owed))
        at, started = self.now(), time.monotonic()
        status, answer, outcomes = await self._exchange(route, batch)
        seconds = time.monotonic() - started
        row = SentRequest(
            lane=lane,
            first=Owner(batch.payloads[0].sequence, batch.payloads[0].index),
            last=Owner(batch.payloads[-1].sequence, batch.payloads[-1].index),
            payloads=len(batch.payloads),
            mapping_version=route.mapping.version,
            at=at,
            duration_seconds=seconds,
            status=status,
            outcome=_summary(outcomes),
            answer=answer,
        )
        wait = self._tell_gate(outcomes)
        self._report(row, batch, outcomes)
        return Attempt(outcomes, row, wait)

    async def _exchange(self, route: Route, batch: Batch) -> tuple[int | None, str, list[Outcome]]:
        try:
            if route.vendor.transport == "mailbox":
                return await self.mailboxes.put(route, batch, self.now())
            ready = await self.keys.exchange(route, batch)
            if not isinstance(ready, Batch):
                return None, ready.reason, [ready] * len(batch.payloads)
            request = route.vendor.request(ready)
            answer = await self.sender.send(request, route.timeout)
            if isinstance(answer, NoAnswer):
                return None, answer.reason, [Retry(answer.reason)] * len(batch.payloads)
            return answer.status, answer.head, self._read(route, batch, answer)
        except Exception as fault:  # noqa: BLE001 - a bug of ours with one payload must not hold the lane
            log(Log.DELIVERY_FAULT, destination=route.name, exc_info=fault)
            reason = f"a fault in Crossdock: {type(fault).__name__}"
            outcome = Rejected(reason, "internal") if len(batch.payloads) == 1 else Split(reason, "internal")
            return None, reason, [outcome] * len(batch.payloads)

    @staticmethod
    def _read(route: Route, batch: Batch, answer: Response) -> list[Outcome]:
        outcomes = route.vendor.outcomes(batch, answer)
        if len(outcomes) != len(batch.payloads):
            raise ValueError(f"{len(outcomes)} outcomes for {len(batch.payloads)} payloads")
        return outcomes

    def _tell_gate(self, outcomes: Sequence[Outcome]) -> float:
        first = outcomes[0]
        if isinstance(first, Retry):
            return self.gate.failed(first.reason, wished_wait(first))
        if isinstance(first, Halt):
            self.gate.halt(first.reason)
            return 0.0
        refused = [one for one in outcomes if isinstance(one, Rejected)]
        if len(refused) < len(outcomes) and not isinstance(first, Split):
            self.gate.passed()
        else:
            self.gate.answered()
        if refused:
            self.gate.refused(len(refused), refused[-1].reason)
        return 0.0

    def _report(self, row: SentRequest, batch: Batch, outcomes: Sequence[Outcome]) -> None:
        destination = row.lane.destination
        self.metrics.attempts.labels(destination, row.outcome).inc()
        self.metrics.attempt_seconds.labels(destination).observe(row.duration_seconds)
        for note in dict.fromkeys(one.note for one in outcomes if isinstance(one, Delivered) and one.note):
            log(
                Log.DELIVERY_NOTED,
                destination=destination,
                messageId=batch.payloads[0].message_id,
                lastMessageId=batch.payloads[-1].message_id,
                note=note,
            )
        log(
            Log.DELIVERY_ATTEMPTED,
            destination=destination,
            lane=str(row.lane),
            payloads=row.payloads,
            actions=sorted({payload.action for payload in batch.payloads}),
            presets=sorted({payload.preset for payload in batch.payloads}),
            messageId=batch.payloads[0].message_id,
            lastMessageId=batch.payloads[-1].message_id,
            status=row.status,
            outcome=row.outcome,
            answer=row.answer if row.outcome != "delivered" else "",
            duration_ms=round(row.duration_seconds * 1000, 1),
        )


def dead_letter(route: Route, stored: Stored, event: bytes, *, refused: Refused, at: datetime) -> DeadLetter:
    """Make the dead letter of a payload, and say so in the log."""
    letter = DeadLetter(
        destination=route.name,
        sequence=stored.sequence,
        index=refused.index,
        message_id=stored.message_id,
        source=stored.source,
        preset=refused.preset,
        action=refused.action,
        reason=refused.reason,
        code=refused.code,
        mapping_version=route.mapping.version,
        at=at,
        received_at=stored.received_at,
        event=event,
        payload=refused.payload,
        facts=stored.facts,
    )
    log(
        Log.DELIVERY_DEAD_LETTER,
        destination=route.name,
        source=stored.source,
        messageId=stored.message_id,
        preset=refused.preset,
        action=refused.action,
        code=refused.code,
        reason=refused.reason,
        exc_info=refused.fault,
    )
    return letter


def refusal(owed: Owed, outcome: Rejected) -> Refused:
    """Describe a payload its vendor refused."""
    payload = owed.payload
    return Refused(
        payload.index,
        payload.preset,
        payload.action,
        outcome.reason,
        outcome.code or "rejected",
        payload.body,
    )


def _summary(outcomes: Sequence[Outcome]) -> str:
    names = {type(one) for one in outcomes}
    if names == {Delivered}:
        return "delivered"
    if names == {Queued}:
        return "queued"
    return "+".join(sorted(name.__name__.lower() for name in names))
