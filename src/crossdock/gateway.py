"""
The gateway: builds the object graph from settings, and starts and stops it in order.

Up: journal and its lock, cursors, lanes, the door. Down: the door refuses, requests in flight finish and
are settled, the lanes end, the listener closes, the journal closes.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from pathlib import Path

from aiohttp import web

from crossdock import environment
from crossdock import settings as settings_module
from crossdock.assembly import assemble, mapping_paths, memory_of
from crossdock.delivery.lanes import Lanes
from crossdock.delivery.plan import Route
from crossdock.errors import ConfigError
from crossdock.housekeeping import Housekeeping
from crossdock.ingest import Door, make_app
from crossdock.journal import open_journal
from crossdock.journal.base import Journal
from crossdock.relay import Box, Desk
from crossdock.relay import add_routes as add_relay_routes
from crossdock.reload import fingerprint, watch
from crossdock.settings import Settings
from crossdock.telemetry import Log, Metrics, log, log_by_name, without_addresses

_FIXED = ("server", "journal", "dedup", "visitors")
"""The sections that take effect only at a start."""
_READS = 20
"""How often files that change under the reader are read."""
_READ_AGAIN_SECONDS = 0.1


class Gateway:
    """One running gateway."""

    def __init__(
        self, settings: Settings, routes: dict[str, Route], journal: Journal, config_path: Path | None
    ) -> None:
        self.settings = settings
        self.routes = routes
        self.journal = journal
        self.metrics = Metrics()
        self.settings_fault: str | None = None
        """Why the last changed file was refused, while the old one stays in force."""
        self._config_path = config_path
        self._lanes = Lanes(journal, self.metrics)
        self._door = Door.from_settings(settings, journal, self.metrics)
        self._desk = Desk(journal, self.metrics, self._source_of)
        self._has_relay = False
        self._housekeeping = Housekeeping(journal, self._lanes, self._door, self.metrics)
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._ready = False

    @classmethod
    async def open(cls, settings: Settings, *, config_path: Path | None = None) -> Gateway:
        """
        Open the journal and store every destination's cursors; nothing listens or runs yet.

        Raises:
            ConfigErrors: A vendor setting or a mapping file is wrong.
            JournalError: The journal cannot be opened.
        """
        routes = assemble(settings, beside=config_path.parent if config_path else None)
        journal = await open_journal(
            settings.journal.url,
            shards=settings.journal.shards,
            retention=settings.journal.retention,
            max_size_bytes=settings.journal.max_size,
            dedup_window=settings.dedup.window,
            on_event=log_by_name,
            memory=memory_of(routes),
            visitor_expiry=settings.visitors.expiry,
        )
        gateway = cls(settings, routes, journal, config_path)
        try:
            await gateway._lanes.open(routes.values())
        except BaseException:
            await gateway._lanes.stop(0)
            await journal.close()
            raise
        return gateway

    @property
    def url(self) -> str:
        """The base URL it listens on."""
        if self._runner is None or not self._runner.addresses:
            raise RuntimeError("the gateway does not listen yet")
        host, port = self._runner.addresses[0][:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def start(self) -> None:
        """Start the lanes and listen."""
        app = make_app(self._door)
        self._add_relay(app)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics_page)
        self._lanes.start()
        self._housekeeping.start()
        server = self.settings.server
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=5.0)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, server.host, server.port, backlog=1024)
        try:
            await self._site.start()
        except OSError as error:
            reason = error.strerror or str(error)
            message = f"cannot listen on {server.host}:{server.port}: {reason}; choose another server.port"
            place = self.settings.locate("server", "port") or self.settings.locate("server")
            raise ConfigError(message, place, "server.port") from None
        self._ready = True
        log(
            Log.GATEWAY_READY,
            url=self.url,
            sources=sorted(self.settings.sources),
            destinations={name: route.mapping.version for name, route in self.routes.items()},
        )

    def _add_relay(self, app: web.Application) -> None:
        """Serve mailboxes where there are any, and warn of vendors that are not to be relied on."""
        boxes = _boxes(self.routes)
        self._desk.replace(self.settings.sources, boxes)
        self._has_relay = bool(boxes)
        if self._has_relay:
            add_relay_routes(app, self._desk)
        for name, route in self.routes.items():
            if route.vendor.caution:
                log(Log.DESTINATION_CAUTION, destination=name, caution=route.vendor.caution)

    def _source_of(self, write_key: str | None) -> str:
        return self._door.keys.source(write_key)  # the door's keys, which reload

    async def stop(self) -> None:
        """Stop gracefully; what is not settled within the grace is sent again after the next start."""
        log(Log.GATEWAY_DRAINING)
        self._door.draining = True
        self._desk.close()
        await self._housekeeping.stop()
        await self._lanes.stop(self.settings.server.shutdown_grace.total_seconds())
        if self._runner is not None:
            await self._runner.cleanup()
        await self.journal.close()
        log(Log.GATEWAY_STOPPED)

    async def settled(self) -> bool:
        """Whether nothing is owed: every lane is at the head, and nothing is set aside."""
        status = await self.journal.status()
        lanes = set(self._lanes.lanes())
        waiting = sum(lag for lane, lag in status.lags.items() if lane in lanes)
        return waiting == 0 and not any(status.asides.get(name) for name in self.routes)

    async def reload(self) -> None:
        """Read the files again; a good change takes effect between two batches, a bad one is refused."""
        if self._config_path is None:
            return
        try:
            settings, routes = await self._read_again(self._config_path)
        except ConfigError as error:
            self.settings_fault = str(error)
            self.metrics.reload_failures.inc()
            log(Log.SETTINGS_REFUSED, reason=str(error))
            return
        fixed = [part for part in _FIXED if getattr(settings, part) != getattr(self.settings, part)]
        if _boxes(routes) and not self._has_relay:
            fixed.append("relay")
        self.settings_fault = f"changed {' and '.join(fixed)}: restart to put in force" if fixed else None
        # New cursors are stored, and new facts folded, before the door feeds what is new.
        self.journal.remember(memory_of(routes))
        await self._lanes.reroute(routes)
        self.settings, self.routes = settings, routes
        self._door.replace_sources(settings)
        self._desk.replace(settings.sources, _boxes(routes))
        log(
            Log.SETTINGS_RELOADED,
            destinations={name: route.mapping.version for name, route in routes.items()},
            waits_for_restart=fixed,
        )

    def watched(self) -> list[Path]:
        """List the files whose change reloads."""
        return [] if self._config_path is None else _files(self._config_path, self.settings)

    async def _read_again(self, path: Path) -> tuple[Settings, dict[str, Route]]:
        """Read the files in a thread, again while one is being written: no event is mapped by half a file."""
        for _ in range(_READS):
            before = fingerprint(self.watched())
            try:
                settings = await asyncio.to_thread(settings_module.load, path)
                read = fingerprint(_files(path, settings))
                routes = await asyncio.to_thread(assemble, settings, beside=path.parent)
            except ConfigError:
                if fingerprint(self.watched()) == before:
                    raise
            else:
                if fingerprint(self.watched()) == before and fingerprint(_files(path, settings)) == read:
                    return settings, routes
            await asyncio.sleep(_READ_AGAIN_SECONDS)
        raise ConfigError(f"{path} or a file it names was written again each time it was read")

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _: web.Request) -> web.Response:
        draining = self._door.draining
        ready = self._ready and not draining
        return web.json_response(
            {
                "status": "ready" if ready else "draining" if draining else "starting",
                "settings": self.settings_fault or "in force",
                "journal": "refusing" if self._door.refusing else "taking",
                "destinations": {
                    name: {
                        "state": health.state,
                        "reason": without_addresses(health.reason[:200]),
                        "waits_seconds": round(health.waits_seconds),
                        "mapping": health.mapping_version,
                    }
                    for name, health in self._lanes.health().items()
                },
            },
            status=200 if ready else 503,
        )

    async def _metrics_page(self, _: web.Request) -> web.Response:
        body = self.metrics.render()
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _files(config_path: Path, settings: Settings) -> list[Path]:
    """List the files that settings are read from."""
    env = config_path.with_name(environment.FILE)
    return [config_path, env, *mapping_paths(settings, beside=config_path.parent)]


def _boxes(routes: dict[str, Route]) -> list[Box]:
    return [
        Box(name, route.feeds, route.vendor.mailbox_terms().token_secret)
        for name, route in routes.items()
        if route.vendor.transport == "mailbox"
    ]


async def serve(config_path: Path, role: str = "all") -> None:
    """
    Run a gateway until SIGTERM or SIGINT; SIGHUP, and a changed file, reload.

    Raises:
        ConfigError: The settings or a mapping are wrong: nothing was started.
        JournalError: The journal cannot be opened.
    """
    if role != "all":
        raise ConfigError(f"role {role!r} needs a journal that several gateways share; use --role all")
    gateway = await Gateway.open(settings_module.load(config_path), config_path=config_path)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    watching = asyncio.create_task(watch(gateway.reload, gateway.watched))
    try:
        await gateway.start()
        _collect_rarely()
        await stopped.wait()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await gateway.stop()


def _collect_rarely() -> None:
    """
    Let the garbage collector look at what is new, and seldom.

    Events are trees without cycles and go by themselves; walking the thousands held at the head again and
    again cost a fifth of the accept rate and its longest pauses.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
