"""Options that several commands share, and how a command runs its coroutine."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from crossdock.settings import DEFAULT_PATH

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])


def config_option(command: Command) -> Command:
    """Add ``--config``."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        default=DEFAULT_PATH,
        show_default=True,
        envvar="CROSSDOCK_CONFIG",
        help="The settings file.",
    )(command)


def json_option(command: Command) -> Command:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Write JSON for programs.")(command)


def run(main: Coroutine[Any, Any, T]) -> T:
    """
    Run a coroutine to its end, on uvloop where it is installed.

    SIGTERM and a closed terminal end it as Ctrl-C does, so that what it opened is put away.
    """
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop  # noqa: PLC0415 - not there on Windows

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(_until_told(main))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None


async def _until_told(main: Coroutine[Any, Any, T]) -> T:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, cast("asyncio.Task[Any]", task).cancel)
    return await main
