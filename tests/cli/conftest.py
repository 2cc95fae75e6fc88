"""What the command line's tests share: a runner in a folder of its own, and a gateway that really runs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner, Result

from crossdock.cli import main
from crossdock.event import Reception, admit
from crossdock.journal import open_journal
from crossdock.journal.base import Arrival
from crossdock.settings import load

WRITE_KEY = "write-key-of-the-tests"
API_KEY = "marketplace-key-of-the-tests"


class Shell:
    """Runs commands in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runner = CliRunner()

    def __call__(self, *arguments: str, code: int = 0, stdin: str | None = None) -> Result:
        """Run one command and check its exit code."""
        result = self._runner.invoke(main, arguments, input=stdin, catch_exceptions=False)
        assert code == result.exit_code, result.output
        return result

    def json(self, *arguments: str) -> Any:
        """Run one command with --json and give what it says."""
        return json.loads(self(*arguments, "--json").stdout)

    def write(self, name: str, text: str) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """Give a shell in an empty folder; what a command adds to the environment goes afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in ("WEB_WRITE_KEY", "SEGMENT_WEBHOOK_SECRET", "CROSSDOCK_TOKEN", "TOPSORT_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    before = dict(os.environ)
    yield Shell(tmp_path)
    os.environ.clear()
    os.environ.update(before)


def fill(url: str, *events: dict[str, Any], source: str = "web") -> None:
    """Append events to a journal that no gateway runs on, as the door would."""

    async def append() -> None:
        journal = await open_journal(url)
        try:
            await journal.append([_arrival(event, source) for event in events])
        finally:
            await journal.close()

    asyncio.run(append())


def _arrival(event: dict[str, Any], source: str) -> Arrival:
    at = datetime.now(UTC)
    document = json.loads(json.dumps(event))
    body = admit(document, Reception(received_at=at, source=source))
    return Arrival(document["messageId"], source, "all", 0, document, body, at)


class Running:
    """A gateway with a simulator, both processes of their own."""

    def __init__(self, shell: Shell, gateway: str, simulator: str) -> None:
        self.shell = shell
        self.gateway = gateway
        self.simulator = simulator

    def send(self, *events: dict[str, Any]) -> None:
        """Send events as one batch."""
        authorization = "Basic " + b64encode(f"{WRITE_KEY}:".encode()).decode()
        post(f"{self.gateway}/v1/batch", {"batch": events}, {"Authorization": authorization})

    def switch(self, **switches: Any) -> None:
        """Change how the simulator behaves."""
        post(f"{self.simulator}/_simulator/switches", switches)


@pytest.fixture
def settings_file(shell: Shell) -> Callable[[str], Path]:
    """Give a function that writes settings which point at a simulator."""

    def write(simulator: str) -> Path:
        return shell.write(
            "crossdock.yaml",
            f"server: {{port: {free_port()}}}\n"
            "journal: {url: sqlite:///./journal.db}\n"
            f"sources: {{web: {{write_key: {WRITE_KEY}}}}}\n"
            "destinations:\n"
            "  topsort:\n"
            f"    settings: {{api_key: {API_KEY}, base_url: '{simulator}'}}\n"
            "    delivery: {batch_wait: 20ms}\n",
        )

    return write


@pytest.fixture
def running(shell: Shell, settings_file: Callable[[str], Path]) -> Iterator[Running]:
    """Give a running gateway and simulator; both must end by themselves when told to."""
    with command("simulate", "topsort", "--port", "0", "--json") as simulating:
        simulator = json.loads(read_object(simulating))["topsort"]
        gateway = gateway_url(settings_file(simulator))
        with command("serve", "--log-level", "error"):
            eventually(lambda: ready(gateway))
            yield Running(shell, gateway, simulator)


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a process of its own, and check that SIGINT ends it well."""
    process = subprocess.Popen(
        [sys.executable, "-m", "crossdock", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert (0, False) == (process.returncode, "Traceback" in errors), errors
    finally:
        process.kill()
        process.communicate()


def eventually(holds: Callable[[], Any], seconds: float = 20) -> None:
    """Ask again and again until it holds."""
    deadline = time.monotonic() + seconds
    pause = _Pause()
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        pause()


class _Pause:
    """Waits a little for another process, by waiting on a socket nobody writes to."""

    def __call__(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(0.05)
            try:
                ours.recv(1)
            except TimeoutError:
                return


def free_port() -> int:
    """Give a port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def post(url: str, value: Any, headers: dict[str, str] | None = None) -> Any:
    """Post JSON and give the answer's."""
    request = Request(url, json.dumps(value).encode(), headers or {}, method="POST")
    with urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def get(url: str) -> Any:
    """Get JSON."""
    with urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


def gateway_url(config: Path) -> str:
    """Give the address a settings file makes the gateway listen on."""
    server = load(config).server
    return f"http://{server.host}:{server.port}"


def ready(url: str) -> bool:
    """Tell whether a gateway says it is ready."""
    try:
        with urlopen(f"{url}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, ConnectionError):
        return False


def read_object(process: subprocess.Popen[str]) -> str:
    """Read the indented JSON object a process prints first."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("}"):
            break
    return "".join(lines)
