"""What the gateway does beside events: retention, gauges, and the commands other processes leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime

import orjson

from crossdock.delivery.lanes import Lanes
from crossdock.errors import JournalError
from crossdock.ingest import Door
from crossdock.journal.base import Command, Journal
from crossdock.telemetry import Log, Metrics, log

RETAIN_EVERY_SECONDS = 60.0
GAUGES_EVERY_SECONDS = 5.0
EXPIRE_EVERY_SECONDS = 5.0
WITHDRAW_EVERY_SECONDS = 1.0
USERS_AT_ONCE = 1_000


class Housekeeping:
    """Loops of their own, none on an event's way."""

    def __init__(self, journal: Journal, lanes: Lanes, door: Door, metrics: Metrics) -> None:
        self._journal = journal
        self._lanes = lanes
        self._door = door
        self._metrics = metrics
        self._tasks: list[asyncio.Task[None]] = []
        self._notices: dict[int, list[int]] = {}
        """Delete events that are still to go, by the command that says so."""
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def start(self) -> None:
        """Begin."""
        self._tasks = [
            asyncio.create_task(_every(RETAIN_EVERY_SECONDS, self._retain)),
            asyncio.create_task(_every(GAUGES_EVERY_SECONDS, self._gauge)),
            asyncio.create_task(_every(EXPIRE_EVERY_SECONDS, self._expire)),
            asyncio.create_task(_every(0.0, self._obey)),
            asyncio.create_task(_every(WITHDRAW_EVERY_SECONDS, self._withdraw)),
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
        forgets: list[Command] = []
        for command in await self._journal.commands():
            if command.kind == "forget":
                forgets.append(command)
                continue
            if command.kind == "forget.notices":
                self._notices[command.id] = command.arguments["sequences"]
                continue
            result = await self._carry_out(command)
            await self._journal.finish(command.id, result)
            log(Log.COMMAND_DONE, command=command.kind, result=result)
        for start in range(0, len(forgets), USERS_AT_ONCE):
            await self._forget(forgets[start : start + USERS_AT_ONCE])
        await self._journal.wait_commands()

    async def _forget(self, commands: list[Command]) -> None:
        """Erase several users in one go: each scan of the journal serves them all."""
        users = {str(command.arguments["user"]) for command in commands}
        forgotten = await self._journal.forget(users, self._lanes.lanes(), self._lanes.forget)
        if forgotten.notices:
            notices = Command("forget.notices", {"sequences": forgotten.notices})
            self._notices[await self._journal.submit(notices)] = forgotten.notices
        log(Log.VISITORS_FORGOTTEN, users=len(users), **forgotten.counts)
        result = orjson.dumps({"users": len(users), **forgotten.counts}).decode()
        for command in commands:
            await self._journal.finish(command.id, result)

    async def _withdraw(self) -> None:
        """Erase delete events once every lane has passed them: till then a destination may act on them."""
        for id_, sequences in list(self._notices.items()):
            left = await self._journal.withdraw(sequences, self._lanes.lanes())
            self._notices[id_] = left
            if not left:
                del self._notices[id_]
                await self._journal.finish(id_, "erased")

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
            case _:
                return f"this gateway knows no command {command.kind}"

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
