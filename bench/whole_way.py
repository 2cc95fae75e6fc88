"""
The whole way: accepted, mapped, guarded, delivered to a local simulator, and noted.

Gateway, simulator and load generator share the machine's cores. The clock runs from the first request to the
moment the simulator has everything that is owed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from machine import cpu_seconds, describe, resident_bytes
from processes import Load, free_port, running, settings_file


def counts(url: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{url}/_simulator/received", timeout=10) as answer:
        return dict(json.loads(answer.read())["received"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=120_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"whole way to the simulator · {describe()}")
    rates: list[float] = []
    for seed in range(options.rounds):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
            rates.append(one_round(Path(name), options.events, seed))
    print(f"  median {statistics.median(rates):,.0f} events/s")


def one_round(folder: Path, events: int, seed: int) -> float:
    port, vendor_port = free_port(), free_port()
    url, vendor_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{vendor_port}"
    settings = settings_file(folder, port=port, destinations={"topsort": vendor_url})
    crossdock = str(Path(sys.executable).parent / "crossdock")
    simulator = [sys.executable, str(Path(__file__).parent / "vendor.py"), str(vendor_port)]
    gateway = [crossdock, "serve", "--config", str(settings)]
    with (
        running(
            simulator, cores=None, ready_url=f"{vendor_url}/_simulator/received", log=folder / "vendor.log"
        ) as vendor,
        running(gateway, cores=None, ready_url=f"{url}/readyz", log=folder / "gateway.log") as server,
    ):
        load = Load(url, events=events, batch=100, connections=16, seed=seed, core=None)
        before = cpu_seconds(server.pid), cpu_seconds(vendor.pid)
        started = time.perf_counter()
        load.start()
        result = load.result()
        accepted = time.perf_counter() - started
        while sum(counts(vendor_url).values()) < events and time.perf_counter() - started < 120:
            time.sleep(0.05)
        seconds = time.perf_counter() - started
        delivered = sum(counts(vendor_url).values())
        used = cpu_seconds(server.pid) - before[0], cpu_seconds(vendor.pid) - before[1]
        print(
            f"  {delivered:,} of {events:,} delivered in {seconds:.1f} s: {delivered / seconds:,.0f} events/s"
            f"   (accepted at {events / accepted:,.0f}/s, errors {result['errors']:.0f}; gateway"
            f" {delivered / used[0]:,.0f} events per CPU-second,"
            f" {resident_bytes(server.pid) / 2**20:.0f} MiB;"
            f" simulator {delivered / used[1]:,.0f} per CPU-second)"
        )
        return delivered / seconds


if __name__ == "__main__":
    main()
