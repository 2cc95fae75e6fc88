"""
Durable accept against a bare aiohttp handler, in one run.

Both servers are kept to one core, the load generator to the other. The gateway's journal holds 5 million
dedup marks before it starts; every event has a random id; five destinations are configured and their vendor
is down, so what is measured is acceptance and not delivery.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from journal import preload
from machine import cpu_seconds, describe
from processes import Load, free_port, running, settings_file

MARKS = 5_000_000


def measure(url: str, pid: int, *, batch: int, events: int, connections: int, seed: int) -> dict[str, float]:
    load = Load(url, events=events, batch=batch, connections=connections, seed=seed, core=1)
    before = cpu_seconds(pid)
    load.start()
    result = load.result()
    used = cpu_seconds(pid) - before
    rate = result["events"] / result["seconds"]
    return {**result, "rate": rate, "per_cpu_second": result["events"] / used}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--marks", type=int, default=MARKS)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"durable accept · {describe()}")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        port, bare_port = free_port(), free_port()
        dead = f"http://127.0.0.1:{free_port()}"
        settings = settings_file(folder, port=port, destinations={f"vendor{i}": dead for i in range(5)})
        preload(folder / "data/crossdock.db", options.marks)
        gateway_command = [str(Path(sys.executable).parent / "crossdock"), "serve", "--config", str(settings)]
        bare_command = [sys.executable, str(Path(__file__).parent / "bare.py"), str(bare_port)]
        url, bare_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{bare_port}"
        with (
            running(
                gateway_command, cores={0}, ready_url=f"{url}/readyz", log=folder / "gateway.log"
            ) as gateway,
            running(bare_command, cores={0}, ready_url=f"{bare_url}/readyz", log=folder / "bare.log") as bare,
        ):
            for batch, events in ((1, 15_000), (100, 120_000)):
                compare(url, gateway, bare_url, bare, batch=batch, events=events, rounds=options.rounds)


def compare(
    url: str,
    gateway: subprocess.Popen[bytes],
    bare_url: str,
    bare: subprocess.Popen[bytes],
    *,
    batch: int,
    events: int,
    rounds: int,
) -> None:
    ratios: list[float] = []
    kept: list[dict[str, float]] = []
    for seed in range(rounds):
        connections = 64 if batch == 1 else 16
        anchor = measure(bare_url, bare.pid, batch=batch, events=events, connections=connections, seed=seed)
        ours = measure(
            url, gateway.pid, batch=batch, events=events, connections=connections, seed=1000 * batch + seed
        )
        ratios.append(ours["rate"] / anchor["rate"])
        kept.append(ours)
        print(
            f"  batch {batch:3}: bare {anchor['rate']:8,.0f}/s   durable {ours['rate']:8,.0f}/s   "
            f"ratio {ratios[-1]:.2f}   {ours['per_cpu_second']:8,.0f} events per CPU-second   "
            f"p50 {ours['p50_ms']:.1f} ms  p99 {ours['p99_ms']:.1f} ms   errors {ours['errors']:.0f}"
        )
    rate = statistics.median(one["rate"] for one in kept)
    print(f"  batch {batch:3}: median {rate:,.0f} events/s, ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
