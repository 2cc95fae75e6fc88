"""``crossdock serve``: the gateway itself."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from crossdock import telemetry
from crossdock.cli.options import config_option, run


@click.command()
@config_option
@click.option(
    "--role",
    type=click.Choice(["all", "ingest", "deliver"]),
    default="all",
    show_default=True,
    help="Take events, deliver them, or both.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What is logged to standard error.",
)
def command(config: Path, role: Literal["all", "ingest", "deliver"], log_level: str) -> None:
    """
    Run the gateway until SIGTERM or Ctrl-C.

    A changed settings or mapping file takes effect by itself, or at once on SIGHUP; a wrong one is refused
    and the old one stays. Logs are JSON lines unless standard error is a terminal.
    """
    from crossdock.gateway import serve  # noqa: PLC0415 - `serve --help` needs no gateway

    telemetry.configure(level=log_level)
    run(serve(config, role))
