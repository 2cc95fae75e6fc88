"""The processes of a bench: each on its own, the server optionally kept to one core."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BENCH = Path(__file__).resolve().parent
KEY = "bench-write-key"


def free_port() -> int:
    """Find a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: list[str], *, cores: set[int] | None, ready_url: str, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; waits until it answers 200."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    if cores:
        os.sched_setaffinity(process.pid, cores)
    try:
        _wait_ready(ready_url, process, log)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended: {log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{url} did not answer: {log.read_text()[-2000:]}")


class Load:
    """A load generator in a process of its own, prepared before it starts."""

    def __init__(
        self, url: str, *, events: int, batch: int, connections: int, seed: int, core: int | None
    ) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable,
                str(BENCH / "load.py"),
                url,
                KEY,
                str(events),
                str(batch),
                str(connections),
                str(seed),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def start(self) -> None:
        """Let it run."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, float]:
        """Wait for its end."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self._process.wait()
        return dict(json.loads(line))


def settings_file(
    folder: Path, *, port: int, destinations: dict[str, str], rate: float = 100_000, sources: str = "[web]"
) -> Path:
    """Write the settings of a bench; `destinations` are names and base URLs."""
    lines = [
        f"server: {{host: 127.0.0.1, port: {port}}}",
        f'journal: {{url: "sqlite:///{folder / "data/crossdock.db"}"}}',
        "sources:",
        f"  web: {{write_key: {KEY}}}",
        "destinations:",
    ]
    for name, url in destinations.items():
        lines += [
            f"  {name}:",
            "    vendor: topsort",
            f"    sources: {sources}",
            f"    settings: {{api_key: bench, base_url: '{url}'}}",
            f"    delivery: {{requests_per_second: {rate}, batch_wait: 50ms}}",
        ]
    path = folder / "crossdock.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path
