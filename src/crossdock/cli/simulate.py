"""``crossdock simulate``: strict local doubles of the vendors, until Ctrl-C."""

from __future__ import annotations

import sys
from typing import Any

import click
import yaml

from crossdock import simulators
from crossdock.cli import terminal
from crossdock.cli.demo.story import vendors as expectations
from crossdock.cli.options import json_option, run
from crossdock.errors import CrossdockError
from crossdock.simulators import Simulator


class PortTaken(CrossdockError):
    """A simulator cannot listen where it was told to."""


@click.command()
@click.argument("vendors", nargs=-1, metavar="[VENDOR…]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9100,
    show_default=True,
    help="The first simulator's port; the others follow, then the page that lists them. 0: free ones.",
)
@json_option
def command(vendors: tuple[str, ...], host: str, port: int, as_json: bool) -> None:
    """
    Run strict local doubles of the vendors (all of them, or those named) until Ctrl-C.

    Each refuses what the vendor would refuse, keeps what it received, and shows it on a page of its own; one
    page more lists them all.
    """
    chosen = list(vendors) or simulators.names()
    for vendor in chosen:
        simulators.load(vendor)
    ports = [port + i if port else 0 for i in range(len(chosen))]

    def ready(running: list[Simulator], overview: str) -> None:
        if as_json:
            terminal.print_json({simulator.vendor: simulator.url for simulator in running})
            sys.stdout.flush()
        else:
            _show(running, overview)

    try:
        last = port + len(chosen) if port else 0
        run(simulators.run(chosen, host=host, ports=ports, overview_port=last, on_ready=ready))
    except KeyboardInterrupt:
        return
    except OSError as error:
        raise PortTaken(
            f"cannot listen on {host}: {error.strerror or error}; choose another --port"
        ) from None


def paste(running: list[Simulator]) -> str:
    """Give the settings that point a gateway at the simulators."""
    destinations: dict[str, Any] = {}
    for simulator in running:
        needed = expectations().get(simulator.vendor, {}).get("settings", {})
        destinations[simulator.vendor] = {"settings": {**needed, "base_url": simulator.url}}
    text: str = yaml.safe_dump({"destinations": destinations}, sort_keys=False)
    return text


def _show(running: list[Simulator], overview: str) -> None:
    out = terminal.console()
    for simulator in running:
        out.print(f"{simulator.vendor:<16} {simulator.url}", soft_wrap=True)
    out.print(f"{'all of them':<16} {overview}", soft_wrap=True)
    out.print("\nOpen an address to see what arrived. Paste into crossdock.yaml:\n", style="bold")
    out.print(paste(running), soft_wrap=True)
    out.print("Ctrl-C stops.")
    sys.stdout.flush()
