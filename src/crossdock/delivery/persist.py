"""Settle durably, however long the journal takes: what was sent must not be sent again."""

from __future__ import annotations

import asyncio

from crossdock.delivery.retry import backoff
from crossdock.errors import JournalError
from crossdock.journal.base import Journal, Settled
from crossdock.telemetry import Log, Metrics, log


async def persist(journal: Journal, settled: Settled, metrics: Metrics) -> None:
    """Write a settlement, trying again until the journal takes it; the lane stands still meanwhile."""
    attempt = 0
    while True:
        try:
            await journal.settle(settled)
        except JournalError as error:
            attempt += 1
            log(Log.DELIVERY_UNSETTLED, lane=str(settled.lane), attempt=attempt, reason=str(error))
            await asyncio.sleep(backoff(attempt, 0.0))
        else:
            metrics.count_settled(settled.lane.destination, settled.totals)
            return
