"""
What every simulator does: listen on a port of its own, obey its switches, store, and show what it received.

A vendor's module adds its paths and a pure `Simulator.judge`. Beside the vendor's own paths each has

- ``GET /``: a page for people;
- ``GET /_simulator/received?kind=&after=&limit=``: counters, and events in order of arrival;
- ``GET /_simulator/violations``: requests that the vendor would refuse, each with the reason;
- ``GET`` and ``POST /_simulator/switches``: read them, or change some at run time;
- ``POST /_simulator/reset``: forget what was received; the switches stay.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import chain, repeat
from types import TracebackType
from typing import Any, ClassVar, Self

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from crossdock.errors import ConfigError
from crossdock.simulators._overview import Overview
from crossdock.simulators._page import render
from crossdock.simulators._store import Event, Store, Violation


class Switches(BaseModel):
    """How a simulator misbehaves; vendors add their own. By default it does not."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    next_statuses: list[int] = []
    """Statuses of the next answers, one a request; nothing of those requests is stored."""
    slow_ms: NonNegativeInt = 0
    """Wait before each answer."""
    drop_after_commit: NonNegativeInt = 0
    """Store the next so many requests, then cut the connection instead of answering."""
    down: bool = False
    """Cut every connection without an answer; nothing is stored. Its own pages still answer."""
    refuse: list[str] = []
    """Refuse every request with a payload of this id or product id, as the vendor refuses a bad payload."""
    choke: list[str] = []
    """Answer 500 to every request with an event of this id, as a vendor does that one payload upsets."""
    max_body_bytes: int | None = None
    """Answer 413 above this size."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the vendor makes of one request; *events* are stored only with a 2xx."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    violation: str | None = None
    """Why a correct client would never have sent this; ``None`` also when a switch caused the refusal."""


class Simulator:
    """One vendor's double: ``async with AcmeSimulator(port=0) as sim: ... sim.url ...``."""

    vendor: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    """The vendor's kinds of events, as `received` and the counters name them."""
    paths: ClassVar[tuple[str, ...]]
    """The paths that `judge` is asked about; any other is a 404."""
    read_paths: ClassVar[tuple[str, ...]] = ()
    """The paths that `look_up` answers to a ``GET``."""
    switches_type: ClassVar[type[Switches]] = Switches
    holds_repeats: ClassVar[bool] = False
    """Whether the vendor takes an event that comes again for another one."""

    def __init__(
        self, *, host: str = "127.0.0.1", port: int = 0, keep_events: bool | int = True, **switches: Any
    ) -> None:
        """Take port 0 for a free one; *keep_events* a number to hold only the last so many, or ``False``."""
        self.host, self.port = host, port
        self.switches = self.switches_type(**switches)
        self.store = Store(keep=keep_events, repeats=self.holds_repeats)
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None

    # What a vendor answers.

    def judge(self, path: str, headers: Mapping[str, str], body: bytes) -> Verdict:
        """Decide on one ``POST``; pure apart from the switches."""
        raise NotImplementedError

    def look_up(self, path: str, headers: Mapping[str, str]) -> Verdict:
        """Answer one ``GET`` from what was received."""
        raise NotImplementedError

    def scripted(self, status: int) -> Verdict:
        """Give the answer for a status that `Switches.next_statuses` asks for."""
        return Verdict(status, headers={"Retry-After": "1"} if status in (429, 503) else {})

    # What tests ask.

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    @property
    def violations(self) -> list[Violation]:
        """The requests a correct client would never have sent, oldest first."""
        return list(self.store.violations)

    @property
    def duplicates(self) -> Counter[tuple[str, str]]:
        """How often each (kind, id) came again after the first time; ``.total()`` for all."""
        return self.store.duplicates

    def count(self, kind: str) -> int:
        """Tell how many different events of a kind arrived."""
        return self.store.counts[kind]

    def received(self, kind: str | None = None) -> list[Any]:
        """Give the events held, in order of arrival."""
        return [orjson.loads(event.body) for event in self.store.read(kind)]

    # Life.

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.add_routes(
            [
                web.get("/", self._show),
                web.get("/_simulator/received", self._received),
                web.get("/_simulator/violations", self._violations),
                web.get("/_simulator/switches", self._switches),
                web.post("/_simulator/switches", self._switch),
                web.post("/_simulator/reset", self._reset),
                web.route("*", "/{path:.*}", self._serve),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = self._site = None

    async def listen(self) -> None:
        """Open the port, or open it again after `hang_up`, with the same number."""
        if self._runner is None:
            raise RuntimeError("enter the simulator first")
        self._site = web.TCPSite(self._runner, self.host, self.port, reuse_address=True)
        await self._site.start()
        self.port = self._runner.addresses[-1][1]

    async def hang_up(self) -> None:
        """Close the port and every connection, as a vendor that is away, until `listen`."""
        if self._site is not None and self._runner is not None:
            await self._site.stop()
            self._site = None
            if self._runner.server is not None:
                await self._runner.server.shutdown(0.05)

    # What it serves.

    async def _serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.switches.slow_ms:
            await asyncio.sleep(self.switches.slow_ms / 1000)
        if self.switches.down:
            return _cut(request)
        reads = request.method == "GET" and request.path in self.read_paths
        verdict = self.look_up(request.path, request.headers) if reads else self._verdict(request, body)
        self.store.answers[verdict.status] += 1
        if verdict.violation is not None:
            self.store.violate(verdict.violation, body)
        if 200 <= verdict.status < 300:
            self.store.add(verdict.events)
            if self.switches.drop_after_commit:
                self.switches.drop_after_commit -= 1
                return _cut(request)
        return web.Response(status=verdict.status, body=verdict.body, headers=verdict.headers)

    def _verdict(self, request: web.Request, body: bytes) -> Verdict:
        if self.switches.next_statuses:
            return self.scripted(self.switches.next_statuses.pop(0))
        if request.path not in self.paths:
            return Verdict(404, violation=f"{request.method} {request.path}: no such path")
        if request.method != "POST":
            return Verdict(405, violation=f"{request.method} {request.path}: only POST")
        if self.switches.max_body_bytes is not None and len(body) > self.switches.max_body_bytes:
            return Verdict(413)
        verdict = self.judge(request.path, request.headers, body)
        if self.switches.choke and any(event.key in self.switches.choke for event in verdict.events):
            return self.scripted(500)
        return verdict

    async def _show(self, _: web.Request) -> web.Response:
        return web.Response(text=render(self.vendor, self.kinds, self.store), content_type="text/html")

    async def _received(self, request: web.Request) -> web.Response:
        kind, after, limit = (request.query.get(name) for name in ("kind", "after", "limit"))
        if not (after or "0").isdecimal() or not (limit or "0").isdecimal():
            return _json({"error": "after and limit are whole numbers"}, status=400)
        events = self.store.page(kind, int(after or 0), min(int(limit or 100), 10_000))
        shown = [{"order": e.order, "kind": e.kind, "event": orjson.Fragment(e.body)} for e in events]
        return _json({**self._counters(), "events": shown, "next": events[-1].order if events else None})

    async def _violations(self, _: web.Request) -> web.Response:
        return _json({"count": self.store.violation_count, "violations": list(self.store.violations)})

    async def _switches(self, _: web.Request) -> web.Response:
        return _json(self.switches.model_dump(mode="json"))

    async def _switch(self, request: web.Request) -> web.Response:
        try:
            wished = {**self.switches.model_dump(), **orjson.loads(await request.read())}
            self.switches = self.switches_type(**wished)
        except (orjson.JSONDecodeError, TypeError, ValidationError) as error:
            return _json({"error": str(error)}, status=400)
        return await self._switches(request)

    async def _reset(self, _: web.Request) -> web.Response:
        self.store.clear()
        return _json(self._counters())

    def _counters(self) -> dict[str, Any]:
        store = self.store
        return {
            "vendor": self.vendor,
            "received": {kind: store.counts[kind] for kind in self.kinds},
            "duplicates": {
                kind: sum(n for (of, _), n in store.duplicates.items() if of == kind) for kind in self.kinds
            },
            "answers": {str(status): number for status, number in sorted(store.answers.items())},
            "violations": store.violation_count,
        }


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # goes nowhere


def names() -> list[str]:
    """List the vendors that have a simulator, sorted."""
    package = importlib.import_module("crossdock.simulators")
    return sorted(
        m.name for m in pkgutil.iter_modules(package.__path__) if m.name[0] != "_" and m.name != "base"
    )


def load(name: str) -> type[Simulator]:
    """
    Give a vendor's simulator class.

    Raises:
        ConfigError: No simulator has that name.
    """
    if name not in names():
        raise ConfigError(f"no simulator for {name!r}; choose one of: {', '.join(names())}", key="vendor")
    simulator: type[Simulator] = importlib.import_module(f"crossdock.simulators.{name}").SIMULATOR
    return simulator


async def run(
    vendors: Sequence[str],
    *,
    host: str = "127.0.0.1",
    ports: Sequence[int] = (),
    overview_port: int = 0,
    on_ready: Callable[[list[Simulator], str], None] = lambda _, __: None,
) -> None:
    """
    Serve these vendors, and a page that lists them, until cancelled; who has no port gets a free one.

    *on_ready* is called with the simulators and the page's address once all of them listen.
    """
    async with AsyncExitStack() as stack:
        wanted = [
            load(vendor)(host=host, port=port)
            for vendor, port in zip(vendors, chain(ports, repeat(0)), strict=False)
        ]
        running = [await stack.enter_async_context(simulator) for simulator in wanted]
        overview = await stack.enter_async_context(Overview(running, host, overview_port))
        on_ready(running, overview.url)
        await asyncio.Event().wait()
