"""All lanes of all destinations: opened, started, rerouted on reload, and stopped in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from crossdock.delivery.aside import AsideBook, AsideWorker
from crossdock.delivery.attempt import Courier
from crossdock.delivery.gate import Gate, State
from crossdock.delivery.keys import VendorKeys
from crossdock.delivery.mailbox import Mailboxes
from crossdock.delivery.plan import Route
from crossdock.delivery.sender import Sender
from crossdock.delivery.worker import LaneWorker
from crossdock.errors import JournalError
from crossdock.journal.base import Forgotten, Journal, Lane
from crossdock.telemetry import Log, Metrics, log

RESTART_SECONDS = 1.0


@dataclass(slots=True)
class _Running:
    """What runs for one destination."""

    route: Route
    gate: Gate
    workers: list[LaneWorker]
    aside: AsideWorker
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DestinationHealth:
    """How one destination does, for `/readyz`, `status` and the console."""

    state: State
    reason: str
    mapping_version: str
    waits_seconds: float = 0.0


class Lanes:
    """Delivery as a whole."""

    def __init__(self, journal: Journal, metrics: Metrics) -> None:
        self._journal = journal
        self._metrics = metrics
        self._sender = Sender()
        self._mailboxes = Mailboxes(journal, metrics)
        self._keys = VendorKeys(journal, self._sender)
        self._running: dict[str, _Running] = {}
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def open(self, routes: Iterable[Route]) -> None:
        """Store the cursors of destinations that are new here; durable on return."""
        for route in routes:
            if route.name not in self._running:
                self._running[route.name] = await self._opened(route)

    def start(self) -> None:
        """Let every opened lane run."""
        for running in self._running.values():
            if not running.tasks:
                running.tasks = [_supervised(w.run, route=running.route.name) for w in running.workers]
                running.tasks.append(_supervised(running.aside.run, route=running.route.name))

    async def reroute(self, routes: Mapping[str, Route]) -> None:
        """Put changed settings in force between two batches; open what is new, stop what is gone."""
        for name in [name for name in self._running if name not in routes]:
            await _stopped(self._running.pop(name))
        for name, running in self._running.items():
            route = routes[name]
            running.gate.pace(route.requests_per_second)
            running.route = running.aside.route = route
            for worker in running.workers:
                worker.reroute(route)
            running.gate.retry_now()
        await self.open(routes.values())
        self.start()

    def lanes(self) -> list[Lane]:
        """List every lane that runs."""
        return [worker.lane for running in self._running.values() for worker in running.workers]

    def health(self) -> dict[str, DestinationHealth]:
        """Say how each destination does."""
        return {
            name: DestinationHealth(
                running.gate.state,
                running.gate.reason,
                running.route.mapping.version,
                running.gate.waits_seconds,
            )
            for name, running in self._running.items()
        }

    def wake_asides(self) -> None:
        """Look at what is set aside: a command may have added to it."""
        for running in self._running.values():
            running.aside.wake()

    async def forget(self, forgotten: Forgotten) -> None:
        """Send and write no more of what was erased; returns when no request in flight holds it."""
        running = list(self._running.values())
        lanes = [worker.forget(forgotten.sequences) for one in running for worker in one.workers]
        await asyncio.gather(*lanes, *[one.aside.forget(forgotten) for one in running])

    async def stop(self, grace_seconds: float) -> None:
        """
        Stop in order: no new batches, finish requests in flight, settle them, close the pool.

        What is not finished within the grace is sent again after the next start.
        """
        stopping = [_stopped(running) for running in self._running.values()]
        try:
            await asyncio.wait_for(asyncio.gather(*stopping), grace_seconds)
        except TimeoutError:
            log(Log.DELIVERY_UNSETTLED, reason="stopped before every request in flight was settled")
        self._running.clear()
        await self._sender.close()

    async def _opened(self, route: Route) -> _Running:
        gate = Gate(route.name, route.requests_per_second, self._metrics)
        courier = Courier(gate, self._sender, self._metrics, self._mailboxes, self._keys)
        book = AsideBook(await self._journal.aside_visitors(route.name))
        order_all = route.vendor.order_all
        shards = [None] if order_all else list(range(self._journal.shards))
        start = await self._start_of(route)
        workers = [
            LaneWorker(
                route,
                await self._journal.open_lane(Lane(route.name, shard), start),
                self._journal,
                courier,
                book,
            )
            for shard in shards
        ]
        aside = AsideWorker(route, self._journal, courier, book, order_all=order_all)
        return _Running(route, gate, workers, aside)

    async def _start_of(self, route: Route) -> int:
        if route.start is None:
            return await self._journal.head()
        return await self._journal.sequence_at(self.now() - route.start)


async def _stopped(running: _Running) -> None:
    for task in running.tasks:
        task.cancel()
    await asyncio.gather(*running.tasks, return_exceptions=True)
    finishing = [worker.finish() for worker in running.workers]
    for result in await asyncio.gather(*finishing, running.aside.finish(), return_exceptions=True):
        if isinstance(result, Exception):
            log(Log.DELIVERY_FAULT, destination=running.route.name, exc_info=result)


def _supervised(run: Callable[[], Coroutine[None, None, None]], *, route: str) -> asyncio.Task[None]:
    async def supervise() -> None:
        while True:
            try:
                await run()
            except asyncio.CancelledError:
                raise
            except JournalError as error:
                # Reading or claiming failed: nothing was sent for it, the lane reads on from its cursor.
                log(Log.DELIVERY_WAITS, destination=route, reason=str(error))
                await asyncio.sleep(RESTART_SECONDS)
            except Exception as fault:  # noqa: BLE001 - a fault of ours must not end a lane; it is logged
                log(Log.DELIVERY_FAULT, destination=route, exc_info=fault)
                await asyncio.sleep(RESTART_SECONDS)

    return asyncio.create_task(supervise(), name=f"lane of {route}")
