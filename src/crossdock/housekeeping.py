"""What the gateway does beside events: retention, gauges, and the commands other processes leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime

from crossdock.delivery.lanes import Lanes
from crossdock.errors import JournalError
from crossdock.ingest import Door
from crossdock.journal.base import Command, Journal
from crossdock.telemetry import Log, Metrics, log

RETAIN_EVERY_SECONDS = 60.0
GAUGES_EVERY_SECONDS = 5.0
EXPIRE_EVERY_SECONDS = 5.0


class Housekeeping:
    """Three loops of their own, none on an event's way."""

    def __init__(self, journal: Journal, lanes: Lanes, door: Door, metrics: Metrics) -> None:
        self._journal = journal
        self._lanes = lanes
        self._door = door
        self._metrics = metrics
        self._tasks: list[asyncio.Task[None]] = []
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def start(self) -> None:
        """Begin."""
        self._tasks = [
            asyncio.create_task(_every(RETAIN_EVERY_SECONDS, self._retain)),
            asyncio.create_task(_every(GAUGES_EVERY_SECONDS, self._gauge)),
            asyncio.create_task(_every(EXPIRE_EVERY_SECONDS, self._expire)),
            asyncio.create_task(_every(0.0, self._obey)),
        ]

    async def stop(self) -> None:
        """End; a command in the middle is obeyed at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _retain(self) -> None:
        deleted = await self._journal.retain(self._lanes.lanes(), self.now())
        if deleted:
            log(Log.JOURNAL_RETAINED, events=deleted)

    async def _expire(self) -> None:
        for destination, totals in (await self._journal.expire_mail(self.now())).items():
            self._metrics.count_settled(destination, totals)
            log(Log.MAIL_EXPIRED, destination=destination, commands=sum(totals.values()))

    async def _gauge(self) -> None:
        status, metrics = await self._journal.status(), self._metrics
        waiting: dict[str, int] = dict.fromkeys({lane.destination for lane in self._lanes.lanes()}, 0)
        for lane, lag in status.lags.items():
            if lane.destination in waiting:
                waiting[lane.destination] += lag
        for name, lag in waiting.items():
            metrics.lag.labels(name).set(lag)
            metrics.dead_letters.labels(name).set(status.dead_letters.get(name, 0))
            metrics.set_aside.labels(name).set(status.asides.get(name, 0))
        metrics.quarantined.set(status.quarantined)
        metrics.journal_bytes.set(status.size_bytes)

    async def _obey(self) -> None:
        for command in await self._journal.commands():
            result = await self._carry_out(command)
            await self._journal.finish(command.id, result)
            log(Log.COMMAND_DONE, command=command.kind, result=result)
        await self._journal.wait_commands()

    async def _carry_out(self, command: Command) -> str:
        arguments = command.arguments
        ids, destination = arguments.get("ids"), arguments.get("destination")
        match command.kind:
            case "dead_letters.replay":
                force = bool(arguments.get("force"))
                count = await self._journal.replay_dead_letters(ids, destination, force=force)
                self._lanes.wake_asides()
                return f"{count} set aside to be sent again"
            case "dead_letters.discard":
                count = await self._journal.discard_dead_letters(ids, destination)
                self._lanes.wake_asides()
                return f"{count} discarded"
            case "quarantine.replay":
                return await self._replay_quarantined(ids or [])

    async def _replay_quarantined(self, ids: list[int]) -> str:
        results = []
        for id_ in ids:
            quarantined = await self._journal.quarantined_event(id_)
            if quarantined is None:
                results.append(f"{id_}: no such event")
                continue
            results.append(f"{id_}: {await self._door.replay(quarantined)}")
        return "; ".join(results) or "nothing to replay"


async def _every(seconds: float, step: Callable[[], Coroutine[None, None, None]]) -> None:
    while True:
        try:
            await step()
        except JournalError:
            # The door and the lanes say it; this only waits.
            await asyncio.sleep(1.0)
        except Exception as fault:  # noqa: BLE001 - a fault of ours here must not end the loop
            log(Log.REQUEST_FAILED, where="housekeeping", exc_info=fault)
            await asyncio.sleep(1.0)
        await asyncio.sleep(seconds)
